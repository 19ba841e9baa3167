"""One published curve for every benchmark by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.laws.factor import Cells, Problem, forecast
from bayes_sloth.laws.huber import Parameters, Training
from bayes_sloth.laws.rows import Rows

Floats = NDArray[np.float64]


def apart(
    rows: Rows, covariates: Floats, *, family: bool, seed: int, training: Training, pooled: bool = True
) -> Problem:
    """Return fits of one benchmark each, all benchmarks of a fold one after the other.

    Parameters
    ----------
    rows : Rows
        What each fold sees.
    covariates : array, dims (row, covariate)
        With slopes.
    family : bool
        Whether families have intercepts of their own.
    seed : int
        Of the start.
    training : Training
        Settings.
    pooled : bool
        Whether families share slopes.

    Returns
    -------
    Problem
        As many fits as there are folds times benchmarks.
    """
    folds, models, _ = rows.seen.shape
    weights = rows.seen.transpose(0, 2, 1).reshape(-1, models, 1).astype(np.float32)
    targets = np.tile(rows.score.T[:, :, None], (folds, 1, 1)).astype(np.float32)
    floors = np.tile(rows.floor, folds)[:, None]
    groups = rows.recipes.groups(family=family)
    return Problem(covariates, groups, targets, weights, floors, seed, training, pooled)


def by_benchmark(found: Parameters, rows: Rows) -> Parameters:
    """Return the parameters of these fits with dims (fold, benchmark, ...)."""
    folds, _, benchmarks = rows.seen.shape
    return {name: np.reshape(value, (folds, benchmarks, *value.shape[1:])) for name, value in found.items()}


def together(parameters: Parameters, design: Cells) -> Floats:
    """Return what parameters of dims (fold, benchmark, ...) expect.

    Parameters
    ----------
    parameters : dict of arrays
        From `by_benchmark`.
    design : array, dims (row, covariate)
        Covariates and groups.

    Returns
    -------
    array, dims (fold, row, benchmark)
        Shares of items solved.
    """
    folds, benchmarks = parameters["skill"].shape[:2]
    flat = {name: np.reshape(value, (-1, *value.shape[2:])) for name, value in parameters.items()}
    return forecast(flat, design).reshape(folds, benchmarks, -1).transpose(0, 2, 1)
