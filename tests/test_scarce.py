"""Tasks measured on few models: the regression on skills, its forecasts, its picture and its command."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from fits import compiled_quickly, map_fit
from numpyro.infer.util import potential_energy
from scipy.special import expit
from scipy.stats import binom
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth import scarce, scarce_model
from bayes_sloth.asked_skills import fitted_skills
from bayes_sloth.cli import app
from bayes_sloth.plots.downstream import plot_downstream
from bayes_sloth.sampling import prepare
from bayes_sloth.scarce import Downstream
from bayes_sloth.scarce_model import Rows, _filled_up, _start, conditional_draws, task, task_law
from bayes_sloth.scarce_tables import read_task

NAMES = ("llama-2-7b", "llama-2-13b", "llama-2-70b", "llama-3-8b", "falcon-7b", "falcon-40b", "yi-34b")
SCORES = (0.13, 0.18, 0.3, 0.33, 0.05, 0.1, 0.27)
NEW = {"model": "new", "family": "llama-3", "params_b": 70.0, "tokens_t": 15.0}
KNOWN = ("llama-2-70b", "yi-34b")
SKILL_DRAWS = 50


@pytest.fixture(autouse=True)
def wide() -> None:
    prepare()


def simulated(seed: int, models: int = 14, scale: float = 1.0) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Draw rows from the regression's own priors, skills slightly uncertain; and truths of new families."""
    rng = np.random.default_rng(seed)
    skill = rng.standard_normal((models, 2))
    weight = abs(2.0 * rng.standard_normal()) / 2 + abs(rng.standard_normal()) * rng.standard_normal(2)
    level, misfit = 2 * rng.standard_normal(), abs(0.1 * rng.standard_normal()) * scale
    effect = abs(0.3 * rng.standard_normal()) * rng.standard_t(2.0, models)
    apart = abs(rng.standard_normal()) * rng.standard_normal(2)
    family = np.arange(models) // 2
    share = expit(level + skill @ weight + beside(skill)[:, 2:] @ apart + effect[family])
    spread = np.sqrt(misfit**2 * (4 * share * (1 - share) + 0.02))
    score = np.clip(share + spread * rng.standard_t(4.0, models), 0, 1)
    known = np.arange(models) < models - 4
    member = np.eye(models)[family][known]
    drawn = beside(skill + 0.02 * rng.standard_normal((SKILL_DRAWS, models, 2)))
    zero, seen = np.zeros(int(known.sum())), member.any(axis=1)
    rows = Rows(drawn[:, known], zero, member, zero, zero + np.inf, score[known], seen)
    return rows, drawn[:, ~known], score[~known]


def beside(skill: np.ndarray) -> np.ndarray:
    """Return skills of pairs of models, dims (..., model, skill), and the means of the pairs beside them."""
    means = skill.reshape(*skill.shape[:-2], -1, 2, skill.shape[-1]).mean(axis=-2)
    return np.concatenate([skill, means.repeat(2, axis=-2)], axis=-1)


