"""Which benchmarks anchor the skills: the ones that tell the skills apart best."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from bayes_sloth.design import logits, typical_logits
from bayes_sloth.errors import unknown_name
from bayes_sloth.names import FLOOR, SCORE
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

RIDGE: Final = 0.3  # of the alternating regressions, about the residual variance of a logit
ROUNDS: Final = 100  # of the alternating regressions; the loadings are still to two digits after fifty
LEAST_NOISE: Final = 0.1  # standard deviation of a logit below which a benchmark is not rated any better
LEAST_SHARE: Final = 0.15  # typical share below which most models sit at the floor and the logit is noise


def anchors_of(scores: Scores, skills: int) -> tuple[str, ...]:
    """Choose one benchmark a skill whose logit becomes that skill's unit.

    A factor analysis of the logits that passes over missing scores gives loadings; a pivoted QR decomposition
    of the loadings over their noise picks benchmarks as different from each other and as precise as can be.

    Parameters
    ----------
    scores : Scores
        The table.
    skills : int
        How many, at most the number of benchmarks.

    Returns
    -------
    tuple of str
        Names, the most telling first.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> len(set(anchors_of(load_leaderboard(), 3)))
    3
    """
    values = logits(np.asarray(scores.data[SCORE].values), np.asarray(scores.data[FLOOR].values))
    loadings, noise = _factors(values, skills)
    typical = 1 / (1 + np.exp(-typical_logits(values)))
    usable = np.flatnonzero((typical >= LEAST_SHARE) & scores.observed.any(axis=0))
    usable = usable if usable.size >= skills else np.arange(typical.size)
    telling = (loadings / np.maximum(noise, LEAST_NOISE)[:, None])[usable]
    order = linalg.qr(telling.T, mode="r", pivoting=True)[1]
    return tuple(scores.benchmarks[usable[i]] for i in order[:skills])


def telling_anchors(loading: Floats, skill: Floats, misfit: Floats, pivot: Floats) -> tuple[int, ...]:
    """Choose anchors from one fit: pivoted QR of its loadings over noise, skills whitened.

    The benchmark that tells most comes first, then the one that tells most of what the first does not.

    Parameters
    ----------
    loading : array, dims (benchmark, skill)
        Of the fit.
    skill : array, dims (model, skill)
        Skills of the fitted models.
    misfit : array, dims (benchmark)
        Standard deviation of the misfit at mid-range, on the score.
    pivot : array, dims (benchmark)
        Logit of the typical share.

    Returns
    -------
    tuple of int
        As many benchmarks as there are skills.

    Examples
    --------
    >>> skill = np.random.default_rng(0).normal(size=(50, 1))
    >>> telling_anchors(np.array([[1.0], [3.0]]), skill, np.full(2, 0.05), np.zeros(2))
    (1,)
    """
    count = loading.shape[1]
    share = 1 / (1 + np.exp(-pivot))
    # The misfit on the score is 2 sigma sqrt(h (1 - h)); a logit moves the score by h (1 - h).
    noise = 2 * misfit / np.sqrt(share * (1 - share))
    root = linalg.cholesky(np.cov(skill.T).reshape(count, count) + 1e-9 * np.eye(count), lower=True)
    telling = (loading @ root) / np.hypot(noise, LEAST_NOISE)[:, None]
    return tuple(int(i) for i in linalg.qr(telling.T, mode="r", pivoting=True)[1][:count])


def check_anchors(scores: Scores, anchors: tuple[str, ...]) -> tuple[str, ...]:
    """Return anchors a user named, after checking that the table has them.

    Raises
    ------
    InputError
        If one is not a benchmark of the table.
    """
    for name in anchors:
        if name not in scores.benchmarks:
            raise unknown_name("anchor", name, scores.benchmarks)
    return anchors


def _factors(values: Floats, count: int) -> tuple[Floats, Floats]:
    """Return loadings on factors of unit variance and each column's residual standard deviation."""
    seen = ~np.isnan(values)
    mean = typical_logits(values)
    loadings = np.random.default_rng(0).normal(
        size=(values.shape[1], count)
    )  # any start ends at the same plane
    filled = np.where(seen, values - mean, 0.0)
    for _ in range(ROUNDS):
        factors = _regress(filled, seen, loadings)
        loadings = _regress(filled.T, seen.T, factors)
    residual = np.where(seen, filled - factors @ loadings.T, np.nan)
    root = linalg.cholesky(np.cov(factors.T).reshape(count, count) + 1e-9 * np.eye(count), lower=True)
    spread = np.sqrt(np.nansum(residual**2, axis=0) / np.maximum(seen.sum(axis=0), 1))
    return loadings @ root, spread


def _regress(filled: Floats, seen: NDArray[np.bool_], on: Floats) -> Floats:
    """Regress every row on the factors of its seen entries."""
    weight = seen.astype(float)
    gram = np.einsum("ij,jk,jl->ikl", weight, on, on) + RIDGE * np.eye(on.shape[1])
    return np.asarray(np.linalg.solve(gram, (filled @ on)[..., None])[..., 0])
