"""Pictures of what known scores tell, and of what to measure next."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bayes_sloth.names import BENCHMARK, MODEL
from bayes_sloth.plots._style import BLUE, ORANGE, needs

GREY = "0.6"
APART = 0.16  # of a row, between the intervals before and after


def plot_measurements(table: pd.DataFrame) -> Figure:
    """Draw by how much each measurement would narrow a forecast, per unit of cost, the best on top.

    Parameters
    ----------
    table : DataFrame
        From `plan.measure`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once; thin lines are two Monte Carlo errors to either side.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(table, "bs.plan.measure", "candidate", "reduction_per_cost", "error_per_cost")
    rows = np.arange(len(table))[::-1]
    figure, axes = plt.subplots(figsize=(6.4, 1.1 + 0.32 * len(table)), layout="constrained")
    axes.barh(rows, table["reduction_per_cost"], color=BLUE, height=0.6)
    low, high = (table["reduction_per_cost"] + side * 2 * table["error_per_cost"] for side in (-1, 1))
    axes.hlines(rows, low, high, color="black", linewidth=1)
    axes.set_yticks(rows, list(table["candidate"]), fontsize="small")
    axes.tick_params(axis="y", length=0)
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=0)
    axes.set_xlim(1.05 * min(0.0, float(low.min())), 1.05 * max(float(high.max()), 1e-6))
    axes.locator_params(axis="x", nbins=5)
    axes.ticklabel_format(axis="x", scilimits=(-2, 3), useMathText=True)
    axes.set_xlabel("reduction of the forecast's standard deviation per unit of cost")
    axes.set_title("What to measure next", loc="left", fontsize="medium")
    plt.close(figure)
    return figure


def plot_conditioned(before: pd.DataFrame, after: pd.DataFrame) -> Figure:
    """Draw a model's forecasts before and after some of its scores were known; known scores are points.

    Parameters
    ----------
    before, after : DataFrame
        From `bs.intervals`, of one model and the same benchmarks: of `bs.predict` and of `bs.condition`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(before, "bs.intervals", BENCHMARK, "lower", "median", "upper")
    needs(after, "bs.intervals", MODEL, BENCHMARK, "lower", "median", "upper", "prob")
    rows = np.arange(len(after))[::-1]
    known = (after["lower"] == after["upper"]).to_numpy()
    open_ = after[~known]
    figure, axes = plt.subplots(figsize=(6.4, 1.3 + 0.36 * len(after)), layout="constrained")
    prior = before.set_index(BENCHMARK).loc[after[BENCHMARK]]
    axes.hlines(rows + APART, prior["lower"], prior["upper"], color=GREY, linewidth=2, label="before")
    axes.plot(prior["median"], rows + APART, "o", color=GREY, markersize=4)
    axes.hlines(rows[~known] - APART, open_["lower"], open_["upper"], color=BLUE, linewidth=2, label="after")
    axes.plot(open_["median"], rows[~known] - APART, "o", color=BLUE, markersize=4)
    axes.plot(after["median"][known], rows[known] - APART, "D", color=ORANGE, markersize=5, label="known")
    axes.set_yticks(rows, list(after[BENCHMARK]), fontsize="small")
    axes.set_xlabel(f"score; median and {100 * float(after['prob'].iloc[0]):.4g}% interval")
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize="small")
    figure.suptitle(str(after[MODEL].iloc[0]), x=0.02, ha="left", fontsize="medium")
    plt.close(figure)
    return figure