def forecasts(rows: Rows, asked: np.ndarray, seed: int) -> np.ndarray:
    """Return draws of scores of models of new families, dims (draw, model)."""
    rng = np.random.default_rng(seed)
    draw = {name: value.reshape(-1, *value.shape[2:]) for name, value in fitted(rows, seed).items()}
    skill = asked.repeat(len(draw["misfit"]) // len(asked), axis=0)
    effect = draw["family_scale"][:, None] * rng.standard_t(2.0, (len(skill), skill.shape[1] // 2))
    weight = np.concatenate([draw["weight"], draw["family_weight"]], axis=1)
    common = draw["intercept"][:, None] + np.einsum("nmk,nk->nm", skill, weight)
    share = expit(common + effect.repeat(2, axis=1))
    spread = draw["misfit"][:, None] * np.sqrt(4 * share * (1 - share) + 0.02)
    return np.asarray(np.clip(share + spread * rng.standard_t(4.0, share.shape), 0, 1))


def fitted(rows: Rows, seed: int = 0) -> dict[str, np.ndarray]:
    with compiled_quickly():
        return conditional_draws(rows, seed=seed, progress=False)


@cache
def found() -> Downstream:
    """Regress with fewer draws than a user gets: enough for what is asked of them here."""
    few = {(scarce, "SKILL_DRAWS"): SKILL_DRAWS, (scarce_model, "WARMUP"): 200, (scarce_model, "BETWEEN"): 2}
    with compiled_quickly(), pytest.MonkeyPatch.context() as patch:
        for (module, name), value in few.items():
            patch.setattr(module, name, value)
        return bs.downstream(map_fit(), measured(), task="code", items=164, seed=0, progress=False)


def measured() -> pd.DataFrame:
    return pd.DataFrame({"model": NAMES, "score": SCORES})


@cache
def forecast(*names: str) -> bs.Prediction:
    with compiled_quickly():
        return found().predict(list(names), seed=0)


def test_the_mean_is_the_formula() -> None:
    rows = simulated(0)[0]
    rng = np.random.default_rng(1)
    draw: dict[str, Any] = {"intercept": -0.5, "tuning": 0.4, "misfit": 0.1}
    draw |= {name: rng.standard_normal(2) for name in ("weight", "family_weight")}
    draw |= {"family_effect": rng.standard_normal(rows.member.shape[1])}
    rows = rows._replace(skill=rows.skill[0], floor=np.full(10, 0.25), instruct=np.arange(10) % 2.0)
    mean, law = task_law({name: jnp.asarray(value) for name, value in draw.items()}, rows)
    own, family = rows.skill[:, :2] @ draw["weight"], rows.skill[:, 2:] @ draw["family_weight"]
    share = expit(-0.5 + own + family + 0.4 * rows.instruct + rows.member @ draw["family_effect"])
    np.testing.assert_allclose(mean, 0.25 + 0.75 * share)
    np.testing.assert_allclose(law.variance_score[:, 0], 0.01 * (4 * share * (1 - share) + 0.02))


def test_rows_that_fill_up_a_program_say_nothing() -> None:
    """The potential moves with the parameters as it does without them."""
    plain = simulated(0)[0]
    filled = _filled_up(plain)
    assert filled.member.shape == (16, 16) and not filled.seen[10:].any()
    moved: dict[int, list[float]] = {}
    for place, rows in enumerate((plain, filled)):
        rows = rows._replace(skill=rows.skill[0])
        start = _start(rows)
        other = {n: v + (0.3 if n != "family_raw" else 0.0) for n, v in start.items()}
        other["family_raw"] = other["family_raw"].at[:5].set(0.7)
        moved[place] = [float(potential_energy(task, (rows,), {}, at)) for at in (start, other)]
    assert np.diff(moved[0]) == pytest.approx(np.diff(moved[1]))


@pytest.mark.slow
def test_weights_are_found_again() -> None:
    """What a skill does inside a family, and what a family's mean does on top of it."""
    rng = np.random.default_rng(3)
    skill = beside(rng.standard_normal((32, 2)))
    score = expit(-0.5 + skill @ [1.5, -0.5, -1.0, 0.8]) + 0.01 * rng.standard_normal(32)
    drawn = np.repeat(skill[None], SKILL_DRAWS, axis=0)
    member = np.eye(16).repeat(2, axis=0)
    rows = Rows(drawn, np.zeros(32), member, np.zeros(32), np.full(32, np.inf), score, np.ones(32, bool))
    draws = fitted(rows)
    for name, truth in (("weight", [1.5, -0.5]), ("family_weight", [-1.0, 0.8])):
        weight = draws[name].reshape(-1, 2)
        assert np.abs(weight.mean(0) - truth).max() < 4 * weight.std(0).max() < 1.0
    assert abs(draws["intercept"].mean() + 0.5) < 4 * draws["intercept"].std() < 1.0


def test_families_are_their_fitted_models_means() -> None:
    """A family of the fit brings the mean of its models, a new one the skills of the model itself."""
    draws, meta = found().draws, map_fit().scores.metadata
    skill = np.random.default_rng(0).standard_normal((SKILL_DRAWS, 2, draws.sizes["skill"]))
    both = found()._with_means(pd.DataFrame({"family": ["yi", "never-seen"]}), skill)
    size = skill.shape[-1]
    np.testing.assert_array_equal(both[..., :size], skill)
    np.testing.assert_array_equal(both[:, 1, size:], skill[:, 1])
    names = meta["model"][meta["family"] == "yi"].tolist()
    raw = fitted_skills(map_fit(), names, chosen=draws["chosen"].values)["model_skill"]
    mean = ((raw.values - draws["centre"].values[:, None]) / draws["spread"].values[:, None]).mean(axis=1)
    np.testing.assert_allclose(both[:, 0, size:], mean)


def test_what_the_task_asks_for_is_told_of_models_and_of_families() -> None:
    told = found().weights()
    skills = found().draws["skill"].values.tolist()
    assert list(zip(told["of"], told["skill"], strict=True)) == [
        (of, name) for of in ("model", "family") for name in skills
    ]
    medians = np.median(found().draws["family_weight"].values.reshape(-1, len(skills)), axis=0)
    np.testing.assert_allclose(told.loc[told["of"] == "family", "median"], medians)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "right"), [(1.0, True), (8.0, False)])
def test_intervals_of_new_families_hold_the_truth(scale: float, right: bool) -> None:
    """On 40 tables from the priors, of the last of four models each: a false alarm in a thousand.

    Misfits eight times as large as the prior has them must be caught.
    """
    inside = []
    for seed in range(40):
        rows, asked, truth = simulated(seed, scale=1.0)
        if not right:
            truth = np.clip(truth + 0.1 * scale * np.random.default_rng(seed).standard_normal(4), 0, 1)
        lower, upper = np.quantile(forecasts(rows, asked, seed), [0.05, 0.95], axis=0)
        inside.append(bool(lower[-1] <= truth[-1] <= upper[-1]))
    low, high = binom.ppf([0.0005, 0.9995], 40, 0.9)
    assert (low <= sum(inside) <= high) == right


def test_a_model_on_paper_is_less_sure_than_a_measured_one() -> None:
    with compiled_quickly():
        new = bs.intervals(found().predict(NEW, seed=0))
    known = bs.intervals(forecast(*KNOWN)).set_index("model")
    assert new["benchmark"].tolist() == ["code"]
    width = (new["upper"] - new["lower"])[0]
    assert width > known["upper"]["yi-34b"] - known["lower"]["yi-34b"]
    assert known["lower"]["llama-2-70b"] < 0.3 < known["upper"]["llama-2-70b"]


def test_the_order_of_rows_changes_nothing() -> None:
    """What is learnt from is sorted; a model's draws do not depend on which stand beside it."""
    read = read_task(map_fit().scores, measured().iloc[::-1], items=164)
    pd.testing.assert_frame_equal(read, found().table)
    mine, other = (forecast(*names).data["score"] for names in (KNOWN, KNOWN[::-1]))
    np.testing.assert_allclose(other.sel(model=list(KNOWN)), mine)


def test_a_new_familys_effect_does_not_depend_on_which_others_are_asked_about() -> None:
    """Draws of the expected score at the same skills, alone and beside a model of another new family."""
    draws = found().draws
    skill = np.zeros((draws.sizes["skill_draw"], 2, 2 * draws.sizes["skill"]))
    facts = pd.DataFrame({"model": ["a", "x"], "family": ["another", "unheard-of"], "instruct": 0})
    with compiled_quickly():
        both, alone = (
            found()._simulated(facts[rows], skill[:, rows], 0)[0] for rows in (slice(0, 2), slice(1, 2))
        )
    np.testing.assert_allclose(both[:, 1], alone[:, 0])
    assert abs(np.corrcoef(both.T)[0, 1]) < 0.99  # two families, two effects


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"score": [68.0, *SCORES[1:]]}, {}, r"row 1 \(llama-2-7b\): score 68 is outside .* percent=True"),
        ({"score": ["n/a", *SCORES[1:]]}, {}, "is no number"),
        ({"model": ["llama-2-7c", *NAMES[1:]]}, {}, "did you mean 'llama-2-7b'"),
        ({"model": [NAMES[1], *NAMES[1:]]}, {}, "several rows"),
        ({"score": [*SCORES[:3], None, None, None, None]}, {}, "3 models have a score"),
        ({}, {"floor": 25.0}, "floor is 25.0"),
        ({}, {"items": 0}, "items is 0: give how many there are, 1 or more"),
        ({}, {"items": "many"}, "items is 'many'"),
        ({}, {"floor": None}, "floor is None: give a guesser's share"),
        ({"model": [None, *NAMES[1:]]}, {}, "row 1: model is empty"),
        ({"items": [0, *[164] * 6]}, {}, r"row 1 \(llama-2-7b\): item count 0 is not above zero"),
        ({"items": ["many", *[164] * 6]}, {}, r"row 1 \(llama-2-7b\): items 'many' is no number"),
        ({"score": [130.0, *SCORES[1:]]}, {"percent": True}, r"score 130 is outside \[0, 100\]; mend it"),
        ({}, {"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_is_refused(change: dict[str, object], options: dict[str, object], message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        bs.downstream(map_fit(), measured().assign(**change), **({"seed": 0} | options))  # type: ignore[arg-type]


def test_a_table_without_scores_and_an_unknown_model_are_refused() -> None:
    with pytest.raises(bs.InputError, match="no column 'score'"):
        bs.downstream(map_fit(), measured()[["model"]], seed=0)
    with pytest.raises(bs.InputError, match="not in the fitted table"):
        found().predict(["llama-9"], seed=0)


def test_shares_taken_for_percent_are_doubted() -> None:
    with pytest.warns(bs.InputWarning, match="leaves no score above 0.0033: the table seems to hold shares"):
        read_task(map_fit().scores, measured(), percent=True)


def test_percent_means_the_same() -> None:
    table = measured().assign(score=100 * measured()["score"], items=164)
    read = read_task(map_fit().scores, table, percent=True)
    pd.testing.assert_frame_equal(read, found().table, check_dtype=False)


def test_the_picture_shows_the_table() -> None:
    table = bs.intervals(forecast(*KNOWN))
    axes = plot_downstream(table, measured()).axes[0]
    points, crosses = (np.asarray(line.get_xdata()).tolist() for line in axes.lines[:2])
    assert sorted(points) == pytest.approx(sorted(table["median"]))
    assert sorted(crosses) == pytest.approx([0.27, 0.3])
    assert {label.get_text() for label in axes.get_yticklabels()} == {"llama-2-70b", "yi-34b"}


def test_it_prints_itself() -> None:
    assert repr(found()).startswith("Downstream: code on 7 models of 4 families")


def test_the_command_prints_the_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: dict[str, object] = {}
    monkeypatch.setattr(bs, "downstream", lambda *_, **options: asked_for.update(options) or found())
    map_fit().save(tmp_path / "fit.nc")
    measured().to_csv(tmp_path / "code.csv", index=False)
    asked = ["--family", "llama-3", "--params-b", "70", "--tokens-t", "15", "--task", "code", "--json"]
    with compiled_quickly():
        files = [str(tmp_path / "fit.nc"), str(tmp_path / "code.csv")]
        done = CliRunner().invoke(app, ["downstream", *files, *asked])
    told = json.loads(done.stdout)
    assert done.exit_code == 1  # a point estimate is not to be trusted as it stands
    assert told["task"] == asked_for["task"] == "code" and told["learnt_from"] == 7
    assert [row["benchmark"] for row in told["forecasts"]] == ["code"]
