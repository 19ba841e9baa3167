"""Pictures of forecasts and of how good they were: truth beside intervals, coverage, laws over settings."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import BENCHMARK, MODEL
from bayes_sloth.plots._style import (
    BLUE,
    COLOURS,
    MARKERS,
    ORANGE,
    closed,
    figure_of,
    grid_of,
    in_order,
    needs,
    panels_of,
    percent,
)

LAW, SETTING = "law", "setting"
THIN, THICK = 1.5, 5.0  # of the widest and the narrowest interval, points
ROW: Final = 0.19  # inches


def plot_forecasts(forecasts: pd.DataFrame, *, by: str = BENCHMARK) -> Figure:
    """Draw the intervals of forecasts beside the truth, a panel a benchmark or a model.

    Parameters
    ----------
    forecasts : DataFrame
        From `comparing.compare_with_truth`, or `evaluation_tables.held_out_forecasts` of one law.
    by : {"benchmark", "model"}
        What has a panel; the other has rows.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If `by` is neither, or the table holds several laws.
    """
    needs(forecasts, "comparing.compare_with_truth", "lower", "median", "upper", "prob")
    if by not in (BENCHMARK, MODEL):
        raise unknown_name("by", by, (BENCHMARK, MODEL))
    if LAW in forecasts and forecasts[LAW].nunique() > 1:
        raise InputError("the table holds forecasts of several laws: keep the rows of one.")
    other = MODEL if by == BENCHMARK else BENCHMARK
    panels, labels = in_order(forecasts, by), in_order(forecasts, other)
    figure, grid = grid_of(len(panels), 2.2, 0.5 + ROW * len(labels))
    rows = {label: row for row, label in enumerate(labels[::-1])}  # the first one on top
    for axes, name in zip(grid, panels, strict=True):
        table = forecasts[forecasts[by] == name]
        _intervals(axes, table, table[other].map(rows).to_numpy())
        axes.set_yticks(range(len(labels)), labels[::-1], fontsize="x-small")
        axes.set(xlim=(0, 1), ylim=(-0.7, len(labels) - 0.3))
        axes.xaxis.set_major_formatter("{x:g}")  # the ends of neighbours stay apart
        axes.set_title(name, loc="left", fontsize="medium")
    probs = " and ".join(f"{100 * prob:.4g}%" for prob in sorted(forecasts["prob"].unique()))
    figure.supxlabel(f"score, share of items solved; {probs} intervals", fontsize="medium")
    _legend(figure, grid[0])
    return closed(figure)


def plot_coverage(coverage: pd.DataFrame) -> Figure:
    """Draw the share of held-out scores inside against what intervals claim, a panel a law.

    Parameters
    ----------
    coverage : DataFrame
        From `evaluation_tables.coverage_curve`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(coverage, "evaluation_tables.coverage_curve", LAW, "level", "low", "high", "inside", "scores")
    laws = in_order(coverage, LAW)
    figure, grid = grid_of(len(laws), 2.6, 2.7)
    for axes, law in zip(grid, laws, strict=True):
        table = coverage[coverage[LAW] == law]
        band = f"{percent(table)} band, if claims are kept"
        axes.fill_between(table["level"], table["low"], table["high"], color="0.85", label=band)
        axes.plot([0, 1], [0, 1], color="0.5", linewidth=1, label="as claimed")
        axes.plot(table["level"], table["inside"], "o-", color=BLUE, markersize=3.5, label="inside")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_title(f"{law}, {table['scores'].iloc[0]} scores", loc="left", fontsize="small")
    figure.supxlabel("probability that a central interval claims", fontsize="medium")
    figure.supylabel("share of held-out scores inside", fontsize="medium")
    _legend(figure, grid[0])
    return closed(figure)


