"""Pictures of scores as curves, with the scores that were observed: over size, and through links."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.names import BENCHMARK, FAMILY, PARAMS_B, SCORE
from bayes_sloth.plots._style import (
    BAND,
    BLUE,
    COLOURS,
    LINES,
    MARKERS,
    closed,
    figure_of,
    grid_of,
    in_order,
    needs_a,
    percent,
)
from bayes_sloth.summaries import HELD_OUT, PREDICTOR, ScoreCurves

HOLLOW: Final = "held out"


def plot_family_curves(found: ScoreCurves) -> Figure:
    """Draw a benchmark's score over size, a curve a family; models that were fitted are filled.

    Parameters
    ----------
    found : ScoreCurves
        From `score_curves.family_curves`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If something else is given.
    """
    needs_a(found, ScoreCurves, "score_curves.family_curves")
    figure, axes = figure_of(7.4, 4.6)
    for turn, family in enumerate(in_order(found.curves, FAMILY)):
        table = found.curves[found.curves[FAMILY] == family].sort_values(PARAMS_B)
        colour, line = COLOURS[turn % len(COLOURS)], LINES[turn // len(COLOURS) % len(LINES)]
        axes.fill_between(
            table[PARAMS_B], table["lower"], table["upper"], color=colour, alpha=BAND, linewidth=0
        )
        axes.plot(table[PARAMS_B], table["median"], line, color=colour)
        _points(
            axes, found.points[found.points[FAMILY] == family], family, colour, MARKERS[turn % len(MARKERS)]
        )
    if found.points[HELD_OUT].any():
        axes.plot([], [], "o", color="0.3", mfc="white", label=HOLLOW)
    tuned = "tuned" if found.curves["instruct"].iloc[0] else "base"
    axes.set(xscale="log", xlabel="billions of parameters", ylabel="score, share of items solved")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(
        f"{found.curves[BENCHMARK].iloc[0]}, {tuned} models; {percent(found.curves)} bands",
        loc="left",
        fontsize="medium",
    )
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return closed(figure)


def plot_links(found: ScoreCurves) -> Figure:
    """Draw the fitted link of every benchmark, a panel each, with the models on it.

    Parameters
    ----------
    found : ScoreCurves
        From `score_curves.link_curves`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If something else is given.
    """
    needs_a(found, ScoreCurves, "score_curves.link_curves")
    names = in_order(found.curves, BENCHMARK)
    figure, grid = grid_of(len(names), 2.3, 2.0, share=False)
    for axes, name in zip(grid, names, strict=True):
        table = found.curves[found.curves[BENCHMARK] == name]
        points = found.points[found.points[BENCHMARK] == name]
        axes.hlines(points[SCORE], points["lower"], points["upper"], color="0.75", linewidth=0.8)
        axes.plot(points["median"], points[SCORE], "o", color="0.25", markersize=2.2)
        axes.fill_between(
            table[PREDICTOR], table["lower"], table["upper"], color=BLUE, alpha=2 * BAND, linewidth=0
        )
        axes.plot(table[PREDICTOR], table["median"], color=BLUE)
        axes.set(ylim=(0, 1), xlim=(table[PREDICTOR].min(), table[PREDICTOR].max()))
        axes.set_title(name, loc="left", fontsize="medium")
    figure.supxlabel(
        f"what a benchmark asks of a model's skills, logits; {percent(found.curves)} bands and intervals",
        fontsize="medium",
    )
    figure.supylabel("score, share of items solved", fontsize="medium")
    return closed(figure)


def _points(axes: Axes, points: pd.DataFrame, family: str, colour: str, marker: Any) -> None:
    """Draw the observed scores of one family, filled where they were fitted."""
    for held_out, part in points.groupby(HELD_OUT):
        fill = "white" if held_out else colour
        axes.plot(part[PARAMS_B], part[SCORE], marker, color=colour, mfc=fill, markersize=5.5, zorder=3)
    axes.plot([], [], marker, linestyle="-", color=colour, markersize=5.5, label=family)
