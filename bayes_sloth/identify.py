"""Which benchmarks anchor the skills: the ones that tell the skills apart best."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from bayes_sloth.errors import unknown_name
from bayes_sloth.names import FLOOR, SCORE
from bayes_sloth.scores import Scores
from bayes_sloth.typical import logits, typical_logits

Floats = NDArray[np.float64]

RIDGE: Final = 0.3  # of the alternating regressions, about the residual variance of a logit
ROUNDS: Final = 100  # of the alternating regressions; the loadings are still to two digits after fifty
LEAST_NOISE: Final = 0.1  # standard deviation of a logit below which a benchmark is not rated any better
LEAST_MEASURED: Final = 0.2  # of the models on the best measured benchmark: fewer fit without error by chance
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
    usable = measured_enough(scores.observed, skills)
    usable &= (1 / (1 + np.exp(-typical_logits(values))) >= LEAST_SHARE) | (usable.sum() <= skills)
    if usable.sum() < skills:
        usable = measured_enough(scores.observed, skills)
    telling = loadings / np.maximum(noise, LEAST_NOISE)[:, None]
    return tuple(scores.benchmarks[i] for i in _pivots(telling, usable))


def measured_enough(observed: NDArray[np.bool_], skills: int) -> NDArray[np.bool_]:
    """Return which benchmarks were measured on enough models to anchor a skill.

    Parameters
    ----------
    observed : array of bool, dims (model, benchmark)
        Which scores are there.
    skills : int
        How many anchors are needed.

    Returns
    -------
    array of bool, dims (benchmark)
        Those measured on at least a fifth as many models as the best measured one; all where too few are.

    Examples
    --------
    >>> measured_enough(np.array([[True, True]] + [[True, False]] * 9), 1).tolist()
    [True, False]
    """
    count = observed.sum(axis=0)
    enough = count >= max(1.0, LEAST_MEASURED * count.max())
    return np.asarray(enough if enough.sum() >= skills else np.ones(count.size, dtype=bool))


def telling_anchors(
    loading: Floats, skill: Floats, misfit: Floats, typical: Floats, usable: NDArray[np.bool_] | None = None
) -> tuple[int, ...]:
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
    typical : array, dims (benchmark)
        Logit of the typical share.
    usable : array of bool, dims (benchmark), optional
        Which benchmarks may be chosen; all where None.

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
    share = 1 / (1 + np.exp(-typical))
    # The misfit on the score is 2 sigma sqrt(h (1 - h)); a logit moves the score by h (1 - h).
    noise = 2 * misfit / np.sqrt(share * (1 - share))
    root = _root(skill)
    telling = (loading @ root) / np.hypot(noise, LEAST_NOISE)[:, None]
    return _pivots(telling, np.ones(typical.size, dtype=bool) if usable is None else usable)


def _pivots(telling: Floats, usable: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the usable rows that differ most, as many as there are columns."""
    rows = np.flatnonzero(usable)
    order = linalg.qr(telling[rows].T, mode="r", pivoting=True)[1]
    return tuple(int(rows[i]) for i in order[: telling.shape[1]])


def _root(factors: Floats) -> Floats:
    """Return the Cholesky factor of the factors' covariance, also of a single row."""
    centred = factors - factors.mean(axis=0)
    gram = centred.T @ centred / len(factors) + 1e-9 * np.eye(factors.shape[1])
    return np.asarray(linalg.cholesky(gram, lower=True))


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
    root = _root(factors)
    spread = np.sqrt(np.nansum(residual**2, axis=0) / np.maximum(seen.sum(axis=0), 1))
    return loadings @ root, spread


def _regress(filled: Floats, seen: NDArray[np.bool_], on: Floats) -> Floats:
    """Regress every row on the factors of its seen entries."""
    weight = seen.astype(float)
    gram = np.einsum("ij,jk,jl->ikl", weight, on, on) + RIDGE * np.eye(on.shape[1])
    return np.asarray(np.linalg.solve(gram, (filled @ on)[..., None])[..., 0])