def plot_settings(settings: pd.DataFrame, *, measure: str = "MAE") -> Figure:
    """Draw a measure of every law in every setting, as the paper's table has them.

    Parameters
    ----------
    settings : DataFrame
        From `evaluation_tables.across_settings`; rows of other laws may be added, with the columns that are
        drawn.
    measure : str
        A column: MAE, CRPS and so on; lower is better.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If there is no such column.
    """
    needs(settings, "evaluation_tables.across_settings", LAW, SETTING)
    if measure not in settings:
        raise unknown_name("measure", measure, [str(c) for c in settings if c not in (LAW, SETTING)])
    names, laws = in_order(settings, SETTING), in_order(settings, LAW)
    figure, axes = figure_of(2.6 + 1.0 * len(names), 4.0)
    places = {name: place for place, name in enumerate(names)}
    apart = np.linspace(-0.25, 0.25, len(laws)) if len(laws) > 1 else [0.0]
    for turn, (law, aside) in enumerate(zip(laws, apart, strict=True)):
        table = settings[settings[LAW] == law]
        shape: Any = MARKERS[turn % len(MARKERS)]
        colour, fill = COLOURS[turn % len(COLOURS)], "none" if turn % 2 else COLOURS[turn % len(COLOURS)]
        across = table[SETTING].map(places) + aside
        axes.plot(across, table[measure], shape, color=colour, mfc=fill, markersize=6, label=law)
    axes.set_xticks(range(len(names)), names)
    axes.axhline(0.0, color="0.9", linewidth=0.8, zorder=0)  # leaves room above the highest mark, too
    for edge in range(1, len(names)):
        axes.axvline(edge - 0.5, color="0.9", linewidth=0.8, zorder=0)
    axes.set(xlabel=SETTING, ylabel=_unit(measure), ylim=(0, None), xlim=(-0.5, len(names) - 0.5))
    figure.legend(loc="outside upper left", fontsize="small", ncols=3, frameon=False)
    return closed(figure)


def plot_skill_counts(counts: pd.DataFrame) -> Figure:
    """Draw how far every number of skills is behind the best, by scores left out and by held-out folds.

    Parameters
    ----------
    counts : DataFrame
        From `skill_counts.compare_skill_counts`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(counts, "skill_counts.compare_skill_counts", "fit", "skills", "behind", "behind_se")
    by_folds = "CRPS_behind" in counts
    figure, panels = panels_of(1 + by_folds, 0.9 + 0.4 * len(counts), sharey=True)
    table = counts[::-1]  # the best on top
    rows = np.arange(len(table))
    _behind(panels[0], table["behind"], table["behind_se"], rows)
    panels[0].set_xlabel("behind the best, nats of elpd\n(scores left out one at a time)")
    if by_folds:
        _behind(panels[1], table["CRPS_behind"], table["CRPS_behind_se"], rows)
        panels[1].set_xlabel("behind the best, CRPS\n(held-out folds)")
    words = "{}, {} skill{}".format
    named = [words(n, k, "s" * (k != 1)) for n, k in zip(table["fit"], table["skills"], strict=True)]
    panels[0].set_yticks(rows, named, fontsize="small")
    panels[0].set_ylim(-0.6, len(table) - 0.4)
    figure.suptitle("Bars: one standard error of the difference", fontsize="small", x=0.01, ha="left")
    return closed(figure)


def _behind(axes: Axes, gap: pd.Series, spread: pd.Series, rows: Any) -> None:
    axes.errorbar(gap, rows, xerr=spread, fmt="o", color=BLUE, capsize=3)
    axes.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)


def _intervals(axes: Axes, table: pd.DataFrame, rows: Any) -> None:
    """Draw the intervals of one panel, the narrower the thicker, and the truth on top."""
    probs = np.sort(table["prob"].unique())[::-1]
    widths = np.linspace(THIN, THICK, len(probs)) if len(probs) > 1 else [THIN]
    for prob, width in zip(probs, widths, strict=True):
        own = (table["prob"] == prob).to_numpy()
        lower, upper = table["lower"][own], table["upper"][own]
        axes.hlines(rows[own], lower, upper, color=BLUE, linewidth=width, alpha=0.5)
    own = (table["prob"] == probs[0]).to_numpy()
    axes.plot(table["median"][own], rows[own], "|", color=BLUE, markersize=7, label="median forecast")
    truth: Any = {"mfc": "white", "mec": ORANGE, "mew": 1.3, "markersize": 4.5, "label": "observed"}
    axes.plot(table["truth"][own], rows[own], "o", **truth)
    axes.grid(axis="x", alpha=0.3)


def _legend(figure: Figure, axes: Axes) -> None:
    """Name what is drawn above all panels, once."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize="small", frameon=False)


def _unit(measure: str) -> str:
    words = {"MAE": "mean absolute error, share of items", "CRPS": "CRPS, share of items"}
    return words.get(measure, measure)
