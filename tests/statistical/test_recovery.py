"""Fits hold the truth as often as they say, and a model that is wrong in one place is caught.

The false-alarm rate is 1 in 1,000 over seeds for all quantities together, each tested in three ways: one test
alarms below 0.001 over the number of tests. Seeds are fixed, so a run that passes passes again.
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recovery import Length, Ranks, Tables, caught, coverage, ranks, simulated, small_design
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.errors import FitWarning
from bayes_sloth.expectation import expected_scores
from bayes_sloth.metrics import central_interval
from bayes_sloth.metrics import coverage as share_inside

FALSE_ALARM = 1e-3
RIGHT, WRONG = 80, 24  # tables; multiples of the tests' four host devices
QUICK = Length(warmup=150, kept=50, thin=4, depth=5)
LONG = Length(warmup=300, kept=80, thin=5, depth=7)


def louder(tables: Tables) -> Tables:
    """Double the noise: what a model sees whose likelihood has half the scale."""
    expected = tables["expected"]
    return tables | {"score": jnp.clip(expected + 2 * (tables["score"] - expected), 0, 1)}


def swapped(tables: Tables) -> Tables:
    """Exchange the scores of two benchmarks, as a wrong index would."""
    order = np.arange(tables["score"].shape[-1])
    order[[-1, -2]] = order[[-2, -1]]
    return tables | {"score": tables["score"][..., order]}


def flat_ones(tables: Tables, first: int) -> np.ndarray:
    """Choose tables of low true slope: their prior ends one standard deviation below the middle."""
    priors = bs.Priors()
    low = np.asarray(tables["slope"][first:, 0, 1]) < priors.slope_mean - priors.slope_sd
    return first + np.flatnonzero(low)[:WRONG]


def some(tables: Tables, rows: np.ndarray) -> Tables:
    return {name: value[rows] for name, value in tables.items()}


@pytest.fixture(scope="module")
def found() -> dict[str, Ranks]:
    """Ranks of the right model's tables and of three wrong ones', all sampled by one program."""
    design, spec = small_design(bs.ModelSpec(skills=1, specific=True), families=4, models=3, benchmarks=4)
    drawn = simulated(design, spec, RIGHT + 12 * WRONG, seed=1)
    starts = RIGHT + WRONG * np.arange(3)
    kinds = {
        "right": some(drawn, np.arange(RIGHT)),
        "half the noise": louder(some(drawn, np.arange(starts[0], starts[1]))),
        "swapped benchmarks": swapped(some(drawn, np.arange(starts[1], starts[2]))),
        "other slopes a priori": some(drawn, flat_ones(drawn, starts[2])),
    }
    together = jax.tree.map(lambda *parts: jnp.concatenate(parts), *kinds.values())
    pooled = ranks(design, spec, together, QUICK, seed=5)
    ends = np.cumsum([len(tables["score"]) for tables in kinds.values()])[:-1]
    parts = {name: np.split(rank, ends) for name, rank in pooled.items()}
    return {kind: {name: parts[name][i] for name in parts} for i, kind in enumerate(kinds)}


def test_the_right_model_holds_the_truth(found: dict[str, Ranks]) -> None:
    alarms = caught(found["right"], FALSE_ALARM)
    assert not alarms, alarms
    # Quantities of a table move together: the bound counts one a table, which is generous.
    inside = round(coverage(found["right"]) * RIGHT)
    assert stats.binomtest(inside, RIGHT, 0.9).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("kind", "quantity"),
    [
        ("half the noise", "log likelihood"),
        ("swapped benchmarks", "expected, observed"),
        # "other slopes a priori" is drawn too, but 24 tables tell it on some builds of JAX only.
    ],
)
def test_a_wrong_model_is_caught(found: dict[str, Ranks], kind: str, quantity: str) -> None:
    alarms = caught(found[kind], FALSE_ALARM)
    assert any(name.startswith(quantity) for name in alarms), alarms


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Of 300 uniform samples no more alarm at a rate of 10% than chance allows, once in a thousand seeds."""
    rng = np.random.default_rng(0)
    samples = ({str(k): rng.random(60) for k in range(4)} for _ in range(300))
    alarms = sum(bool(caught(sample, 0.1)) for sample in samples)
    assert stats.binomtest(alarms, 300, 0.1, alternative="greater").pvalue > 1e-3
    assert alarms > 0


@pytest.mark.slow
@pytest.mark.parametrize("skills", [1, 2])
def test_larger_tables_hold_the_truth(skills: int) -> None:
    design, spec = small_design(
        bs.ModelSpec(skills=skills, specific=True), families=6, models=3, benchmarks=6
    )
    alarms = caught(ranks(design, spec, simulated(design, spec, 160, seed=7), LONG, seed=8), FALSE_ALARM)
    assert not alarms, alarms


def test_a_fit_as_users_run_it_recovers_the_expected_scores() -> None:
    """Anchors and pivots come from the data here, so rates are near the stated ones, not exact.

    The expected scores of one model move together: the binomial bound counts one a model, 1 in 1,000.
    """
    names, spec = ["MMLU", "ARC", "HellaSwag", "TruthfulQA", "BBH"], bs.ModelSpec(skills=1)
    made = bs.simulate(spec, families=10, models_per_family=4, benchmarks=names, missing=0.2, seed=11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # short chains
        fit = bs.fit(made.scores, spec, seed=0, chains=2, draws=200, warmup=250, progress=False)
    drawn = (
        made.truth["expected"].expand_dims(chain=2, draw=200).copy(data=expected_scores(fit.data, fit.spec))
    )
    models, truth = len(made.scores.models), made.truth["expected"]
    missing = truth.copy(data=~made.scores.observed)

    def plausible(prob: float, cells: object) -> bool:
        ends = central_interval(drawn, prob)
        inside = float(share_inside(ends["lower"], ends["upper"], truth.where(cells)))
        return bool(stats.binomtest(round(inside * models), models, 0.9).pvalue > 1e-3)

    assert plausible(0.9, ~missing) and plausible(0.9, missing)
    assert not plausible(0.5, ~missing)
