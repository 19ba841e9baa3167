"""The compiled programs of a chain: its beginning, and a block of draws."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from bayes_sloth.design import Design
from bayes_sloth.kernels import Blocked, HMCAdaptState, HMCState, kernel_of
from bayes_sloth.space import BATCH, Space
from bayes_sloth.spec import ModelSpec
from bayes_sloth.stretching import DIRECTIONS, POSITIONS, Stretch, bent, stiffest, widened

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
    stretches : bool
        Whether the last metric of the warm-up is mended in its stiffest directions.
    """

    spec: ModelSpec
    method: str
    warmup: int
    stretches: bool = False


class ChainState(NamedTuple):
    """Where a chain stands.

    Parameters
    ----------
    inner : HMCState
        NumPyro's, in stretched coordinates where the program stretches.
    across, by : array, dims (direction, parameter) and (direction), optional
        Of the stretch from there to blocks; its directions follow from these and the metric, and a
        checkpoint need not hold them.
    """

    inner: HMCState
    across: Values | None = None
    by: Values | None = None

    def blocked(self, space: Space) -> Blocked:
        """Return the blocks that the chain moves in."""
        plain = Blocked(space)
        if self.across is None:
            return plain
        metric = self.inner.adapt_state.inverse_mass_matrix
        return Blocked(space, Stretch(plain.times(metric, self.across), self.across, self.by))


@partial(jax.jit, static_argnames="program")
def begun(design: Design, program: Program, position: Values, key: jax.Array) -> ChainState:
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
    ChainState
        Not stretched.
    """
    blocked = Blocked(Space(design, program.spec))
    kernel = kernel_of(program.method, blocked, program.warmup)
    inner = kernel.init(key, program.warmup, blocked.blocks(position), (), {})
    if not program.stretches:
        return ChainState(inner)
    none = jnp.zeros((min(DIRECTIONS, position.size), position.size))
    return ChainState(inner, none, jnp.ones(len(none)))


@partial(jax.jit, static_argnames="program")
def advanced(
    design: Design, program: Program, state: ChainState, count: Values, thin: Values
) -> tuple[ChainState, Taken]:
    """Return the state some draws later, and those draws.

    Parameters
    ----------
    design : Design
        The table.
    program : Program
        The rest.
    state : ChainState
        From `begun`, `stretched` or from here.
    count, thin : int
        How many draws, `BLOCK` at most; trajectories a draw. Data, so that one program serves all.

    Returns
    -------
    state : ChainState
        To go on from.
    taken : Taken
        `BLOCK` rows, of which `count` are filled.
    """
    blocked = state.blocked(Space(design, program.spec))
    kernel = kernel_of(program.method, blocked, program.warmup)
    kernel.init(state.inner.rng_key, program.warmup, state.inner.z, (), {})  # the kernel is ready only then

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
    inner, taken = jax.lax.fori_loop(0, count, draw, (state.inner, empty))
    return state._replace(inner=inner), taken


@partial(jax.jit, static_argnames="program")
def stretched(
    design: Design, program: Program, state: ChainState, vectors: Values, rounds: Values
) -> ChainState:
    """Return the state of a chain in coordinates in which its stiffest directions are no longer stiff.

    The metric of the blocks leaves what benchmarks and skills share: a skill's slopes with all loadings on
    it, a benchmark's loadings with the skills of the models that have it. Few such directions set the step
    of the whole chain. They are those in which the curvature of minus the log density, averaged over some
    of the chain's own draws, is largest in units of the metric. See `stretching.widened` for how wide they
    become.

    Parameters
    ----------
    design : Design
        The table.
    program : Program
        The rest.
    state : ChainState
        Not stretched, just after its metric was estimated.
    vectors : array, dims (draw, parameter)
        `BLOCK` flat draws, the chain's last ones; some of them more than once where it has fewer.
    rounds : int
        See `stretching.stiffest`.

    Returns
    -------
    ChainState
        At the same place.
    """
    blocked = Blocked(Space(design, program.spec))
    adapted = state.inner.adapt_state
    spread = partial(blocked.times, adapted.mass_matrix_sqrt_inv)

    def outward(direction: Values) -> Values:
        return blocked.flat(blocked.parted(spread(direction)))

    def curved(direction: Values) -> Values:
        slopes = bent(blocked.space.potential, vectors[:: BLOCK // POSITIONS], outward(direction))
        return jax.linear_transpose(outward, direction)(slopes)[0]

    rows, curvatures = stiffest(curved, blocked.space.size, rounds)
    across = blocked.times({name: half.T for name, half in adapted.mass_matrix_sqrt.items()}, rows)
    widths = jnp.std(blocked.joined(blocked.blocks(vectors)) @ across.T, axis=0)
    wider, gain = widened(curvatures, widths)
    stretch, back = Stretch(spread(rows), across, 1 / wider), Stretch(spread(rows), across, wider)
    inner = state.inner._replace(
        adapt_state=_quickened(adapted, gain),
        z=blocked.parted(back(blocked.joined(state.inner.z))),
        z_grad=blocked.parted(stretch.transposed(blocked.joined(state.inner.z_grad))),
    )
    return ChainState(inner, across, 1 / wider)


def _quickened(adapted: HMCAdaptState, gain: Values) -> HMCAdaptState:
    """Return a sampler's settings with the search for a step begun again at a longer one."""
    *fresh, center = adapted.ss_state
    return adapted._replace(step_size=adapted.step_size * gain, ss_state=(*fresh, center + jnp.log(gain)))
