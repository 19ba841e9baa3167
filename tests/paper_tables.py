"""The paper's own table and folds, where `BAYES_SLOTH_PAPER_DATA` says where they are."""

from __future__ import annotations

import os
import warnings
from functools import cache
from pathlib import Path
from typing import Final

import pandas as pd
import pytest

import bayes_sloth as bs

VARIABLE: Final = "BAYES_SLOTH_PAPER_DATA"
V1: Final = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")
V2: Final = ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO")
SETS: Final = {"v1": V1, "v2": V2, "joint": V1 + V2}
FACTS: Final = {"Model": "model", "Family": "family", "#Params (B)": "params_b"}
MORE_FACTS: Final = {"Pretraining Data Size (T)": "tokens_t", "Instruct": "instruct", "Family2": "Family2"}

needs_paper_data = pytest.mark.skipif(
    VARIABLE not in os.environ, reason=f"set {VARIABLE} to the folder of the paper's tables"
)


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(Path(os.environ[VARIABLE]) / name)


@cache
def whole_table(benchmarks: str) -> bs.Scores:
    """Return every row of the paper's table with a score among a set of benchmarks; a note names the line."""
    names = FACTS | MORE_FACTS
    columns = list(SETS[benchmarks])
    table = _read("sloth_data_v2.csv")[[*names, *columns]].rename(columns=names)
    table = table[table[columns].notna().any(axis=1)].astype({"instruct": int})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.InputWarning)  # real tables hold doubtful scores
        return bs.read_scores(table)


@cache
def authors_folds(benchmarks: str, seen: int) -> pd.DataFrame:
    """Return the authors' rows of one setting: fold, test_families, role, model."""
    rows = _read("authors_splits.csv")
    return rows[(rows["benchmark_set"] == benchmarks) & (rows["n_train_models"] == seen)]
