"""What a table says of each model besides its scores: family, size, tokens, tuning, parent, date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_sloth.catalogue import key
from bayes_sloth.errors import InputError, nearest
from bayes_sloth.names import (
    ACTIVE_PARAMS_B,
    DATE,
    FAMILY,
    INSTRUCT,
    MODEL,
    PARAMS_B,
    PARENT,
    TOKENS_T,
    UNITS,
)
from bayes_sloth.tables.cells import (
    Floats,
    Where,
    is_missing,
    is_numeric,
    read_dates,
    read_flags,
    read_names,
    read_positive,
    show,
)
from bayes_sloth.tables.columns import METADATA, REQUIRED, find_columns, is_note, need_columns


def model_facts(frame: pd.DataFrame, rows: Sequence[int], *, remedy: str = "") -> pd.DataFrame:
    """Read and check the columns that describe models.

    Parameters
    ----------
    frame : DataFrame
        Raw cells, a row per model.
    rows : sequence of int
        The number each row had in the user's table, counted from 1.
    remedy : str
        What to do about a missing column, where the usual advice does not fit.

    Returns
    -------
    DataFrame
        Columns model, family, params_b, active_params_b, tokens_t, instruct, parent, date; NaN or "" where
        unknown.

    Raises
    ------
    InputError
        If a required column or name is missing, a name repeats, or a cell cannot be what its column says.

    Examples
    --------
    >>> raw = pd.DataFrame({"model": ["a"], "family": ["f"], "params_b": ["7"], "tokens_t": [""]})
    >>> float(model_facts(raw, [1])["params_b"].iloc[0])
    7.0
    """
    need_columns(frame.columns, REQUIRED, remedy=remedy)
    found = find_columns(frame.columns, (MODEL, *METADATA))
    cells = {
        name: list(frame[column]) if (column := found.get(name)) else [None] * len(frame)
        for name in (MODEL, *METADATA)
    }
    models = read_names(cells[MODEL], lambda i: f"row {rows[i]}: {MODEL}", required=True)
    _refuse_twins(models, rows)

    def _at(column: str) -> Where:
        return lambda i: f"row {rows[i]} ({models[i]}): {column}"

    params = read_positive(cells[PARAMS_B], _at(PARAMS_B), UNITS[PARAMS_B])
    active = read_positive(cells[ACTIVE_PARAMS_B], _at(ACTIVE_PARAMS_B), UNITS[ACTIVE_PARAMS_B])
    return pd.DataFrame(
        {
            MODEL: _text(models),
            FAMILY: _text(read_names(cells[FAMILY], _at(FAMILY), required=True)),
            PARAMS_B: params,
            ACTIVE_PARAMS_B: _active(params, active, _at(ACTIVE_PARAMS_B)),
            TOKENS_T: read_positive(cells[TOKENS_T], _at(TOKENS_T), UNITS[TOKENS_T]),
            INSTRUCT: read_flags(cells[INSTRUCT], _at(INSTRUCT)),
            PARENT: _text(read_names(cells[PARENT], _at(PARENT), required=False)),
            DATE: read_dates(cells[DATE], _at(DATE)),
        }
    )


def condense(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """Reduce a long table to a row per model, refusing rows of one model that contradict each other.

    Parameters
    ----------
    frame : DataFrame
        Raw cells, a row per model and benchmark.

    Returns
    -------
    frame : DataFrame
        The columns that describe models, a row per model in order of first appearance.
    rows : list of int
        The number of each model's first row, counted from 1.
    """
    need_columns(frame.columns, (MODEL,))
    found = find_columns(frame.columns, (MODEL, *METADATA))
    names = read_names(list(frame[found[MODEL]]), lambda i: f"row {i + 1}: {MODEL}", required=True)
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(name, []).append(i)
    columns = {}
    for name, column in found.items():
        cells = list(frame[column])
        columns[name] = [_agreed(name, model, cells, members) for model, members in groups.items()]
    return pd.DataFrame(columns, dtype=object), [members[0] + 1 for members in groups.values()]


def condensed_notes(frame: pd.DataFrame, columns: Sequence[str], models: Sequence[str]) -> pd.DataFrame:
    """Return the notes of a long table, a row per model; different ones of a model are joined by "; "."""
    found = find_columns(frame.columns, (MODEL,))
    names = frame[found[MODEL]].map(lambda v: str(v).strip())
    notes = pd.DataFrame(index=pd.Index(list(models), name=MODEL))
    for column in columns:
        distinct = frame[column].groupby(names, sort=False).agg(_joined)
        notes[column] = distinct.reindex(notes.index).to_numpy()
    return notes


def join_facts(frame: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that describe models to a table of scores, matching names.

    Names match exactly, else without case, else without case and the organisation before the last slash.

    Parameters
    ----------
    frame : DataFrame
        Raw cells with a column `model`.
    facts : DataFrame
        Raw cells, a row per model, with a column `model` and others that describe it.

    Returns
    -------
    DataFrame
        `frame` with the names and the describing columns of `facts`.

    Raises
    ------
    InputError
        If a model has no row in `facts`, or both tables hold the same column.
    """
    for table in (frame, facts):
        need_columns(table.columns, (MODEL,))
    column, own = (find_columns(t.columns, (MODEL,))[MODEL] for t in (frame, facts))
    added = [c for c in facts.columns if c != own and (is_note(c) or find_columns([c], METADATA))]
    both = [c for c in added if key(c) in {key(other) for other in frame.columns}]
    if both:
        raise InputError(f"column {both[0]!r} is in the table and in models=; keep it in one of them.")
    names = read_names(list(facts[own]), lambda i: f"models=, row {i + 1}: {MODEL}", required=True)
    _refuse_twins(names, range(1, len(names) + 1))
    places = [_place(str(name).strip(), names) for name in frame[column]]
    joined = pd.concat([frame, facts[added].iloc[places].set_axis(frame.index)], axis=1)
    return joined.assign(**{column: [names[place] for place in places]})


