"""The laws behind their two verbs, and the Bayesian rivals: truth recovered, nothing hidden seen.

Every statistic here has a stated false-alarm rate on a fixed seed: a correct law fails one seed in a thousand
or so, and a failure means a wrong law.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import joblib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import ASKED, SPEC, compiled_quickly, map_fit
from fits import forecast as forecast_of_our_law
from fits import table as packaged
from numpy.typing import NDArray
from numpyro import handlers
from oracles import as_scores, plain_table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth import laws
from bayes_sloth.errors import InputError
from bayes_sloth.evaluation import evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.laws import bayesian
from bayes_sloth.laws.capability import CapabilityLaw
from bayes_sloth.laws.components import ComponentsLaw
from bayes_sloth.laws.dressing import points
from bayes_sloth.laws.effects import effects
from bayes_sloth.laws.flops import FlopsLaw
from bayes_sloth.laws.forecast import LEVELS, Forecast
from bayes_sloth.laws.hierarchical_flops import HierarchicalFlopsLaw
from bayes_sloth.laws.huber import Training
from bayes_sloth.laws.published_sloth import PublishedSloth
from bayes_sloth.laws.random_effects import RandomEffectsLaw
from bayes_sloth.laws.rows import recipes_of, rows_of
from bayes_sloth.laws.size_tokens import SizeTokensLaw
from bayes_sloth.laws.sloth import SlothLaw
from bayes_sloth.modes import firm
from bayes_sloth.protocols import RandomCells
from bayes_sloth.reading import read_models
from bayes_sloth.refitting import Length
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

FAMILIES, SIZES, FLOORS = 10, 5, (0.25, 0.0, 0.5, 0.1, 0.0)
RUNS_LONG: Final = True  # programs run for longer than they take to compile
MODELS: Final = FAMILIES * SIZES
CHAINS: Final = Length(chains=2, warmup=300, draws=300)
SHORT: Final = Training(rates=(0.01,), epochs=100)
POINT_LAWS = (
    FlopsLaw(family=True, training=SHORT),
    FlopsLaw(family=True, pooled=False, training=SHORT),
    SizeTokensLaw(family=True, link="logistic", training=SHORT),
    ComponentsLaw(2),
    ComponentsLaw(2, pooled=False),
    PublishedSloth(2, "network", family=True, training=SHORT),
)
# Without the network, which has no scale on which effects of families add.
ADDING = (*POINT_LAWS[:-1], replace(POINT_LAWS[-1], link="logistic"))
SAMPLED = (CapabilityLaw(CHAINS), HierarchicalFlopsLaw(CHAINS))
# Both have the same verbs; only long tests look at the first one's numbers.
SAMPLED_PARAMS = [pytest.param(SAMPLED[0], marks=pytest.mark.long), SAMPLED[1]]
named = pytest.mark.parametrize("law", SAMPLED_PARAMS, ids=lambda law: law.name)
dressed = pytest.mark.parametrize("law", POINT_LAWS, ids=lambda law: law.name)


class Truth(NamedTuple):
    """What a table was drawn from."""

    scores: Scores
    values: dict[str, Floats]
    expected: Floats


def facts() -> pd.DataFrame:
    """Ten families of five models, from small to large, each family with tokens of its own."""
    rng, family = np.random.default_rng(3), np.repeat(np.arange(FAMILIES), SIZES)
    size = np.sort(np.exp(rng.uniform(0, 4, (FAMILIES, SIZES)))).ravel()
    tokens = np.exp(rng.normal(0.5, 0.8, FAMILIES))[family]
    columns = {"model": [f"m{i:02}" for i in range(MODELS)], "family": [f"f{k}" for k in family]}
    return read_models(pd.DataFrame(columns | {"params_b": size, "tokens_t": tokens}))


def drawn(logits: Floats, seed: int, **values: Floats) -> Truth:
    """Draw scores around a mean with the scatter that the laws describe: Student-t, largest at mid-range."""
    floor, rng = np.array(FLOORS), np.random.default_rng(seed)
    share = 1 / (1 + np.exp(-logits))
    expected = floor + (1 - floor) * share
    variance = 0.03**2 * (4 * share * (1 - share) + 1 / 50) + expected * (1 - expected) / 500
    score = expected + np.sqrt(variance) * rng.standard_t(6, size=logits.shape)
    return Truth(as_scores(facts(), np.clip(score, 0, 1), FLOORS), values, expected)


@cache
def by_capability() -> Truth:
    rng = np.random.default_rng(11)
    family = rng.normal(0.3, 0.8, FAMILIES)
    capability = np.repeat(family, SIZES) + rng.normal(0, 0.7, MODELS)
    log_slope, difficulty = rng.normal(0, 0.4, 5), rng.normal(0, 0.8, 5)
    log_slope, difficulty = log_slope - log_slope.mean(), difficulty - difficulty.mean()
    logits = np.exp(log_slope) * (capability[:, None] - difficulty)
    return drawn(logits, 12, capability=capability, log_slope=log_slope, difficulty=difficulty)


@cache
def by_compute() -> Truth:
    rng, known = np.random.default_rng(21), facts()
    compute = np.log(known["params_b"] * known["tokens_t"]).to_numpy(dtype=float)
    scaled = (compute - compute.mean()) / compute.std()
    intercept, slope = rng.normal(0, 0.5, 5), rng.normal(1.2, 0.4, 5)
    effect = rng.normal(0, 0.6, (FAMILIES, 5))
    logits = intercept + np.repeat(effect, SIZES, axis=0) + np.outer(scaled, slope)
    return drawn(logits, 22, slope=slope, level=intercept + effect)


def truth_of(law: Any) -> Truth:
    return by_capability() if isinstance(law, CapabilityLaw) else by_compute()


@cache
def fitted(law: Any) -> laws.Fitted:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # of short chains
        return law.fit(truth_of(law).scores, seed=0)


def forecasts(law: Any, scores: Scores, folds: Sequence[Fold], seed: int = 0) -> dict[str, Forecast]:
    found = law.forecasts(scores, folds, seed=seed, jobs=1, progress=False)
    return {folds[one.fold].name: one for one in found}


def hiding(name: str, rows: Sequence[int]) -> Fold:
    mask = np.zeros((MODELS, len(FLOORS)), dtype=bool)
    mask[list(rows)] = True
    return Fold(name, mask, mask)


LARGEST = [SIZES * k + SIZES - 1 for k in range(FAMILIES)]
FOLDS = (hiding("largest", LARGEST), hiding("a family", range(5)), hiding("one", [7]))


@cache
def usual(law: Any) -> dict[str, Forecast]:
    return forecasts(law, truth_of(law).scores, FOLDS)


def far_off(draws: Floats, truth: Floats) -> float:
    """Return the p-value of a truth under a normal approximation to its posterior, all of it at once."""
    gap = draws.mean(axis=0) - truth
    distance = gap @ np.linalg.solve(np.cov(draws, rowvar=False), gap)
    return float(stats.chi2.sf(distance, truth.size))


def misses(draws: Floats, truth: Floats) -> int:
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    return int(((truth < lower) | (truth > upper)).sum())


def most_misses(count: int, false_alarm: float = 1e-3) -> int:
    """Return how many of so many 90% intervals miss at most, but for the false-alarm rate."""
    return int(stats.binom.isf(false_alarm, count, 0.1))


@pytest.mark.long
def test_a_simulated_capability_is_recovered() -> None:
    """Benchmarks at once and models one by one, which they tie loosely, each with false alarm 1e-3."""
    truth, found = by_capability().values, fitted(SAMPLED[0]).parameters
    free = [found["log_slope"][:, :-1], found["difficulty"][:, :-1]]  # the last of each is told by the others
    wanted = np.append(truth["log_slope"][:-1], truth["difficulty"][:-1])
    assert far_off(np.concatenate(free, axis=1), wanted) > 1e-3
    assert far_off(np.concatenate(free, axis=1), wanted + 0.2) < 1e-3  # and the statistic can fail
    limit = most_misses(MODELS)
    assert misses(found["capability"], truth["capability"]) <= limit < MODELS // 3
    assert misses(found["capability"], truth["capability"][::-1]) > limit
    spread = found["capability"].std(axis=0)
    assert spread.max() < 0.5 * truth["capability"].std()  # told by the scores, not by the prior alone


def test_simulated_curves_in_compute_are_recovered() -> None:
    """Slopes at once and levels of families one by one, each with false alarm 1e-3."""
    truth, law = by_compute().values, SAMPLED[1]
    found = fitted(law).parameters
    assert far_off(found["slope"], truth["slope"]) > 1e-3
    assert far_off(found["slope"], truth["slope"] + 0.2) < 1e-3
    center = bayesian.seen_table(by_compute().scores, True)[0].center
    level = found["family"] - found["slope"][:, None, :] * center[:, None]
    limit = most_misses(level[0].size)
    assert misses(level, truth["level"]) <= limit < level[0].size // 3
    assert misses(level, truth["level"][::-1]) > limit


@named
def test_the_chains_of_a_fit_agree(law: Any) -> None:
    notes = fitted(law).notes
    assert notes["divergences"] == 0 and notes["r_hat"] < 1.05 and notes["ess_bulk"] > 60


@named
def test_chains_that_do_not_agree_are_told(law: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayesian, "RHAT_PARAMETER", 0.9)  # which no chains reach
    with pytest.warns(bs.FitWarning, match=f"{law.name}: the chains do not agree"):
        law.fit(truth_of(law).scores)


@named
def test_forecasts_of_hidden_models_hold_their_truth(law: Any) -> None:
    """Six of ten models outside 90% intervals with all their scores: false alarm 1.5e-4 or less.

    Intervals a fifth as wide are caught.
    """
    truth, draws = truth_of(law).scores.data["score"].values[LARGEST], usual(law)["largest"].draws
    median = np.median(draws, axis=0)
    for width, right in ((1.0, True), (0.2, False)):
        lower, upper = np.quantile(median + width * (draws - median), [0.05, 0.95], axis=0)
        assert (((lower <= truth) & (truth <= upper)).mean() >= 0.45) == right


@pytest.mark.long
def test_curves_in_compute_forecast_larger_siblings_and_a_capability_does_not() -> None:
    truth = by_compute()
    errors = {}
    for law in SAMPLED:
        found = forecasts(law, truth.scores, FOLDS[:1])["largest"]
        errors[law.name] = np.abs(np.median(found.draws, axis=0) - truth.expected[LARGEST]).mean()
    assert errors["Hierarchical FLOPs"] < 0.05 < 0.1 < errors["Capability"]


@named
def test_a_fold_sees_only_scores_that_are_not_hidden(law: Any) -> None:
    """Bit for bit: whatever is hidden may be anything, and a seen score may not."""
    scores, fold = truth_of(law).scores, FOLDS[1]
    score = scores.data["score"]
    for hidden in (0.0, 0.999):
        spoiled = Scores(scores.data.assign(score=score.where(~fold.hidden, hidden)))
        np.testing.assert_array_equal(
            forecasts(law, spoiled, [fold])["a family"].draws, usual(law)["a family"].draws
        )
    seen = np.zeros_like(fold.hidden)
    seen[9, 0] = True
    changed = forecasts(law, Scores(scores.data.assign(score=score.where(~seen, 0.4))), [fold])
    assert not np.array_equal(changed["a family"].draws, usual(law)["a family"].draws)


@named
def test_a_folds_numbers_do_not_depend_on_its_companions_but_on_the_seed(law: Any) -> None:
    scores = truth_of(law).scores
    for chosen in (FOLDS[2:], FOLDS[:0:-1]):
        for name, found in forecasts(law, scores, chosen).items():
            np.testing.assert_array_equal(found.draws, usual(law)[name].draws)
    assert not np.array_equal(forecasts(law, scores, FOLDS[2:], 1)["one"].draws, usual(law)["one"].draws)


@named
def test_another_table_of_equal_shape_compiles_nothing(law: Any) -> None:
    usual(law)
    before = bayesian.sampled._cache_size()
    other = truth_of(SAMPLED[law is SAMPLED[0]]).scores
    forecasts(law, other.hide(np.eye(MODELS, len(FLOORS), dtype=bool)), FOLDS[1:2], 5)
    assert bayesian.sampled._cache_size() == before > 0


@named
def test_a_forecast_has_its_folds_models_and_says_how_it_went(law: Any) -> None:
    for fold in FOLDS:
        found = usual(law)[fold.name]
        assert found.draws.shape == (CHAINS.chains * CHAINS.draws, fold.models.size, len(FLOORS))
        assert found.draws.min() >= 0 and found.draws.max() <= 1 and found.seconds > 0
        assert set(found.notes) == {"r_hat", "ess_bulk", "divergences", "steps"}


@named
def test_models_without_compute_are_not_forecast_by_a_law_of_compute(law: Any) -> None:
    known = facts()
    known.loc[7, "tokens_t"] = np.nan
    scores = as_scores(known, truth_of(law).scores.data["score"].values, FLOORS)
    draws = forecasts(law, scores, FOLDS[2:])["one"].draws
    assert np.isnan(draws).all() if law.needs_compute else np.isfinite(draws).all()


def test_effects_have_their_prior_whichever_way_they_are_sampled() -> None:
    """Kolmogorov-Smirnov at 1e-4, and a wrong standard deviation is caught."""
    mean, told = jnp.array([0.5, 0.5]), np.array([True, False])

    def one(key: jax.Array) -> jax.Array:
        traced = handlers.trace(handlers.seed(effects, key)).get_trace("effect", mean, 2.0, told)
        return traced["effect"]["value"]

    values = np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(0), 3000)))
    for column in values.T:
        assert stats.kstest(column, stats.norm(0.5, 2.0).cdf).pvalue > 1e-4
        assert stats.kstest(column, stats.norm(0.5, 1.7).cdf).pvalue < 1e-4


def asked() -> pd.DataFrame:
    rows = [
        {"model": "m07", "family": "f1"},
        {"model": "sibling", "family": "f1"},
        {"model": "stranger", "family": "novel"},
    ]
    return pd.DataFrame(rows).assign(params_b=[float(facts()["params_b"][7]), 10.0, 10.0], tokens_t=2.0)


@named
def test_the_less_is_known_the_wider_the_forecast(law: Any) -> None:
    with compiled_quickly():
        found = fitted(law).predict(asked(), probs=[0.8])
    width = (found["upper"] - found["lower"]).sel(prob=0.8).mean("benchmark").values
    if isinstance(law, CapabilityLaw):  # which knows a model by its name, and no model by its size
        assert 2 * width[0] < width[1] < width[2]
    else:
        assert 1.3 * max(width[:2]) < width[2]
    assert found["known_family"].values.tolist() == [True, True, False]


@pytest.mark.long
def test_a_capability_knows_no_size() -> None:
    models = asked().assign(params_b=[1.0, np.nan, 500.0], tokens_t=np.nan)
    with compiled_quickly():
        found, again = (fitted(SAMPLED[0]).predict(rows, seed=4) for rows in (asked(), models))
    np.testing.assert_array_equal(found["median"], again["median"])


@named
def test_a_fit_forecasts_a_model_of_its_table_as_a_fold_that_sees_it(law: Any) -> None:
    """Medians of the same posterior: Monte Carlo error of 600 draws, some of them correlated."""
    truth = truth_of(law)
    rows = truth.scores.metadata.iloc[10:14]
    with compiled_quickly():
        found = fitted(law).predict(rows)["median"].values
    np.testing.assert_allclose(found, truth.expected[10:14], atol=0.06)


@dressed
def test_a_fit_forecasts_models_left_out_as_a_fold_that_hides_them(law: Any) -> None:
    scores, fold = by_compute().scores, hiding("some", [4, 9, 10, 11])
    rest = scores.without([scores.models[i] for i in fold.models])
    found = law.fit(rest, seed=42).predict(scores.metadata.iloc[fold.models])
    wanted = points(law, scores, [fold], seed=42)[0][fold.models]
    np.testing.assert_allclose(found["median"], np.clip(wanted, 0, 1), atol=2e-3)  # draws end at 1
    draws = next(law.forecasts(scores, [fold], seed=42, jobs=1, progress=False)).draws
    np.testing.assert_allclose(np.median(draws, axis=0), np.clip(wanted, 0, 1), atol=2e-3)
    lower = np.quantile(draws, 0.05, axis=0)
    np.testing.assert_allclose(found["lower"].sel(prob=0.9), lower, atol=2e-3)  # of in-sample errors


@dressed
def test_what_was_learnt_is_kept(law: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = law.fit(by_compute().scores, seed=1)
    before = found.predict(asked())

    def refit(*_: object, **__: object) -> None:
        raise AssertionError("predict fits again")

    monkeypatch.setattr(type(law), "learnt", refit)
    xr.testing.assert_identical(found.predict(asked()), before)
    assert set(found.parameters) and f"Fitted: {law.name} on 50 models, 5 benchmarks" in repr(found)


def logit(share: Floats) -> Floats:
    return np.log(share / (1 - share))


@pytest.mark.parametrize("law", ADDING, ids=lambda law: law.name)
def test_a_family_never_seen_is_the_average_family(law: Any) -> None:
    """On the scale where the law adds: the score for components, the logit above the floor for curves."""
    known = pd.DataFrame(
        {"model": [f"n{k}" for k in range(11)], "family": [*(f"f{k}" for k in range(10)), "x"]}
    )
    found = law.fit(by_compute().scores, seed=1)
    score = found.predict(known.assign(params_b=9.0, tokens_t=2.0))["median"].values
    if not isinstance(law, ComponentsLaw):
        floor = 1 / (1 + np.exp(-np.asarray(found.parameters["floor"], dtype=float).ravel()))
        score = logit((score - floor) / (1 - floor))
    np.testing.assert_allclose(score[10], score[:10].mean(axis=0), atol=1e-4)
    assert np.abs(score[10] - score[:10]).min(axis=1).max() > 0.01  # families differ


@dressed
def test_a_family_that_a_fold_hides_whole_is_one_never_seen(law: Any) -> None:
    scores, rows = by_compute().scores, rows_of(by_compute().scores, [FOLDS[1]])
    learnt = law.learnt(rows, seed=42)
    strangers = recipes_of(scores.metadata.assign(family="novel"), rows.families, law.name)
    own, novel = (law.expected(learnt, recipes)[0] for recipes in (rows.recipes, strangers))
    np.testing.assert_allclose(own[:5], novel[:5], atol=1e-5)
    assert np.abs(own - novel)[5:].max() > 0.02  # other families have effects of their own


@pytest.mark.parametrize("law", [*POINT_LAWS, SAMPLED[1]], ids=lambda law: law.name)
def test_a_law_of_compute_names_the_model_that_lacks_it(law: Any) -> None:
    found = fitted(law) if law is SAMPLED[1] else law.fit(by_compute().scores)
    with pytest.raises(InputError) as error:
        found.predict(asked().assign(tokens_t=[1.0, np.nan, 2.0]))
    assert str(error.value) == (
        f"{law.name}: sibling has no tokens_t, which this law needs: give it, or forecast with SlothLaw, "
        "which draws what is not known."
    )


@pytest.mark.parametrize("law", [POINT_LAWS[0], *SAMPLED], ids=lambda law: law.name)
def test_a_benchmark_without_scores_is_named(law: Any) -> None:
    hidden = np.zeros((MODELS, len(FLOORS)), dtype=bool)
    hidden[:, 2] = True
    with pytest.raises(InputError, match="benchmark 'exam 2' has no score to learn from: drop it"):
        law.fit(by_compute().scores.hide(hidden))


@pytest.mark.parametrize("prob", [0, 1, 90])
def test_a_wrong_probability_is_named(prob: float) -> None:
    with pytest.raises(InputError, match=f"prob is {prob}: give a probability between 0 and 1"):
        ComponentsLaw(1).fit(by_compute().scores).predict(asked(), probs=[0.5, prob])


@pytest.mark.parametrize("law", [POINT_LAWS[0], *SAMPLED_PARAMS], ids=lambda law: law.name)
def test_a_prediction_is_labelled_and_its_intervals_nest(law: Any) -> None:
    found = fitted(law) if law in SAMPLED else law.fit(by_compute().scores)
    with compiled_quickly():
        data, whole = found.predict(asked(), draws=True), found.predict(asked())
    assert data["median"].dims == ("model", "benchmark") and data["lower"].dims == (
        "prob",
        "model",
        "benchmark",
    )
    assert data["model"].values.tolist() == ["m07", "sibling", "stranger"]
    assert data["prob"].values.tolist() == list(LEVELS) and data["benchmark"].size == len(FLOORS)
    assert (data["lower"].diff("prob") <= 0).all() and (data["upper"].diff("prob") >= 0).all()
    assert data["score"].dims == ("draw", "model", "benchmark")
    np.testing.assert_allclose(data["median"], data["score"].median("draw"))
    np.testing.assert_allclose(data["upper"].sel(prob=0.8), data["score"].quantile(0.9, "draw"))
    xr.testing.assert_identical(data.drop_vars("score"), whole)


@pytest.mark.long
def test_our_own_law_forecasts_as_fit_and_predict_do() -> None:
    with compiled_quickly():
        fit = SlothLaw(SPEC, "map").fit(packaged())
        found = fit.predict(pd.DataFrame(list(ASKED)), draws=True)
    theirs = forecast_of_our_law().data
    score = theirs["score"].values.reshape(-1, len(ASKED), len(packaged().benchmarks))
    np.testing.assert_array_equal(found["score"].values, score)
    np.testing.assert_array_equal(found["known_family"], theirs["known_family"])
    assert set(map_fit().data["posterior"].data_vars) == set(fit.parameters)


def test_chains_of_our_own_law_start_at_firm_modes_and_modes_are_of_the_law_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With more scores than the priors of curves are to hold against; see `modes.firm`."""
    scores, sought = packaged(), []

    def only_asked(_: object, spec: bs.ModelSpec, *__: object) -> None:
        sought.append(spec.priors)
        raise RuntimeError("stopped")

    monkeypatch.setattr("bayes_sloth.modes.MANY_SCORES", 5)
    monkeypatch.setattr("bayes_sloth.laws.sloth.all_modes", only_asked)
    folds = RandomCells(parts=2).folds(scores)
    for method in ("map", "hmc"):
        with pytest.raises(RuntimeError, match="stopped"):
            list(SlothLaw(SPEC, method=method).forecasts(scores, folds, seed=0, jobs=1, progress=False))
    asked, firmer = sought
    assert asked == SPEC.priors
    assert firmer == firm(scores.observed, SPEC).priors and firmer.lower_sd < asked.lower_sd / 2


