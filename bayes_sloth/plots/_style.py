"""What pictures share: colours that all readers can tell apart, panels, labels."""

from __future__ import annotations

import math
from typing import Any, Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.errors import InputError

# Okabe and Ito's palette: told apart by every kind of colour vision; its blue and orange also in grey.
BLUE, ORANGE = "#0072B2", "#D55E00"
COLOURS: Final = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
LINES: Final = ("-", "--", "-.", ":")
BAND: Final = 0.2  # opacity of a band that others may lie over


def needs(table: object, maker: str, *columns: str) -> None:
    """Refuse what is not the table that a picture is drawn from.

    Parameters
    ----------
    table : DataFrame
        What was given.
    maker : str
        The call that makes the right one.
    *columns : str
        What has to be there.

    Raises
    ------
    InputError
        If it is no table, lacks a column, or has no rows.

    Examples
    --------
    >>> needs(pd.DataFrame({"model": ["a"]}), "Skills.loadings", "skill")
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: this picture is of the table of `Skills.loadings`: 'skill' is missing.
    """
    right = f"this picture is of the table of `{maker}`"
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"{right}: a {type(table).__name__} was given.")
    for name in columns:
        if name not in table:
            raise InputError(f"{right}: {name!r} is missing.")
    if table.empty:
        raise InputError(f"{right}: there are no rows in it.")


def needs_a(thing: object, kind: Any, maker: str) -> None:
    """Refuse what is not the result that a picture is drawn from."""
    if not isinstance(thing, kind):
        raise InputError(f"this picture is of what `{maker}` returns: a {type(thing).__name__} was given.")


def figure_of(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of one panel, inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")


def panels_of(count: int, height: float, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return panels side by side."""
    size = (1.2 + 2.4 * count, height)
    figure, panels = plt.subplots(1, count, figsize=size, sharey=sharey, squeeze=False, layout="constrained")
    return figure, list(panels[0])


def grid_of(
    count: int, width: float, height: float, *, columns: int = 4, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return panels in rows of at most so many columns, inches a panel; places left over stay blank."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure, panels = plt.subplots(
        rows,
        columns,
        figsize=(1.2 + width * columns, 0.7 + height * rows),
        sharex=share,
        sharey=share,
        squeeze=False,
        layout="constrained",
    )
    for axes in panels.flat[count:]:
        axes.set_visible(False)
    for place in range(max(count - columns, 0), count):  # what stands lowest in its column tells the units
        panels.flat[place].tick_params(labelbottom=True)
    return figure, list(panels.flat[:count])


def closed(figure: Figure) -> Figure:
    """Return a figure that a notebook shows once."""
    plt.close(figure)
    return figure


def in_order(table: pd.DataFrame, column: str) -> list[str]:
    """Return the labels of a column in order of first appearance."""
    return [str(name) for name in table[column].drop_duplicates()]


def percent(table: pd.DataFrame) -> str:
    """Return the probability of a table's intervals."""
    return f"{100 * float(table['prob'].iloc[0]):.4g}%"
