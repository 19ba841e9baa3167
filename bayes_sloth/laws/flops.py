"""The law of one curve in compute for every benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.folds import Fold
from bayes_sloth.laws import dressing
from bayes_sloth.laws.apart import apart, by_benchmark, together
from bayes_sloth.laws.factor import fitted_logistic, settled, side_by_side
from bayes_sloth.laws.fitted import Fitted
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Recipes, Rows
from bayes_sloth.scores import Scores


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

    def fit(self, scores: Scores, *, seed: int = 0) -> Fitted:
        """Learn from every score of a table; see `dressing.fit`."""
        return dressing.fit(self, scores, seed=seed)

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, all after one run; rows without size or tokens are NaN."""
        return dressing.forecasts(self, scores, folds, seed=seed)

    def learnt(self, rows: Rows, *, seed: int) -> dict[str, Any]:
        """Return the parameters of every fold; see `PointLaw`."""
        compute, pooled = rows.recipes.compute(pooled=self.pooled), self.pooled
        training = self.training
        problem = apart(rows, compute, family=self.family, seed=seed, training=training, pooled=pooled)
        return by_benchmark(settled(fitted_logistic(problem, 1, free=True), problem), rows)

    def expected(self, parameters: dict[str, Any], recipes: Recipes) -> NDArray[np.float64]:
        """Return what every fold's parameters expect of any models; see `PointLaw`."""
        compute, groups = recipes.compute(pooled=self.pooled), recipes.groups(family=self.family)
        return together(parameters, side_by_side(compute, groups))
