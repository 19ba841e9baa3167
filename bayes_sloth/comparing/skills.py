"""Which of two families is more efficient, and how the loadings of two fits differ."""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.alignment import congruence, order_and_signs
from bayes_sloth.arguments import check_kind
from bayes_sloth.comparing.draws import chance_ahead, draws_of
from bayes_sloth.errors import InputError
from bayes_sloth.expectation import pivots
from bayes_sloth.links import steepness
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, SKILL
from bayes_sloth.skill_tables import Skills
from bayes_sloth.summaries import summary_table

Floats = NDArray[np.float64]

SHUFFLES: Final = 200
SHAPE: Final = ("reach", "asymmetry")
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

    The other fit's skills take the order and signs of the first, by the congruence of the references, and its
    loadings are told at the first's pivots: a logit of an asymmetric curve is another one elsewhere.
    Draws are paired at random, as those of fits of tables without common rows may be; of tables that share
    rows the intervals are too wide.

    Parameters
    ----------
    skills, other : Skills
        Of two fits with the same number of skills, rotated alike; for skills that mean the same, rotate the
        second with `rotation="target"` and `target=skills.reference`, as `compare(fit, other_fit)` does.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns benchmark, skill, median, lower, upper (of the first less the second, in logits for one
        standard deviation over the models of the own table), prob, direction, congruence (of the two
        references, skill by skill), by_chance (what one in twenty unrelated fits would reach).

    Raises
    ------
    InputError
        If the fits share too few benchmarks, differ in the number of skills or in the link, or are rotated
        differently.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU", "ARC", "GSM8K"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = bs.skills(fit, rotation="none")
    >>> compare_loadings(found, found)["median"].tolist()
    [0.0, 0.0, 0.0]
    """
    shared = _comparable(skills, other)
    second, theirs = _at_pivots_of(skills, other, shared)
    mine = skills.reference.loc[shared].to_numpy()
    order, sign = order_and_signs(theirs, mine)
    told = {
        "congruence": congruence(mine[None], theirs[:, order] * sign)[0],
        "by_chance": _by_chance(theirs, mine),
    }
    first, second = _stacked(skills.data["loading"].sel({BENCHMARK: shared})), second[:, :, order] * sign
    count = max(len(first), len(second))
    rng = np.random.default_rng(0)  # which draws meet which is of no meaning, but the same every time
    gap = first[np.arange(count) % len(first)] - second[rng.permutation(count) % len(second)]
    labels = {BENCHMARK: shared, SKILL: list(skills.names)}
    table = summary_table(xr.DataArray(gap[None], dims=(CHAIN, DRAW, BENCHMARK, SKILL), coords=labels), prob)
    by_skill = pd.DataFrame(told, index=list(skills.names))
    return table.join(by_skill, on=SKILL)


def _comparable(skills: Skills, other: Skills) -> list[str]:
    """Return the benchmarks that two fits share, if their loadings can be compared."""
    for each in (skills, other):
        check_kind(each, Skills, "bs.skills")
    count = len(skills.names)
    if count != len(other.names):
        raise InputError(
            f"the fits have {count} and {len(other.names)} skills: fit both with the same number."
        )
    shared = [name for name in skills.reference.index if name in other.reference.index]
    wanted = max(FEWEST, count + 1)
    if len(shared) < wanted:
        raise InputError(
            f"the fits share {len(shared)} benchmarks: {count} skills are told alike by {wanted} or more."
        )
    links = skills.posterior.spec.link, other.posterior.spec.link
    if links[0] != links[1]:
        raise InputError(f"the fits have the links {links[0]} and {links[1]}: fit both with the same.")
    if other.rotation not in (skills.rotation, "target"):
        raise InputError(
            f"the skills are rotated by {skills.rotation} and {other.rotation}: rotate both alike, or the "
            "second with rotation='target' and the first's reference as target."
        )
    return shared


def _at_pivots_of(skills: Skills, other: Skills, shared: list[str]) -> tuple[Floats, Floats]:
    """Return the other's loadings, draws and reference, in logits at the first's pivots."""
    loading = _stacked(other.data["loading"].sel({BENCHMARK: shared}))
    reference = other.reference.loc[shared].to_numpy()
    if other.posterior.spec.link == "spline":  # which has the slope of the logistic curve at any pivot
        return loading, reference
    draws = other.posterior.data["posterior"].dataset
    reach, asymmetry = (jnp.asarray(_stacked(draws[name].sel({BENCHMARK: shared}))) for name in SHAPE)
    own, wanted = (jnp.asarray(_pivots_of(each, shared)) for each in (other, skills))
    unit = np.asarray(steepness(own, reach, asymmetry) / steepness(wanted, reach, asymmetry))
    unit = np.where(np.isfinite(unit), unit, 1.0)  # a curve that ends below that pivot
    return loading * unit[:, :, None], reference * np.median(unit, axis=0)[:, None]


def _pivots_of(skills: Skills, shared: list[str]) -> Floats:
    names = skills.posterior.scores.benchmarks
    return np.asarray(pivots(skills.posterior.data)[[names.index(name) for name in shared]])


def _by_chance(loading: Floats, reference: Floats) -> Floats:
    """Return the congruence that one in twenty shuffles of the benchmarks reaches, turned at will."""
    rng, found = np.random.default_rng(0), []
    for _ in range(SHUFFLES):
        shuffled = rng.permutation(loading)
        nearest = shuffled @ np.linalg.lstsq(shuffled, reference, rcond=None)[0]
        found.append(congruence(nearest[None], reference)[0])
    return np.asarray(np.quantile(found, 0.95, axis=0))


def _stacked(draws: xr.DataArray) -> np.ndarray:
    return np.asarray(draws.values.reshape(-1, *draws.shape[2:]))
