"""On tables of known truth the check of coverage passes our law and flags it with half the noise.

The false-alarm rate is that of `Evaluation.calibrated`: one in a thousand over seeds. Seeds are fixed, so a
run that passes passes again.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from controls import HALVED, OURS, laws_of, pooled
from fake_laws import FakeLaw
from oracles import plain_table

import bayes_sloth as bs
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.protocols import RandomCells
from bayes_sloth.refitting import Length

RUNS_LONG = True  # programs run for longer than they take to compile
SHORT = Length(chains=1, warmup=150, draws=200)
EXAMS = ["MMLU", "ARC", "HellaSwag", "BBH"]


@pytest.fixture(scope="module")
def found() -> Evaluation:
    """Every score of a table of 14 families forecast from the others, in 16 folds."""
    made = bs.simulate(bs.ModelSpec(skills=1), families=14, models_per_family=4, benchmarks=EXAMS, seed=3)
    laws = laws_of(made.spec, SHORT)
    asked = {name: laws[name] for name in (OURS, HALVED)}
    return evaluate(made.scores, asked, RandomCells(parts=16), seed=0, jobs=1, progress=False)


@pytest.mark.slow
def test_our_law_passes(found: Evaluation) -> None:
    told = found.calibrated().set_index("law").loc[OURS]
    assert set(told["verdict"]) == {"fine"}, told


@pytest.mark.slow
def test_half_the_noise_is_flagged(found: Evaluation) -> None:
    told = found.calibrated().set_index("law").loc[HALVED]
    assert "too narrow" in set(told["verdict"]) <= {"too narrow", "fine"}, told


@pytest.mark.slow
def test_half_the_noise_expects_the_same_scores(found: Evaluation) -> None:
    """The control is wrong in its widths alone: two chains of one posterior, medians within a few points."""
    ours, halved = (found.data.sel(law=law) for law in (OURS, HALVED))
    assert float(np.abs(ours["median"] - halved["median"]).max()) < 0.05
    ratio = float(halved["width"].sel(prob=0.9).mean() / ours["width"].sel(prob=0.9).mean())
    assert 0.5 < ratio < 0.75  # the rest of the width is what the parameters leave open


def test_tables_are_judged_together_with_their_folds_apart() -> None:
    parts = [
        evaluate(plain_table(), FakeLaw(), RandomCells(parts=3, seed=seed), seed=0, jobs=1, progress=False)
        for seed in (0, 1)
    ]
    whole = pooled(parts)
    assert whole.data.sizes["fold"] == 6 and whole.data["fold"].values[3] == "2: part 1"
    both = xr.concat([one.data["inside"].sum() for one in parts], "table").sum()
    assert float(whole.data["inside"].sum()) == pytest.approx(float(both))
    assert len(whole.cases()) == sum(len(one.cases()) for one in parts)
