"""Stiff directions: where a density is far narrower than the sampler's metric says, and how to widen them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

Values = Any

# As many as are worth two products with each a step.
DIRECTIONS: Final = 12
POSITIONS: Final = 5  # whose curvature is averaged
ROUNDS: Final = 4  # of subspace iteration; the curvatures stand after three
APART: Final = 1e-3  # half the way between two slopes that tell a curvature, in units of the metric


class Stretch(NamedTuple):
    """A linear map that scales a few directions: x + (by - 1)(across x) onto.

    Rows are long and contiguous: a product with them takes a fifth of the time that it takes with columns.

    Parameters
    ----------
    onto : array, dims (direction, parameter)
        The directions.
    across : array, dims (direction, parameter)
        How much of each a vector has; orthonormal to them. The inverse map has the reciprocals of `by`.
    by : array, dims (direction)
        Factors.

    Examples
    --------
    >>> right = jnp.array([[1.0, 0.0]])
    >>> Stretch(right, right, jnp.array([3.0]))(jnp.array([1.0, 2.0])).tolist()
    [3.0, 2.0]
    """

    onto: Values
    across: Values
    by: Values

    def __call__(self, inner: Values) -> Values:
        """Return the image of a vector, dims (parameter)."""
        return inner + ((self.by - 1) * (self.across @ inner)) @ self.onto

    def transposed(self, outer: Values) -> Values:
        """Return the image of a vector, dims (parameter), under the transposed map, as of a gradient."""
        return outer + ((self.by - 1) * (self.onto @ outer)) @ self.across


def bent(potential: Callable[[Values], Values], places: Values, line: Values) -> Values:
    """Return a density's mean matrix of second derivatives times a line, by differences of slopes.

    Parameters
    ----------
    potential : callable
        Of a vector, dims (parameter).
    places : array, dims (position, parameter)
        Over which the mean is taken.
    line : array, dims (parameter)
        Of a length over which curvature hardly changes, once it is made `APART` times as long.

    Returns
    -------
    array, dims (parameter)
        Slopes for a unit of the line.
    """
    both = jnp.concatenate([places + APART * line, places - APART * line])
    ahead, behind = jnp.split(jax.lax.map(jax.grad(potential), both), 2)
    found: Values = (ahead - behind).mean(0) / (2 * APART)
    return found


def stiffest(curved: Callable[[Values], Values], size: int, rounds: Values) -> tuple[Values, Values]:
    """Return the directions in which a quadratic form is largest in size, by subspace iteration.

    Parameters
    ----------
    curved : callable
        Of a vector, dims (parameter): its product with a symmetric matrix.
    size : int
        Number of parameters.
    rounds : int
        Data; none finds nothing, at no cost.

    Returns
    -------
    directions : array, dims (direction, parameter)
        Orthonormal.
    curvatures : array, dims (direction)
        The form along each, in no order. Directions and curvatures are zeros where a product was not finite.
    """
    count = min(DIRECTIONS, size)
    noise = jax.random.normal(jax.random.key(0), (count, size))

    def round_(_: Values, carried: tuple[Values, Values]) -> tuple[Values, Values]:
        rows = jnp.linalg.qr(carried[1].T)[0].T
        return rows, jax.lax.map(curved, rows)

    rows, images = jax.lax.fori_loop(0, rounds, round_, (jnp.zeros_like(noise), noise))
    form = rows @ images.T
    curvatures, rotation = jnp.linalg.eigh((form + form.T) / 2)
    found = rotation.T @ rows
    finite = jnp.isfinite(found).all() & jnp.isfinite(curvatures).all()
    return jnp.where(finite, found, 0.0), jnp.where(finite, curvatures, 0.0)


def widened(curvatures: Values, widths: Values) -> tuple[Values, Values]:
    """Return by how much directions are to be widened, and by how much steps may be longer then.

    A direction becomes as wide as the metric's unit, by the spread of the draws along it. Where the density
    bends, that is more than its width at any place, which is one over the root of the curvature: widened by
    that, chains would have far to go.

    Parameters
    ----------
    curvatures : array, dims (direction)
        In units of the metric, the largest that there are.
    widths : array, dims (direction)
        Standard deviations of draws.

    Returns
    -------
    wider : array, dims (direction)
        Factors, 1 or more.
    gain : array
        Root of the largest curvature over the largest that is left.

    Examples
    --------
    >>> wider, gain = widened(jnp.array([100.0, 4.0]), jnp.array([0.2, 0.5]))
    >>> wider.tolist(), float(gain)
    ([5.0, 2.0], 5.0)
    """
    stiff = jnp.maximum(curvatures, 1.0)
    wider = jnp.clip(1 / widths, 1.0, jnp.sqrt(stiff))
    # What was not found is taken to be no stiffer than the least that was.
    left = jnp.maximum(jnp.max(stiff / wider**2), jnp.min(stiff))
    return wider, jnp.sqrt(jnp.max(stiff) / left)
