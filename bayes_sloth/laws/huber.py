"""Training as published: Adam on a Huber loss, a rate that falls on plateaus, early stopping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Parameters = dict[str, Any]
Curve = Callable[[Parameters, Any], Any]
Table = Float[Array, "model benchmark"]
Scalar = Float[Array, ""]
Residuals = Float[Array, "..."]

BETA: Final = 0.01  # residuals of more than a point count as they are, smaller ones by their square
MEAN_MEMORY: Final = 0.9  # Adam's published defaults, which PyTorch keeps
SQUARE_MEMORY: Final = 0.999
SMALLEST: Final = 1e-8  # Adam's guard against division by nothing, and the least fall of a rate


@dataclass(frozen=True)
class Training:
    """How a fit is trained; the defaults are those of the published code.

    Parameters
    ----------
    rates : tuple of float
        First learning rates; each is a fit of its own from the same start, and the best is kept.
    factor : float
        What a rate is multiplied by on a plateau.
    patience : int
        Epochs without a loss lower by `threshold` (relative) that make a plateau.
    threshold : float
        Relative.
    stop_patience : int
        Epochs without an absolute error lower by `tolerance` after which a fit stops.
    tolerance : float
        In shares of items.
    epochs : int
        The most that a fit runs.

    Examples
    --------
    >>> Training(epochs=10).rates
    (0.1, 0.01, 0.001)
    """

    rates: tuple[float, ...] = (0.1, 0.01, 0.001)
    factor: float = 0.95
    patience: int = 20
    threshold: float = 1e-4
    stop_patience: int = 500
    tolerance: float = 1e-5
    epochs: int = 100_000


AS_PUBLISHED: Final = Training()


class Plateau(NamedTuple):
    """A learning rate that falls when the loss does not.

    Parameters
    ----------
    rate : scalar
        In use.
    lowest : scalar
        Loss that the next one is held against.
    waited : scalar
        Epochs since it was reached, or since the rate fell.
    """

    rate: Any
    lowest: Any
    waited: Any


class Lane(NamedTuple):
    """One fit under way.

    Parameters
    ----------
    parameters, mean, square : dict of arrays
        Where it is, with Adam's running means of the gradient and of its square.
    epoch : scalar
        Epochs run.
    plateau : Plateau
        The learning rate.
    kept : dict of arrays
        The best parameters so far.
    error : scalar
        Mean absolute error that they were kept for, in shares of items.
    stale : scalar
        Epochs since then.
    """

    parameters: Parameters
    mean: Parameters
    square: Parameters
    epoch: Any
    plateau: Plateau
    kept: Parameters
    error: Any
    stale: Any


def smooth_l1(residual: Residuals) -> Residuals:
    r"""Return the loss of each residual: Huber's, divided by its threshold.

    .. math:: \ell(r) = r^2 / 2\beta \;\text{ if } |r| < \beta, \quad |r| - \beta/2 \;\text{ otherwise}

    Parameters
    ----------
    residual : array
        In shares of items.

    Returns
    -------
    array
        Of the same shape.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Ann. Math. Statist. 35.

    Examples
    --------
    >>> [round(float(value), 4) for value in smooth_l1(jnp.array([0.0, 0.01, 1.01]))]
    [0.0, 0.005, 1.005]
    """
    size = jnp.abs(residual)
    return jnp.where(size < BETA, size * size * (0.5 / BETA), size - 0.5 * BETA)


def fallen(plateau: Plateau, loss: Scalar, training: Training) -> Plateau:
    """Return the learning rate after one more loss, as PyTorch's `ReduceLROnPlateau` has it.

    Parameters
    ----------
    plateau : Plateau
        Before.
    loss : scalar
        Of this epoch.
    training : Training
        Its settings.

    Returns
    -------
    Plateau
        After.

    Examples
    --------
    >>> before = Plateau(jnp.array(0.1), jnp.array(1.0), jnp.array(20))
    >>> round(float(fallen(before, jnp.array(1.0), Training()).rate), 4)
    0.095
    """
    better = loss < plateau.lowest * (1 - training.threshold)
    waited = jnp.where(better, 0, plateau.waited + 1)
    over = waited > training.patience
    lower = plateau.rate * training.factor
    rate = jnp.where(over & (plateau.rate - lower > SMALLEST), lower, plateau.rate)
    return Plateau(rate, jnp.where(better, loss, plateau.lowest), jnp.where(over, 0, waited))


def ready(parameters: Parameters, rate: float) -> Lane:
    """Return a fit that has not begun.

    Parameters
    ----------
    parameters : dict of arrays
        Where it starts, in 32 bits.
    rate : float
        First learning rate.

    Returns
    -------
    Lane
        Of NumPy arrays.

    Examples
    --------
    >>> int(ready({"intercept": np.zeros(2)}, 0.1).epoch)
    0
    """
    zero = {name: np.zeros_like(value) for name, value in parameters.items()}
    plateau = Plateau(np.float32(rate), np.float32(np.inf), np.int32(0))
    return Lane(parameters, zero, zero, np.int32(0), plateau, parameters, np.float32(np.inf), np.int32(0))


def going(lane: Lane, training: Training) -> Any:
    """Say whether a fit has epochs to run: neither stopped nor at the limit."""
    return (lane.stale < training.stop_patience) & (lane.epoch < training.epochs)


def advanced(
    lane: Lane, target: Table, weight: Table, design: Any, *, curve: Curve, bound: Any, training: Training
) -> Lane:
    """Run one epoch of one fit; a fit that has stopped stays as it is.

    Parameters
    ----------
    lane : Lane
        Before.
    target : array, dims (model, benchmark)
        Scores in shares of items; any number where the weight is 0.
    weight : array, dims (model, benchmark)
        1 where a score is seen, 0 where not.
    design : array
        What `curve` takes besides parameters.
    curve : callable
        From parameters and design to expected scores.
    bound : callable
        From parameters after a step to parameters that are allowed.
    training : Training
        Settings.

    Returns
    -------
    Lane
        After.

    References
    ----------
    Kingma, D. P. and Ba, J. (2015). Adam. arXiv 1412.6980, algorithm 1.
    """
    count = jnp.maximum(weight.sum(), 1.0)

    def loss_of(parameters: Parameters) -> tuple[Any, Any]:
        residual = curve(parameters, design) - target
        return (weight * smooth_l1(residual)).sum() / count, (weight * jnp.abs(residual)).sum() / count

    (loss, error), gradient = jax.value_and_grad(loss_of, has_aux=True)(lane.parameters)
    moved, mean, square = _stepped(lane, gradient)
    moved = bound(moved)
    better = lane.error > error + training.tolerance
    # What is kept is where the step led, though the error is that of where it began: so it was published.
    kept = _where(better, moved, lane.kept)
    plateau = fallen(lane.plateau, loss, training)
    best, stale = jnp.where(better, error, lane.error), jnp.where(better, 0, lane.stale + 1)
    after = Lane(moved, mean, square, lane.epoch + 1, plateau, kept, best, stale)
    return Lane(*_where(going(lane, training), after, lane))


def _stepped(lane: Lane, gradient: Parameters) -> tuple[Parameters, Parameters, Parameters]:
    """Return Adam's next parameters and running means."""
    mean = {n: MEAN_MEMORY * m + (1 - MEAN_MEMORY) * gradient[n] for n, m in lane.mean.items()}
    square = {n: SQUARE_MEMORY * s + (1 - SQUARE_MEMORY) * gradient[n] ** 2 for n, s in lane.square.items()}
    # 1 - memory**epoch, in a form that keeps its digits in 32 bits.
    epoch = (lane.epoch + 1).astype(jnp.float32)
    step = lane.plateau.rate / -jnp.expm1(epoch * np.float32(np.log(MEAN_MEMORY)))
    root = jnp.sqrt(-jnp.expm1(epoch * np.float32(np.log(SQUARE_MEMORY))))
    moved = {
        n: p - step * mean[n] / (jnp.sqrt(square[n]) / root + SMALLEST) for n, p in lane.parameters.items()
    }
    return moved, mean, square


def _where(condition: Any, chosen: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, other)
