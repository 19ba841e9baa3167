"""Pictures of decisions: how likely each size reaches a score, what each split of a budget costs."""

from __future__ import annotations

import textwrap
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from bayes_sloth.names import BENCHMARK, PARAMS_B, TOKENS_T
from bayes_sloth.plan.allocations import Allocation
from bayes_sloth.plan.targets import Target
from bayes_sloth.plots._style import BLUE, COLOURS, ORANGE, needs_a

OTHERS: Final = COLOURS[2:]
GREY: Final = "0.9"
TICKS: Final = 6  # splits whose size and tokens are written out below a picture
ERRORS: Final = 2.0  # Monte Carlo standard errors that a band shows


def plot_target(target: Target) -> Figure:
    """Draw the probability of reaching the target against size; grey is outside the data's range.

    Parameters
    ----------
    target : Target
        From `bs.plan.target`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once. Above, the probability with two Monte Carlo errors to
        either side, and that of each benchmark where there are several; below, the scores with their
        intervals and what is wanted, a panel a benchmark.

    Raises
    ------
    InputError
        If something else is given.
    """
    needs_a(target, Target, "bs.plan.target")
    names = list(target.wanted)
    size = (7.0, 3.4 + 1.9 * len(names))
    figure, panels = plt.subplots(
        1 + len(names), 1, figsize=size, sharex=True, squeeze=False, layout="constrained"
    )
    top, *below = panels[:, 0]
    curve = target.curve
    x, prob = curve[PARAMS_B], curve["prob"]
    band = ERRORS * curve["mcse"]
    if len(names) > 1:
        for colour, name in zip(_cycled(len(names)), names, strict=True):
            own = target.scores[target.scores[BENCHMARK] == name]
            top.plot(own[PARAMS_B], own["prob"], color=colour, linewidth=1, label=f"{name} alone")
    top.fill_between(x, prob - band, prob + band, color=BLUE, alpha=0.3, linewidth=0)
    top.plot(x, prob, color=BLUE, linewidth=1.8, label="all together" if len(names) > 1 else "probability")
    top.axhline(target.prob, color=ORANGE, linestyle="--", linewidth=1, label=f"{target.prob:g} wanted")
    top.set(ylim=(-0.02, 1.02), ylabel="probability of reaching it")
    for axes, name in zip(below, names, strict=True):
        own = target.scores[target.scores[BENCHMARK] == name]
        axes.fill_between(own[PARAMS_B], own["lower"], own["upper"], color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(own[PARAMS_B], own["median"], color=BLUE, linewidth=1.8)
        axes.axhline(target.wanted[name], color=ORANGE, linestyle="--", linewidth=1)
        axes.set_ylabel(f"{name}\nmedian and 90%")
    for axes in (top, *below):
        _shade(axes, curve)
        if target.size is not None:
            axes.axvline(target.size, color=ORANGE, linewidth=1)
    top.legend(loc="best", fontsize="small", framealpha=1.0, edgecolor="white")
    _log_sizes(panels[-1, 0])
    panels[-1, 0].set_xlabel("billions of parameters; grey: outside the data's range")
    figure.suptitle(_wrapped(f"{target.question}:\n{target.verdict}"), fontsize="medium", ha="left", x=0.02)
    return _closed(figure)


def plot_allocation(allocation: Allocation) -> Figure:
    """Draw the expected regret of every split, and where the best one may be; grey is outside the range.

    Parameters
    ----------
    allocation : Allocation
        From `bs.plan.allocate`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once. Above, the expected regret and its upper quantile; below,
        the probability of each split of being the best inside the data's range.

    Raises
    ------
    InputError
        If something else is given.
    """
    needs_a(allocation, Allocation, "bs.plan.allocate")
    table = allocation.choices
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.0, 5.2), sharex=True, height_ratios=[2, 1], layout="constrained"
    )
    x = table[PARAMS_B]
    top.plot(x, table["regret"], color=BLUE, linewidth=1.8, label="expected regret")
    upper = f"{100 * allocation.prob:.4g}% of draws regret less"
    top.plot(x, table["regret_upper"], color=BLUE, linewidth=1, linestyle=":", label=upper)
    top.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    chosen = allocation.chosen
    label = f"chosen: {chosen[PARAMS_B]:.3g}B on {chosen[TOKENS_T]:.3g}T"
    top.plot(chosen[PARAMS_B], chosen["regret"], "o", color=ORANGE, label=label)
    top.set_ylabel("regret, units of the objective")
    inside = table[~table["extrapolates"]]
    bottom.vlines(inside[PARAMS_B], 0.0, inside["best"], color=BLUE, linewidth=5)
    bottom.set_ylim(0.0, None)
    bottom.set_ylabel("probability of\nbeing the best")
    for axes in (top, bottom):
        _shade(axes, table)
        axes.axvline(allocation.params_b, color=ORANGE, linewidth=1)
    top.legend(loc="best", fontsize="small", framealpha=1.0, edgecolor="white")
    bottom.set_xscale("log")
    shown = table.iloc[np.unique(np.linspace(0, len(table) - 1, TICKS).astype(int))]
    places = zip(shown[PARAMS_B], shown[TOKENS_T], strict=True)
    bottom.set_xticks(shown[PARAMS_B], [f"{size:.3g}B\n{tokens:.3g}T" for size, tokens in places])
    bottom.xaxis.set_minor_locator(NullLocator())
    bottom.set_xlabel("parameters and training tokens of a split; grey: outside the data's range")
    figure.suptitle(_wrapped(allocation.question), fontsize="medium", ha="left", x=0.02)
    return _closed(figure)


def _shade(axes: Axes, table: pd.DataFrame) -> None:
    """Grey out the rows outside the data's range, as far as the first row inside."""
    x, outside = table[PARAMS_B].to_numpy(), table["extrapolates"].to_numpy()
    if x[-1] > x[0]:
        axes.set_xlim(x[0], x[-1])
    for left in np.flatnonzero(outside[:-1] | outside[1:]):
        axes.axvspan(x[left], x[left + 1], color=GREY, linewidth=0, zorder=-1)


def _log_sizes(axes: Axes) -> None:
    """Write sizes as numbers on a log axis."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _cycled(count: int) -> list[str]:
    return [OTHERS[place % len(OTHERS)] for place in range(count)]


def _wrapped(text: str, width: int = 92) -> str:
    """Break long lines of a title."""
    return "\n".join(line for part in text.splitlines() for line in textwrap.wrap(part, width))


def _closed(figure: Figure) -> Figure:
    plt.close(figure)
    return figure
