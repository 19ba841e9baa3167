"""Rotation of loadings to simple structure by gradient projection, from many starts, in JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_sloth.errors import unknown_name

Loadings = Float[Array, "benchmark skill"]
Turn = Float[Array, "skill skill"]
Scalar = Float[Array, ""]
Criterion = Callable[[Loadings, Loadings], Scalar]

# Geomin's guard against loadings of zero (Browne 2001), the usual choice from three skills up.
EPSILON: Final = 0.01
STARTS: Final = 30  # geomin has a handful of local minima at three or four skills
ITERATIONS: Final = 500
# Of the fall that the slope promises, the least that a step has to bring (Armijo's rule).
FALL: Final = 1e-4
# Of the projected gradient: loadings are then still to three digits.
TOLERANCE: Final = 1e-4


def varimax(loading: Loadings, target: Loadings) -> Scalar:
    r"""Return :math:`-\frac14\sum_{jk}(\lambda_{jk}^2 - \overline{\lambda_{\cdot k}^2})^2`."""
    squares = loading**2
    return -jnp.sum((squares - squares.mean(axis=0)) ** 2) / 4


def oblimin(loading: Loadings, target: Loadings) -> Scalar:
    r"""Return :math:`\frac14\sum_j\sum_{k \ne l}\lambda_{jk}^2\lambda_{jl}^2` (quartimin)."""
    squares = loading**2
    return jnp.sum(squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1)) / 4


def geomin(loading: Loadings, target: Loadings) -> Scalar:
    r"""Return :math:`\sum_j\left(\prod_k(\lambda_{jk}^2 + \epsilon)\right)^{1/d}`."""
    return jnp.exp(jnp.log(loading**2 + EPSILON).mean(axis=1)).sum()


def toward(loading: Loadings, target: Loadings) -> Scalar:
    r"""Return :math:`\sum(\lambda_{jk} - t_{jk})^2` over the entries of the target that are no NaN."""
    return jnp.sum(jnp.where(jnp.isnan(target), 0.0, loading - jnp.nan_to_num(target)) ** 2)


class Rotation(NamedTuple):
    """A way to rotate.

    Parameters
    ----------
    criterion : callable
        Loadings and target to what is made small.
    oblique : bool
        Whether skills may correlate.
    """

    criterion: Criterion
    oblique: bool


ROTATIONS: Final[Mapping[str, Rotation]] = MappingProxyType(
    {
        "geomin": Rotation(geomin, True),
        "oblimin": Rotation(oblimin, True),
        "varimax": Rotation(varimax, False),
        "target": Rotation(toward, True),
    }
)


class _State(NamedTuple):
    turn: Turn
    value: Scalar
    downhill: Turn
    step: Scalar
    tried: Array


def rotate(
    loading: Loadings, start: Turn, rotation: str, target: Loadings | None = None
) -> tuple[Turn, Scalar]:
    r"""Return the rotation of loadings on uncorrelated skills that a criterion likes best, near a start.

    Gradient projection: a step down the gradient along the manifold of rotations, then back onto it.

    .. math:: \Lambda = A\,(T')^{-1}, \quad \Phi = T'T, \quad T'T = I \text{ or } \operatorname{diag}(T'T) = I

    Parameters
    ----------
    loading : array, dims (benchmark, skill)
        The loadings A on uncorrelated skills of unit variance.
    start : array, dims (skill, skill)
        An orthogonal matrix, or for an oblique rotation one with columns of length one.
    rotation : {"geomin", "oblimin", "varimax", "target"}
        Criterion; varimax leaves skills uncorrelated.
    target : array, dims (benchmark, skill), optional
        Wanted loadings, NaN where anything will do.

    Returns
    -------
    turn : array, dims (skill, skill)
        The matrix T.
    value : scalar
        Of the criterion there.

    Raises
    ------
    InputError
        If there is no such rotation.

    References
    ----------
    Bernaards, C. A. and Jennrich, R. I. (2005). Gradient projection algorithms and software for arbitrary
    rotation criteria in factor analysis. Educational and Psychological Measurement 65, 676-696.

    Examples
    --------
    >>> mixed = jnp.array([[0.8, 0.6], [1.6, 1.2], [-0.6, 0.8]])
    >>> turn, _ = rotate(mixed, jnp.eye(2), "varimax")
    >>> abs(turned(mixed, turn)).round(2).tolist()
    [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    """
    if rotation not in ROTATIONS:
        raise unknown_name("rotation", rotation, ROTATIONS)
    way = ROTATIONS[rotation]
    wanted = jnp.zeros_like(loading) if target is None else target
    value_and_slope = jax.value_and_grad(lambda turn: way.criterion(turned(loading, turn), wanted))
    project, retract = (_on_columns, _columns) if way.oblique else (_on_orthogonal, _orthogonal)

    def moved(state: _State) -> _State:
        """Try one step; go on from there as far as the bend met says, or half as far from here."""
        turn = retract(state.turn - state.step * state.downhill)
        value, slope = value_and_slope(turn)
        better = state.value - value >= FALL * state.step * jnp.sum(state.downhill**2)
        downhill, way = project(turn, slope), turn - state.turn
        bend = jnp.sum(way * (downhill - state.downhill))
        step = jnp.where(bend > 0, jnp.sum(way**2) / jnp.where(bend > 0, bend, 1.0), 2 * state.step)
        there = _State(turn, value, downhill, step, state.tried)
        here = state._replace(step=state.step / 2)
        chosen: _State = jax.tree.map(partial(jnp.where, better), there, here)
        return chosen._replace(tried=state.tried + 1)

    def unfinished(state: _State) -> Array:
        steep = jnp.sqrt(jnp.sum(state.downhill**2)) > TOLERANCE
        return steep & (state.tried < ITERATIONS) & (state.step > TOLERANCE**2)

    value, slope = value_and_slope(start)
    first = _State(start, value, project(start, slope), jnp.ones(()), jnp.zeros((), int))
    last = jax.lax.while_loop(unfinished, moved, first)
    return last.turn, last.value


@partial(jax.jit, static_argnames=("rotation", "starts"))
def best_rotation(
    loading: Loadings, rotation: str, target: Loadings | None = None, *, starts: int = STARTS
) -> Turn:
    """Return the best rotation of one matrix of loadings from many random starts, always the same ones.

    Parameters
    ----------
    loading : array, dims (benchmark, skill)
        On uncorrelated skills of unit variance.
    rotation : {"geomin", "oblimin", "varimax", "target"}
        Criterion.
    target : array, dims (benchmark, skill), optional
        Wanted loadings, NaN where anything will do.
    starts : int
        How many, the identity among them.

    Returns
    -------
    array, dims (skill, skill)
        The matrix T of `rotate`.

    Examples
    --------
    >>> turn = best_rotation(jnp.array([[1.0, 1.0], [2.0, 2.0], [1.0, -1.0]]), "varimax")
    >>> bool(jnp.allclose(turn.T @ turn, jnp.eye(2)))
    True
    """
    skills = loading.shape[1]
    noise = jax.random.normal(jax.random.key(0), (starts, skills, skills), dtype=loading.dtype)
    begin = jax.vmap(_orthogonal)(noise).at[0].set(jnp.eye(skills))
    turns, values = jax.vmap(lambda start: rotate(loading, start, rotation, target))(begin)
    return turns[jnp.nanargmin(values)]


def turned(loading: Loadings, turn: Turn) -> Loadings:
    r"""Return rotated loadings, :math:`A\,(T')^{-1}`.

    Parameters
    ----------
    loading : array, dims (benchmark, skill)
        The loadings A.
    turn : array, dims (skill, skill)
        The matrix T.

    Returns
    -------
    array, dims (benchmark, skill)
        On skills with correlations T'T.

    Examples
    --------
    >>> turned(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [[2.0, 1.0]]
    """
    return loading @ turn @ _inverse(turn.T @ turn)


def _inverse(positive: Turn) -> Turn:
    """Return the inverse of a positive definite matrix by Gauss-Jordan: unrolled, so quick on many draws."""
    skills = positive.shape[0]
    both = jnp.concatenate([positive, jnp.eye(skills)], axis=1)
    for row in range(skills):
        scaled = both[row] / both[row, row]
        both = (both - both[:, row, None] * scaled[None, :]).at[row].set(scaled)
    return both[:, skills:]


def _columns(turn: Turn) -> Turn:
    """Return a matrix with its columns made of length one."""
    return jnp.asarray(turn / jnp.linalg.norm(turn, axis=0, keepdims=True))


def _on_columns(turn: Turn, slope: Turn) -> Turn:
    """Project a gradient on the matrices with columns of length one."""
    return slope - turn * jnp.sum(turn * slope, axis=0, keepdims=True)


def _orthogonal(turn: Turn) -> Turn:
    """Return an orthogonal matrix near by: Gram and Schmidt's, unrolled as `_inverse` is."""
    columns: list[Array] = []
    for column in range(turn.shape[1]):
        rest = turn[:, column]
        for done in columns:
            rest = rest - done * jnp.dot(done, rest)
        columns.append(rest / jnp.linalg.norm(rest))
    return jnp.stack(columns, axis=1)


def _on_orthogonal(turn: Turn, slope: Turn) -> Turn:
    """Project a gradient on the orthogonal matrices."""
    across = turn.T @ slope
    return slope - turn @ (across + across.T) / 2
