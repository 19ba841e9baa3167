"""The benchmark of whole families compares the same scores, whatever order they come in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fake_laws import FakeLaw
from families import KIN, PROTOCOLS, ratio, shared, summary

from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.evaluation import evaluate

NEVER, SIBLING = PROTOCOLS


@pytest.fixture(scope="module")
def found() -> dict[str, pd.DataFrame]:
    """Cases of a law whose draws are known: never seen twice as wide as with a sibling seen."""
    scores = load_leaderboard()
    kin = scores.notes[KIN]
    few = scores.select(models=kin.index[kin.isin(["llama-2", "llama-3", "bloom"])])
    laws = {NEVER: FakeLaw("wide", 2.0), SIBLING: FakeLaw("narrow", 1.0)}
    return {
        name: evaluate(few, laws[name], protocol, seed=0, jobs=1, progress=False).cases()
        for name, protocol in PROTOCOLS.items()
    }


def test_every_score_with_a_sibling_is_asked_without_one_too(found: dict[str, pd.DataFrame]) -> None:
    never, sibling = (set(zip(f["model"], f["benchmark"], strict=True)) for f in found.values())
    assert sibling < never
    assert ("llama-3.3-70b-instruct", "BBH") in never - sibling


def test_shared_scores_are_the_same_row_by_row(found: dict[str, pd.DataFrame]) -> None:
    never, sibling = found.values()
    first, second = shared(never.sample(frac=1, random_state=0), sibling)
    assert len(first) == len(sibling) < len(never)
    for column in ("model", "benchmark", "truth"):
        np.testing.assert_array_equal(first[column], second[column])
    assert set(first["law"]) == {"wide"} and set(second["law"]) == {"narrow"}


def test_the_summary_and_the_ratio_are_those_of_the_rows(found: dict[str, pd.DataFrame]) -> None:
    never, sibling = found.values()
    told = summary(found)
    assert told["scores"].tolist() == [len(never), len(sibling), len(sibling)]
    assert told["MAE"].iloc[0] == pytest.approx(never["absolute_error"].mean())
    assert told["90%"].iloc[2] == pytest.approx(sibling["inside_0.9"].mean())
    both = never.merge(sibling, on=["model", "benchmark"], suffixes=("_never", "_sibling"))
    assert told["width"].iloc[1] == pytest.approx(both["width_never"].mean())
    assert ratio(never, sibling) == pytest.approx(both["width_never"].sum() / both["width_sibling"].sum())
    # Draws of the one law scatter twice as far; few of them meet an end of [0, 1].
    assert 1.5 < ratio(never, sibling) < 2.1
