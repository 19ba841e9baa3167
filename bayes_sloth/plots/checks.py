"""Pictures of what checks found, one a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.checks.finding import Finding
from bayes_sloth.errors import unknown_name
from bayes_sloth.names import BENCHMARK, MODEL
from bayes_sloth.plots._style import needs_a

RELIABLE: Final = 0.7  # Pareto's k above it says that a score cannot be left out by importance sampling
SHOWN: Final = 20  # rows of a bar chart that stay legible
SIZE: Final = (7.0, 4.5)
# Okabe and Ito's colours, told apart by colour-blind readers; a second style makes twelve benchmarks of six.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GRID: Final = np.linspace(0.0, 1.0, 201)
BY_CHANCE: Final = 1.63  # over the root of a count: what the largest difference passes one time in a hundred


def plot_finding(finding: Finding) -> Figure:
    """Draw what a check found.

    Parameters
    ----------
    finding : Finding
        Of `bs.check(fit)["predictive"]` and the like.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If there is no picture for that check.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayes_sloth.errors import FitStatus
    >>> table = pd.DataFrame({"model": ["a", "b"], "shift": [0.4, 0.1], "quantity": "slope", "k": 0.3})
    >>> figure = plot_finding(Finding("influence", table, FitStatus.FINE, "", ()))
    >>> figure.axes[0].get_xlabel()
    'shift when left out, posterior standard deviations'
    """
    needs_a(finding, Finding, "bs.check(fit)[name]")
    if finding.name not in PICTURES:
        raise unknown_name("picture", finding.name, PICTURES)
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    PICTURES[finding.name](finding, axes)
    axes.set_title(f"{finding.name}: {finding.level}", loc="left")
    plt.close(figure)
    return figure


def _bars(axes: Axes, labels: Any, values: Any, limit: float | None = None) -> None:
    """Draw the first rows as bars from top to bottom, with a line at the limit."""
    labels, values = list(labels)[:SHOWN][::-1], list(values)[:SHOWN][::-1]
    axes.barh(range(len(labels)), values)
    axes.set_yticks(range(len(labels)), labels, fontsize="small")
    if limit is not None:
        axes.axvline(limit, color="C3", linestyle="--")


def _convergence(finding: Finding, axes: Axes) -> None:
    table = finding.table.sort_values("r_hat", ascending=False)
    _bars(axes, table["quantity"], table["r_hat"] - 1, 0.01)
    axes.set_xlabel("worst R-hat, above 1")


def _benchmarks(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, int]]:
    """Yield each benchmark's name, rows, colour, and the number of its line or marker."""
    for place, (name, part) in enumerate(table.groupby(BENCHMARK, sort=False)):
        turn, colour = divmod(place, len(COLOURS))
        yield str(name), part, COLOURS[colour], turn % 2


def _legend(axes: Axes) -> None:
    """Name what is drawn beside the picture, where it hides nothing."""
    figure = axes.get_figure()
    if isinstance(figure, Figure):
        figure.legend(loc="outside right upper", fontsize="x-small")


def _predictive(finding: Finding, axes: Axes) -> None:
    for name, part, colour, turn in _benchmarks(finding.drawn["pit"]):
        below = np.searchsorted(np.sort(part["pit"].to_numpy()), GRID, side="right") / len(part)
        axes.plot(GRID, below - GRID, ("-", "--")[turn], color=colour, label=name)
    count = finding.drawn["pit"].groupby(BENCHMARK).size().median()
    band = BY_CHANCE / np.sqrt(count)
    axes.axhspan(-band, band, color="0.92", label="99% by chance")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("probability of a lower score, each score left out")
    axes.set_ylabel("share of scores below, less expected")
    _legend(axes)


def _left_out(finding: Finding, axes: Axes) -> None:
    for name, part, colour, turn in _benchmarks(finding.table):
        axes.plot(part["k"], part["elpd"], ("o", "^")[turn], color=colour, markersize=3.5, label=name)
    axes.axvline(RELIABLE, color="C3", linestyle="--")
    axes.set_xlabel("Pareto k")
    axes.set_ylabel("log density of the score, left out")
    _legend(axes)


def _identification(finding: Finding, axes: Axes) -> None:
    table = finding.table
    _bars(axes, table["question"] + ": " + table["where"], table["value"] / table["limit"], 1.0)
    axes.set_xlabel("value, as a share of its limit")


def _influence(finding: Finding, axes: Axes) -> None:
    _bars(axes, finding.table[MODEL] + ", " + finding.table["quantity"], finding.table["shift"], 1.0)
    axes.set_xlabel("shift when left out, posterior standard deviations")


def _prior(finding: Finding, axes: Axes) -> None:
    table = finding.table[::-1]  # the first benchmark on top
    rows = np.arange(len(table))
    axes.hlines(rows, table["q5"], table["q95"], linewidth=6, alpha=0.4, label="prior, 90% of scores")
    axes.hlines(rows, table["observed_low"], table["observed_high"], color="black", label="observed, range")
    axes.set_yticks(rows, list(table[BENCHMARK]), fontsize="small")
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_xlabel("score, share of items solved")
    _legend(axes)


def _sensitivity(finding: Finding, axes: Axes) -> None:
    _bars(axes, finding.table["quantity"], finding.table["prior"], 0.05)
    axes.set_xlabel("sensitivity to the prior")


PICTURES: Mapping[str, Callable[[Finding, Axes], None]] = MappingProxyType(
    {
        "convergence": _convergence,
        "predictive": _predictive,
        "leave-one-out": _left_out,
        "identification": _identification,
        "influence": _influence,
        "prior predictive": _prior,
        "prior sensitivity": _sensitivity,
    }
)
