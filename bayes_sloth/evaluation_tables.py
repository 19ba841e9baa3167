"""What evaluations say, as tables for pictures: forecasts beside the truth, coverage, laws over settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from bayes_sloth.arguments import check_prob
from bayes_sloth.errors import InputError
from bayes_sloth.evaluation import LAW, Evaluation
from bayes_sloth.names import BENCHMARK, FAMILY, MODEL, PROB
from bayes_sloth.scoring import FOLD, averaged, held_by_chance

SETTING: Final = "setting"
NOMINAL: Final = tuple(float(level) for level in np.round(np.arange(0.05, 0.96, 0.05), 2))
COLUMNS: Final = (LAW, FOLD, MODEL, FAMILY, BENCHMARK, "truth", "median", "lower", "upper", PROB)


def held_out_forecasts(evaluation: Evaluation, *, probs: Sequence[float] = (0.5, 0.9)) -> pd.DataFrame:
    """Return the intervals of every held-out score beside the truth.

    Parameters
    ----------
    evaluation : Evaluation
        From `bs.evaluate`.
    probs : sequence of float
        Probabilities inside; of 0.5, 0.8, 0.9 and 0.95, which are those evaluated.

    Returns
    -------
    DataFrame
        A row a law, fold, model, benchmark and probability: columns law, fold, model, family, benchmark,
        truth, median, lower, upper (shares of items solved), prob.

    Raises
    ------
    InputError
        If a probability was not evaluated.

    Examples
    --------
    >>> import xarray as xr
    >>> cell, interval = ("law", "fold", "model", "benchmark"), ("law", "fold", "prob", "model", "benchmark")
    >>> one = {name: (cell, np.full((1, 1, 1, 1), 0.6)) for name in ("truth", "median")}
    >>> ends = {name: (interval, np.full((1, 1, 1, 1, 1), 0.6)) for name in ("lower", "upper")}
    >>> labels = {"law": ["ours"], "fold": ["a"], "model": ["m"], "benchmark": ["MMLU"], "prob": [0.9]}
    >>> data = xr.Dataset(one | ends, labels | {"family": ("model", ["f"])})
    >>> held_out_forecasts(Evaluation(data), probs=[0.9])["truth"].tolist()
    [0.6]
    """
    known = [float(prob) for prob in evaluation.data[PROB].values]
    for prob in probs:
        if prob not in known:
            raise InputError(
                f"no interval of probability {prob} was evaluated: choose from {', '.join(map(str, known))}."
            )
    chosen = evaluation.data[["truth", "median", "lower", "upper"]].sel({PROB: list(probs)})
    frame = chosen.to_dataframe().reset_index().dropna(subset="truth")
    order = [LAW, FOLD, MODEL, BENCHMARK]
    places = {name: {label: i for i, label in enumerate(evaluation.data[name].values)} for name in order}
    frame = frame.sort_values(order, key=lambda c: c.map(places[str(c.name)]), kind="stable")
    return frame[list(COLUMNS)].reset_index(drop=True)


def coverage_curve(
    evaluation: Evaluation | pd.DataFrame, *, levels: Sequence[float] = NOMINAL, prob: float = 0.9
) -> pd.DataFrame:
    r"""Return how many held-out scores central intervals of every level hold, and how many they may.

    A score is inside where the truth's rank :math:`u` among the draws has :math:`|u - 1/2| \le p/2`. The band
    is that of a binomial share with as many trials as the scores, which move together in a fold, are worth.

    Parameters
    ----------
    evaluation : Evaluation or DataFrame
        From `bs.evaluate`, or the cases of one or several.
    levels : sequence of float
        What the intervals claim to hold.
    prob : float
        Probability that a calibrated law's share lies in the band, level by level.

    Returns
    -------
    DataFrame
        A row a law and level: columns law, level, inside (share of the scores), low, high (band), prob,
        scores (their number).

    Raises
    ------
    InputError
        If a level or `prob` is not between 0 and 1.

    References
    ----------
    Gneiting, T., Balabdaoui, F. and Raftery, A. E. (2007). Probabilistic forecasts, calibration and
    sharpness. J. R. Stat. Soc. B 69, section 3.

    Examples
    --------
    >>> rank = np.linspace(0.0125, 0.9875, 40)
    >>> levels = (0.5, 0.8, 0.9, 0.95)
    >>> inside = {f"inside_{p:g}": (np.abs(rank - 0.5) <= p / 2).astype(float) for p in levels}
    >>> cases = pd.DataFrame({"law": "one", "fold": range(40), "rank": rank, **inside})
    >>> coverage_curve(cases, levels=[0.5])[["inside", "low", "high"]].round(2).values.tolist()
    [[0.5, 0.35, 0.65]]
    """
    check_prob(prob)
    for level in levels:
        check_prob(level)
    claimed = np.asarray(levels, dtype=float)
    every = evaluation if isinstance(evaluation, pd.DataFrame) else evaluation.cases()
    parts = []
    for law, cases in every.groupby(LAW, sort=False):
        apart = 2 * np.abs(cases["rank"].to_numpy() - 0.5)
        inside = (apart[:, None] <= claimed).mean(axis=0)
        low, high = held_by_chance(cases, claimed, prob)
        columns = {"level": claimed, "inside": inside, "low": low, "high": high, PROB: prob}
        parts.append(pd.DataFrame({LAW: law, **columns, "scores": len(cases)}))
    return pd.concat(parts, ignore_index=True)


def across_settings(evaluations: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Return the measures of every law in every setting, as the paper's table has them.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        By the name of a setting.

    Returns
    -------
    DataFrame
        A row a setting and law: columns setting, law, scores, MAE, CRPS and the other measures of
        `Evaluation.table`.

    Raises
    ------
    InputError
        If there is no evaluation.

    Examples
    --------
    >>> across_settings({})
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: there is no evaluation: pass a mapping of settings to evaluations.
    """
    if not evaluations:
        raise InputError("there is no evaluation: pass a mapping of settings to evaluations.")
    cases = [found.cases().assign(**{SETTING: name}) for name, found in evaluations.items()]
    return averaged(pd.concat(cases), [SETTING, LAW]).reset_index()
