"""Pictures of tasks forecast from skills."""

from __future__ import annotations

from typing import Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from bayes_sloth.names import BENCHMARK, MODEL, SCORE
from bayes_sloth.plots._style import BLUE, ORANGE, needs

ROW: Final = 0.22  # inches to a model


def plot_downstream(forecasts: pd.DataFrame, scores: pd.DataFrame | None = None) -> Figure:
    """Draw forecasts of a task with intervals, a row a model, the best on top; what was measured as crosses.

    Parameters
    ----------
    forecasts : DataFrame
        From `bs.intervals` of `Downstream.predict`.
    scores : DataFrame, optional
        Columns model and score, shares, where a score is known.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(forecasts, "bs.intervals", MODEL, BENCHMARK, "lower", "median", "upper", "prob")
    if scores is not None:
        needs(scores, "model and score", MODEL, SCORE)
    table = forecasts.sort_values("median", ignore_index=True)
    height = 1.1 + ROW * len(table)
    figure, axes = plt.subplots(figsize=(6.5, height), layout="constrained")
    rows = table.index.to_numpy()
    axes.hlines(rows, table["lower"], table["upper"], color=BLUE, linewidth=2, alpha=0.7)
    axes.plot(table["median"], rows, "o", color=BLUE, markersize=4, label="forecast")
    if scores is not None:
        seen = table[[MODEL]].reset_index().merge(scores, on=MODEL)
        axes.plot(seen[SCORE], seen["index"], "x", color=ORANGE, markersize=6, label="measured")
        axes.legend(loc="lower right", fontsize="small", frameon=False)
    axes.set_yticks(rows, list(table[MODEL]), fontsize="small")
    axes.set(ylim=(-0.7, len(table) - 0.3), xlim=(-0.02, 1.02), xlabel="share of items solved")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    percent = f"{100 * float(table['prob'].iloc[0]):.4g}%"
    axes.set_title(
        f"{table[BENCHMARK].iloc[0]} from skills; {percent} intervals", loc="left", fontsize="medium"
    )
    plt.close(figure)
    return figure
