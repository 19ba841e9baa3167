"""Posterior modes from several starts at once, and the normal approximation around one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro import optim
from tqdm.auto import tqdm

from bayes_sloth.design import Design
from bayes_sloth.pytree import argument
from bayes_sloth.space import Space, without_anchors
from bayes_sloth.spec import ModelSpec

Values = Any

STARTS: Final = 4  # with fixed scales two or three of four starts end at the same mode; the best is kept
SPREAD: Final = (
    0.3  # of the starts, in unconstrained units: enough to end at different modes where there are some
)
STEPS: Final = 1500  # the loss changes by less than 0.1 after about 1,200
ROUNDS: Final = 10  # of the progress bar
RATE: Final = 0.05  # first step of Adam, in unconstrained units; falls to nothing along a cosine
# Scores of the median benchmark from which `firm` holds all curves, the more firmly the more there are.
MANY_SCORES: Final = 200
# What shapes a curve: its ends, its asymmetry, the bends of a spline.
_OF_CURVES: Final = ("lower_sd", "reach_sd", "asymmetry_sd", "bend_sd")
# Modes further apart than this in log density are different modes, not noise of the optimiser.
SAME_MODE: Final = 2.0


@dataclass(frozen=True, eq=False)
class Modes:
    """Where the starts ended.

    Parameters
    ----------
    space : Space
        The parameters, group scales held.
    vectors : array, dims (start, parameter)
        Flat parameters, best first.
    losses : array, dims (start)
        Minus their log density where they were sought, up to a constant; see `firm`.
    """

    space: Space
    vectors: Values
    losses: Values

    @property
    def agree(self) -> bool:
        """Whether at least two starts ended at the best mode."""
        return bool(self.losses.size > 1 and self.losses[1] - self.losses[0] < SAME_MODE)

    @property
    def count(self) -> int:
        """How many different modes the starts ended at."""
        return 1 + int((np.diff(self.losses) >= SAME_MODE).sum())


def held(design: Design, spec: ModelSpec) -> dict[str, Values]:
    """Return what a mode is conditioned on: group scales at their prior medians, no departures.

    A joint mode over effects and their scales drives the scales to zero or to excess, and one over departures
    fits as many benchmarks without error as there are skills, which ones by chance; what is
    specific to lines is a departure too. A mode given these does neither, and is a good place to start a
    sampler.

    Parameters
    ----------
    design : Design
        The table.
    spec : ModelSpec
        The model.

    Returns
    -------
    dict of arrays
        By site name.
    """
    skills, free = spec.skills, design.floor.size - spec.skills
    shapes = {
        "family_scale": skills,
        "tuning_scale": skills,
        "deviation_scale": skills if spec.deviation else 0,
        "specific_scale_free": free if spec.specific else 0,
    }
    medians = {name: np.exp(getattr(spec.priors, name.removesuffix("_free") + "_mean")) for name in shapes}
    fixed = {name: jnp.full(size, medians[name]) for name, size in shapes.items() if size}
    if spec.deviation:
        fixed["deviation_raw"] = jnp.zeros((design.family.size, skills))
    if spec.specific and free:
        fixed["specific_raw"] = jnp.zeros((design.lines.base.size, free))
    return fixed


def firm(observed: NDArray[np.bool_], spec: ModelSpec) -> ModelSpec:
    """Return the model whose modes chains start at: many scores weigh no more against priors than 200 do.

    A mode has no departures, so that thousands of scores that do depart would bend curves far out of their
    priors to make up for it, and chains that start there would take thousands of draws to find back. A mode
    that is an answer by itself is that of the model as it was asked for.

    Parameters
    ----------
    observed : array of bool, dims (model, benchmark)
        Which scores there are.
    spec : ModelSpec
        The model.

    Returns
    -------
    ModelSpec
        The same where the median benchmark has no more than 200 scores.

    Examples
    --------
    >>> firm(np.ones((800, 3), bool), ModelSpec()).priors.reach_sd / ModelSpec().priors.reach_sd
    0.5
    """
    scores = max(float(np.median(observed.sum(0))), 1.0)
    priors, share = spec.priors, min(1.0, math.sqrt(MANY_SCORES / scores))
    return replace(
        spec, priors=replace(priors, **{name: share * getattr(priors, name) for name in _OF_CURVES})
    )


def find_modes(design: Design, spec: ModelSpec, *, seed: int, progress: bool) -> Modes:
    """Climb to posterior modes from several starts at once.

    Parameters
    ----------
    design : Design
        The table.
    spec : ModelSpec
        The model.
    seed : int
        Of the starts.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Modes
        Best first.
    """
    table, kind = argument(design), without_anchors(spec)
    state = _begin(table, kind, jax.random.key(seed))
    for _ in tqdm(range(ROUNDS), desc="finding modes", disable=not progress, leave=False):
        state = jax.block_until_ready(_step(table, kind, STEPS // ROUNDS, state))  # type: ignore[no-untyped-call]
    vectors, losses = _sort(table, kind, state)
    return Modes(Space(design, spec, held(design, spec)), vectors, np.asarray(losses))


def climb(space: Space, key: jax.Array) -> tuple[Values, Values]:
    """Climb to modes from several starts, all of it inside a larger program.

    Parameters
    ----------
    space : Space
        The parameters.
    key : random key
        Of the starts.

    Returns
    -------
    vectors : array, dims (start, parameter)
        Flat parameters, best first.
    losses : array, dims (start)
        Minus their log density, infinite where a start was lost.
    """
    return _sorted(space, _stepped(space, STEPS, _begun(space, key)))


def _optimiser() -> optim.Adam:
    return optim.Adam(lambda step: 0.5 * RATE * (1 + jnp.cos(jnp.pi * jnp.minimum(step / STEPS, 1.0))))


def _begun(space: Space, key: jax.Array) -> Values:
    """Return the optimiser's state at scattered starts."""
    center = space.start()
    noise = jax.random.normal(key, (STARTS, center.size))
    return jax.vmap(_optimiser().init)(center + SPREAD * noise)