def _place(name: str, names: list[str]) -> int:
    """Return the row of `names` that means the model `name`."""
    for simplify in (str, str.casefold, lambda s: s.casefold().rsplit("/", 1)[-1]):
        wanted = simplify(name)
        found = [i for i, other in enumerate(names) if simplify(other) == wanted]
        if len(found) == 1:
            return found[0]
    close = nearest(name.rsplit("/", 1)[-1], names)
    hint = f"; the nearest name there is {close!r}" if close else ""
    raise InputError(
        f"models= has no row for {name!r}{hint}; add one with its family, params_b and tokens_t."
    )


def _agreed(column: str, model: str, cells: list[object], members: list[int]) -> object:
    """Return the one value that the rows of a model give, None if they give none."""
    held = [i for i in members if not is_missing(cells[i])]
    for i in held:
        if not _same(cells[i], cells[held[0]]):
            raise InputError(
                f"row {i + 1} ({model}): {column} is {show(cells[i])}, but row {held[0] + 1} says "
                f"{show(cells[held[0]])}; make the rows of one model agree."
            )
    return cells[held[0]] if held else None


def _same(one: object, other: object) -> bool:
    """Say whether two cells hold the same, numbers compared as numbers."""
    if is_numeric(one) and is_numeric(other):
        return float(str(one)) == float(str(other))
    return str(one).strip() == str(other).strip()


def _joined(cells: pd.Series) -> object:
    """Return the one note of a model, or its different notes joined."""
    held = [c for c in cells if not is_missing(c)]
    distinct = list(dict.fromkeys(held))
    return (
        None if not distinct else distinct[0] if len(distinct) == 1 else "; ".join(str(d) for d in distinct)
    )


def _text(values: list[str]) -> pd.Series:
    """Return names as a column of Python strings, the same in every pandas."""
    return pd.Series(values, dtype=object)


def _refuse_twins(models: Sequence[str], rows: Sequence[int]) -> None:
    """Refuse a model name that stands in two rows."""
    first: dict[str, int] = {}
    for model, row in zip(models, rows, strict=True):
        if model in first:
            raise InputError(
                f"rows {first[model]} and {row} both hold model {model!r}; merge them or rename one."
            )
        first[model] = row


def _active(params: Floats, active: Floats, where: Where) -> Floats:
    """Return active sizes with NaN for dense models, refusing one above the total."""
    for i in np.flatnonzero(active > params):
        raise InputError(
            f"{where(int(i))} is {active[i]:g}, more than params_b {params[i]:g}; "
            "params_b counts all parameters and active_params_b those used per token."
        )
    return np.where(active == params, np.nan, active)
