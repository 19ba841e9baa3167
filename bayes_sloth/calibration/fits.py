"""One drawn table fitted as users fit theirs, and where its truth stands among the draws."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro import infer

from bayes_sloth.calibration.simulate import PREDICTED, Sites, quantities
from bayes_sloth.design import Design
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.kernels import Blocked, kernel_of
from bayes_sloth.modes import climb, held
from bayes_sloth.refitting import Length, walked
from bayes_sloth.sampling import starts
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any
Floats = NDArray[np.float64]
Named = dict[str, Floats]

# Draws turned into quantities at a time.
BATCH: Final = 50


class Sampled(NamedTuple):
    """What sampling one table brings home.

    Parameters
    ----------
    truth : dict of arrays
        True values of every quantity.
    draws : dict of arrays, dims (chain, draw, ...)
        Draws of the same.
    diverging : array, dims (chain, draw)
        Whether the trajectory diverged.
    """

    truth: Sites
    draws: Sites
    diverging: Values


class Ranked(NamedTuple):
    """Where the truth of one table stands, and how good its fit is.

    Parameters
    ----------
    rank : dict of arrays
        Share of independent draws below the truth, by quantity; NaN where nothing is to be told.
    r_hat, ess : float
        Largest R-hat and least effective draws of any quantity.
    diverging : int
        Trajectories that diverged.
    """

    rank: Named
    r_hat: float
    ess: float
    diverging: int


@partial(jax.jit, static_argnames=("spec", "length"))
def sampled(
    design: Design, spec: ModelSpec, sites: Sites, score: Values, key: jax.Array, length: Length
) -> Sampled:
    """Sample one table from its best mode on, by the kernel that `bs.fit` uses.

    Parameters
    ----------
    design : Design
        The layout.
    spec : ModelSpec
        The model that is fitted.
    sites : dict of arrays
        The truth.
    score : array, dims (model, benchmark)
        Every score; those of the holes are not looked at by the fit.
    key : random key
        Of the fit.
    length : Length
        How long to sample.

    Returns
    -------
    Sampled
        Truth and draws of every quantity.
    """
    seen: Values = jnp.where(jnp.asarray(design.observed), score, 0.5)
    design = replace(design, score=seen)
    narrow, space = Space(design, spec, held(design, spec)), Space(design, spec)
    blocked = Blocked(space)
    kernel = kernel_of("hmc", blocked, length.warmup)
    mode_key, truth_key, chain_key = jax.random.split(key, 3)
    mode = climb(narrow, mode_key)[0][0]

    def at(item: tuple[Values, jax.Array]) -> Sites:
        vector, key = item
        return quantities(
            design, spec, infer.util.constrain_fn(space.model, (), {}, space.named(vector)), key
        )

    def chain(key: jax.Array) -> tuple[Sites, Values]:
        start_key, run_key, score_key = jax.random.split(key, 3)
        begun = blocked.blocks(starts(space, narrow, mode, 1, start_key)[0])
        blocks, _, diverging = walked(kernel, begun, run_key, length)
        keys = jax.random.split(score_key, length.draws)
        return jax.lax.map(at, (blocked.flat(blocks), keys), batch_size=BATCH), diverging

    draws, diverging = jax.lax.map(chain, jax.random.split(chain_key, length.chains))
    truth = quantities(design, spec, sites, truth_key) | {PREDICTED: score}
    return Sampled({name: truth[name] for name in draws}, draws, diverging)


def ranked(found: Sampled, observed: NDArray[np.bool_], numbers: np.random.Generator) -> Ranked:
    r"""Rank the truth among the draws of each quantity, thinned to as many as are effective.

    .. math:: u = (\#\{\text{draws} < \text{truth}\} + v) / (L + 1), \quad v \sim U(0, 1 + \#\text{ties})

    is uniform on (0, 1) whatever the table, when the :math:`L` draws are independent ones of the posterior.

    Parameters
    ----------
    found : Sampled
        Truth and draws of one table.
    observed : array of bool, dims (model, benchmark)
        Where there are scores: predictions of these have been informed by them, so that only those of the
        holes are ranked.
    numbers : Generator
        Spreads a rank over its cell.

    Returns
    -------
    Ranked
        NaN for what has one value by construction.

    References
    ----------
    Talts et al. (2018). Validating Bayesian inference algorithms with simulation-based calibration.
    Algorithm 2.
    """
    truth = {name: np.asarray(value, dtype=float) for name, value in found.truth.items()}
    if PREDICTED in truth:
        truth[PREDICTED] = np.where(observed, np.nan, truth[PREDICTED])
    flat = np.concatenate([value.ravel() for value in truth.values()])
    parts = (np.asarray(value, dtype=float) for value in found.draws.values())
    draws = np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=2)
    told = (np.ptp(draws, axis=(0, 1)) != 0) & ~np.isnan(flat)
    rank, worst = np.full(flat.size, np.nan), {"r_hat": np.inf, "ess": 0.0}
    if told.any():
        known = diagnose(draws[..., told])
        effective = np.minimum(known["ess_bulk"], known["ess_tail"])
        rank[told] = _rank(flat[told], draws[..., told], effective, numbers)
        worst = {"r_hat": float(known["r_hat"].max()), "ess": float(effective.min())}
    ends = np.cumsum([value.size for value in truth.values()])[:-1]
    pieces = zip(truth.items(), np.split(rank, ends), strict=True)
    return Ranked(
        {name: piece.reshape(value.shape) for (name, value), piece in pieces},
        **worst,
        diverging=int(np.asarray(found.diverging).sum()),
    )


def _rank(truth: Floats, draws: Floats, effective: Floats, numbers: np.random.Generator) -> Floats:
    """Return ranks among every so many draws of each chain, as many as are effective."""
    chains, length, _ = draws.shape
    every = np.ceil(chains * length / np.nan_to_num(np.maximum(effective, 1.0), nan=1.0))
    kept = np.arange(length)[:, None] % every[None, :] == 0
    below, ties = ((kept & (side(draws, truth))).sum(axis=(0, 1)) for side in (np.less, np.equal))
    return np.asarray((below + numbers.random(truth.size) * (1 + ties)) / (chains * kept.sum(axis=0) + 1))
