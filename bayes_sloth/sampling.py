"""Chains from a mode to draws of the posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.compiling import give_back_memory
from bayes_sloth.design import Design
from bayes_sloth.kernels import last_metric, units_of
from bayes_sloth.model import GROUP_SCALES
from bayes_sloth.modes import Modes
from bayes_sloth.pytree import argument
from bayes_sloth.running import MANY, THIN, Run, batches_of, compile_once, watch
from bayes_sloth.space import Space, without_anchors
from bayes_sloth.spec import ModelSpec
from bayes_sloth.transitions import Program, Taken

Values = Any

SPREAD: Final = 0.05  # of the chains' starts around the mode, in the sampler's units


@dataclass(frozen=True, eq=False)
class Chains:
    """What a sampler brings home.

    Parameters
    ----------
    space : Space
        The parameters.
    vectors : list of arrays, dims (draw, parameter)
        Flat draws of every chain.
    statistics : dict of arrays, dims (chain, draw)
        By ArviZ's names.
    interrupted : bool
        Whether there are fewer draws than asked for, because somebody stopped the run.
    """

    space: Space
    vectors: list[Values]
    statistics: dict[str, Values] = field(default_factory=dict)
    interrupted: bool = False

    def named(self) -> dict[str, NDArray[Any]]:
        """Return what a posterior reports, and let go of the flat draws: memory holds a large table's once.

        Returns
        -------
        dict of arrays, dims (chain, draw, ...)
            By name.

        Raises
        ------
        ValueError
            If the draws have been let go before.
        """
        left, self.vectors[:] = list(self.vectors), []
        chains, count = len(left), sum(map(len, left))
        if not chains:
            raise ValueError("the draws have been let go.")
        one_by_one = (left.pop(0) for _ in range(chains))
        flat = self.space.quantities_of(one_by_one, count, self.space.reported)
        return {name: v.reshape(chains, -1, *v.shape[1:]) for name, v in flat.items()}


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
    whole = narrow.named(mode)
    for name, value in narrow.fixed.items():
        whole[name] = jnp.log(value) if name in GROUP_SCALES else value
    center = space.flat(whole)
    return center + SPREAD * units_of(space) * jax.random.normal(key, (chains, center.size))


@partial(jax.jit, static_argnames=("spec", "chains"))
def _starts(
    design: Design, spec: ModelSpec, held: Mapping[str, Values], mode: Values, chains: int, key: jax.Array
) -> Values:
    """Return the same, as one small program."""
    return starts(Space(design, spec), Space(design, spec, held), mode, chains, key)


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
    design = jax.device_put(argument(space.design))  # once, not with every block of draws
    start_key, run_key = jax.random.split(jax.random.key(seed))
    positions = _starts(
        design, without_anchors(space.spec), modes.space.fixed, modes.vectors[0], chains, start_key
    )
    keys = jax.random.split(run_key, chains)
    many = positions.shape[1] > MANY
    program = Program(without_anchors(space.spec), method, warmup, stretches=many and last_metric(warmup) > 0)
    run = Run(design, program, draws, checkpoint, Event(), THIN if many else 1)
    # Compiling tells nothing of how far it is; that it is what one waits for can be told.
    with tqdm(desc="compiling", bar_format="{desc}", disable=not progress, leave=False):
        batches = batches_of(run, positions, keys)
        compile_once(run, batches)
    give_back_memory()
    watch(run, batches, progress)
    give_back_memory()  # what chains worked in; draws are soon there twice, as vectors and by name
    least = min(batch.drawn for batch in batches)
    if not least:
        raise KeyboardInterrupt(_nothing_kept(checkpoint))
    found = {
        name: [chain[:least] for batch in batches for chain in batch.columns[place]]
        for place, name in enumerate(Taken._fields)
    }
    vectors = found.pop("vectors")
    statistics = {name: np.stack(column) for name, column in found.items()}
    if method == "nuts":
        statistics["tree_depth"] = np.floor(np.log2(statistics["n_steps"] / run.thin + 1)).astype(int)
    return Chains(space, vectors, statistics, least < draws)


def interruption(kept: int, draws: int, checkpoint: Checkpoint) -> str:
    """Say that a run was stopped, and how to get the rest.

    Parameters
    ----------
    kept, draws : int
        How many draws of each chain there are, and were asked for.
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
    return f"interrupted: {kept} of {draws} draws of every chain are here; {again}."


def _nothing_kept(checkpoint: Checkpoint) -> str:
    if checkpoint.folder is None:
        return "interrupted during warm-up: nothing is kept; with checkpoint=path it would have been."
    return f"interrupted during warm-up: no draws yet; the same call resumes from {checkpoint.folder}."
