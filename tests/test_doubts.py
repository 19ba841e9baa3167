"""Doubtful tables get one warning that names the rows; sound ones get none."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from score_tables import changed, wide

from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.errors import InputWarning
from bayes_sloth.reading import read_scores


def warned(frame: pd.DataFrame, **options: object) -> list[str]:
    """Return the warnings that reading gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_scores(frame, **options)  # type: ignore[arg-type]
    assert all(issubclass(w.category, InputWarning) for w in caught)
    assert all(w.filename == __file__ for w in caught), "a warning must point at the caller"
    return [str(w.message) for w in caught]


def test_a_sound_table_is_read_in_silence() -> None:
    assert warned(wide()) == []


def test_few_models() -> None:
    (sentence,) = warned(wide().iloc[[0, 1, 2, 3]])
    assert "only 4 of at least 5 models, row 1 (a-1b)" in sentence


def test_a_benchmark_measured_once() -> None:
    (sentence,) = warned(wide(ARC=[None, 0.5, None, None, None, None]))
    assert "measured only once: ARC in row 2 (a-7b)" in sentence


def test_chance_normalised_columns_are_recognised() -> None:
    bbh = (wide()["BBH"] - 0.2885) / (1 - 0.2885)
    (sentence,) = warned(wide(BBH=bbh))
    assert "far below chance: BBH in row 1 (a-1b)" in sentence
    assert "denormalise=['BBH']" in sentence
    assert warned(wide(BBH=bbh), denormalise=["BBH"]) == []


def test_chance_normalised_rows_are_recognised() -> None:
    frame = changed(changed(wide(), "MMLU", 1, 0.08), "BBH", 1, 0.0583)
    (sentence,) = warned(frame)
    assert "MMLU, BBH in row 1 (a-1b)" in sentence
    assert "denormalise=['a-1b']" in sentence
    assert warned(frame, denormalise=["a-1b"]) == []


@pytest.mark.parametrize("score", [0.2, 0.24, 0.25])
def test_a_score_or_two_near_or_below_chance_is_luck(score: float) -> None:
    assert warned(changed(wide(), "MMLU", 1, score)) == []


def test_small_benchmarks_may_fall_further_below_chance() -> None:
    exam = [0.1, 0.15, 0.12, 0.2, 0.3, 0.4]
    assert warned(wide(exam=exam), benchmarks={"exam": (0.25, 20)}) == []
    (sentence,) = warned(wide(exam=exam), benchmarks={"exam": (0.25, 2000)})
    assert "far below chance: exam in row 1 (a-1b), row 2 (a-7b), row 3 (a-30b)" in sentence


def test_a_model_far_from_its_siblings() -> None:
    frame = load_leaderboard().to_frame()
    row = int(np.flatnonzero(frame["model"] == "llama-2-13b")[0])
    frame.loc[row, "HellaSwag"] /= 10
    sentences = warned(frame)
    assert len(sentences) == 1
    assert (
        f"far from their siblings: row {row + 1} (llama-2-13b): HellaSwag 0.08213, others suggest 0.8"
        in sentences[0]
    )


def test_percent_of_a_table_of_shares() -> None:
    sentences = warned(wide(), percent=True)
    assert any("percent=True leaves no score above 0.0072" in s for s in sentences)
