"""Chains from a mode, side by side in threads on a CPU and as one batch on an accelerator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro.infer.hmc import HMCState
from tqdm.auto import tqdm

from bayes_sloth.design import Design
from bayes_sloth.kernels import Blocked, kernel_of
from bayes_sloth.model import GROUP_SCALES
from bayes_sloth.modes import Modes
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any

SPREAD: Final = 0.05  # of the chains' starts around the mode, in unconstrained units
# Trajectories from one kept draw to the next: as many effective draws fit into half the memory and disk.
THIN: Final = 2
# Draws between two looks at the clock, the progress bar and the keyboard.
BLOCK: Final = 25


class Taken(NamedTuple):
    """What is kept of some draws of a chain, the draws first.

    Parameters
    ----------
    vectors : array, dims (draw, parameter)
        Flat.
    n_steps, diverging, acceptance_rate, lp, energy : array, dims (draw)
        Leapfrog steps since the last kept draw; whether one of its trajectories diverged; the last one's
        acceptance probability, log density and energy.
    """

    vectors: Values
    n_steps: Values
    diverging: Values
    acceptance_rate: Values
    lp: Values
    energy: Values


class Program(NamedTuple):
    """What the compiled programs of a fit depend on besides the table.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    method : str
        One of `kernels.SAMPLED`.
    warmup : int
        Draws of adaptation.
    """

    spec: ModelSpec
    method: str
    warmup: int


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


@partial(jax.jit, static_argnames="program")
def begun(design: Design, program: Program, position: Values, key: jax.Array) -> HMCState:
    """Return the state of a chain before its first draw.

    Parameters
    ----------
    design : Design
        The table.
    program : Program
        The rest.
    position : array, dims (parameter)
        Flat.
    key : random key
        Of the chain.

    Returns
    -------
    HMCState
        NumPyro's.
    """
    blocked = Blocked(Space(design, program.spec))
    kernel = kernel_of(program.method, blocked, program.warmup)
    return kernel.init(key, program.warmup, blocked.blocks(position), (), {})


@partial(jax.jit, static_argnames="program")
def advanced(
    design: Design, program: Program, state: HMCState, count: Values, thin: Values
) -> tuple[HMCState, Taken]:
    """Return the state some draws later, and those draws.

    Parameters
    ----------
    design : Design
        The table.
    program : Program
        The rest.
    state : HMCState
        From `begun` or from here.
    count, thin : int
        How many draws, `BLOCK` at most; trajectories a draw. Data, so that one program serves all.

    Returns
    -------
    state : HMCState
        To go on from.
    taken : Taken
        `BLOCK` rows, of which `count` are filled.
    """
    blocked = Blocked(Space(design, program.spec))
    kernel = kernel_of(program.method, blocked, program.warmup)
    kernel.init(state.rng_key, program.warmup, state.z, (), {})  # the kernel is ready only then

    def trajectory(_: int, carried: tuple[HMCState, Values, Values]) -> tuple[HMCState, Values, Values]:
        inner, steps, diverging = carried
        inner = kernel.sample(inner, (), {})
        return inner, steps + inner.num_steps, diverging | inner.diverging

    def draw(i: int, carried: tuple[HMCState, Taken]) -> tuple[HMCState, Taken]:
        inner, steps, diverging = jax.lax.fori_loop(0, thin, trajectory, (carried[0], 0, False))
        row = Taken(
            blocked.flat(inner.z),
            steps,
            diverging,
            inner.accept_prob,
            -inner.potential_energy,
            inner.energy,
        )
        return inner, jax.tree.map(lambda rows, value: rows.at[i].set(value), carried[1], row)

    numbers = jnp.zeros(BLOCK)
    empty = Taken(
        jnp.zeros((BLOCK, blocked.space.size)),
        jnp.zeros(BLOCK, int),
        jnp.zeros(BLOCK, bool),
        numbers,
        numbers,
        numbers,
    )
    found: tuple[HMCState, Taken] = jax.lax.fori_loop(0, count, draw, (state, empty))
    return found


def run_chains(
    modes: Modes, *, method: str, chains: int, draws: int, warmup: int, seed: int, progress: bool
) -> Chains:
    """Sample the posterior.

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

    Returns
    -------
    Chains
        Flat draws and statistics.
    """
    space = Space(modes.space.design, modes.space.spec)
    start_key, run_key = jax.random.split(jax.random.key(seed))
    positions = starts(space, modes.space, modes.vectors[0], chains, start_key)
    keys = jax.random.split(run_key, chains)
    program = Program(space.spec, method, warmup)
    batches = _batches(chains)
    total = chains * (warmup + THIN * draws)
    _compile(space.design, program, positions[0], keys[0])
    with tqdm(total=total, desc="sampling", unit="trajectory", disable=not progress, leave=False) as bar:

        def one(batch: slice) -> Taken:
            pieces = _pieces(space.design, program, positions[batch], keys[batch], draws, bar.update)
            return Taken(*(np.concatenate(rows, axis=1) for rows in zip(*pieces, strict=True)))

        with ThreadPoolExecutor(len(batches)) as threads:
            found = list(threads.map(one, batches))
    taken = Taken(*(np.concatenate(rows) for rows in zip(*found, strict=True)))
    statistics = {name: value for name, value in taken._asdict().items() if name != "vectors"}
    if method == "nuts":
        statistics["tree_depth"] = np.floor(np.log2(statistics["n_steps"] / THIN + 1)).astype(int)
    return Chains(space, taken.vectors, statistics)


def _compile(design: Design, program: Program, position: Values, key: jax.Array) -> None:
    """Compile once, before several chains ask for it at the same time."""
    if jax.default_backend() == "cpu":
        jax.block_until_ready(advanced(design, program, begun(design, program, position, key), 0, 1))  # type: ignore[no-untyped-call]


def _batches(chains: int) -> list[slice]:
    """Return which chains run as one program: each by itself on a CPU, all together on an accelerator."""
    if jax.default_backend() == "cpu":
        return [slice(i, i + 1) for i in range(chains)]
    return [slice(0, chains)]


def _pieces(
    design: Design,
    program: Program,
    positions: Values,
    keys: Values,
    draws: int,
    tell: Callable[[int], Any],
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield the kept draws of a batch of chains, block by block, the chains in front."""
    batched = jax.vmap if len(keys) > 1 else _alone
    state = batched(partial(begun, design, program))(positions, keys)
    for count in _blocks(program.warmup):
        state, _ = batched(partial(advanced, design, program, count=count, thin=1))(state)
        tell(len(keys) * count)
    for count in _blocks(draws):
        state, taken = batched(partial(advanced, design, program, count=count, thin=THIN))(state)
        yield tuple(np.asarray(value)[:, :count] for value in taken)
        tell(len(keys) * THIN * count)


def _blocks(length: int) -> list[int]:
    """Return the lengths of the blocks that make up a run."""
    return [min(BLOCK, length - done) for done in range(0, length, BLOCK)]


def _alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of batches of one, without the price of a batch."""

    def called(*batch: Values) -> Values:
        return jax.tree.map(lambda v: v[None], function(*(jax.tree.map(lambda v: v[0], b) for b in batch)))

    return called
