"""The law of principal components in compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import InputError
from bayes_sloth.laws.dressing import PointLaw
from bayes_sloth.laws.rows import Recipes, Rows, check_count, with_average

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ComponentsLaw(PointLaw):
    """Principal components of the scores, each linear in log compute and family (after Ruan et al. 2024).

    It learns from models of which every score is seen, and nothing in it is random.

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

    def learnt(self, rows: Rows, *, seed: int) -> dict[str, Any]:
        """Return the parameters of every fold; see `PointLaw`."""
        check_count("components", self.components, rows)
        whole = np.asarray(rows.seen.all(axis=2))
        if not whole.any(axis=1).all():
            raise InputError(f"{self.name}: no model has every score in some fit; ask for fewer benchmarks.")
        found = [self._fitted(self._design(rows.recipes), rows.score, kept) for kept in whole]
        return {name: np.stack([one[name] for one in found]) for name in ("mean", "axes", "slopes")}

    def expected(self, parameters: dict[str, Any], recipes: Recipes) -> Floats:
        """Return what every fold's parameters expect of any models; see `PointLaw`."""
        design = self._design(recipes)
        return np.asarray(parameters["mean"][:, None] + design @ parameters["slopes"] @ parameters["axes"])

    def _design(self, recipes: Recipes) -> Floats:
        return np.concatenate([recipes.compute(pooled=self.pooled), recipes.family], axis=1)

    def _fitted(self, design: Floats, score: Floats, kept: NDArray[np.bool_]) -> dict[str, Floats]:
        mean = score[kept].mean(axis=0)
        axes = np.linalg.svd(score[kept] - mean, full_matrices=False)[2][: self.components]
        slopes = np.linalg.lstsq(design[kept], (score[kept] - mean) @ axes.T, rcond=None)[0]
        return {"mean": mean, "axes": axes, "slopes": self._settled(slopes, design[kept] != 0)}

    def _settled(self, slopes: Floats, used: NDArray[np.bool_]) -> Floats:
        """Give families of which nothing is seen the average of the others; least squares gives them none."""
        told = np.asarray(used.any(axis=0))
        first = 1 if self.pooled else slopes.shape[0] // 2
        parts = [slice(first, None)] if self.pooled else [slice(None, first), slice(first, None)]
        for part in parts:
            slopes[part] = with_average(slopes[None, part], told[None, part])[0]
        return slopes
