"""Folds fitted by shared programs: nothing hidden is seen, nothing compiled twice, fits are as `fit`'s."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import compiled_quickly
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size
from numpyro.infer.util import constrain_fn
from oracles import as_scores, plain_table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.design import Design, design_of
from bayes_sloth.errors import InputError
from bayes_sloth.evaluation import evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.laws.sloth import DRAWS, WIDTH, SlothLaw, _batches
from bayes_sloth.modes import Modes, held
from bayes_sloth.protocols import FoldsFrom
from bayes_sloth.pytree import argument, stacked
from bayes_sloth.reading import read_models
from bayes_sloth.refitting import Length, all_modes, drawn_scores, sampled, scores_at_modes
from bayes_sloth.sampling import run_chains
from bayes_sloth.scores import Scores
from bayes_sloth.space import Space

SPEC = bs.ModelSpec(skills=1, anchors=("exam 0",))
SHORT = Length(chains=2, warmup=60, draws=60)
LAWS = {"map": SlothLaw(SPEC, "map"), "hmc": SlothLaw(SPEC, "hmc", SHORT)}
METHODS = ("map", "hmc")
PROGRAMS = (all_modes, scores_at_modes, sampled)


def fold(*models: str) -> Fold:
    hidden = np.isin(list("abcdef"), models)[:, None] & np.ones((1, 2), dtype=bool)
    return Fold("+".join(models), hidden, hidden & plain_table().observed)


FOLDS = (fold("c"), fold("b", "c"), fold("f"), fold("d", "e", "f"))


def forecasts(method: str, scores: Scores, folds: Sequence[Fold], seed: int = 0) -> dict[str, Forecast]:
    with compiled_quickly():
        found = LAWS[method].forecasts(scores, folds, seed=seed, jobs=1, progress=False)
        return {folds[forecast.fold].name: forecast for forecast in found}


@cache
def usual(method: str) -> dict[str, Forecast]:
    return forecasts(method, plain_table(), FOLDS)


def with_scores(change: Any, where: np.ndarray) -> Scores:
    """Return the plain table with some of its scores changed."""
    data = plain_table().data
    return Scores(data.assign(score=data["score"].where(~where, change)))


def somewhere(space: Space) -> jax.Array:
    """Return a flat vector near zero, where every scale is near one."""
    return 0.3 * jax.random.normal(jax.random.key(0), jax.eval_shape(space.start).shape)


@cache
def modes() -> tuple[tuple[Design, ...], np.ndarray, np.ndarray]:
    """Return the folds' designs, their modes and losses; the program is the one that the law runs."""
    designs = [argument(design_of(one.seen(plain_table()), ("exam 0",))) for one in FOLDS]
    ((_, together),) = _batches(designs)
    with compiled_quickly():
        found = all_modes(together, SPEC, jax.random.split(jax.random.key(7), WIDTH))
    vectors, losses = (np.asarray(values)[: len(FOLDS)] for values in found)
    return tuple(designs), vectors, losses


@pytest.mark.parametrize("method", METHODS)
def test_a_forecast_has_its_folds_models_and_says_what_it_took(method: str) -> None:
    draws = DRAWS if method == "map" else SHORT.chains * SHORT.draws
    for one in FOLDS:
        found = usual(method)[one.name]
        assert found.draws.shape == (draws, one.models.size, 2)
        assert found.draws.min() >= 0 and found.draws.max() <= 1 and np.isfinite(found.draws).all()
        assert found.seconds > 0
        assert set(found.notes) == (
            set() if method == "map" else {"r_hat", "ess_bulk", "divergences", "steps"}
        )


@pytest.mark.parametrize("method", METHODS)
def test_a_fold_sees_only_scores_that_are_not_hidden(method: str) -> None:
    """Bit for bit: whatever is hidden may be anything, and a seen score may not."""
    one = FOLDS[1]
    for wrong in (0.0, 0.999):
        found = forecasts(method, with_scores(wrong, one.hidden), [one])
        np.testing.assert_array_equal(found[one.name].draws, usual(method)[one.name].draws)
    seen = np.zeros((6, 2), dtype=bool)
    seen[0, 0] = True
    changed = forecasts(method, with_scores(0.4, seen), [one])
    assert not np.array_equal(changed[one.name].draws, usual(method)[one.name].draws)


