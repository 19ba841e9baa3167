"""Many fits of one table that differ in which scores are seen, by programs that compile once for all."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from numpyro import infer
from numpyro.infer.util import constrain_fn

from bayes_sloth.benchmark_curve import scores_at
from bayes_sloth.design import Design
from bayes_sloth.kernels import Blocked, kernel_of
from bayes_sloth.modes import climb, held
from bayes_sloth.observation import score_law
from bayes_sloth.sampling import starts
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any

# Draws turned into scores at a time.
BATCH: Final = 50


class Length(NamedTuple):
    """How long a fit samples.

    Parameters
    ----------
    chains, warmup, draws : int
        Chains, draws of adaptation and kept draws of each.
    """

    chains: int = 4
    warmup: int = 500
    draws: int = 500


class Found(NamedTuple):
    """What sampling one fit brings home.

    Parameters
    ----------
    expected, score : array, dims (chain, draw, model, benchmark)
        Expected scores, and scores that would be observed.
    steps, diverging : array, dims (chain, draw)
        Leapfrog steps; whether the trajectory diverged.
    """

    expected: Values
    score: Values
    steps: Values
    diverging: Values


@partial(jax.jit, static_argnames="spec")
def all_modes(designs: Design, spec: ModelSpec, keys: jax.Array) -> tuple[Values, Values]:
    """Climb to the modes of every fit from several starts, all in one program.

    Parameters
    ----------
    designs : Design
        From `pytree.stacked`.
    spec : ModelSpec
        The model.
    keys : random keys, dims (fit)
        Of the starts.

    Returns
    -------
    vectors : array, dims (fit, start, parameter)
        Flat parameters, best first.
    losses : array, dims (fit, start)
        Minus their log density.
    """

    def one(design: Design, key: jax.Array) -> tuple[Values, Values]:
        return climb(Space(design, spec, held(design, spec)), key)

    return jax.vmap(one)(designs, keys)


@partial(jax.jit, static_argnames=("spec", "length"))
def sampled(design: Design, spec: ModelSpec, mode: Values, key: jax.Array, length: Length) -> Found:
    """Sample one fit, its chains in turn, and draw every score.

    Parameters
    ----------
    design : Design
        What is seen.
    spec : ModelSpec
        The model.
    mode : array, dims (parameter)
        From `all_modes`.
    key : random key
        Of the chains.
    length : Length
        How long to sample.

    Returns
    -------
    Found
        Draws of every score, seen or not.
    """
    narrow, space = Space(design, spec, held(design, spec)), Space(design, spec)
    blocked = Blocked(space)
    kernel = kernel_of("hmc", blocked, length.warmup)

    def chain(key: jax.Array) -> Found:
        start_key, run_key, score_key = jax.random.split(key, 3)
        begun = blocked.blocks(starts(space, narrow, mode, 1, start_key)[0])
        blocks, steps, diverging = walked(kernel, begun, run_key, length)
        return Found(*drawn_scores(space, blocked.flat(blocks), score_key), steps, diverging)

    found: Found = jax.lax.map(chain, jax.random.split(key, length.chains))
    return found


def walked(kernel: infer.HMC, start: Values, key: jax.Array, length: Length) -> tuple[Values, Values, Values]:
    """Run one chain inside a larger program.

    Parameters
    ----------
    kernel : HMC
        Or one of its kind.
    start : pytree of arrays
        What the kernel's potential is a function of.
    key : random key
        Of the chain.
    length : Length
        How long to sample.

    Returns
    -------
    draws : pytree of arrays, dims (draw, ...)
        As `start`.
    steps, diverging : array, dims (draw)
        Leapfrog steps; whether the trajectory diverged.
    """
    state = kernel.init(key, length.warmup, start, (), {})
    state = jax.lax.fori_loop(0, length.warmup, lambda _, inner: kernel.sample(inner, (), {}), state)

    def keep(state: Values, _: None) -> tuple[Values, Values]:
        state = kernel.sample(state, (), {})
        return state, (state.z, state.num_steps, state.diverging)

    found: tuple[Values, Values, Values] = jax.lax.scan(keep, state, None, length.draws)[1]
    return found


@partial(jax.jit, static_argnames=("spec", "draws"))
def scores_at_modes(
    designs: Design, spec: ModelSpec, modes: Values, keys: jax.Array, draws: int
) -> tuple[Values, Values]:
    """Draw every score of every fit at its mode.

    Parameters
    ----------
    designs : Design
        From `pytree.stacked`.
    spec : ModelSpec
        The model.
    modes : array, dims (fit, parameter)
        From `all_modes`.
    keys : random keys, dims (fit)
        Of the draws.
    draws : int
        How many.

    Returns
    -------
    expected, score : array, dims (fit, draw, model, benchmark)
        Shares of items solved.
    """

    def one(design: Design, mode: Values, key: jax.Array) -> tuple[Values, Values]:
        space = Space(design, spec, held(design, spec))
        return drawn_scores(space, jnp.broadcast_to(mode, (draws, mode.size)), key)

    return jax.vmap(one)(designs, modes, keys)


def drawn_scores(space: Space, vectors: Values, key: jax.Array) -> tuple[Values, Values]:
    """Return the expected score of every model, and one that would be observed, at each flat vector.

    Parameters
    ----------
    space : Space
        The parameters.
    vectors : array, dims (draw, parameter)
        Flat draws.
    key : random key
        Of the noise.

    Returns
    -------
    expected, score : array, dims (draw, model, benchmark)
        Shares of items solved.
    """
    design, spec = space.design, space.spec
    pivot = jnp.asarray(design.pivot)

    def one(item: tuple[Values, jax.Array]) -> tuple[Values, Values]:
        vector, key = item
        draw = constrain_fn(space.model, (), {}, space.named(vector), return_deterministic=True)
        share, expected = scores_at(draw, jnp.asarray(design.lines.model), pivot, spec.link)
        expected = jnp.clip(expected, 0.0, 1.0)
        parts = (share, expected, draw["misfit"], jnp.asarray(design.items), draw.get("tail", 1.0))
        return expected, score_law(spec.likelihood, *parts).sample(key)

    keys = jax.random.split(key, vectors.shape[0])
    found: tuple[Values, Values] = jax.lax.map(one, (vectors, keys), batch_size=BATCH)
    return found
