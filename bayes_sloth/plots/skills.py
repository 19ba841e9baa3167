"""Pictures of skills, each from one table: loadings, families, tuning, level curves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_sloth.errors import unknown_name
from bayes_sloth.names import BENCHMARK, FAMILY, PARAMS_B, SKILL, TOKENS_T
from bayes_sloth.plots._style import BLUE, ORANGE, closed, figure_of, in_order, needs, panels_of, percent

DIVERGING: Final = "PuOr_r"
NAMED: Final = 14  # families named on a map: the extreme ones, so that names stay apart
LABEL: Final = (0.15, 0.03)  # room that a name takes, as shares of a map's sides
LEVELS: Final = 9
MARGIN: Final = 0.6  # rows of room beyond the first and the last
FAINT: Final = 0.35  # of crosses that lie over one another


def plot_loadings(loadings: pd.DataFrame) -> Figure:
    """Draw median loadings as a heat map; those whose sign is not sure are set in grey.

    Parameters
    ----------
    loadings : DataFrame
        From `Skills.loadings`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(loadings, "Skills.loadings", BENCHMARK, SKILL, "lower", "median", "upper")
    names = in_order(loadings, SKILL)
    median = loadings.pivot(index=BENCHMARK, columns=SKILL, values="median")
    median = median.loc[in_order(loadings, BENCHMARK), names]
    sure = loadings.pivot(index=BENCHMARK, columns=SKILL, values="lower").loc[median.index, names] > 0
    sure |= loadings.pivot(index=BENCHMARK, columns=SKILL, values="upper").loc[median.index, names] < 0
    figure, axes = figure_of(1.6 + 1.5 * len(names), 1.3 + 0.34 * len(median))
    largest = float(np.abs(median.to_numpy()).max())
    image = axes.imshow(median, cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto")
    for row, column in np.ndindex(median.shape):
        value = float(median.iloc[row, column])
        dark = abs(value) > 0.6 * largest
        colour = ("white" if dark else "black") if sure.iloc[row, column] else "0.55"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize="small")
    axes.set_xticks(range(len(names)), [_broken(name) for name in names], fontsize="small")
    axes.set_yticks(range(len(median)), list(median.index), fontsize="small")
    axes.tick_params(length=0)
    figure.colorbar(image, label="logits for one sd of the skill", shrink=0.8)
    axes.set_title(
        f"Loadings; grey where the {percent(loadings)} interval holds 0", loc="left", fontsize="medium"
    )
    return closed(figure)


