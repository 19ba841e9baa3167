"""Which of two families is more efficient, and how the loadings of two fits differ."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_sloth.alignment import order_and_signs
from bayes_sloth.arguments import check_kind
from bayes_sloth.comparing.draws import chance_ahead, draws_of
from bayes_sloth.errors import InputError
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, SKILL
from bayes_sloth.skill_tables import Skills
from bayes_sloth.summaries import summary_table

FEWEST: Final = 3  # shared benchmarks that skills of two fits can be told alike from


def compare_families(skills: Skills, family: str, other: str, *, prob: float = 0.9) -> pd.DataFrame:
    """Return by how much one family is more efficient than another at every skill, and how likely.

    Parameters
    ----------
    skills : Skills
        From `bs.skills`.
    family, other : str
        Families of the fitted table.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns skill, family, other, median, lower, upper (standard deviations of the skill over models),
        prob, better (probability that `family` is the more efficient one).

    Raises
    ------
    InputError
        If a family is unknown.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> compare_families(bs.skills(fit, rotation="none"), "phi-3", "bloom")["better"].tolist()
    [1.0]
    """
    check_kind(skills, Skills, "bs.skills")
    draws = skills.data["efficiency"]
    gap = draws_of(draws, FAMILY, family) - draws_of(draws, FAMILY, other)
    table = summary_table(gap, prob).drop(columns="direction")
    table.insert(1, "family", family)
    table.insert(2, "other", other)
    return table.assign(better=chance_ahead(gap))


def compare_loadings(skills: Skills, other: Skills, *, prob: float = 0.9) -> pd.DataFrame:
    """Return how the loadings of two fits differ on the benchmarks they share.

    The other fit's skills take the order and signs of the first, by the congruence of the references. Fits
    of different tables are independent given the data, so draws are paired at random.

    Parameters
    ----------
    skills, other : Skills
        Of two fits with the same number of skills, rotated alike; for skills that mean the same, rotate the
        second with `rotation="target"` and `target=skills.reference`.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns benchmark, skill, median, lower, upper (of the first less the second, in logits for one
        standard deviation), prob, direction, congruence (of the two references, skill by skill).

    Raises
    ------
    InputError
        If the fits share too few benchmarks or differ in the number of skills.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU", "ARC", "GSM8K"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = bs.skills(fit, rotation="none")
    >>> compare_loadings(found, found)["median"].tolist()
    [0.0, 0.0, 0.0]
    """
    for each in (skills, other):
        check_kind(each, Skills, "bs.skills")
    shared = [name for name in skills.reference.index if name in other.reference.index]
    if len(shared) < FEWEST:
        raise InputError(
            f"the fits share {len(shared)} benchmarks: compare fits that share {FEWEST} or more."
        )
    if len(skills.names) != len(other.names):
        raise InputError(
            f"the fits have {len(skills.names)} and {len(other.names)} skills: fit both with the same number."
        )
    mine, theirs = (each.reference.loc[shared].to_numpy() for each in (skills, other))
    order, sign = order_and_signs(theirs, mine)
    turned = theirs[:, order] * sign
    lengths = np.linalg.norm(mine, axis=0) * np.linalg.norm(turned, axis=0)
    alike = dict(zip(skills.names, (mine * turned).sum(axis=0) / lengths, strict=True))
    first = _stacked(skills.data["loading"].sel({BENCHMARK: shared}))
    second = _stacked(other.data["loading"].sel({BENCHMARK: shared}))[:, :, order] * sign
    count = max(len(first), len(second))
    rng = np.random.default_rng(0)  # which draws meet which is of no meaning, but the same every time
    gap = first[np.arange(count) % len(first)] - second[rng.permutation(count) % len(second)]
    labels = {BENCHMARK: shared, SKILL: list(skills.names)}
    table = summary_table(xr.DataArray(gap[None], dims=(CHAIN, DRAW, BENCHMARK, SKILL), coords=labels), prob)
    return table.assign(congruence=table[SKILL].map(alike))


def _stacked(draws: xr.DataArray) -> np.ndarray:
    return np.asarray(draws.values.reshape(-1, *draws.shape[2:]))
