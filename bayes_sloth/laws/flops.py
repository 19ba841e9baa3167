"""The law of one curve in compute for every benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.laws.apart import apart, by_benchmark, together
from bayes_sloth.laws.dressing import PointLaw
from bayes_sloth.laws.factor import fitted_logistic, settled, side_by_side
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Recipes, Rows


@dataclass(frozen=True)
class FlopsLaw(PointLaw):
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
