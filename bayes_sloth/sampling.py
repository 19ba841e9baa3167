"""Chains from a mode to draws of the posterior."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.model import GROUP_SCALES
from bayes_sloth.modes import Modes
from bayes_sloth.pytree import argument
from bayes_sloth.running import MANY, THIN, Batch, Run, batches_of, compile_once, watch
from bayes_sloth.space import Space
from bayes_sloth.transitions import Program, Taken

Values = Any

SPREAD: Final = 0.05  # of the chains' starts around the mode, in unconstrained units


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
    interrupted : bool
        Whether there are fewer draws than asked for, because somebody stopped the run.
    """

    space: Space
    vectors: Values
    statistics: dict[str, Values]
    interrupted: bool = False


def prepare() -> None:
    """Switch JAX to 64 bits."""
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


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
    return center + SPREAD * jax.random.normal(key, (chains, center.size))


def run_chains(
    modes: Modes,
    *,
    method: str,
    chains: int,
    draws: int,
    warmup: int,
    seed: int,
    progress: bool,
    checkpoint: Checkpoint = Checkpoint(),  # noqa: B008
) -> Chains:
    """Sample the posterior.

    Ctrl-C ends the run after the present block of draws: what all chains have is returned.

    Parameters
    ----------
    modes : Modes
        Where to start.
    method : {"hmc", "nuts"}
        See `kernels.kernel_of`.
    chains, draws, warmup : int
        Number of chains, kept draws of each and draws of adaptation.
    seed : int
        Of the whole run.
    progress : bool
        Whether to show a bar over all chains.
    checkpoint : Checkpoint
        Where to go on from, and what to keep the chains in.

    Returns
    -------
    Chains
        Flat draws and statistics.

    Raises
    ------
    KeyboardInterrupt
        If the run is stopped before every chain has draws.
    """
    space = Space(modes.space.design, modes.space.spec)
    start_key, run_key = jax.random.split(jax.random.key(seed))
    positions = starts(space, modes.space, modes.vectors[0], chains, start_key)
    keys = jax.random.split(run_key, chains)
    thin = 1 if positions.shape[1] <= MANY else THIN
    run = Run(argument(space.design), Program(space.spec, method, warmup), draws, checkpoint, Event(), thin)
    batches = batches_of(run, positions, keys)
    compile_once(run, batches[0])
    watch(run, batches, progress)
    least = min(batch.drawn for batch in batches)
    if not least:
        raise KeyboardInterrupt(_nothing_kept(checkpoint))
    taken = Taken(*_collected(batches, least))
    statistics = {name: value for name, value in taken._asdict().items() if name != "vectors"}
    if method == "nuts":
        statistics["tree_depth"] = np.floor(np.log2(statistics["n_steps"] / thin + 1)).astype(int)
    return Chains(space, taken.vectors, statistics, least < draws)


def _collected(batches: list[Batch], draws: int) -> list[NDArray[Any]]:
    """Return the first draws of all chains, and take them from the batches: memory holds them once."""
    chains = sum(batch.chains for batch in batches)
    found = [np.empty((chains, draws, *one.shape[2:]), one.dtype) for one in batches[0].rows[0]]
    first = 0
    for batch in batches:
        done = 0
        while batch.rows:
            parts = batch.rows.pop(0)
            for whole, part in zip(found, parts, strict=True):
                kept = part[:, : draws - done]
                whole[first : first + batch.chains, done : done + kept.shape[1]] = kept
            done = min(done + parts[0].shape[1], draws)
        first += batch.chains
    return found


def interruption(found: Chains, draws: int, checkpoint: Checkpoint) -> str:
    """Say that a run was stopped, and how to get the rest.

    Parameters
    ----------
    found : Chains
        What there is.
    draws : int
        How many of each chain were asked for.
    checkpoint : Checkpoint
        Where the chains are kept, if anywhere.

    Returns
    -------
    str
        One sentence.
    """
    again = "fit again for the rest"
    if checkpoint.folder is not None:
        again = f"the same call goes on from {checkpoint.folder}"
    return f"interrupted: {found.vectors.shape[1]} of {draws} draws of every chain are here; {again}."


def _nothing_kept(checkpoint: Checkpoint) -> str:
    if checkpoint.folder is None:
        return "interrupted during warm-up: nothing is kept; with checkpoint=path it would have been."
    return f"interrupted during warm-up: no draws yet; the same call resumes from {checkpoint.folder}."
