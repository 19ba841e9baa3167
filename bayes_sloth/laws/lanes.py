"""Many fits of one shape at once: a few side by side in one compiled program, the others waiting for room."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from bayes_sloth.laws.huber import Curve, Lane, Parameters, Training, advanced, going, ready

# Fits that run side by side. Finished ones make room for waiting ones; when none wait, fewer run.
WIDTHS: Final = (32, 8, 2)
ROUND: Final = 500  # epochs between two looks at what has finished: the least that a fit runs for nothing

Cells = NDArray[np.float32]
Slots = NDArray[np.int64]


def trained(
    curve: Curve,
    starts: Parameters,
    targets: Cells,
    weights: Cells,
    design: Cells,
    *,
    bound: Callable[[Parameters], Parameters],
    training: Training,
) -> Parameters:
    """Train many fits that differ in start, scores and weights, and return the best parameters of each.

    Parameters
    ----------
    curve : callable
        From parameters and design to expected scores; a function of a module, so that it is compiled once.
    starts : dict of arrays, dims (fit, ...)
        Where each fit starts, at every rate.
    targets, weights : array, dims (fit, model, benchmark)
        As in `advanced`.
    design : array
        Shared by all fits.
    bound : callable
        As in `advanced`.
    training : Training
        Settings.

    Returns
    -------
    dict of arrays, dims (fit, ...)
        Of the rate with the lowest mean absolute error on the scores seen.

    Examples
    --------
    >>> def level(parameters, design):
    ...     return parameters["level"] + design
    >>> table, slow = np.full((1, 3, 1), 0.5, np.float32), Training(rates=(0.001,), epochs=2000)
    >>> start = {"level": np.zeros((1, 1, 1), np.float32)}
    >>> found = trained(level, start, table, table, table[0] * 0, bound=dict, training=slow)
    >>> round(float(found["level"][0, 0, 0]), 2)
    0.5
    """
    fits, rates = targets.shape[0], training.rates
    begun = [ready({name: value[i] for name, value in starts.items()}, r) for r in rates for i in range(fits)]
    lanes = Lane(*jax.tree.map(lambda *values: np.stack(values), *begun))

    def run(some: Lane, slots: Slots) -> Lane:
        cells = targets[slots % fits], weights[slots % fits]
        after: Lane = _round(some, *cells, design, curve=curve, bound=bound, training=training)
        return after

    # The slowest rates run longest, so they begin first.
    _finish(lanes, run, np.argsort(lanes.plateau.rate, kind="stable"), training)
    best = lanes.error.reshape(len(rates), fits).argmin(axis=0) * fits + np.arange(fits)
    return {name: value[best] for name, value in lanes.kept.items()}


@partial(jax.jit, static_argnames=("curve", "bound", "training"))
def _round(
    lanes: Lane, targets: Any, weights: Any, design: Any, *, curve: Curve, bound: Any, training: Training
) -> Lane:
    """Run one round of several fits, or less where all of them stop."""
    step = jax.vmap(partial(advanced, design=design, curve=curve, bound=bound, training=training))

    def more(state: tuple[Any, Lane]) -> Any:
        return (state[0] < ROUND) & going(state[1], training).any()

    def onward(state: tuple[Any, Lane]) -> tuple[Any, Lane]:
        return state[0] + 1, step(state[1], targets, weights)

    found: Lane = jax.lax.while_loop(more, onward, (jnp.int32(0), lanes))[1]
    return found


def _finish(lanes: Lane, run: Callable[[Lane, Slots], Lane], left: Slots, training: Training) -> None:
    """Run all fits to their end in place, a few side by side, so that none waits for the slowest."""
    while left.size:
        width = min((w for w in WIDTHS if w >= left.size), default=WIDTHS[0])
        slots = np.resize(left, width)  # the last few are repeated, to keep to shapes already compiled
        for whole, part in zip(*map(jax.tree.leaves, (lanes, run(_taken(lanes, slots), slots))), strict=True):
            whole[slots] = np.asarray(part)
        left = left[going(_taken(lanes, left), training)]


def _taken(lanes: Lane, slots: Slots) -> Lane:
    taken: Lane = jax.tree.map(lambda value: value[slots], lanes)
    return taken
