"""Sloth as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.laws.dressing import PointLaw
from bayes_sloth.laws.factor import Problem, check_link, fitted, forecast, side_by_side
from bayes_sloth.laws.huber import AS_PUBLISHED, Training
from bayes_sloth.laws.rows import Recipes, Rows, check_count


@dataclass(frozen=True)
class PublishedSloth(PointLaw):
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
        check_link(self.link)

    @property
    def name(self) -> str:
        """Short label for tables."""
        kind = "Sloth" if self.link == "network" else "Sloth basic"
        return f"{kind} ({self.skills}), published" + ", no family" * (not self.family)

    def learnt(self, rows: Rows, *, seed: int) -> dict[str, Any]:
        """Return the parameters of every fold; see `PointLaw`."""
        check_count("skills", self.skills, rows)
        cells = np.broadcast_to(rows.score, rows.seen.shape).astype(np.float32), rows.seen.astype(np.float32)
        floors = np.repeat(rows.floor[None], len(rows.seen), axis=0)
        groups = rows.recipes.groups(family=self.family)
        problem = Problem(rows.recipes.terms, groups, *cells, floors, seed, self.training)
        return fitted(problem, self.skills, self.link)

    def expected(self, parameters: dict[str, Any], recipes: Recipes) -> NDArray[np.float64]:
        """Return what every fold's parameters expect of any models; see `PointLaw`."""
        return forecast(parameters, side_by_side(recipes.terms, recipes.groups(family=self.family)))
