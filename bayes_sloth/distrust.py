"""Rows of a fitted table that look wrong: on another scale, or where the law cannot reach."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from bayes_sloth.names import BENCHMARK, FLOOR, ITEMS, MODEL, SCORE
from bayes_sloth.observation import CLOSEST, LEAST_TAIL, misfit_variance
from bayes_sloth.spec import ModelSpec
from bayes_sloth.tables.doubts import ROW_SEVERAL, off_scale

Floats = NDArray[np.float64]

# Of a hundred tables whose noise is as the priors' medians say, one names a row that is only unlucky.
FALSE_ALARM: Final = 0.01
LOW: Final = "far below chance"
FAR: Final = "far from what the law expects"


def distrusted(tree: xr.DataTree, spec: ModelSpec, expected: Floats) -> pd.DataFrame:
    r"""Name the rows of a fitted table that look wrong.

    That are rows with scores far below chance, on benchmarks where this is no luck: so are chance-normalised
    ones. And rows with two scores or more far from what the law expects:

    .. math:: |y_{ij} - \mu_{ij}| > k \sqrt{\max(\sigma_j, e^{m})^2 \{4h(1 - h) + 1/50\} + \mu_{ij}(1 -
        \mu_{ij})/n_{ij}}

    with :math:`m` the prior mean of the log misfit: a mode may fit some benchmarks without error, which makes
    ordinary scores look far off. A mess makes tails heavy too, so :math:`k` is the quantile of Student's t at
    the prior median of its degrees of freedom that one row in a hundred tables passes twice by chance.

    Parameters
    ----------
    tree : DataTree
        With groups `posterior`, `observed_data` and `constant_data`.
    spec : ModelSpec
        The model.
    expected : array, dims (model, benchmark)
        Expected scores, averaged over the draws.

    Returns
    -------
    DataFrame
        A row a model: columns model, reason (far below chance where both hold), benchmarks (their names,
        joined by commas).
    """
    score = np.asarray(tree["observed_data"][SCORE].values, dtype=float)
    floor, items = (np.asarray(tree["constant_data"][name].values, dtype=float) for name in (FLOOR, ITEMS))
    typical = {name: tree["posterior"].dataset[name].values.mean(axis=(0, 1)) for name in ("misfit", "lower")}
    low = off_scale(score, floor, items)
    far = far_off(score, expected, items, spec, **typical)
    far &= (far.sum(axis=1, keepdims=True) >= ROW_SEVERAL) & ~low.any(axis=1, keepdims=True)
    labels = [np.asarray(tree["observed_data"][dim].values).astype(str) for dim in (MODEL, BENCHMARK)]
    found = [
        {"model": labels[0][row], "reason": reason, "benchmarks": ", ".join(labels[1][wrong[row]])}
        for reason, wrong in ((LOW, low), (FAR, far))
        for row in np.flatnonzero(wrong.any(axis=1))
    ]
    return pd.DataFrame(found, columns=["model", "reason", "benchmarks"])


def far_off(
    score: Floats, expected: Floats, items: Floats, spec: ModelSpec, *, misfit: Floats, lower: Floats
) -> NDArray[np.bool_]:
    """Return which scores are too far from what the law expects.

    Parameters
    ----------
    score, expected, items : array, dims (model, benchmark)
        Shares of items solved, NaN where not observed; expected ones; numbers of items, NaN where unknown.
    spec : ModelSpec
        The model.
    misfit, lower : array, dims (benchmark)
        Misfit at mid-range and lower asymptotes.

    Returns
    -------
    array of bool, dims (model, benchmark)
        False where not observed.

    Examples
    --------
    >>> half = np.full((1, 2), 0.5)
    >>> numbers = {"misfit": np.full(2, 0.03), "lower": np.zeros(2)}
    >>> far_off(np.array([[0.52, 0.9]]), half, np.nan * half, ModelSpec(), **numbers).tolist()
    [[False, True]]
    """
    least = np.exp(spec.priors.misfit_mean)
    share = np.clip((expected - lower) / (1 - lower), 0.0, 1.0)
    inside = np.clip(expected, CLOSEST, 1 - CLOSEST)
    sampling = np.nan_to_num(inside * (1 - inside) / items, nan=0.0)
    scale = np.sqrt(np.asarray(misfit_variance(share, np.maximum(misfit, least))) + sampling)
    return np.asarray(np.abs(score - expected) > limit_of(~np.isnan(score), spec) * scale)


def limit_of(observed: NDArray[np.bool_], spec: ModelSpec) -> float:
    """Return how many scales off a score has to be, for two of a row to be no chance.

    Parameters
    ----------
    observed : array of bool, dims (model, benchmark)
        Which scores there are: the more pairs within rows, the further.
    spec : ModelSpec
        Whose prior says how heavy tails are.

    Returns
    -------
    float
        Quantile of Student's t.

    Examples
    --------
    >>> round(limit_of(np.ones((100, 6), dtype=bool), ModelSpec()), 1)
    4.9
    """
    count = observed.sum(axis=1).astype(float)
    pairs = max(float((count * (count - 1) / 2).sum()), 1.0)
    freedom = LEAST_TAIL + np.exp(spec.priors.tail_mean)
    return float(stats.t.isf(np.sqrt(min(FALSE_ALARM / pairs, 1.0)) / 2, freedom))


def distrust_in_words(found: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence for every reason to distrust rows, naming all of them.

    Parameters
    ----------
    found : DataFrame
        From `distrusted`.

    Returns
    -------
    tuple of str
        Finished sentences, empty where nothing is wrong.

    Examples
    --------
    >>> row = {"model": "a-7b", "reason": LOW, "benchmarks": "GPQA, MUSR"}
    >>> distrust_in_words(pd.DataFrame([row]))[0][:50]
    'rows distrusted, 1 with scores far below chance: a'
    """
    remedies: dict[str, Any] = {
        LOW: "if these are chance-normalised, read the table with denormalise=[...] of these models",
        FAR: "check these scores, sizes and families",
    }
    parts = [(reason, found[found["reason"] == reason]) for reason in remedies]
    return tuple(
        f"rows distrusted, {len(part)} with scores {reason}: {', '.join(part['model'])}; {remedies[reason]}."
        for reason, part in parts
        if len(part)
    )
