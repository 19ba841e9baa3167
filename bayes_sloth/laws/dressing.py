"""Point forecasts with an error distribution around them, so that they can be scored like any other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.folds import Fold
from bayes_sloth.laws.forecast import Forecast, dressed
from bayes_sloth.names import SCORE
from bayes_sloth.scores import Scores


class PointLaw(Protocol):
    """A law that forecasts one number a score."""

    @property
    def name(self) -> str:
        """Short label for tables."""
        ...

    def points(self, scores: Scores, folds: Sequence[Fold], *, seed: int) -> NDArray[np.float64]:
        """Forecast every score of the table in every fold, dims (fold, model, benchmark)."""
        ...


@dataclass(frozen=True)
class Dressed:
    """A law of point forecasts, dressed with the absolute errors it makes on what it sees.

    Errors on seen scores are smaller than on hidden ones, so these intervals are too narrow: they are what a
    user of the point forecast has.

    Parameters
    ----------
    law : PointLaw
        Which law.

    Examples
    --------
    >>> from bayes_sloth.laws.published import FlopsLaw
    >>> Dressed(FlopsLaw(family=True)).name
    'FLOPs + family'
    """

    law: PointLaw

    @property
    def name(self) -> str:
        """Short label for tables."""
        return self.law.name

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, all after one run; rows without size or tokens are NaN."""
        begun = time.perf_counter()
        points = self.law.points(scores, folds, seed=seed)
        share = (time.perf_counter() - begun) / len(folds)
        truth = scores.data[SCORE].values
        for place, (fold, point) in enumerate(zip(folds, points, strict=True)):
            errors = np.where(scores.observed & ~fold.hidden, np.abs(point - truth), np.nan)
            yield Forecast(place, dressed(point[fold.models], errors), share)
