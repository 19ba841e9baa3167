"""What every comparison does with draws: pick one of two, count how often it is ahead."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_sloth.errors import unknown_name
from bayes_sloth.names import CHAIN, DRAW


def draws_of(draws: xr.DataArray, dim: str, name: str) -> xr.DataArray:
    """Return the draws of one model or family.

    Parameters
    ----------
    draws : DataArray
        Of all of them.
    dim, name : str
        What they are, and which one.

    Returns
    -------
    DataArray
        Without that dim.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    known = [str(label) for label in draws[dim].values]
    if name not in known:
        raise unknown_name(dim, name, known)
    return draws.sel({dim: name}, drop=True)


def chance_ahead(gap: xr.DataArray) -> np.ndarray:
    """Return the probability that a difference is above zero, ties counted half.

    Parameters
    ----------
    gap : DataArray, dims (chain, draw, ...)
        Draws of differences.

    Returns
    -------
    array
        Flat.

    Examples
    --------
    >>> chance_ahead(xr.DataArray([[[1.0], [0.0]]], dims=(CHAIN, DRAW, "benchmark"))).tolist()
    [0.75]
    """
    chance = ((gap > 0) + 0.5 * (gap == 0)).mean((CHAIN, DRAW))
    return np.asarray(chance.values, dtype=float).ravel()
