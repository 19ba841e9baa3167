"""Draws with labels as tidy tables: median, interval and probability of direction; and curves of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_sloth.arguments import check_prob
from bayes_sloth.names import CHAIN, DRAW

PREDICTOR: Final = "predictor"
HELD_OUT: Final = "held_out"


@dataclass(frozen=True, eq=False)
class ScoreCurves:
    """Curves with bands, and the scores that were observed.

    Parameters
    ----------
    curves : DataFrame
        A row a point of a curve: median, lower, upper (shares of items solved), prob, and where it is.
    points : DataFrame
        A row an observed score, with where it is.

    Examples
    --------
    >>> curves = pd.DataFrame({"family": ["a", "a"], "median": [0.4, 0.5]})
    >>> ScoreCurves(curves, pd.DataFrame({"family": ["a"], "score": [0.45]}))
    ScoreCurves: 2 points of curves, 1 observed score
    """

    curves: pd.DataFrame
    points: pd.DataFrame

    def __repr__(self) -> str:
        """Say how much there is."""
        count = len(self.points)
        return f"ScoreCurves: {len(self.curves)} points of curves, {count} observed score{'s' * (count != 1)}"


def summary_table(draws: xr.DataArray, prob: float = 0.9) -> pd.DataFrame:
    r"""Return one row for each element of draws.

    The probability of direction is :math:`\max(P(x > 0), P(x < 0))`: 0.5 where the sign is a toss, 1 where
    it is certain.

    Parameters
    ----------
    draws : DataArray
        Dims chain, draw, then any others, which have labels.
    prob : float
        Probability inside the central interval.

    Returns
    -------
    DataFrame
        A column a dim, then median, lower, upper, prob, direction.

    Raises
    ------
    InputError
        If `prob` is not between 0 and 1.

    References
    ----------
    Makowski, D. et al. (2019). Indices of effect existence and significance in the Bayesian framework.
    Frontiers in Psychology 10, 2767.

    Examples
    --------
    >>> values = np.arange(1.0, 102.0).reshape(1, 101, 1)
    >>> table = summary_table(xr.DataArray(values, dims=("chain", "draw", "skill"), coords={"skill": ["a"]}))
    >>> table[["skill", "median", "lower", "upper", "direction"]].round(6).values.tolist()
    [['a', 51.0, 6.0, 96.0, 1.0]]
    """
    check_prob(prob)
    others = [dim for dim in draws.dims if dim not in (CHAIN, DRAW)]
    values = draws.transpose(CHAIN, DRAW, *others)
    shape = values.shape[2:]
    flat = values.values.reshape(values.shape[0] * values.shape[1], -1)
    lower, median, upper = np.quantile(flat, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0)
    places = np.indices(shape).reshape(len(shape), -1)
    labels = {str(dim): draws[dim].values[place] for dim, place in zip(others, places, strict=True)}
    direction = np.maximum((flat > 0).mean(axis=0), (flat < 0).mean(axis=0))
    columns = {"median": median, "lower": lower, "upper": upper, "prob": prob, "direction": direction}
    return pd.DataFrame({**labels, **columns})


def ranks(draws: xr.DataArray, dim: str) -> xr.DataArray:
    """Return the rank of every label along a dim in each draw, 1 for the largest.

    Parameters
    ----------
    draws : DataArray
        Any dims.
    dim : str
        The one to rank along.

    Returns
    -------
    DataArray
        Same dims.

    Examples
    --------
    >>> ranks(xr.DataArray([3.0, 9.0, 5.0], dims="family"), "family").values.tolist()
    [3, 1, 2]
    """
    axis = draws.get_axis_num(dim)
    order = np.argsort(-draws.values, axis=axis)
    return draws.copy(data=np.argsort(order, axis=axis) + 1)
