"""From raw table cells to numbers, flags, dates and names; every refusal says where and what to do."""

from __future__ import annotations

import datetime as dt
import math
import numbers as abstract
import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import InputError

Floats = NDArray[np.float64]

# No model has a quadrillion of parameters or of tokens in thousands: such a number is a count.
MOST: Final = 1e6
Where = Callable[[int], str]
"""Says which place a value came from, for example "row 17 (llama-3-8b): MMLU"."""

MISSING: Final = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "<na>", "nat", "-", "--", "?", "\N{EN DASH}", "\N{EM DASH}"}
)
_FLAGS: Final = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_YEARS: Final = (1950.0, 2200.0)  # no language model is older; a later year is a mistyped one


def is_missing(value: object) -> bool:
    """Say whether a cell means "not known": empty, NaN, NA, a lone dash and the like."""
    if value is None:
        return True
    if isinstance(value, float | int):  # most cells: worth a quick way out
        return value != value
    if isinstance(value, str):
        return value.strip().casefold() in MISSING
    return str(value) in ("<NA>", "NaT") or bool(value != value)


def _number(value: object) -> float | None:
    """Return `value` as a float, None where it is not a number."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, str):
        try:
            return (
                None if "_" in value else float(value)
            )  # float("1_000") is 1000 in Python, a slip in a table
        except ValueError:
            return None
    return float(value) if isinstance(value, abstract.Real) or hasattr(value, "__float__") else None


def show(value: object) -> str:
    """Return a cell as it should look inside a message."""
    return repr(value.strip()) if isinstance(value, str) else f"{value}"


def listed(names: Sequence[str], limit: int) -> str:
    """Return names in one line, at most `limit` of them."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def is_numeric(value: object) -> bool:
    """Say whether a cell holds a number."""
    return _number(value) is not None


def read_numbers(values: Sequence[object], where: Where) -> Floats:
    """Read cells as finite numbers.

    Parameters
    ----------
    values : sequence of object, length n
        Cells as they came: text, numbers or missing.
    where : callable
        Maps a position to its place, for messages.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where the cell is missing.

    Raises
    ------
    InputError
        If a cell holds text or an infinite number.

    Examples
    --------
    >>> read_numbers(["0.5", " "], str).tolist()
    [0.5, nan]
    """
    out = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        number = _number(value)
        if number is None:
            raise InputError(
                f"{where(i)} is {show(value)}, which is not a number; "
                "write a plain number such as 0.684, or leave the cell empty where it is not known."
            )
        if math.isinf(number):
            raise InputError(f"{where(i)} is infinite; leave the cell empty where the value is not known.")
        out[i] = number
    return out


def read_positive(values: Sequence[object], where: Where, unit: str) -> Floats:
    """Read cells as numbers above zero; NaN where missing."""
    out = read_numbers(values, where)
    for i in np.flatnonzero(out <= 0):
        raise InputError(
            f"{where(int(i))} is {out[i]:g}; give a number above 0 in {unit}, or leave the cell empty."
        )
    for i in np.flatnonzero(out > MOST):
        raise InputError(f"{where(int(i))} is {out[i]:g}, which looks like a count: give {unit}.")
    return out


def read_shares(values: Sequence[object], where: Where, *, percent: bool, remedy: str = "") -> Floats:
    """Read cells as scores in [0, 1], dividing by 100 first where `percent`; NaN where missing."""
    raw = read_numbers(values, where)
    out = raw / 100 if percent else raw
    for i in np.flatnonzero((out < 0) | (out > 1)):
        limits = "[0, 100]" if percent else "[0, 1]"
        raise InputError(
            f"{where(int(i))} is {raw[i]:g}, outside {limits}; {_advice(raw, int(i), percent)}{remedy}."
        )
    return out


def _advice(raw: Floats, i: int, percent: bool) -> str:
    """Say what to do about a score out of range, looking at the others."""
    if percent:
        return "correct the cell; with percent=True every score is divided by 100"
    high = int(np.sum((raw > 1) & (raw <= 100)))
    # Three scores between 1 and 100, or half of a tiny table, are a unit; one or two are a slip of the pen.
    if raw[i] > 1 and (high >= 3 or 2 * high >= np.sum(~np.isnan(raw))):
        return (
            "it looks like percent: pass percent=True if the whole table is, else divide these scores by 100"
        )
    return "scores are shares between 0 and 1: correct the cell or leave it empty"


def read_flags(values: Sequence[object], where: Where) -> NDArray[np.int64]:
    """Read cells as 0 or 1; missing means 0."""
    out = np.zeros(len(values), dtype=np.int64)
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        flag = _FLAGS.get(str(value).strip().casefold())
        if flag is None:
            raise InputError(
                f"{where(i)} is {show(value)}; write 1 for an instruction-tuned model and 0 for a base model."
            )
        out[i] = flag
    return out


def read_dates(values: Sequence[object], where: Where) -> Floats:
    """Read cells as decimal years; a year or a month alone means its first day, NaN where missing."""
    out = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        year = _decimal_year(value)
        if year is None or not _YEARS[0] <= year < _YEARS[1]:
            raise InputError(
                f"{where(i)} is {show(value)}, which is not a date; write 2024, 2024-07 or 2024-07-19."
            )
        out[i] = year
    return out


def _decimal_year(value: object) -> float | None:
    """Return a date as year plus fraction, None where it is not one."""
    if isinstance(value, dt.date):
        return _from_day(value)
    if isinstance(value, np.datetime64):
        return _from_day(value.astype("datetime64[D]").item())
    if not isinstance(value, str):
        return _number(value)
    text = value.strip()
    month = re.fullmatch(r"(\d{4})-(\d{1,2})", text)
    try:
        if month:
            return _from_day(dt.date(int(month[1]), int(month[2]), 1))
        return (
            _number(text)
            if re.fullmatch(r"\d{4}(\.\d*)?", text)
            else _from_day(dt.datetime.fromisoformat(text))
        )
    except ValueError:
        return None


def _from_day(day: dt.date) -> float:
    """Return the decimal year of a day's beginning."""
    start = dt.date(day.year, 1, 1).toordinal()
    length = dt.date(day.year + 1, 1, 1).toordinal() - start
    return day.year + (dt.date(day.year, day.month, day.day).toordinal() - start) / length


def read_names(values: Sequence[object], where: Where, *, required: bool) -> list[str]:
    """Read cells as stripped text; an empty one is an error where `required`, else ""."""
    out = ["" if is_missing(value) else str(value).strip() for value in values]
    if required and "" in out:
        raise InputError(f"{where(out.index(''))} is empty; every row needs one.")
    return out
