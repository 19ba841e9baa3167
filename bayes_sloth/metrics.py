"""How good forecasts were: coverage, interval score, absolute error and CRPS, on named dims."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_prob
from bayes_sloth.errors import InputError
from bayes_sloth.names import CHAIN, DRAW

Dims = str | Collection[Hashable] | None

_SAMPLE: Final = "sample"


def central_interval(draws: xr.DataArray, prob: float = 0.9) -> xr.Dataset:
    """Return the central interval of draws that holds a given probability.

    Parameters
    ----------
    draws : DataArray
        Dims chain and draw (either or both), then any others.
    prob : float
        Probability inside, between 0 and 1.

    Returns
    -------
    Dataset
        Variables `lower` and `upper`, dims those of `draws` without chain and draw, in their unit.

    Raises
    ------
    InputError
        If `prob` is not between 0 and 1, or there is no dim of draws.

    Examples
    --------
    >>> found = central_interval(xr.DataArray(np.arange(5.0), dims="draw"), 0.5)
    >>> float(found["lower"]), float(found["upper"])
    (1.0, 3.0)
    """
    check_prob(prob)
    ends = draws.quantile([(1 - prob) / 2, (1 + prob) / 2], dim=_sample_dims(draws))
    lower, upper = (ends.isel(quantile=i, drop=True) for i in (0, 1))
    return xr.Dataset({"lower": lower, "upper": upper})


def coverage(
    lower: xr.DataArray, upper: xr.DataArray, truth: xr.DataArray, *, dim: Dims = None
) -> xr.DataArray:
    """Return the share of true values inside their intervals, ends included.

    Parameters
    ----------
    lower, upper, truth : DataArray
        Same dims and labels; a NaN in any of them is passed over.
    dim : str or collection of str, optional
        Dims to average over; all where None, none where empty.

    Returns
    -------
    DataArray
        Share in [0, 1], NaN where there is no truth.

    Raises
    ------
    InputError
        If labels differ.

    Examples
    --------
    >>> truth = xr.DataArray([0.2, 0.9], dims="model")
    >>> float(coverage(truth * 0, truth * 0 + 0.5, truth))
    0.5
    """
    lower, upper, truth = _aligned(lower, upper, truth)
    inside = (truth >= lower) & (truth <= upper)
    known = truth.notnull() & lower.notnull() & upper.notnull()
    return inside.where(known).mean(dim)


def interval_score(
    lower: xr.DataArray, upper: xr.DataArray, truth: xr.DataArray, prob: float = 0.9, *, dim: Dims = None
) -> xr.DataArray:
    r"""Return the interval score, width plus a price for every miss; lower is better.

    .. math:: (u - l) + \frac{2}{\alpha}(l - y)_+ + \frac{2}{\alpha}(y - u)_+, \quad \alpha = 1 - prob

    Parameters
    ----------
    lower, upper, truth : DataArray
        Same dims and labels; a NaN in any of them is passed over.
    prob : float
        Probability that the intervals claim to hold.
    dim : str or collection of str, optional
        Dims to average over; all where None, none where empty.

    Returns
    -------
    DataArray
        In the unit of the truth.

    Raises
    ------
    InputError
        If labels differ or `prob` is not between 0 and 1.

    References
    ----------
    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules. JASA 102, eq. 43.

    Examples
    --------
    >>> truth = xr.DataArray([0.5, 1.5], dims="model")
    >>> interval_score(truth * 0, truth * 0 + 1, truth, 0.5, dim=()).values.tolist()
    [1.0, 3.0]
    """
    check_prob(prob)
    lower, upper, truth = _aligned(lower, upper, truth)
    missed = (lower - truth).clip(min=0) + (truth - upper).clip(min=0)
    return ((upper - lower) + 2 / (1 - prob) * missed).mean(dim)


def mean_absolute_error(forecast: xr.DataArray, truth: xr.DataArray, *, dim: Dims = None) -> xr.DataArray:
    """Return the mean distance between a forecast and the truth.

    Parameters
    ----------
    forecast, truth : DataArray
        Same dims and labels; a NaN in either is passed over.
    dim : str or collection of str, optional
        Dims to average over; all where None, none where empty.

    Returns
    -------
    DataArray
        In the unit of the truth.

    Raises
    ------
    InputError
        If labels differ.

    Examples
    --------
    >>> truth = xr.DataArray([0.25, 0.75], dims="model")
    >>> float(mean_absolute_error(truth + 0.5, truth))
    0.5
    """
    forecast, truth = _aligned(forecast, truth)
    return abs(forecast - truth).mean(dim)


def crps(draws: xr.DataArray, truth: xr.DataArray, *, dim: Dims = None) -> xr.DataArray:
    r"""Return the continuous ranked probability score of draws; lower is better, one draw gives its error.

    .. math:: \frac{1}{n}\sum_i |x_i - y| - \frac{1}{2n^2}\sum_{i,j} |x_i - x_j|

    The double sum is a weighted sum of the sorted draws, so the cost grows as n log n.

    Parameters
    ----------
    draws : DataArray
        Dims chain and draw (either or both), then those of the truth.
    truth : DataArray
        NaN where not known: passed over.
    dim : str or collection of str, optional
        Dims to average over; all those of the truth where None, none where empty.

    Returns
    -------
    DataArray
        In the unit of the truth.

    Raises
    ------
    InputError
        If labels differ, or there is no dim of draws.

    References
    ----------
    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules. JASA 102, eq. 21.

    Examples
    --------
    >>> float(crps(xr.DataArray([0.0, 1.0], dims="draw"), xr.DataArray(0.5)))
    0.25
    """
    draws, truth = _aligned(draws, truth)
    flat = draws.stack({_SAMPLE: _sample_dims(draws)}, create_index=False)
    error = abs(flat - truth).mean(_SAMPLE, skipna=False)
    spread = xr.apply_ufunc(_half_mean_difference, flat, input_core_dims=[[_SAMPLE]])
    score: xr.DataArray = (error - spread).mean(dim)
    return score


def _half_mean_difference(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the mean distance of two draws along the last axis."""
    count = draws.shape[-1]
    # Draw i of the sorted ones is the larger of i pairs and the smaller of count - 1 - i.
    weight = (2 * np.arange(count) + 1 - count) / count**2
    return np.asarray((np.sort(draws, axis=-1) * weight).sum(-1))


def _sample_dims(draws: xr.DataArray) -> list[Hashable]:
    """Return the dims that hold draws."""
    found: list[Hashable] = [dim for dim in (CHAIN, DRAW) if dim in draws.dims]
    if not found:
        raise InputError(f"the draws have dims {draws.dims}; give an array with a dim {DRAW!r} or {CHAIN!r}.")
    return found


def _aligned(*arrays: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Return the arrays after checking that their labels are the same in the same order."""
    try:
        return xr.align(*arrays, join="exact", copy=False)
    except ValueError as error:
        raise InputError(
            f"forecast and truth carry different labels ({str(error).splitlines()[0]}); select the same "
            "models and benchmarks from both, in the same order."
        ) from error
