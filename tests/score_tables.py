"""Small valid tables, to be spoiled one cell at a time."""

from __future__ import annotations

import pandas as pd

WIDE = {
    "model": ["a-1b", "a-7b", "a-30b", "b-3b", "b-9b", "c-70b"],
    "family": ["a", "a", "a", "b", "b", "c"],
    "params_b": [1.0, 7.0, 30.0, 3.0, 9.0, 70.0],
    "tokens_t": [2.0, 2.0, 2.0, 1.0, 1.5, None],
    "MMLU": [0.31, 0.48, 0.61, 0.42, None, 0.72],
    "BBH": [0.33, 0.42, 0.5, 0.38, 0.43, 0.6],
    "GSM8K": [0.02, 0.2, 0.4, 0.1, 0.25, None],
}
FACTS = ["model", "family", "params_b", "tokens_t"]
BENCHMARKS = ["MMLU", "BBH", "GSM8K"]


def wide(**columns: object) -> pd.DataFrame:
    """Return the valid wide table with some columns replaced or added."""
    return pd.DataFrame({**WIDE, **columns})


def long(**columns: object) -> pd.DataFrame:
    """Return the same scores in long form, with some columns replaced or added."""
    frame = wide().melt(FACTS, BENCHMARKS, "benchmark", "score").dropna(subset="score")
    return frame.reset_index(drop=True).assign(**columns)


def changed(frame: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    """Return the table with one cell replaced; rows count from 1, as in messages."""
    spoiled = frame.astype({column: object})
    spoiled.loc[row - 1, column] = value  # type: ignore[index]
    return spoiled
