"""Pictures of the chains of chosen quantities, by ArviZ: their traces, and their ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import CHAIN, DRAW
from bayes_sloth.plots._style import COLOURS, closed, needs_a
from bayes_sloth.posterior import Posterior
from bayes_sloth.skill_tables import Skills

PANELS: Final = 24  # more cannot be read
COLUMNS: Final = 4
SIZE: Final = (3.0, 2.1)  # of a panel, inches

Draws = Posterior | Skills


def plot_traces(
    draws: Posterior | Skills, names: str | Sequence[str], coords: Mapping[str, Any] | None = None
) -> Figure:
    """Draw chosen quantities draw by draw, a colour a chain; chains that agree lie over one another.

    Parameters
    ----------
    draws : Posterior or Skills
        A fit, or what `bs.skills` makes of it.
    names : str or sequence of str
        Quantities, by the names in the notation table, such as `slope`.
    coords : mapping of str to labels, optional
        Which of their elements, by dim: `{"benchmark": ["MMLU"]}`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a name, dim or label is unknown, or there are too many panels to read.
    """
    from arviz_plots import plot_trace  # costs seconds, and only these plots need it

    return _drawn(plot_trace, _chosen(draws, names, coords), {"trace": {"alpha": 0.6, "width": 0.6}})


def plot_ranks(
    draws: Posterior | Skills, names: str | Sequence[str], coords: Mapping[str, Any] | None = None
) -> Figure:
    """Draw how the ranks of every chain's draws among those of all chains depart from even ones.

    A line that goes far from zero is of a chain that has been elsewhere. ArviZ 0.8 draws a band that even
    ranks of independent draws keep to, with probability 0.99, from four chains on: with two or three its band
    holds every line and says nothing. ArviZ 1 tests all chains together instead, gives the p-value and marks
    the ranks that depart in black.

    Parameters
    ----------
    draws : Posterior or Skills
        A fit, or what `bs.skills` makes of it.
    names : str or sequence of str
        Quantities, by the names in the notation table, such as `slope`.
    coords : mapping of str to labels, optional
        Which of their elements, by dim: `{"benchmark": ["MMLU"]}`.

    Returns
    -------
    Figure
        Closed, so that a notebook shows it once.

    Raises
    ------
    InputError
        If a name, dim or label is unknown, or there are too many panels to read.

    References
    ----------
    Säilynoja et al. (2022). Graphical test for discrete uniformity. Statistics and Computing 32.
    """
    from arviz_plots import plot_rank

    figure = _drawn(plot_rank, _chosen(draws, names, coords), {})
    figure.supylabel("share of ranks below, less even", fontsize="medium")
    return figure


def _chosen(
    draws: Posterior | Skills, names: str | Sequence[str], coords: Mapping[str, Any] | None
) -> xr.Dataset:
    """Return the quantities asked for, each with the labels asked for."""
    needs_a(draws, Posterior | Skills, "bs.fit` or `bs.skills")
    group = draws.data["posterior"].dataset if isinstance(draws, Posterior) else draws.data
    wanted = [names] if isinstance(names, str) else list(names)
    known = [str(name) for name, values in group.data_vars.items() if {CHAIN, DRAW} <= set(values.dims)]
    for name in wanted:
        if name not in known:
            raise unknown_name("quantity", name, known)
    numbered = {dim: range(group.sizes[dim]) for dim in (CHAIN, DRAW)}  # ArviZ tells chains by their labels
    found = group[wanted].reset_coords(drop=True).assign_coords(numbered)
    for dim, labels in (coords or {}).items():
        if dim not in found.dims:
            raise unknown_name("dim", dim, [str(d) for d in found.dims if d not in (CHAIN, DRAW)])
        some = [labels] if isinstance(labels, str) else list(labels)
        for label in some:
            if label not in found[dim].values:
                raise unknown_name(dim, str(label), [str(each) for each in found[dim].values])
        found = found.sel({dim: some})
    per_draw = found.sizes[CHAIN] * found.sizes[DRAW]
    panels = sum(values.size // per_draw for values in found.data_vars.values())
    if panels > PANELS:
        raise InputError(f"{panels} panels cannot be read: choose at most {PANELS} elements with coords.")
    return found


def _drawn(plot: Any, chosen: xr.Dataset, visuals: dict[str, Any]) -> Figure:
    """Return ArviZ's picture of the draws, with titles that fit and a legend of the chains."""
    tree = xr.DataTree.from_dict({"/posterior": chosen})
    panels = sum(values[{CHAIN: 0, DRAW: 0}].size for values in chosen.data_vars.values())
    columns = min(COLUMNS, panels)
    size = (SIZE[0] * columns, SIZE[1] * -(-panels // columns) + 0.5)
    options = {"col_wrap": COLUMNS, "figure_kwargs": {"figsize": size, "layout": "constrained"}}
    colours = [COLOURS[turn % len(COLOURS)] for turn in range(chosen.sizes[CHAIN])]
    found = plot(tree, backend="matplotlib", visuals=visuals, color=colours, **options)
    figure: Figure = found.viz["figure"].item()
    for axes in figure.axes:
        axes.title.set_fontsize("small")
    lines = [Line2D([], [], color=colour) for colour in colours]
    names = [f"chain {label}" for label in chosen[CHAIN].values]
    figure.legend(lines, names, loc="outside upper left", ncols=len(lines), fontsize="small", frameon=False)
    return closed(figure)
