"""Scores of forecasts: errors, proper scores and coverage of one fold, and averages over many."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import scoringrules
import xarray as xr
from numpy.typing import NDArray
from scipy import special, stats

from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast
from bayes_sloth.laws.forecast import LEVELS as LEVELS
from bayes_sloth.names import BENCHMARK, MODEL, SCORE
from bayes_sloth.names import PROB as PROB
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

FOLD: Final = "fold"
# Draws of a forecast that meets a ceiling tie exactly; a kernel needs some width, a tenth of a point.
LEAST_WIDTH: Final = 1e-3
# Intervals of half the width they should have are seldom flagged in fewer folds than this.
FEWEST: Final = 6
# Fewer draws than all serve for a score whose cost is their number times that of the cells.
KERNELS: Final = 500


def scored(forecast: Forecast, fold: Fold, scores: Scores) -> xr.Dataset:
    """Score the draws of one fold against the truth.

    Parameters
    ----------
    forecast : Forecast
        Of the fold.
    fold : Fold
        What was asked.
    scores : Scores
        The whole table.

    Returns
    -------
    Dataset
        Dims (model, benchmark), and prob for intervals; NaN where nothing was asked.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> scores = load_leaderboard().select(models=["llama-2-7b"], benchmarks=["MMLU"])
    >>> fold = Fold("one", scores.observed, scores.observed)
    >>> scored(Forecast(0, np.zeros((2, 1, 1)), 0.0), fold, scores)["median"].item()
    0.0
    """
    asked = fold.asked[fold.models]
    truth = np.where(asked, scores.data[SCORE].values[fold.models], np.nan)
    # To 32 bits, as on the shelf: what is read back scores the same as what was never written.
    draws = np.asarray(forecast.draws, dtype=np.float32).astype(np.float64)
    tails = [(1 - p) / 2 for p in LEVELS]
    quantiles = np.quantile(draws, [0.5, *tails, *(1 - t for t in tails)], axis=0)
    levels = len(LEVELS)
    median, lower, upper = quantiles[0], quantiles[1 : 1 + levels], quantiles[1 + levels :]
    cell, interval = (MODEL, BENCHMARK), (PROB, MODEL, BENCHMARK)
    alpha = np.broadcast_to(np.array([1 - p for p in LEVELS])[:, None, None], lower.shape)
    price = scoringrules.interval_score(np.broadcast_to(truth, lower.shape), lower, upper, alpha)
    rank = (draws < truth).mean(axis=0) + 0.5 * (draws == truth).mean(axis=0)
    values = {
        "truth": (cell, truth),
        "median": (cell, median),
        "absolute_error": (cell, np.abs(median - truth)),
        "crps": (cell, scoringrules.crps_ensemble(truth, draws, m_axis=0, estimator="qd")),
        "log_score": (cell, _log_score(truth, draws)),
        "rank": (cell, rank),
        "lower": (interval, lower),
        "upper": (interval, upper),
        "width": (interval, upper - lower),
        "interval_score": (interval, np.reshape(price, lower.shape)),  # it drops axes of length 1
        "inside": (interval, ((truth >= lower) & (truth <= upper)).astype(float)),
    }
    coords = {
        MODEL: np.array(scores.models)[fold.models],
        BENCHMARK: list(scores.benchmarks),
        PROB: list(LEVELS),
    }
    found = xr.Dataset(values, coords).where(xr.DataArray(asked, dims=cell))
    return found.assign({"seconds": forecast.seconds, **forecast.notes})


def _log_score(truth: Floats, draws: Floats) -> Floats:
    """Return minus the log density of the truth under a kernel estimate from the draws."""
    thin = draws[:: max(1, len(draws) // KERNELS)]
    # Silverman's rule, with the spread that outliers do not widen.
    spread = np.diff(np.quantile(thin, [0.25, 0.75], axis=0), axis=0)[0] / 1.349
    width = np.maximum(1.06 * spread * len(thin) ** -0.2, LEAST_WIDTH)
    # Summed in logs: far from every draw the density itself is 0 in 64 bits, and its log no number.
    kernels = -0.5 * ((truth - thin) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))
    return np.asarray(np.log(len(thin)) - special.logsumexp(kernels, axis=0))


def averaged(cases: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the measures averaged over the rows of every key.

    Parameters
    ----------
    cases : DataFrame
        A row a score asked for; see `Evaluation.cases`.
    keys : list of str
        Columns to keep apart.

    Returns
    -------
    DataFrame
        Columns scores (their number), MAE, CRPS, log score, interval score and width of 90% intervals,
        and the share inside each interval.

    Examples
    --------
    >>> measures = ["absolute_error", "crps", "log_score", "interval_score", "width"]
    >>> measures += [f"inside_{level:g}" for level in LEVELS]
    >>> cases = pd.DataFrame({"law": ["a", "a"], **{name: [0.1, 0.3] for name in measures}})
    >>> averaged(cases, ["law"])[["scores", "MAE"]].values.tolist()
    [[2.0, 0.2]]
    """
    grouped = cases.groupby(keys, sort=False)
    columns = {
        "MAE": "absolute_error",
        "CRPS": "crps",
        "log score": "log_score",
        "interval score": "interval_score",
        "width": "width",
        **{f"{p:.0%}": f"inside_{p:g}" for p in LEVELS},
    }
    found = pd.DataFrame({title: grouped[column].mean() for title, column in columns.items()})
    found.insert(0, "scores", grouped.size())
    return found


