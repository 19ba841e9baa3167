"""The law of one curve in size and tokens for every benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.folds import Fold
from bayes_sloth.laws import dressing
from bayes_sloth.laws.apart import apart, by_benchmark, together
from bayes_sloth.laws.factor import check_link, fitted, side_by_side
from bayes_sloth.laws.fitted import Fitted
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Recipes, Rows
from bayes_sloth.scores import Scores


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
        check_link(self.link)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "Size and tokens" + " + family" * self.family + ", network" * (self.link == "network")

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
        problem = apart(rows, rows.recipes.terms, family=self.family, seed=seed, training=self.training)
        return by_benchmark(fitted(problem, 1, self.link), rows)

    def expected(self, parameters: dict[str, Any], recipes: Recipes) -> NDArray[np.float64]:
        """Return what every fold's parameters expect of any models; see `PointLaw`."""
        return together(parameters, side_by_side(recipes.terms, recipes.groups(family=self.family)))