@pytest.mark.parametrize("method", METHODS)
def test_a_folds_numbers_do_not_depend_on_its_companions(method: str) -> None:
    """So that the rest of an interrupted run ends as it would have: bit for bit, in any place."""
    longer = FOLDS[::-1] * (3 if method == "map" else 1)  # more than climb side by side
    for chosen in (FOLDS[2:], longer):
        for name, found in forecasts(method, plain_table(), chosen).items():
            np.testing.assert_array_equal(found.draws, usual(method)[name].draws)


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: str) -> None:
    same, other = (forecasts(method, plain_table(), FOLDS[:1], seed)["c"].draws for seed in (0, 1))
    np.testing.assert_array_equal(same, usual(method)["c"].draws)
    assert not (same == other).all()


def renamed(scores: Scores) -> Scores:
    """Return a table of the same shape of which every number and name is another."""
    facts = scores.metadata.assign(
        model=[f"new {i}" for i in range(6)],
        family=["p"] * 3 + ["q"] * 3,
        params_b=[2.0, 9.0, 50.0, 1.0, 8.0, 40.0],
        tokens_t=[1.0, 1.5, 4.0, 2.0, 3.0, 8.0],
        instruct=[0, 1, 1, 0, 0, 1],
    )
    score = 0.9 * np.asarray(scores.data["score"].values) + 0.02
    return as_scores(read_models(facts), score, (0.25, 0.0))


@pytest.mark.parametrize("method", METHODS)
def test_another_table_of_equal_shape_compiles_nothing(method: str) -> None:
    """Nor do fewer folds, nor do other scores that are missing."""
    usual(method)
    before = [program._cache_size() for program in PROGRAMS]
    forecasts(method, renamed(plain_table()), FOLDS[1:])
    forecasts(method, plain_table().hide(np.eye(6, 2, dtype=bool)), FOLDS[3:])
    assert [program._cache_size() for program in PROGRAMS] == before
    assert max(before) > 0


def test_an_interrupted_evaluation_of_real_fits_ends_the_same(tmp_path: Path) -> None:
    rows = [(one.name, m, "test" if m in one.name else "train") for one in FOLDS for m in "abcdef"]
    protocol = FoldsFrom(pd.DataFrame(rows, columns=["fold", "model", "role"]))

    def run() -> xr.Dataset:
        with compiled_quickly():
            found = evaluate(
                plain_table(), LAWS["hmc"], protocol, seed=0, jobs=1, folder=tmp_path, progress=False
            )
        return found.data.drop_vars("seconds")

    whole = run()
    sorted(tmp_path.iterdir())[1].unlink()
    sorted(tmp_path.iterdir())[2].unlink()
    xr.testing.assert_identical(run(), whole)


