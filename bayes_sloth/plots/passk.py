"""Pictures of test-time compute, each from one table: pass@k against k, samples that equal a model."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.names import MODEL
from bayes_sloth.plots._style import COLOURS, needs

BEYOND: Final = 3.0  # where intervals that never end are drawn to, as a multiple of the largest number


def plot_pass(
    table: pd.DataFrame, observed: pd.DataFrame | None = None, published: pd.DataFrame | None = None
) -> Figure:
    """Draw pass@k against k with intervals, what was observed as points, another forecast as dashes.

    Parameters
    ----------
    table : DataFrame
        From `PassCurves.table`.
    observed : DataFrame, optional
        From `bs.passk.observed`; models that are not in the table are left out.
    published : DataFrame, optional
        Another such table, of which only medians are drawn.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(table, "PassCurves.table", MODEL, "k", "lower", "median", "upper", "prob")
    if observed is not None:
        needs(observed, "bs.passk.observed", MODEL, "k", "observed")
    if published is not None:
        needs(published, "PassCurves.table", MODEL, "k", "median")
    names = [str(name) for name in table[MODEL].drop_duplicates()]
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for place, name in enumerate(names):
        colour, own = COLOURS[place % len(COLOURS)], table[table[MODEL] == name]
        axes.plot(own["k"], own["median"], color=colour, label=name)
        axes.fill_between(own["k"], own["lower"], own["upper"], color=colour, alpha=0.2, linewidth=0)
        if published is not None:
            other = published[published[MODEL] == name]
            axes.plot(other["k"], other["median"], "--", color=colour, linewidth=1)
        if observed is not None:
            seen = observed[observed[MODEL] == name]
            axes.plot(seen["k"], seen["observed"], "o", color=colour, markersize=4)
    _keys(axes, dots=observed is not None, dashes=published is not None)
    axes.set(xscale="log", xlabel="samples k", ylabel="pass@k, share of items", ylim=(0.0, 1.02))
    wide = bool((table["upper"] > table["lower"]).any())  # a point estimate has no intervals to speak of
    intervals = f"; {100 * float(table['prob'].iloc[0]):.4g}% intervals" if wide else ""
    axes.set_title(f"At least one of k samples is right{intervals}", loc="left", fontsize="medium")
    plt.close(figure)
    return figure


def _keys(axes: Axes, *, dots: bool, dashes: bool) -> None:
    """Name colours, points and dashes, beside the curves."""
    if dots:
        axes.plot([], [], "o", color="0.4", markersize=4, label="observed")
    if dashes:
        axes.plot([], [], "--", color="0.4", linewidth=1, label="published form")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", frameon=False)


def plot_match(matches: pd.DataFrame) -> Figure:
    """Draw how many samples make models equal a large one, with intervals; arrows where no number may do.

    Parameters
    ----------
    matches : DataFrame
        From `bs.passk.match`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(matches, "bs.passk.match", MODEL, "equals", "at", "lower", "median", "upper", "prob")
    table = matches.iloc[::-1].reset_index(drop=True)
    ends = table[["median", "lower", "upper"]].to_numpy(dtype=float)
    edge = BEYOND * float(ends[np.isfinite(ends)].max(initial=1.0))
    figure, axes = plt.subplots(figsize=(6.4, 1.3 + 0.34 * len(table)), layout="constrained")
    for row, (median, lower, upper) in enumerate(ends):
        axes.hlines(row, min(lower, edge), min(upper, edge), color=COLOURS[0], linewidth=1.5)
        if np.isfinite(median):
            axes.plot(median, row, "o", color=COLOURS[0], markersize=4)
        if not np.isfinite(upper):
            axes.plot(edge, row, ">", color=COLOURS[0], markersize=6)
    labels = [f"{row.model} for {row.at} of {row.equals}" for row in table.itertuples()]
    axes.set_yticks(range(len(table)), labels, fontsize="small")
    axes.set(xscale="log", xlabel=f"samples; {100 * float(table['prob'].iloc[0]):.4g}% intervals")
    axes.set_xlim(left=0.7, right=1.6 * edge)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_title("Samples that solve as much", loc="left", fontsize="medium")
    plt.close(figure)
    return figure
