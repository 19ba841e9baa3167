"""How exact averages over draws are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.diagnostics import effective_draws

Floats = NDArray[np.float64]


def mean_and_error(values: Floats) -> tuple[Floats, Floats]:
    r"""Return the mean over draws of every element and its Monte Carlo standard error.

    .. math:: \mathrm{MCSE} = \mathrm{sd} / \sqrt{S_\mathrm{eff}}

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws.

    Returns
    -------
    mean, error : array, dims (element)
        In the quantity's units; the error of an element that never moves is 0.

    References
    ----------
    Vehtari et al. (2021). Rank-normalization, folding, and localization. Bayesian Analysis 16, section 3.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 500, 1))
    >>> mean_and_error(draws)[1].round(3).tolist()
    [0.022]
    """
    values = np.asarray(values, dtype=float)
    count = values.shape[0] * values.shape[1]
    effective = np.full(values.shape[2], float(count))
    spread = values.std(axis=(0, 1))
    moves = spread > 0
    if values.shape[1] >= 4 and moves.any():  # fewer draws tell nothing of how they hang together
        with np.errstate(invalid="ignore", divide="ignore"):
            found = effective_draws(values[..., moves])
        effective[moves] = np.where((found > 1) & (found < count), found, count)
    return values.mean(axis=(0, 1)), spread / np.sqrt(effective)


def probability_and_error(happened: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the share of draws in which something happens and its Monte Carlo standard error.

    Parameters
    ----------
    happened : array of bool, dims (chain, draw, element)
        Whether it does.

    Returns
    -------
    prob, error : array, dims (element)
        What always or never happens in S draws is as sure as half an event in S + 1 leaves it.

    Examples
    --------
    >>> prob, error = probability_and_error(np.ones((1, 99, 1), dtype=bool))
    >>> float(prob[0]), round(float(error[0]), 4)
    (1.0, 0.0071)
    """
    prob, error = mean_and_error(happened.astype(float))
    count = happened.shape[0] * happened.shape[1]
    least = 0.5 / (count + 1)
    return prob, np.maximum(error, np.sqrt(least * (1 - least) / count))