def plot_loading_intervals(loadings: pd.DataFrame) -> Figure:
    """Draw loadings with their intervals, a panel a skill.

    Parameters
    ----------
    loadings : DataFrame
        From `Skills.loadings`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(loadings, "Skills.loadings", BENCHMARK, SKILL, "lower", "median", "upper")
    names, benchmarks = in_order(loadings, SKILL), in_order(loadings, BENCHMARK)
    figure, panels = panels_of(len(names), 0.9 + 0.27 * len(benchmarks), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        table = loadings[loadings[SKILL] == name].set_index(BENCHMARK).loc[benchmarks[::-1]]
        _intervals(axes, table, np.arange(len(table)), BLUE)
        axes.set_yticks(range(len(table)), list(table.index), fontsize="small")
        axes.set_title(_broken(name), loc="left", fontsize="medium")
        axes.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
    figure.supxlabel(
        f"loading, logits for one sd of the skill; {percent(loadings)} intervals", fontsize="medium"
    )
    return closed(figure)


def plot_families(families: pd.DataFrame, across: str, up: str) -> Figure:
    """Draw the efficiency of families at two skills, with intervals; the extreme ones are named.

    Parameters
    ----------
    families : DataFrame
        From `Skills.families`.
    across, up : str
        Names of two skills.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a skill is unknown.
    """
    needs(families, "Skills.families", FAMILY, SKILL, "lower", "median", "upper")
    sides = [families[families[SKILL] == _known(families, name)].set_index(FAMILY) for name in (across, up)]
    x, y = sides[0], sides[1].loc[sides[0].index]
    figure, axes = figure_of(7.0, 5.6)
    axes.hlines(y["median"], x["lower"], x["upper"], color=BLUE, alpha=FAINT, linewidth=1)
    axes.vlines(x["median"], y["lower"], y["upper"], color=BLUE, alpha=FAINT, linewidth=1)
    axes.plot(x["median"], y["median"], "o", color=BLUE, markersize=4)
    far = np.hypot(x["median"] / x["median"].std(), y["median"] / y["median"].std())
    for family in _apart(x, y, far.sort_values(ascending=False).index):
        place = (x.loc[family, "median"], y.loc[family, "median"])
        axes.annotate(str(family), place, xytext=(4, 4), textcoords="offset points", fontsize="small")
    for line in (axes.axvline, axes.axhline):
        line(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xlabel(f"efficiency at {across}, sd over models")
    axes.set_ylabel(f"efficiency at {up}, sd over models")
    axes.set_title(
        f"Families at equal size and tokens; {percent(families)} intervals", loc="left", fontsize="medium"
    )
    return closed(figure)


def plot_tuning(tuning: pd.DataFrame) -> Figure:
    """Draw what instruction tuning adds to each skill, family by family, the population on top.

    Parameters
    ----------
    tuning : DataFrame
        From `Skills.tuning`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(tuning, "Skills.tuning", FAMILY, SKILL, "lower", "median", "upper")
    names, families = in_order(tuning, SKILL), in_order(tuning, FAMILY)
    figure, panels = panels_of(len(names), 1.0 + 0.19 * len(families), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        table = tuning[tuning[SKILL] == name].set_index(FAMILY).loc[families[::-1]]
        rows = np.arange(len(table))
        _intervals(axes, table.iloc[:-1], rows[:-1], BLUE)
        _intervals(axes, table.iloc[-1:], rows[-1:], ORANGE)
        axes.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_yticks(rows, list(table.index), fontsize="x-small")
        axes.set_title(_broken(name), loc="left", fontsize="medium")
    figure.supxlabel(f"tuned less base, sd over models; {percent(tuning)} intervals", fontsize="medium")
    return closed(figure)


def plot_base_against_tuned(models: pd.DataFrame, pairs: pd.DataFrame) -> Figure:
    """Draw the skills of tuned models against those of their base models, a panel a skill.

    Parameters
    ----------
    models : DataFrame
        From `Skills.models`.
    pairs : DataFrame
        From `Skills.pairs`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(models, "Skills.models", "model", SKILL, "lower", "median", "upper")
    needs(pairs, "Skills.pairs", SKILL, "base", "tuned")
    names = in_order(models, SKILL)
    figure, panels = panels_of(len(names), 3.0)
    for axes, name in zip(panels, names, strict=True):
        table = models[models[SKILL] == name].set_index("model")
        own = pairs[(pairs[SKILL] == name) & (pairs["base"] != "average")]
        x, y = table.loc[own["base"]], table.loc[own["tuned"]]
        axes.hlines(y["median"], x["lower"], x["upper"], color=BLUE, alpha=FAINT, linewidth=1)
        axes.vlines(x["median"], y["lower"], y["upper"], color=BLUE, alpha=FAINT, linewidth=1)
        axes.plot(x["median"], y["median"], "o", color=BLUE, markersize=3)
        axes.axline((0.0, 0.0), slope=1.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_title(_broken(name), loc="left", fontsize="medium")
    panels[0].set_ylabel("tuned model, sd over models")
    figure.supxlabel(f"base model, sd over models; {percent(models)} intervals", fontsize="medium")
    return closed(figure)


def plot_level_curves(levels: pd.DataFrame) -> Figure:
    """Draw level curves of each skill over size and tokens, and how sure they are.

    Parameters
    ----------
    levels : DataFrame
        From `growing.level_curves`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a table is not the one that is drawn.
    """
    needs(levels, "growing.level_curves", SKILL, PARAMS_B, TOKENS_T, "lower", "median", "upper")
    names = in_order(levels, SKILL)
    figure, panels = panels_of(len(names), 3.2, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        table = levels[levels[SKILL] == name].assign(width=lambda t: t["upper"] - t["lower"])
        grids = {c: table.pivot(index=TOKENS_T, columns=PARAMS_B, values=c) for c in ("median", "width")}
        x, y = grids["median"].columns.to_numpy(), grids["median"].index.to_numpy()
        image = axes.contourf(x, y, grids["width"], levels=LEVELS, cmap="Greys", alpha=0.7)
        lines = axes.contour(x, y, grids["median"], levels=LEVELS, colors=BLUE, linewidths=1.2)
        axes.clabel(lines, fontsize="x-small", fmt="%.1f")
        figure.colorbar(image, orientation="horizontal", ax=axes, format="%.2f").ax.tick_params(
            labelsize="x-small", rotation=45
        )
        axes.set(xscale="log", yscale="log", xlabel="billions of parameters")
        axes.set_title(_broken(name), loc="left", fontsize="medium")
    panels[0].set_ylabel("trillions of tokens")
    figure.supxlabel(
        f"lines: skill, sd over models, 0 at the centre; grey: width of its {percent(levels)} interval",
        fontsize="medium",
    )
    return closed(figure)


def _apart(x: pd.DataFrame, y: pd.DataFrame, order: pd.Index) -> list[str]:
    """Return the first families whose names would not run into one that is named already."""
    sides = ((x, LABEL[0]), (y, LABEL[1]))
    wide, high = (share * (side["upper"].max() - side["lower"].min()) for side, share in sides)
    across, up = x["median"], y["median"]
    named: list[str] = []
    for family in order[:NAMED]:
        clear = [abs(across[family] - across[o]) > wide or abs(up[family] - up[o]) > high for o in named]
        if all(clear):
            named.append(family)
    return named


def _intervals(axes: Axes, table: pd.DataFrame, rows: Any, colour: str) -> None:
    axes.hlines(rows, table["lower"], table["upper"], color=colour, linewidth=1.5)
    axes.plot(table["median"], rows, "o", color=colour, markersize=3.5)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, rows[0] - MARGIN), max(high, rows[-1] + MARGIN))


def _broken(name: str) -> str:
    """Return a skill's name in lines short enough for a panel's head."""
    return name.replace(" + ", "\n+ ")


def _known(table: pd.DataFrame, name: str) -> str:
    known = in_order(table, SKILL)
    if name not in known:
        raise unknown_name("skill", name, known)
    return name
