"""Doubtful but usable tables: each check returns one sentence that names the rows, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.catalogue import Benchmark
from bayes_sloth.names import FAMILY, INSTRUCT, MODEL, PARAMS_B
from bayes_sloth.tables.cells import Floats, listed

FEW_MODELS: Final = 5  # below this even one skill's slope on size rests on a handful of points
# A guesser with 1000 items and four choices lands within .055 of chance in all but one case in 10,000.
FLOOR_MARGIN: Final = 0.05
FLOOR_SDS: Final = 4.0  # for small benchmarks the guesser's own scatter counts
SEVERAL: Final = 3  # one or two scores below chance happen; three of one benchmark are a habit of the table
ROW_SEVERAL: Final = 2  # the same for one model, which has fewer scores
SIBLINGS: Final = 3  # a median over fewer says nothing about who is the odd one
# No model of the packaged table is further off on both scales; of scores mistyped by a factor of ten in it,
# two thirds are.
SIBLING_GAP: Final = 0.2
SIBLING_SDS: Final = 6.0
SMALLEST_SD: Final = 0.2  # logits; siblings on a smooth line would otherwise make any scatter look wild
MAD_TO_SD: Final = 1.4826  # of a normal variable
EDGE: Final = 0.01  # scores nearer to 0 or 1 count as this far, since logits blow up there
SHOWN: Final = 5
# No table's best score is a hundredth: with percent=True that means it held shares already.
SHARES_IN_PERCENT: Final = 0.01


@dataclass(frozen=True)
class Table:
    """A table that passed every check, before it is frozen.

    Parameters
    ----------
    facts : DataFrame
        What `model_facts` returns, a row per model.
    rows : sequence of int
        The number of each model's row in the user's table, counted from 1.
    benchmarks : sequence of Benchmark
        One per column of `score`.
    score : ndarray of float64, dims (model, benchmark)
        Shares in [0, 1], NaN where not observed.
    items : ndarray of float64, dims (model, benchmark)
        Item counts, NaN where unknown.
    """

    facts: pd.DataFrame
    rows: Sequence[int]
    benchmarks: Sequence[Benchmark]
    score: Floats
    items: Floats

    def row(self, i: int) -> str:
        """Return a model's row as messages name it."""
        return f"row {self.rows[i]} ({self.facts[MODEL].iloc[i]})"


def doubts(table: Table) -> tuple[str, ...]:
    """Return a sentence for everything about a valid table that deserves a second look.

    Parameters
    ----------
    table : Table
        Valid scores with their rows.

    Returns
    -------
    tuple of str
        Finished sentences, each naming rows or benchmarks and what to do.
    """
    checks: tuple[Callable[[Table], str | None], ...] = (
        few_models,
        measured_once,
        below_chance,
        far_from_siblings,
    )
    return tuple(sentence for check in checks if (sentence := check(table)) is not None)


def shares_as_percent(score: Floats, percent: bool) -> tuple[str, ...]:
    """Doubt `percent=True` for scores that seem to be shares already.

    Parameters
    ----------
    score : array
        Scores after the division.
    percent : bool
        Whether they were divided.

    Returns
    -------
    tuple of str
        One sentence, or none.
    """
    if not percent or not np.isfinite(score).any() or (best := float(np.nanmax(score))) > SHARES_IN_PERCENT:
        return ()
    return (
        f"percent=True leaves no score above {best:.2g}: the table seems to hold shares; leave percent out.",
    )


def few_models(table: Table) -> str | None:
    """Doubt a table of fewer than five models."""
    count = len(table.facts)
    if count >= FEW_MODELS:
        return None
    names = ", ".join(table.row(i) for i in range(count))
    return (
        f"only {count} of at least {FEW_MODELS} models, {names}: forecasts will rest on the priors; add more."
    )


def measured_once(table: Table) -> str | None:
    """Doubt benchmarks with a single score."""
    counts = (~np.isnan(table.score)).sum(axis=0)
    if len(table.facts) == 1 or not (counts == 1).any():
        return None
    places = [
        f"{table.benchmarks[j].name} in {table.row(int(np.flatnonzero(~np.isnan(table.score[:, j]))[0]))}"
        for j in map(int, np.flatnonzero(counts == 1))
    ]
    return f"measured only once: {listed(places, SHOWN)}; forecasts of it will rest on the priors."


