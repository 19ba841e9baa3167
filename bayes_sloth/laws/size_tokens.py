"""The law of one curve in size and tokens for every benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.laws.apart import apart, by_benchmark, together
from bayes_sloth.laws.dressing import PointLaw
from bayes_sloth.laws.factor import check_link, fitted, side_by_side
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Recipes, Rows


@dataclass(frozen=True)
class SizeTokensLaw(PointLaw):
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

    def learnt(self, rows: Rows, *, seed: int) -> dict[str, Any]:
        """Return the parameters of every fold; see `PointLaw`."""
        problem = apart(rows, rows.recipes.terms, family=self.family, seed=seed, training=self.training)
        return by_benchmark(fitted(problem, 1, self.link), rows)

    def expected(self, parameters: dict[str, Any], recipes: Recipes) -> NDArray[np.float64]:
        """Return what every fold's parameters expect of any models; see `PointLaw`."""
        return together(parameters, side_by_side(recipes.terms, recipes.groups(family=self.family)))
