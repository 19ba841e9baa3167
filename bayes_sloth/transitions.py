"""The compiled programs of a chain: its beginning, and a block of draws."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from bayes_sloth.design import Design
from bayes_sloth.kernels import Blocked, HMCState, kernel_of
from bayes_sloth.space import BATCH, Space
from bayes_sloth.spec import ModelSpec

Values = Any

# Draws between two looks at the clock, the progress bar and the keyboard.
BLOCK: Final = BATCH


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
