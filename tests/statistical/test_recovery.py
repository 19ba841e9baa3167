"""Fits hold the truth as often as they say, and a model that is wrong in one place is caught.

The false-alarm rate is 1 in 1,000 over seeds for all quantities together. Seeds are fixed, so a run that
passes passes again.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import pytest
from calibration import MODEL, SIMULATORS
from fits import compiled_quickly
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.calibration import Calibration, calibrate
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.errors import FitStatus, FitWarning
from bayes_sloth.expectation import expected_scores
from bayes_sloth.metrics import central_interval
from bayes_sloth.metrics import coverage as share_inside
from bayes_sloth.refitting import Length
from bayes_sloth.simulation import Simulation

RUNS_LONG: Final = True  # programs run for longer than they take to compile
FALSE_ALARM: Final = 1e-3
# Tables. Twice the noise is told by 20 on some seeds and by 40 with room to spare.
TABLES: Final = 40
SLOW: Final = pytest.mark.slow
QUICK: Final = Length(chains=1, warmup=200, draws=300)
LONG: Final = Length(chains=2, warmup=400, draws=300)
# What gives each wrong model away.
TELLING: Final = {
    "half the noise scale": "log_likelihood",
    "loadings swapped": "log_likelihood",
    "another prior of the reach": "upper",
}


def layout(spec: bs.ModelSpec, families: int, models: int, benchmarks: int) -> Simulation:
    """Lay out a small table: base and tuned models, one descendant, one unknown token count, holes."""
    family, place = np.divmod(np.arange(families * models), models)
    facts = {
        "model": [f"model {i}" for i in range(family.size)],
        "family": [f"family {f}" for f in family],
        "params_b": [(1 + f) * 4.0**p for f, p in zip(family, place, strict=True)],
        "tokens_t": [None if i == 1 else 0.5 * 3 ** (f % 3) for i, f in enumerate(family)],
        "instruct": [int(f < families // 2 and p % 2) for f, p in zip(family, place, strict=True)],
        "parent": ["family 0" if f == families - 1 else None for f in family],
    }
    exams = [Benchmark(f"exam {j}", (0.25, 0.0)[j % 2], 500) for j in range(benchmarks)]
    return bs.simulate(spec, models=facts, benchmarks=exams, missing=0.2, seed=0)


def calibrated(kind: str) -> Calibration:
    made = layout(bs.ModelSpec(skills=1), families=4, models=2, benchmarks=4)
    simulator = SIMULATORS[kind]
    return calibrate(
        made.spec,
        made.scores,
        n=TABLES,
        seed=1,
        length=QUICK,
        false_alarm=FALSE_ALARM,
        simulator=simulator,
        progress=False,
    )


@pytest.mark.long
def test_the_right_model_holds_the_truth() -> None:
    found = calibrated(MODEL)
    assert set(found.table["verdict"]) == {"fine"}, found
    assert {"loading", "slope", "tail", "expected", "predicted", "log_likelihood"} <= set(
        found.table["quantity"]
    )
    # Elements of a table move together: the bound counts one a table, which is generous.
    kept = int(found.data["sample_stats"].dataset["converged"].sum())
    inside = round(float(np.average(found.table["cover_90"], weights=found.table["elements"])) * kept)
    assert kept > 0.8 * TABLES and stats.binomtest(inside, kept, 0.9).pvalue > FALSE_ALARM


# One wrong model is not slow; `benchmarks/calibration.py` has them all on larger tables.
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "quantity"),
    [pytest.param(*item, marks=SLOW if place else ()) for place, item in enumerate(TELLING.items())],
)
def test_a_wrong_model_is_caught(kind: str, quantity: str) -> None:
    found = calibrated(kind)
    # Fits that have not converged are no catch: it is the ranks that have to tell.
    assert found.status is FitStatus.NOT_TRUSTED and found.verdict.startswith("not calibrated")
    assert found.table.set_index("quantity").loc[quantity, "verdict"] != "fine", found


@pytest.mark.slow
@pytest.mark.parametrize("skills", [1, 2])
def test_larger_tables_hold_the_truth(skills: int) -> None:
    made = layout(bs.ModelSpec(skills=skills), families=6, models=3, benchmarks=6)
    found = calibrate(
        made.spec, made.scores, n=160, seed=7, length=LONG, false_alarm=FALSE_ALARM, progress=False
    )
    assert found.status is FitStatus.FINE, found


@pytest.mark.slow
def test_a_fit_as_users_run_it_recovers_the_expected_scores() -> None:
    """Anchors and pivots come from the data here, so rates are near the stated ones, not exact.

    The expected scores of one model move together: the binomial bound counts one a model, 1 in 1,000.
    """
    names, spec = ["MMLU", "ARC", "HellaSwag", "TruthfulQA", "BBH"], bs.ModelSpec(skills=1)
    made = bs.simulate(spec, families=8, models_per_family=3, benchmarks=names, missing=0.2, seed=11)
    with compiled_quickly(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # short chains
        fit = bs.fit(made.scores, spec, seed=0, chains=2, draws=150, warmup=250, progress=False)
    drawn = (
        made.truth["expected"].expand_dims(chain=2, draw=150).copy(data=expected_scores(fit.data, fit.spec))
    )
    models, truth = len(made.scores.models), made.truth["expected"]
    missing = truth.copy(data=~made.scores.observed)

    def plausible(prob: float, cells: object) -> bool:
        ends = central_interval(drawn, prob)
        inside = float(share_inside(ends["lower"], ends["upper"], truth.where(cells)))
        return bool(stats.binomtest(round(inside * models), models, 0.9).pvalue > 1e-3)

    assert plausible(0.9, ~missing) and plausible(0.9, missing)
    assert not plausible(0.5, ~missing)
