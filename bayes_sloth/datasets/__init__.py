"""The packaged table: public benchmark scores of open language models, with its provenance."""

from __future__ import annotations

import csv
import io
from importlib import resources
from typing import Final

import pandas as pd

from bayes_sloth.reading import read_scores
from bayes_sloth.scores import Scores

LEADERBOARD: Final = "open_llm_leaderboard.csv"


def load_leaderboard() -> Scores:
    """Load 2,148 scores of 265 open language models from 70 families on 12 benchmarks.

    The scores are those of the Hugging Face Open LLM Leaderboard, versions 1 and 2, as raw shares of items
    solved; `PROVENANCE.md` beside the table says where every figure comes from and what is known to be wrong
    with it.

    Returns
    -------
    Scores
        The frozen table; its notes hold the source of every row's figures and the full name on the Hugging
        Face hub.

    References
    ----------
    Hugging Face Open LLM Leaderboard, version 1 (2023-2024) and version 2 (2024-2025).

    Examples
    --------
    >>> scores = load_leaderboard()
    >>> len(scores.models), len(scores.families), len(scores.benchmarks), int(scores.observed.sum())
    (265, 70, 12, 2148)
    """
    text = resources.files(__package__ or __name__).joinpath(LEADERBOARD).read_text(encoding="utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return read_scores(pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object))
