"""Tables of a task that was measured on few models."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_sloth.arguments import as_number
from bayes_sloth.errors import InputError, InputWarning, nearest
from bayes_sloth.names import FAMILY, FLOOR, INSTRUCT, ITEMS, MODEL, SCORE
from bayes_sloth.scores import Scores
from bayes_sloth.tables.doubts import shares_as_percent
from bayes_sloth.tables.files import load_table, named

FEWEST: Final = 4  # rows: with fewer the prior answers


def read_task(
    fitted: Scores, source: Any, *, percent: bool = False, floor: float = 0.0, items: float | None = None
) -> pd.DataFrame:
    """Read and check a task's table, and join what a fit knows of its models.

    Parameters
    ----------
    fitted : Scores
        What the fit was made from.
    source : DataFrame, mapping, path
        Columns model and score; optionally items. Rows without a score are left out.
    percent : bool
        Divide every score by 100.
    floor : float
        Score of a guesser, a share.
    items : float, optional
        Items behind a score, where there is no such column; unknown where None.

    Returns
    -------
    DataFrame
        Columns model, score (share), items (infinite where unknown), family, instruct, floor; sorted by
        model.

    Raises
    ------
    InputError
        If a column is missing, a cell is wrong, a model is not in the fit or comes twice, or few are left.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> names = ["yi-34b", "llama-2-7b", "llama-2-13b", "llama-2-70b"]
    >>> table = read_task(bs.load_leaderboard(), {"model": names, "score": [27, 13, 18, 30]}, percent=True)
    >>> table["score"].tolist()
    [0.18, 0.3, 0.13, 0.27]
    """
    give = "a guesser's share of items, 0.25 for 25%"
    floor = as_number("downstream: floor", floor, give, least=0.0, below=1.0)
    if items is not None:
        items = as_number("downstream: items", items, "how many there are, 1 or more", least=1.0)
    frame = load_table(source)
    for column in (MODEL, SCORE):
        if column not in frame:
            raise InputError(f"downstream: the table has no column {column!r}: it needs model and score.")
    table = pd.DataFrame({MODEL: named(frame, MODEL)[MODEL], SCORE: _numbers(frame, SCORE)})
    table[ITEMS] = _numbers(frame, ITEMS) if ITEMS in frame else np.nan
    table[ITEMS] = table[ITEMS].fillna(np.inf if items is None else items)
    table[SCORE] /= 100 if percent else 1
    _check_cells(table, percent)
    for sentence in shares_as_percent(table[SCORE].to_numpy(), percent):
        warnings.warn(sentence, InputWarning, stacklevel=3)
    table = table[table[SCORE].notna()]
    facts = fitted.metadata.set_index(MODEL)
    _check_names(table[MODEL], facts.index)
    if len(table) < FEWEST:
        raise InputError(f"downstream: {len(table)} models have a score: measure {FEWEST} or more.")
    joined = table.join(facts[[FAMILY, INSTRUCT]], on=MODEL).assign(**{FLOOR: floor})
    # The order of the rows changes nothing.
    return joined.sort_values(MODEL, ignore_index=True)


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as numbers, NaN where a cell is empty."""
    found: pd.Series = pd.to_numeric(frame[column], errors="coerce").astype(float)
    wrong = found.isna() & frame[column].notna() & (frame[column].astype(str).str.strip() != "")
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        name, cell = frame[MODEL].iloc[place], frame[column].iloc[place]
        raise InputError(
            f"downstream: row {place + 1} ({name}): {column} {cell!r} is no number: mend or empty it."
        )
    return found


def _check_cells(table: pd.DataFrame, percent: bool) -> None:
    """Refuse scores that are no shares, item counts that are none, and models named twice."""
    cells = zip(table[MODEL], table[SCORE], table[ITEMS], strict=True)
    for number, (name, score, items) in enumerate(cells, 1):
        row = f"downstream: row {number} ({name})"
        if not (pd.isna(score) or 0 <= score <= 1):
            unit, shown = ("[0, 100]", 100 * score) if percent else ("[0, 1]", score)
            hint = "mend it." if percent or score > 100 else "pass percent=True if the table is in percent."
            raise InputError(f"{row}: score {shown:g} is outside {unit}; {hint}")
        if not items > 0:
            raise InputError(f"{row}: item count {items:g} is not above zero: empty it where it is unknown.")
    twice = table[MODEL][table[MODEL].duplicated()]
    if len(twice):
        raise InputError(f"downstream: model {twice.iloc[0]!r} has several rows: keep one.")


def _check_names(names: pd.Series, known: pd.Index) -> None:
    for name in names:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else "remove its row, or fit a table that has it."
            raise InputError(f"downstream: model {name!r} is not in the fit: {hint}")