def below_chance(table: Table) -> str | None:
    """Doubt scores so far below the chance floor that they look chance-normalised."""
    suspect = off_scale(table.score, np.array([b.floor for b in table.benchmarks]), table.items)
    if not suspect.any():
        return None
    names = [b.name for b, hit in zip(table.benchmarks, np.asarray(suspect.any(axis=0)), strict=True) if hit]
    rows = np.flatnonzero(suspect.any(axis=1))
    i, j = (int(v[0]) for v in np.nonzero(suspect))
    example = f"{table.benchmarks[j].name} {table.score[i, j]:.4g}, chance {table.benchmarks[j].floor:g}"
    return (
        f"far below chance: {listed(names, SHOWN)} in {listed([table.row(int(r)) for r in rows], SHOWN)} "
        f"({example}); if chance-normalised, turn whole benchmarks back with denormalise={names!r}, "
        f"or only these rows with denormalise={[table.facts[MODEL].iloc[r] for r in rows[:SHOWN]]!r}."
    )


def far_from_siblings(table: Table) -> str | None:
    """Doubt scores far off the line that a model's siblings follow."""
    places = [
        f"{table.row(i)}: {table.benchmarks[j].name} {table.score[i, j]:.4g}, others suggest {expected:.2g}"
        for j in range(len(table.benchmarks))
        for i, expected in _odd_ones(table, j)
    ]
    if not places:
        return None
    return f"far from their siblings: {listed(places, SHOWN)}; check these scores and the models' families."


def off_scale(score: Floats, floor: Floats, items: Floats) -> NDArray[np.bool_]:
    """Return which scores lie so far below chance, and so many of a benchmark or model, that it is no luck.

    Parameters
    ----------
    score, items : array, dims (model, benchmark)
        Shares of items solved and numbers of items, NaN where unknown.
    floor : array, dims (benchmark)
        Chance floors.

    Returns
    -------
    array of bool, dims (model, benchmark)
        False where there is no score.

    Examples
    --------
    >>> off_scale(np.array([[0.05, 0.1], [0.24, 0.3]]), np.full(2, 0.25), np.full((2, 2), 1000.0)).tolist()
    [[True, True], [False, False]]
    """
    with np.errstate(divide="ignore"):
        luck = FLOOR_SDS * np.sqrt(floor * (1 - floor) / items)
    margin = np.maximum(np.minimum(FLOOR_MARGIN, floor / 2), np.nan_to_num(luck, nan=0.0))
    low = score < floor - margin
    columns, models = low.sum(axis=0) >= SEVERAL, low.sum(axis=1) >= ROW_SEVERAL
    return np.asarray(low & (columns[None, :] | models[:, None]))


def _odd_ones(table: Table, j: int) -> list[tuple[int, float]]:
    """Return (model, score its siblings suggest) for the odd ones of one benchmark."""
    facts, score = table.facts, table.score[:, j]
    log_size = np.log(facts[PARAMS_B].to_numpy())
    usable = np.flatnonzero(~np.isnan(log_size) & ~np.isnan(score))
    groups = [
        usable[members]
        for members in facts.iloc[usable].groupby([FAMILY, INSTRUCT], sort=False).indices.values()
        if len(members) >= SIBLINGS
    ]
    if not groups:
        return []
    logit = _logit(score)
    slope = _shared_slope(groups, log_size, logit)
    residual = {int(i): _residual(group, int(i), logit - slope * log_size) for group in groups for i in group}
    sd = max(SMALLEST_SD, MAD_TO_SD * float(np.median(np.abs(list(residual.values())))))
    # In a small group one wrong score makes its siblings look odd too, so only the oddest of each is named.
    oddest = [max(map(int, group), key=lambda i: abs(residual[i])) for group in groups]
    expected = {i: float(1 / (1 + np.exp(residual[i] - logit[i]))) for i in sorted(oddest)}
    return [
        (i, suggested)
        for i, suggested in expected.items()
        if abs(residual[i]) > SIBLING_SDS * sd and abs(score[i] - suggested) > SIBLING_GAP
    ]


def _residual(group: np.ndarray, i: int, height: Floats) -> float:
    """Return how far model i lies above the median of its siblings, size accounted for."""
    return float(height[i] - np.median(height[group[group != i]]))


def _logit(score: Floats) -> Floats:
    """Return log odds, with scores kept away from 0 and 1."""
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _shared_slope(groups: Sequence[np.ndarray], log_size: Floats, logit: Floats) -> float:
    """Return the median slope between siblings of different size: half of the pairs may be wrong."""
    slopes = [
        (logit[b] - logit[a]) / (log_size[b] - log_size[a])
        for group in groups
        for n, a in enumerate(group)
        for b in group[n + 1 :]
        if log_size[a] != log_size[b]
    ]
    return float(np.median(slopes)) if slopes else 0.0
