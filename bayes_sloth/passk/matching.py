"""How many samples make a small model equal a large one, and at which total cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.arguments import as_number, check_prob, check_whole
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import MODEL
from bayes_sloth.passk.counts import check_k, pass_at
from bayes_sloth.passk.solving import PassCurves

Floats = NDArray[np.float64]

MOST: Final = 1_000_000  # beyond it no table of samples says anything


def match(
    curves: PassCurves,
    large: str,
    *,
    at: Sequence[int] = (1,),
    cost: Mapping[str, float] | None = None,
    most: int = MOST,
    prob: float = 0.9,
) -> pd.DataFrame:
    r"""Return how many samples make each other model equal a large one, and what that costs.

    .. math:: k^* = \min\{k : \mathrm{pass@}k(\text{small}) \ge \mathrm{pass@}k_0(\text{large})\}

    in every draw, on the same items. A sample costs as much as a model has active parameters (2 FLOPs each
    for every token, answers of one length), unless `cost` says otherwise.

    Parameters
    ----------
    curves : PassCurves
        From `predict`, of both models.
    large : str
        The model to equal.
    at : sequence of int
        Samples :math:`k_0` of the large model.
    cost : mapping of str to float, optional
        Of one sample of each model, in any unit.
    most : int
        Samples at which to give up.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns model, equals, at (samples of the large model), reached (probability that `most` samples are
        enough), median, lower, upper (samples; infinite where they are not enough), prob, and, where costs
        are known, cost (of the median number of samples), cost_large, cheaper (probability that the small
        model's samples cost less in all).

    Raises
    ------
    InputError
        If a model is unknown, is alone, or a number makes no sense.

    Examples
    --------
    >>> import xarray as xr
    >>> rates = np.array([0.1, 0.19]).reshape(1, 1, 2, 1)
    >>> names = {"model": ["small", "large"]}
    >>> data = xr.Dataset({"solve_rate": (("chain", "draw", "model", "item"), rates)}, names)
    >>> match(PassCurves(data, "1 item"), "large", cost={"small": 1.0, "large": 3.0})["median"].tolist()
    [2.0]
    """
    check_prob(prob)
    if large not in curves.models:
        raise unknown_name("model", large, curves.models)
    others = [name for name in curves.models if name != large]
    if not others:
        raise InputError(f"only {large!r} was forecast: forecast it together with the models to compare.")
    check_whole("match", most=most)
    prices = _checked_prices(curves, cost)
    rate = curves.data["solve_rate"].values
    rates = {name: rate[:, :, place].reshape(-1, rate.shape[3]) for place, name in enumerate(curves.models)}
    rows = []
    for k in check_k(at):
        target = pass_at(rates[large], [k])[:, 0]
        for name in others:
            needed = _needed(rates[name], target, most)
            rows.append({MODEL: name, "equals": large, "at": int(k), **_told(needed, prob)})
            if name in prices and large in prices:
                rows[-1] |= _priced(needed, prices[name], k * prices[large])
    return pd.DataFrame(rows)


def _checked_prices(curves: PassCurves, cost: Mapping[str, float] | None) -> dict[str, float]:
    """Return what a sample of each model costs."""
    prices = curves.cost if cost is None else cost
    give = "what one sample of each model costs, above zero"
    if not isinstance(prices, Mapping):
        raise InputError(f"match: cost is a {type(prices).__name__}: give {give}, by its name.")
    for name in prices:
        if cost is not None and name not in curves.models:
            raise unknown_name("model in cost", name, curves.models)
    return {name: as_number(f"match: the cost of {name}", p, give, above=0.0) for name, p in prices.items()}


def _needed(rate: Floats, target: Floats, most: int) -> Floats:
    """Return the least number of samples that reaches the target in each draw, by bisection."""
    low, high = np.zeros(len(rate)), np.full(len(rate), float(most))
    log_miss = np.log1p(-np.minimum(rate, 1 - 1e-16))
    reached = _passes(log_miss, high) >= target
    while (high - low > 1).any():
        middle = np.where(high - low > 1, np.floor((low + high) / 2), high)
        enough = _passes(log_miss, middle) >= target
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        low = np.minimum(low, high - 1)
    return np.where(reached, high, np.inf)


def _passes(log_miss: Floats, k: Floats) -> Floats:
    return np.asarray(-np.expm1(k[:, None] * log_miss).mean(axis=1))


def _told(needed: Floats, prob: float) -> dict[str, float]:
    # Of whole numbers and infinities, quantiles are taken, not interpolated.
    ends = [0.5, (1 - prob) / 2, (1 + prob) / 2]
    median, lower, upper = np.quantile(needed, ends, method="inverted_cdf")
    reached = float(np.isfinite(needed).mean())
    return {"reached": reached, "median": median, "lower": lower, "upper": upper, "prob": prob}


def _priced(needed: Floats, price: float, of_large: float) -> dict[str, float]:
    total = needed * price
    cheaper = float((total < of_large).mean())
    median = float(np.quantile(total, 0.5, method="inverted_cdf"))
    return {"cost": median, "cost_large": float(of_large), "cheaper": cheaper}
