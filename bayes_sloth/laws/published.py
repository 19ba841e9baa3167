"""The rival laws as their authors published them: point forecasts, by the authors' own training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.folds import Fold
from bayes_sloth.laws.factor import Problem, fitted_logistic, fitted_network, forecast
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Rows, rows_of
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

LINKS = ("logistic", "network")


@dataclass(frozen=True)
class FlopsLaw:
    """A logistic curve in log compute for every benchmark, floors free (Owen 2024).

    Parameters
    ----------
    family : bool
        Whether families have intercepts of their own.
    pooled : bool
        Whether families share a slope; the published comparison gives each its own where two models of a
        tested family are seen.
    training : Training
        How it is trained.

    Examples
    --------
    >>> FlopsLaw(family=True).name
    'FLOPs + family'
    """

    family: bool
    pooled: bool = True
    training: Training = AS_PUBLISHED

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "FLOPs" + " + family" * self.family + ", own slopes" * (not self.pooled)

    def points(self, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Floats:
        """Forecast every score of the table in every fold.

        Parameters
        ----------
        scores : Scores
            The whole table.
        folds : sequence of Fold
            What is hidden from each fit.
        seed : int
            Of the start; 42 is the published one.

        Returns
        -------
        array, dims (fold, model, benchmark)
            Shares of items solved; NaN for models without size or tokens.
        """
        rows = rows_of(scores, folds)
        problem = _apart(rows, rows.compute(pooled=self.pooled), self.family, seed, self.training)
        found = fitted_logistic(problem, 1, free=True)
        return rows.spread(_together(forecast(found, problem.design), rows))


@dataclass(frozen=True)
class SizeTokensLaw:
    """A curve in log size and log tokens for every benchmark by itself.

    Parameters
    ----------
    family : bool
        Whether families have intercepts of their own.
    link : {"logistic", "network"}
        From predictor to score; floors are free under a network and held under a logistic curve.
    training : Training
        How it is trained.

    Raises
    ------
    InputError
        If the link is unknown.

    Examples
    --------
    >>> SizeTokensLaw(family=True, link="network").name
    'Size and tokens + family, network'
    """

    family: bool
    link: str
    training: Training = AS_PUBLISHED

    def __post_init__(self) -> None:
        """Check the link."""
        _check_link(self.link)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "Size and tokens" + " + family" * self.family + ", network" * (self.link == "network")

    def points(self, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Floats:
        """Forecast every score of the table in every fold; see `FlopsLaw.points`."""
        rows = rows_of(scores, folds)
        problem = _apart(rows, rows.recipe, self.family, seed, self.training)
        return rows.spread(_together(_forecast(problem, 1, self.link), rows))


@dataclass(frozen=True)
class ComponentsLaw:
    """Principal components of the scores, each linear in log compute and family (after Ruan et al. 2024).

    It learns from models of which every score is seen.

    Parameters
    ----------
    components : int
        How many.
    pooled : bool
        As in `FlopsLaw`.

    Examples
    --------
    >>> ComponentsLaw(2).name
    'PCA (2) + FLOPs'
    """

    components: int
    pooled: bool = True

    @property
    def name(self) -> str:
        """Short label for tables."""
        return f"PCA ({self.components}) + FLOPs" + ", own slopes" * (not self.pooled)

    def points(self, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Floats:
        """Forecast every score of the table in every fold; see `FlopsLaw.points`. Nothing here is random."""
        rows = rows_of(scores, folds)
        _check_count("components", self.components, rows)
        design = np.concatenate([rows.compute(pooled=self.pooled), rows.family], axis=1)
        whole = np.asarray(rows.seen.all(axis=2))
        if not whole.any(axis=1).all():
            raise InputError(
                f"{self.name}: a fold leaves no model with every score; ask for fewer benchmarks."
            )
        return rows.spread(np.stack([self._fold(design, rows.score, kept) for kept in whole]))

    def _fold(self, design: Floats, score: Floats, kept: NDArray[np.bool_]) -> Floats:
        mean = score[kept].mean(axis=0)
        axes = np.linalg.svd(score[kept] - mean, full_matrices=False)[2][: self.components]
        slopes = np.linalg.lstsq(design[kept], (score[kept] - mean) @ axes.T, rcond=None)[0]
        return np.asarray(mean + design @ slopes @ axes)


@dataclass(frozen=True)
class PublishedSloth:
    """Sloth by point estimation: shared skills, linear in log size, log tokens and their product.

    Parameters
    ----------
    skills : int
        How many, at most one a benchmark.
    link : {"logistic", "network"}
        As in `SizeTokensLaw`; "logistic" is the paper's basic Sloth.
    family : bool
        Whether families have an efficiency of their own.
    training : Training
        How it is trained.

    Raises
    ------
    InputError
        If the link is unknown.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540.

    Examples
    --------
    >>> PublishedSloth(3, "network", family=True).name
    'Sloth (3), published'
    """

    skills: int
    link: str
    family: bool
    training: Training = AS_PUBLISHED

    def __post_init__(self) -> None:
        """Check the link."""
        _check_link(self.link)

    @property
    def name(self) -> str:
        """Short label for tables."""
        kind = "Sloth" if self.link == "network" else "Sloth basic"
        return f"{kind} ({self.skills}), published" + ", no family" * (not self.family)

    def points(self, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Floats:
        """Forecast every score of the table in every fold; see `FlopsLaw.points`."""
        rows = rows_of(scores, folds)
        _check_count("skills", self.skills, rows)
        cells = np.broadcast_to(rows.score, rows.seen.shape).astype(np.float32), rows.seen.astype(np.float32)
        floors = np.repeat(rows.floor[None], len(folds), axis=0)
        groups = rows.groups(family=self.family)
        problem = Problem(rows.recipe, groups, *cells, floors, seed, self.training)
        return rows.spread(_forecast(problem, self.skills, self.link))


def _forecast(problem: Problem, skills: int, link: str) -> Floats:
    found = fitted_logistic(problem, skills, free=False)
    if link == "network":
        found = fitted_network(problem, found)
    return forecast(found, problem.design)


def _apart(rows: Rows, covariates: Floats, family: bool, seed: int, training: Training) -> Problem:
    """Return fits of one benchmark each, all benchmarks of a fold one after the other."""
    weights = rows.seen.transpose(0, 2, 1).reshape(-1, rows.score.shape[0], 1).astype(np.float32)
    targets = np.tile(rows.score.T[:, :, None], (rows.seen.shape[0], 1, 1)).astype(np.float32)
    floors = np.tile(rows.floor, rows.seen.shape[0])[:, None]
    return Problem(covariates, rows.groups(family=family), targets, weights, floors, seed, training)


def _together(points: Floats, rows: Rows) -> Floats:
    """Return forecasts of `_apart` with dims (fold, row, benchmark)."""
    return points.reshape(rows.seen.shape[0], rows.seen.shape[2], -1).transpose(0, 2, 1)


def _check_link(link: str) -> None:
    if link not in LINKS:
        raise unknown_name("link", link, LINKS)


def _check_count(kind: str, count: int, rows: Rows) -> None:
    benchmarks = rows.score.shape[1]
    if not 1 <= count <= benchmarks:
        raise InputError(f"{count} {kind} for {benchmarks} benchmarks: give a number from 1 to {benchmarks}.")
