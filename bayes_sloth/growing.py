"""How skills grow: level curves over size and tokens, and what ten times of either is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth import curve
from bayes_sloth.arguments import as_number, check_kind, check_prob, check_whole
from bayes_sloth.errors import InputError
from bayes_sloth.names import CHAIN, DRAW, PARAMS_B, SKILL, TOKENS_T
from bayes_sloth.skill_tables import Skills
from bayes_sloth.summaries import summary_table

Floats = NDArray[np.float64]

CONFIGURATION: Final = "configuration"
STEPS: Final = 25  # of a grid, in size and in tokens


def grown(
    skills: Skills, params_b: Sequence[float] | Floats, tokens_t: Sequence[float] | Floats
) -> xr.DataArray:
    r"""Return what size and tokens add to the skills of a dense base model, whatever its family.

    .. math:: M'\beta' x(s, t) - M'\beta' x(\bar s, \bar t)

    with the matrix :math:`M` that turns fitted skills into these, from the table's centre (the geometric
    means of sizes and of tokens).

    Parameters
    ----------
    skills : Skills
        From `bs.skills`.
    params_b, tokens_t : array, dims (configuration)
        Billions of parameters and trillions of tokens, pair by pair.

    Returns
    -------
    DataArray, dims (chain, draw, configuration, skill)
        Standard deviations of the skill over the fitted models.

    Raises
    ------
    InputError
        If the two differ in length, or a number is not above zero.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> added = grown(bs.skills(fit, rotation="none"), [7.0, 70.0], [2.0, 2.0])
    >>> bool(added[0, 0, 1, 0] > added[0, 0, 0, 0])
    True
    """
    sizes, tokens = (np.asarray(values, dtype=float) for values in (params_b, tokens_t))
    if sizes.shape != tokens.shape or sizes.ndim != 1:
        raise InputError(f"{sizes.size} sizes and {tokens.size} token counts: give them pair by pair.")
    if not (np.isfinite(sizes) & np.isfinite(tokens) & (sizes > 0) & (tokens > 0)).all():
        raise InputError("a size or token count is not above zero: give billions and trillions.")
    scaling = skills.posterior.scaling
    logs = scaling.size.scaled(np.log(sizes)), scaling.tokens.scaled(np.log(tokens))
    draws = skills.posterior.data["posterior"].dataset
    names = ("slope", "size_curvature", "token_curvature")
    flat: list[Floats] = [draws[name].values.reshape(-1, *draws[name].shape[2:]) for name in names]
    added = np.asarray(_growth(*(jnp.asarray(part) for part in (*flat, *logs))))
    turn = skills.data["to_skills"].values.reshape(-1, *skills.data["to_skills"].shape[2:])
    values = (added @ turn).reshape(draws.sizes[CHAIN], draws.sizes[DRAW], sizes.size, -1)
    dims = (CHAIN, DRAW, CONFIGURATION, SKILL)
    place = {PARAMS_B: (CONFIGURATION, sizes), TOKENS_T: (CONFIGURATION, tokens)}
    return xr.DataArray(values, dims=dims, coords={SKILL: list(skills.names), **place})


@jax.jit
def _growth(slope: Any, size_bend: Any, token_bend: Any, log_size: Any, log_tokens: Any) -> Any:
    """Return the growth of fitted skills in every draw, dims (draw, configuration, fitted skill)."""

    def one(slope: Any, size_bend: Any, token_bend: Any) -> Any:
        return curve.growth(slope, curve.covariates(log_size, log_tokens, size_bend, token_bend))

    return jax.vmap(one)(slope, size_bend, token_bend)


def level_curves(skills: Skills, *, prob: float = 0.9, steps: int = STEPS) -> pd.DataFrame:
    """Return each skill on a grid of size and tokens over the fitted table's range, for level curves.

    Parameters
    ----------
    skills : Skills
        From `bs.skills`.
    prob : float
        Probability inside the interval.
    steps : int
        Points along each side, evenly spaced in logs.

    Returns
    -------
    DataFrame
        Columns params_b, tokens_t, skill, median, lower, upper (standard deviations of the skill over models,
        0 at the table's centre), prob, direction.

    Raises
    ------
    InputError
        If the probability or the number of steps makes no grid.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> len(level_curves(bs.skills(fit, rotation="none"), steps=3))
    9
    """
    check_prob(prob)
    check_kind(skills, Skills, "bs.skills")
    check_whole("level_curves", 2, steps=steps)
    scaling = skills.posterior.scaling
    sides = [np.exp(np.linspace(each.low, each.high, steps)) for each in (scaling.size, scaling.tokens)]
    sizes, tokens = (side.ravel() for side in np.meshgrid(*sides))
    return _placed(grown(skills, sizes, tokens), prob)


def tenfold(
    skills: Skills, *, params_b: float | None = None, tokens_t: float | None = None, prob: float = 0.9
) -> pd.DataFrame:
    """Return what ten times the size, and ten times the tokens, would add to each skill.

    Parameters
    ----------
    skills : Skills
        From `bs.skills`.
    params_b, tokens_t : float, optional
        Where to start from, billions and trillions; the table's centre where not given.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns skill, of (`size`, `tokens` or `size less tokens`), median, lower, upper (standard deviations
        of the skill over models), prob, direction.

    Raises
    ------
    InputError
        If a number makes no sense.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> tenfold(bs.skills(fit, rotation="none"))["of"].tolist()
    ['size', 'tokens', 'size less tokens']
    """
    check_kind(skills, Skills, "bs.skills")
    scaling = skills.posterior.scaling
    size = np.exp(scaling.size.mean) if params_b is None else params_b
    tokens = np.exp(scaling.tokens.mean) if tokens_t is None else tokens_t
    size = as_number("params_b", size, "billions of parameters, above zero", above=0.0)
    tokens = as_number("tokens_t", tokens, "trillions of tokens, above zero", above=0.0)
    at = grown(skills, [size, 10 * size, size], [tokens, tokens, 10 * tokens])
    start, larger, longer = (at.isel({CONFIGURATION: place}, drop=True) for place in range(3))
    kinds = {"size": larger - start, "tokens": longer - start, "size less tokens": larger - longer}
    gain = xr.concat(list(kinds.values()), pd.Index(list(kinds), name="of"), coords="minimal")
    table = summary_table(gain.drop_vars([PARAMS_B, TOKENS_T], errors="ignore"), prob)
    order = {name: place for place, name in enumerate(skills.names)}
    table = table.sort_values(SKILL, key=lambda names: names.map(order), kind="stable")
    return table[[SKILL, "of", *(c for c in table if c not in (SKILL, "of"))]].reset_index(drop=True)


def _placed(draws: xr.DataArray, prob: float) -> pd.DataFrame:
    """Return the summary with sizes and tokens for the number of a configuration."""
    numbered = draws.assign_coords({CONFIGURATION: range(draws.sizes[CONFIGURATION])})
    table = summary_table(numbered, prob)
    number = table.pop(CONFIGURATION).to_numpy(dtype=int)
    for place, name in enumerate((PARAMS_B, TOKENS_T)):
        table.insert(place, name, draws[name].values[number])
    return table
