"""Folds that somebody else cut, read from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bayes_sloth.errors import InputError, nearest, unknown_name
from bayes_sloth.folds import Fold
from bayes_sloth.names import BENCHMARK, MODEL
from bayes_sloth.scores import SHOWN, Scores
from bayes_sloth.tables.cells import listed
from bayes_sloth.tables.files import load_table

FOLD: Final = "fold"
ROLE: Final = "role"
# What a table of folds says of a model.
ROLES: Final = ("train", "test")


@dataclass(frozen=True, eq=False)
class FoldsFrom:
    """Folds read from a table with the columns fold, model and role (train or test), perhaps benchmark.

    A model of the scores that a fold does not mention is not seen in it. A row with a benchmark speaks of
    that score alone. What is both train and test is test.

    Parameters
    ----------
    source : path or DataFrame
        The table.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> rows = {"fold": [1, 1], "model": ["llama-2-7b", "llama-2-13b"], "role": ["train", "test"]}
    >>> FoldsFrom(pd.DataFrame(rows)).folds(load_leaderboard())[0].models.size
    1
    """

    source: str | Path | pd.DataFrame

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return the folds in the order of the table.

        Parameters
        ----------
        scores : Scores
            Whose models and benchmarks the table names.

        Returns
        -------
        tuple of Fold
            Asked for are the test scores that are observed.

        Raises
        ------
        InputError
            If a column is missing, a cell is empty or a name is unknown.
        """
        table = load_table(self.source)
        for name in (FOLD, MODEL, ROLE):
            if name not in table:
                raise InputError(f"the folds have no column {name!r}: give fold, model and role.")
            empty = [_blank(cell) for cell in table[name]]
            if any(empty):
                raise InputError(f"folds, row {empty.index(True) + 1}: {name} is empty: fill it in.")
        for role in table[ROLE]:
            if role not in ROLES:
                raise unknown_name(ROLE, str(role), ROLES)
        return tuple(_fold(str(name), part, scores) for name, part in table.groupby(FOLD, sort=False))


def place_of(where: str, kind: str, name: object, known: Sequence[str]) -> int:
    """Return where a name stands among those known, or say what is known instead.

    Raises
    ------
    InputError
        If it is not among them.

    Examples
    --------
    >>> place_of("fold 'a'", "model", "y", ["x", "y"])
    1
    """
    if name not in known:
        close = nearest(str(name), known)
        hint = f"did you mean {close!r}?" if close else f"the table has {listed(known, SHOWN)}."
        raise InputError(f"{where}: unknown {kind} {str(name)!r}; {hint}")
    return known.index(str(name))


def _fold(name: str, part: pd.DataFrame, scores: Scores) -> Fold:
    masks = {role: np.zeros(scores.observed.shape, dtype=bool) for role in ROLES}
    columns = part[BENCHMARK] if BENCHMARK in part else [None] * len(part)
    for role, model, benchmark in zip(part[ROLE], part[MODEL], columns, strict=True):
        row = place_of(f"fold {name!r}", MODEL, model, scores.models)
        whole = _blank(benchmark)
        column = slice(None) if whole else place_of(f"fold {name!r}", BENCHMARK, benchmark, scores.benchmarks)
        masks[role][row, column] = True
    return Fold(name, ~masks["train"] | masks["test"], masks["test"] & scores.observed)


def _blank(cell: object) -> bool:
    return bool(pd.isna(cell)) or not str(cell).strip()
