"""NUTS on the flat parameters, from a mode, with chains side by side."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro.infer import MCMC, NUTS

from bayes_sloth.errors import FitWarning
from bayes_sloth.model import GROUP_SCALES
from bayes_sloth.modes import Modes
from bayes_sloth.space import Space

Values = Any

# Trees of this target are half as deep as at the usual 0.8 and leave as many effective draws.
TARGET_ACCEPTANCE: Final = 0.7
JITTER: Final = 0.05  # of the chains' starts around the mode, in unconstrained units
# While the step size is still being found, deep trees are lost labour: 255 steps a draw at most, then 1,023.
DEPTHS: Final = (8, 10)
FIELDS: Final = {
    "num_steps": "n_steps",
    "diverging": "diverging",
    "accept_prob": "acceptance_rate",
    "potential_energy": "lp",
    "energy": "energy",
}


@dataclass(frozen=True, eq=False)
class Chains:
    """What a sampler brings home.

    Parameters
    ----------
    space : Space
        The parameters.
    vectors : array, dims (chain, draw, parameter)
        Flat draws.
    statistics : dict of arrays, dims (chain, draw)
        By ArviZ's names.
    """

    space: Space
    vectors: Values
    statistics: dict[str, Values]


def prepare(chains: int) -> None:
    """Switch JAX to 64 bits and, where it has not started, give it a host device for every chain.

    Parameters
    ----------
    chains : int
        How many chains are to run side by side.
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        # At least four, so that a later fit with the default chains finds its devices too.
        numpyro.set_host_device_count(max(chains, 4))


def chain_method(chains: int) -> str:
    """Return how chains run here: side by side on host devices, vectorised on an accelerator, or in turn."""
    if jax.default_backend() != "cpu":
        return "vectorized"
    if jax.local_device_count() >= chains:
        return "parallel"
    warnings.warn(
        f"JAX had already started with {jax.local_device_count()} host device(s), so {chains} chains run in "
        "turn, not side by side: call fit before other JAX code, or set "
        f"XLA_FLAGS=--xla_force_host_platform_device_count={chains} before Python starts.",
        FitWarning,
        stacklevel=4,
    )
    return "sequential"


def starts(space: Space, narrow: Space, mode: Values, chains: int, key: jax.Array) -> Values:
    """Return the chains' first positions: a mode, group scales at their medians, a little noise.

    Parameters
    ----------
    space, narrow : Space
        All parameters; those of the mode, group scales held.
    mode : array, dims (parameter of the narrow space)
        Flat.
    chains : int
        How many.
    key : random key
        Of the noise.

    Returns
    -------
    array, dims (chain, parameter)
        Flat.
    """
    whole = space.named(space.start()) | narrow.named(mode)
    for name, value in narrow.fixed.items():
        whole[name] = jnp.log(value) if name in GROUP_SCALES else value
    center = space.flat(whole)
    return center + JITTER * jax.random.normal(key, (chains, center.size))


def run_nuts(modes: Modes, *, chains: int, draws: int, warmup: int, seed: int, progress: bool) -> Chains:
    """Sample the posterior with NUTS.

    Parameters
    ----------
    modes : Modes
        Where to start.
    chains, draws, warmup : int
        Number of chains, kept draws of each and draws of adaptation.
    seed : int
        Of the whole run.
    progress : bool
        Whether to show a bar for each chain.

    Returns
    -------
    Chains
        Flat draws and statistics.
    """
    space = Space(modes.space.design, modes.space.spec)
    start_key, run_key = jax.random.split(jax.random.key(seed))
    # A diagonal mass matrix: a dense block on the shared parameters needs more warm-up than it saves.
    kernel = NUTS(potential_fn=space.potential, target_accept_prob=TARGET_ACCEPTANCE, max_tree_depth=DEPTHS)
    method = chain_method(chains)
    mcmc = MCMC(
        kernel,
        num_warmup=warmup,
        num_samples=draws,
        num_chains=chains,
        chain_method=method,
        progress_bar=progress,
    )
    positions = starts(space, modes.space, modes.vectors[0], chains, start_key)
    mcmc.run(run_key, init_params=positions if chains > 1 else positions[0], extra_fields=tuple(FIELDS))
    vectors = jnp.asarray(mcmc.get_samples(group_by_chain=True))
    found = mcmc.get_extra_fields(group_by_chain=True)
    statistics = {FIELDS[name]: np.asarray(found[name]) for name in FIELDS}
    statistics["lp"] = -statistics["lp"]
    statistics["tree_depth"] = np.floor(np.log2(statistics["n_steps"] + 1)).astype(int)
    return Chains(space, vectors, statistics)
