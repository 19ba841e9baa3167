"""Every observed score as forecast without it, by importance sampling of the draws at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import jax
import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray
from numpyro import distributions as dist
from scipy import special
from scipy.special import logsumexp

from bayes_sloth.diagnostics import effective_draws
from bayes_sloth.names import BENCHMARK, FAMILY, MODEL, SCORE
from bayes_sloth.observation import NormalScore, StudentTScore
from bayes_sloth.pointwise import law_of
from bayes_sloth.posterior import Posterior

Floats = NDArray[np.float64]

# Ends of the bins of shares in which densities are counted.
BINS: Final = np.linspace(0.0, 1.0, 26)
# A density needs no more draws than these of every score.
SHOWN_DRAWS: Final = 100


class LeftOut(NamedTuple):
    """Scores as forecast without them.

    Parameters
    ----------
    scores : DataFrame
        A row an observed score: columns model, family, benchmark, score, elpd (log density of the score as
        forecast without it), p_loo (what it tells of itself, in nats), k (Pareto's; above 0.7 the forecast
        without it is unreliable), pit (probability of a lower score).
    density : DataFrame
        Densities of shares: columns benchmark, share (middle of a bin), observed, predicted.
    log_likelihood : array, dims (draw, model)
        Summed over the scores of each model.
    """

    scores: pd.DataFrame
    density: pd.DataFrame
    log_likelihood: Floats


def smoothed(log_likelihood: Floats, efficiency: float = 1.0) -> tuple[Floats, Floats]:
    """Return the weights of draws that leave data out, and how far they can be relied on.

    Parameters
    ----------
    log_likelihood : array, dims (element, draw)
        Of what is left out.
    efficiency : float
        Effective draws per draw.

    Returns
    -------
    weights : array, dims (element, draw)
        That sum to 1.
    k : array, dims (element)
        Pareto's shape of their tails.

    References
    ----------
    Vehtari et al. (2024). Pareto smoothed importance sampling. JMLR 25.

    Examples
    --------
    >>> weights, k = smoothed(np.random.default_rng(0).normal(0, 0.1, size=(1, 400)))
    >>> round(float(weights.sum()), 6), bool(k[0] < 0.7)
    (1.0, True)
    """
    library: Any = array_stats  # untyped
    log_weights, k = library.psislw(log_likelihood, r_eff=efficiency)
    weights = np.exp(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
    return weights, np.asarray(k, dtype=float)


def leave_out(posterior: Posterior, expected: Iterable[Floats]) -> LeftOut:
    """Forecast every observed score without it; likelihoods are computed from the draws.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    expected : iterable of arrays, dims (chain, draw, model)
        Expected scores on each benchmark.

    Returns
    -------
    LeftOut
        Table of scores, densities, likelihoods by model.
    """
    labels = posterior.data["constant_data"].dataset
    observed = np.asarray(posterior.data["observed_data"].dataset[SCORE].values, np.float64)
    total = np.zeros((posterior.draws, len(observed)))
    tables, densities = [], []
    for column, (benchmark, mean) in enumerate(zip(labels[BENCHMARK].values, expected, strict=True)):
        score = observed[:, column]
        seen = np.flatnonzero(~np.isnan(score))
        law, score = law_of(posterior, mean, column, seen), score[seen]
        log_likelihood = np.asarray(law.log_prob(score[:, None]), np.float64)
        total[:, seen] += log_likelihood.T
        about = {MODEL: labels[MODEL].values[seen], FAMILY: labels[FAMILY].values[seen]}
        found = _judged(log_likelihood, _below(law, score), chains=len(mean))
        tables.append(pd.DataFrame(about | {BENCHMARK: benchmark, SCORE: score} | found))
        few = law_of(posterior, mean, column, seen, step=max(len(total) // SHOWN_DRAWS, 1))
        densities.append(_densities(str(benchmark), score, np.asarray(few.sample(jax.random.key(column)))))
    return LeftOut(pd.concat(tables, ignore_index=True), pd.concat(densities, ignore_index=True), total)


def _below(law: dist.Distribution, score: Floats) -> Floats:
    """Return the probability of lower scores draw by draw; half of that of an equal one at 0 and 1."""
    at = score[:, None]
    if isinstance(law, StudentTScore | NormalScore):
        scaled = (at - np.asarray(law.mean_score)) / np.sqrt(np.asarray(law.variance_score))
        student = isinstance(law, StudentTScore)
        below = special.stdtr(np.asarray(law.freedom), scaled) if student else special.ndtr(scaled)
        # Draws are censored: all that lies beyond an end lies at it.
        return np.asarray(np.where(at <= 0, below / 2, np.where(at >= 1, (1 + below) / 2, below)))
    drawn = np.asarray(law.sample(jax.random.key(0)))
    return np.asarray((drawn < at) + 0.5 * (drawn == at), np.float64)


def _judged(log_likelihood: Floats, below: Floats, *, chains: int) -> dict[str, Floats]:
    by_chain = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)).T
    efficiency = float(np.nanmean(effective_draws(by_chain.reshape(chains, -1, len(below)))))
    weights, k = smoothed(log_likelihood, min(efficiency / log_likelihood.shape[1], 1.0))
    elpd = logsumexp(log_likelihood, axis=1, b=weights)
    whole = logsumexp(log_likelihood, axis=1) - np.log(log_likelihood.shape[1])
    return {"elpd": elpd, "p_loo": whole - elpd, "k": k, "pit": np.clip((weights * below).sum(1), 0, 1)}


def _densities(benchmark: str, score: Floats, drawn: Floats) -> pd.DataFrame:
    observed, predicted = (np.histogram(values, BINS, density=True)[0] for values in (score, drawn))
    middle = (BINS[1:] + BINS[:-1]) / 2
    return pd.DataFrame({BENCHMARK: benchmark, "share": middle, "observed": observed, "predicted": predicted})