def potentials(masked: Design, absent: Design, extra: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Return both potentials, the parameters of what is absent cut out of the masked ones."""
    wide, narrow = Space(masked, SPEC), Space(absent, SPEC)
    vector = somewhere(wide)
    named = wide.named(vector)
    cut = {name: value[extra[name]] if name in extra else value for name, value in named.items()}
    with compiled_quickly():
        left = float(jax.jit(wide.potential)(vector)), float(jax.jit(narrow.potential)(narrow.flat(cut)))
    return *left, {name: np.asarray(value) for name, value in named.items()}


def minus_log_normal(value: Any, mean: Any = 0.0, sd: Any = 1.0) -> float:
    return float(-stats.norm.logpdf(value, mean, sd).sum())


def test_hidden_rows_are_worth_as_much_as_absent_ones() -> None:
    """The last of each family: what is left over is the prior of their own departures, and of a line gone."""
    gone = np.isin(list("abcdef"), ["c", "f"])
    masked = design_of(plain_table().hide(gone[:, None]), ("exam 0",))
    absent = design_of(plain_table().without(["c", "f"]), ("exam 0",))
    tuned = np.array([False, True, False, False])  # family x has no tuned model but c
    with_them, without, values = potentials(masked, absent, {"deviation_raw": ~gone, "specific_raw": ~tuned})
    prior = minus_log_normal(values["deviation_raw"][gone]) + minus_log_normal(values["specific_raw"][tuned])
    assert with_them - without == pytest.approx(prior, abs=1e-8)


def test_a_hidden_family_is_worth_as_much_as_an_absent_one() -> None:
    """What is left over is the prior of the family's own parameters."""
    gone = np.isin(list("abcdef"), ["d", "e", "f"])
    masked = design_of(plain_table().hide(gone[:, None]), ("exam 0",))
    absent = design_of(plain_table().without(["d", "e", "f"]), ("exam 0",))
    first, lines = slice(0, 1), slice(0, 2)
    rows = {"deviation_raw": ~gone, "family_skill": first, "family_tuning_raw": first, "specific_raw": lines}
    with_it, without, values = potentials(masked, absent, rows)
    prior = minus_log_normal(values["deviation_raw"][gone]) + minus_log_normal(values["family_tuning_raw"][1])
    scale = np.exp(values["family_scale"])
    prior += minus_log_normal(values["family_skill"][1], values["skill_mean"], scale)
    prior += minus_log_normal(values["specific_raw"][2:])
    assert with_it - without == pytest.approx(prior, abs=1e-8)


def test_stacked_designs_have_an_axis_in_front() -> None:
    designs = [design_of(one.seen(plain_table()), ("exam 0",)) for one in FOLDS]
    together = stacked(designs)
    assert together.families == ("x", "y") and not together.has_parents
    for place, design in enumerate(designs):
        np.testing.assert_array_equal(together.observed[place], design.observed)
        np.testing.assert_array_equal(together.root[2][place], design.root[2])
        assert together.scaling.size.mean[place] == design.scaling.size.mean


def test_modes_of_all_folds_are_at_rest_and_best_first() -> None:
    designs, vectors, losses = modes()

    def at(design: Design, vector: jax.Array) -> Any:
        return jax.value_and_grad(Space(design, SPEC, held(design, SPEC)).potential)(vector)

    with compiled_quickly():
        loss, gradient = jax.jit(jax.vmap(at))(stacked(designs), vectors[:, 0])
    assert (np.diff(losses, axis=1) >= 0).all() and np.isfinite(losses).all()
    np.testing.assert_allclose(loss, losses[:, 0], atol=1e-8)
    assert np.abs(gradient).max() < 0.05


def test_scores_are_drawn_around_what_the_model_expects() -> None:
    space = Space(design_of(plain_table(), ("exam 0",)), SPEC)
    vector, draws = somewhere(space), 2000

    def everything(vector: jax.Array) -> Any:
        values = constrain_fn(space.model, (), {}, space.named(vector))
        trace = handlers.trace(handlers.substitute(space.model, data=values)).get_trace()
        rows = jnp.broadcast_to(vector, (draws, vector.size))
        return trace["score"]["fn"].base_dist.mean_score, *drawn_scores(space, rows, jax.random.key(0))

    with compiled_quickly():
        mean, expected, score = (np.asarray(found) for found in jax.jit(everything)(vector))
    np.testing.assert_allclose(expected, np.broadcast_to(np.clip(mean, 0, 1), expected.shape), atol=1e-10)
    assert score.shape == (draws, 6, 2) and score.min() >= 0 and score.max() <= 1
    # Half of the draws lie above: five standard errors. Those that reach an end of the scale tie with it.
    share = (score > expected).mean(axis=0) + 0.5 * (score == expected).mean(axis=0)
    np.testing.assert_allclose(share, 0.5, atol=5 * 0.5 / draws**0.5)
    assert np.ptp(score, axis=0).min() > 0.01


@cache
def by_fit() -> xr.Dataset:
    """Fit and forecast the first fold with the package's own verbs; the mode is a point."""
    scores = plain_table()
    with warnings.catch_warnings(), compiled_quickly():
        warnings.simplefilter("ignore")  # of few models
        fit = bs.fit(scores.without(["c"]), SPEC, method="map", seed=5, progress=False)
        return bs.predict(fit, scores.select(models=["c"]).metadata, seed=0).data.isel(chain=0, model=0)


def test_the_mode_of_a_fold_forecasts_as_fit_and_predict_do() -> None:
    """Medians agree: departures that predict adds are symmetric in the skill, and links are monotone."""
    one = FOLDS[0]
    rows = [(one.name, m, "test" if m == "c" else "train") for m in "abcdef"]
    protocol = FoldsFrom(pd.DataFrame(rows, columns=["fold", "model", "role"]))
    with compiled_quickly():
        found = evaluate(plain_table(), LAWS["map"], protocol, seed=0, jobs=1, progress=False).data
    theirs = by_fit()["score"].sel(benchmark="exam 0")
    error = 1.25 * np.hypot(
        float(theirs.std()) / theirs.size**0.5, float(usual("map")["c"].draws[:, 0, 0].std()) / DRAWS**0.5
    )
    ours = float(found["median"].sel(law="sloth (map)", fold="c", model="c", benchmark="exam 0"))
    assert ours == pytest.approx(float(theirs.median()), abs=5 * error)


def test_the_expected_score_of_a_fold_at_its_mode_is_that_of_fit_and_predict() -> None:
    designs, vectors, _ = modes()
    ((places, together),) = _batches(list(designs))
    with compiled_quickly():
        keys = jax.random.split(jax.random.key(0), WIDTH)
        expected = scores_at_modes(together, SPEC, vectors[places, 0], keys, DRAWS)[0]
    theirs = by_fit()["expected"]
    error = 1.25 * theirs.std("draw") / theirs.sizes["draw"] ** 0.5
    gap = abs(np.asarray(expected[0, 0, 2]) - theirs.median("draw").values)
    np.testing.assert_array_less(gap, 5 * error + 1e-3)


@pytest.mark.long
def test_chains_of_a_fold_have_the_posterior_that_fit_finds() -> None:
    """Means of the expected scores by both loops: five standard errors, twelve cells."""
    designs, vectors, _ = modes()
    design, mode, key = designs[0], jnp.asarray(vectors[0]), jax.random.key(0)
    narrow = Modes(Space(design, SPEC, held(design, SPEC)), mode, np.zeros(len(mode)))
    with compiled_quickly():
        ours = np.asarray(sampled(design, SPEC, mode[0], key, SHORT).expected)
        chains = run_chains(narrow, method="hmc", **SHORT._asdict(), seed=1, progress=False)
        rows = np.concatenate(chains.vectors)
        theirs = np.asarray(jax.jit(partial(drawn_scores, chains.space))(rows, key)[0]).reshape(ours.shape)
    error = np.sqrt(sum(found.var((0, 1)) / effective_sample_size(found) for found in (ours, theirs)))
    np.testing.assert_array_less(np.abs(ours.mean((0, 1)) - theirs.mean((0, 1))), 5 * error)
    assert effective_sample_size(ours).min() > 10
    assert not np.array_equal(ours[0], ours[1])


def test_laws_have_names_and_a_wrong_method_is_named() -> None:
    assert [law.name for law in LAWS.values()] == ["sloth (map)", "sloth"]
    assert SlothLaw(label="mine").name == "mine"
    with pytest.raises(InputError) as error:
        SlothLaw(method="laplace")
    assert str(error.value) == "unknown method 'laplace': choose from hmc, map."
    with pytest.raises(InputError, match="unknown anchor 'exam 7'"):
        list(
            SlothLaw(bs.ModelSpec(skills=1, anchors=("exam 7",)), "map").forecasts(
                plain_table(), FOLDS, seed=0, jobs=1, progress=False
            )
        )