def test_random_effects_have_beta_scores_and_no_departures() -> None:
    law = RandomEffectsLaw(skills=1, method="map")
    plain = bs.ModelSpec(skills=1)
    changed = {name for name, value in law.law.spec.to_dict().items() if value != plain.to_dict()[name]}
    assert changed == {"link", "likelihood", "deviation"}
    assert (law.law.spec.link, law.law.spec.likelihood) == ("logistic", "beta") and not law.law.spec.deviation
    assert RandomEffectsLaw().name != law.name == law.law.name


@pytest.mark.long
def test_random_effects_forecast_as_our_law_does() -> None:
    law = RandomEffectsLaw(skills=1, method="map")
    hidden = np.isin(list("abcdef"), ["c", "f"])[:, None] & np.ones((1, 2), dtype=bool)
    fold = Fold("two", hidden, hidden & plain_table().observed)
    with compiled_quickly():
        found = forecasts(law, plain_table(), [fold])["two"].draws
        same = forecasts(SlothLaw(law.law.spec, "map"), plain_table(), [fold])["two"].draws
    np.testing.assert_array_equal(found, same)
    assert (np.abs(np.median(found, axis=0)[1] - [0.74, 0.7]) < 0.25).all()  # the larger one of y


def test_every_law_is_found_by_name_and_none_loads_jax_before_it_is_used() -> None:
    code = "import sys, bayes_sloth.laws; assert not {'jax', 'numpyro'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in laws._HOMES:
        assert getattr(laws, name).__name__ == name
    typed = {
        alias.asname: node.module
        for block in ast.parse(Path(str(laws.__file__)).read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {name: f"bayes_sloth.laws.{home}" for name, home in laws._HOMES.items()}


def test_every_law_is_a_law_with_a_name_of_its_own() -> None:
    every = [*POINT_LAWS, *SAMPLED, SlothLaw(), RandomEffectsLaw()]
    assert all(isinstance(law, laws.Law) and callable(law.fit) for law in every)
    assert len({law.name for law in every}) == len(every)


@pytest.mark.slow
def test_folds_run_on_a_dask_cluster_with_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="pip install '.[cluster]' to test it")
    law = CapabilityLaw(Length(chains=2, warmup=20, draws=20))
    # The cluster's processes compile as this one does, and find what it has compiled.
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.environ["BAYES_SLOTH_TEST_PROGRAMS"])
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

    def run(jobs: int) -> xr.Dataset:
        with compiled_quickly():
            found = evaluate(plain_table(), law, RandomCells(parts=3), seed=0, jobs=jobs, progress=False)
        return found.data.drop_vars("seconds")

    alone = run(1)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        with joblib.parallel_config(backend="dask"):
            together = run(-1)
        loaded = client.run(lambda: "bayes_sloth.laws.bayesian" in sys.modules)
    assert len(loaded) == 2 and any(loaded.values())  # the folds ran there
    xr.testing.assert_identical(together, alone)