def _stepped(space: Space, steps: Values, state: Values) -> Values:
    """Return the state after some steps of every start."""
    optimiser = _optimiser()

    def climbed(one: Values) -> Values:
        def step(_: int, inner: Values) -> Values:
            return optimiser.update(jax.grad(space.potential)(optimiser.get_params(inner)), inner)

        return jax.lax.fori_loop(0, steps, step, one)

    return jax.vmap(climbed)(state)


def _sorted(space: Space, state: Values) -> tuple[Values, Values]:
    vectors = jax.vmap(_optimiser().get_params)(state)
    losses = jax.vmap(space.potential)(vectors)
    losses = jnp.where(jnp.isfinite(losses), losses, jnp.inf)
    order = jnp.argsort(losses)
    return vectors[order], losses[order]


def _compiled(function: Callable[..., Values]) -> Callable[..., Values]:
    """Return a function of a space and more as a program of a table, its model and more.

    Tables of one shape share it, and one with other anchors is of that shape.
    """

    @partial(jax.jit, static_argnums=1)
    def program(design: Design, spec: ModelSpec, *more: Values) -> Values:
        return function(Space(design, spec, held(design, spec)), *more)

    return program


_begin, _step, _sort = _compiled(_begun), _compiled(_stepped), _compiled(_sorted)


def around_mode(modes: Modes, *, draws: int, seed: int) -> Values:
    """Draw from the normal approximation at the best mode (Laplace), group scales held.

    Parameters
    ----------
    modes : Modes
        From `find_modes`.
    draws : int
        How many.
    seed : int
        Of the draws.

    Returns
    -------
    array, dims (draw, parameter)
        Flat parameters.
    """
    best = modes.vectors[0]
    gradient = jax.grad(modes.space.potential)

    def curvature(direction: Values) -> Values:
        return jax.jvp(gradient, (best,), (direction,))[1]

    hessian = jax.jit(lambda rows: jax.lax.map(curvature, rows, batch_size=32))(jnp.eye(best.size))
    values, vectors = np.linalg.eigh(np.asarray(0.5 * (hessian + hessian.T)))
    # The prior has unit scale or wider in most directions: less curvature than a tenth of that is noise.
    spread = vectors / np.sqrt(np.maximum(values, 0.1))
    noise = np.random.default_rng(seed).standard_normal((draws, best.size))
    return jnp.asarray(best[None, :] + noise @ spread.T)
