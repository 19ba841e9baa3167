"""Pictures of skill told as compute."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayes_sloth.names import DATE, MODEL
from bayes_sloth.plots._style import BLUE, ORANGE, needs

ROW: Final = 0.22  # inches to a model
ROOM: Final = 3.0  # factor beyond the outermost numbers, where intervals without an end go on
FAINT: Final = 0.35


def plot_equivalents(table: pd.DataFrame, reference: str) -> Figure:
    """Draw models' equivalent compute with intervals beside what they were trained with, a row a model.

    Parameters
    ----------
    table : DataFrame
        From `Equivalents.table`.
    reference : str
        Name of the reference family.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(table, "Equivalents.table", MODEL, "own_flops", "lower", "median", "upper")
    rows = np.arange(len(table))[::-1]
    figure, axes = plt.subplots(figsize=(6.8, 1.2 + ROW * len(table)), layout="constrained")
    low, high = _ends(table[["own_flops", "lower", "median", "upper"]].to_numpy())
    lower, upper = table["lower"].clip(low, high), table["upper"].clip(low, high)
    axes.hlines(rows, lower, upper, color=BLUE, linewidth=2, alpha=0.7)
    reached = np.isfinite(table["median"]) & (table["median"] > 0)
    axes.plot(table["median"][reached], rows[reached], "o", color=BLUE, markersize=4, label="equivalent")
    axes.plot(table["own_flops"], rows, "|", color=ORANGE, markersize=9, markeredgewidth=2, label="its own")
    axes.set_yticks(rows, list(table[MODEL]), fontsize="small")
    axes.set(xscale="log", xlim=(low, high), ylim=(-0.7, len(table) - 0.3))
    axes.set_xlabel(f"FLOPs of training, as {reference}; {_percent(table)} intervals")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper right", ncols=2, fontsize="small", frameon=False)
    return _closed(figure)


def plot_progress(table: pd.DataFrame, trend: pd.DataFrame, reference: str) -> Figure:
    """Draw how many times more compute the reference family would need, over release dates, with the trend.

    Parameters
    ----------
    table : DataFrame
        From `Equivalents.table`.
    trend : DataFrame
        From `Equivalents.trend`.
    reference : str
        Name of the reference family.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(table, "Equivalents.table", DATE, "own_flops", "gain", "gain_lower", "gain_upper")
    needs(trend, "Equivalents.trend", DATE, "lower", "median", "upper")
    known = table[table["own_flops"].notna() & table[DATE].notna()]
    figure, axes = plt.subplots(figsize=(6.8, 4.4), layout="constrained")
    low, high = _ends(known[["gain_lower", "gain", "gain_upper"]].to_numpy())
    ends = known["gain_lower"].clip(low, high), known["gain_upper"].clip(low, high)
    axes.vlines(known[DATE], *ends, color=BLUE, linewidth=1, alpha=FAINT)
    axes.plot(known[DATE], known["gain"].clip(low, high), "o", color=BLUE, markersize=3.5)
    axes.fill_between(trend[DATE], trend["lower"], trend["upper"], color=ORANGE, alpha=0.3, linewidth=0)
    axes.plot(trend[DATE], trend["median"], color=ORANGE, linewidth=2)
    axes.axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set(yscale="log", ylim=(low, high), xlabel="release", ylabel=f"{reference}'s compute over its own")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"Compute for the same skill; {_percent(trend)} intervals", loc="left", fontsize="medium")
    return _closed(figure)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of an axis that holds every number that is finite and above zero, with some room."""
    told = values[np.isfinite(values) & (values > 0)]
    return float(told.min() / ROOM), float(told.max() * ROOM)


def _percent(table: pd.DataFrame) -> str:
    return f"{100 * float(table['prob'].iloc[0]):.4g}%"


def _closed(figure: Figure) -> Figure:
    plt.close(figure)
    return figure