def held(cases: pd.DataFrame, level: float, false_alarm: float) -> dict[str, Any]:
    r"""Say whether intervals of one level hold the truth as often as they claim.

    Scores of one fold move together, so :math:`N` scores in :math:`C` folds of :math:`n_c` tell as much as

    .. math:: m = N \Big/ \frac{C}{C - 1}\Big\{1 + \rho\Big(\frac{\sum_c n_c^2}{N} - 1\Big)\Big\}

    independent ones, with :math:`\rho` the correlation of two of a fold. The share inside is compared with
    the binomial law of m trials; its tail probability is read off Student's t with C - 1 degrees of freedom,
    since :math:`\rho` is estimated from C folds.

    Parameters
    ----------
    cases : DataFrame
        A row a score asked for, with columns `fold` and `inside_<level>` of every level.
    level : float
        What the intervals claim.
    false_alarm : float
        Probability that intervals that keep their promise are flagged.

    Returns
    -------
    dict
        `level`, `inside` (share), `p_value`, and `verdict`: fine, too narrow, too wide, or too few folds to
        say that all is fine. One fold alone tells nothing: its p-value is 1.

    Examples
    --------
    >>> columns = {f"inside_{claimed:g}": [0.0, 1.0] * 20 for claimed in LEVELS}
    >>> held(pd.DataFrame({"fold": range(40), **columns}), 0.9, 0.01)["verdict"]
    'too narrow'
    """
    folds, share = cases[FOLD].nunique(), float(cases[f"inside_{level:g}"].mean())
    p_value = 1.0
    if folds > 1:
        tail = _binomial_tail(share, independent_scores(cases), level)
        p_value = float(2 * stats.t.sf(stats.norm.isf(tail), folds - 1))
    wrong = "too narrow" if share < level else "too wide"
    right = "fine" if folds >= FEWEST else "too few folds"
    verdict = wrong if p_value < false_alarm else right
    return {"level": level, "inside": share, "p_value": p_value, "verdict": verdict}


def held_by_chance(cases: pd.DataFrame, levels: Floats, prob: float = 0.9) -> tuple[Floats, Floats]:
    """Return the shares of scores that intervals of every level hold when they keep their promise.

    Shares outside have a p-value below 1 - prob by `held`.

    Parameters
    ----------
    cases : DataFrame
        As for `held`.
    levels : array, dims (level)
        What the intervals claim.
    prob : float
        Probability that a share lies within, level by level.

    Returns
    -------
    low, high : array, dims (level)
        Shares of scores; 0 and 1 where there is but one fold.

    Examples
    --------
    >>> columns = {f"inside_{claimed:g}": [0.0, 1.0] * 20 for claimed in LEVELS}
    >>> low, high = held_by_chance(pd.DataFrame({"fold": range(40), **columns}), np.array([0.5]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.35], [0.65])
    """
    trials, folds = independent_scores(cases), cases[FOLD].nunique()
    if folds < 2:
        return np.zeros_like(levels), np.ones_like(levels)
    tail = stats.norm.sf(stats.t.isf((1 - prob) / 2, folds - 1))
    # The inverses of the two tails; they are no number where a count of 0, or of all, is not unlikely.
    low, high = special.bdtrik(tail, trials, levels), special.bdtrik(1 - tail, trials, levels) + 1
    return np.clip(np.nan_to_num(low) / trials, 0, 1), np.clip(np.nan_to_num(high, nan=trials) / trials, 0, 1)


def independent_scores(cases: pd.DataFrame) -> float:
    """Return how many independent scores tell as much of coverage as all do together; see `held`.

    Parameters
    ----------
    cases : DataFrame
        As for `held`.

    Returns
    -------
    float
        0 of a single fold.

    Examples
    --------
    >>> columns = {f"inside_{claimed:g}": [0.0, 1.0] * 20 for claimed in LEVELS}
    >>> independent_scores(pd.DataFrame({"fold": range(40), **columns}))
    39.0
    """
    size = cases.groupby(FOLD).size().to_numpy()
    spread = 1 + _likeness(cases) * ((size**2).sum() / size.sum() - 1)
    return float(size.sum() * (size.size - 1) / size.size / spread)


def _likeness(cases: pd.DataFrame) -> float:
    """Return the correlation of two scores of a fold in being inside, the largest over the levels."""
    grouped = cases.groupby(FOLD)
    size = grouped.size().to_numpy()
    found = [0.0]
    for level in LEVELS:
        share = cases[f"inside_{level:g}"].mean()
        alone = share * (1 - share)
        excess = ((grouped[f"inside_{level:g}"].sum().to_numpy() - share * size) ** 2 - alone * size).sum()
        pairs = alone * (size * (size - 1)).sum()
        found.append(min(excess / pairs, 1.0) if pairs > 0 else 0.0)
    return float(max(found))


def _binomial_tail(share: float, trials: float, level: float) -> float:
    """Return the probability of a share as far out on its side, at most a half; trials need not be whole."""
    inside, outside = share * trials, (1 - share) * trials
    below = special.betainc(outside, inside + 1, 1 - level) if outside > 0 else 1.0
    above = special.betainc(inside, outside + 1, level) if inside > 0 else 1.0
    return float(min(below, above, 0.5))
