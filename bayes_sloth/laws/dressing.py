"""Laws of point forecasts: fitted to folds or to a whole table, and dressed with the errors they make there.

Errors on seen scores are smaller than on hidden ones, so these intervals are too narrow: they are what a user
of the point forecast has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.folds import Fold
from bayes_sloth.laws.fitted import Fitted, check_seen
from bayes_sloth.laws.forecast import Forecast, dressed
from bayes_sloth.laws.rows import Recipes, Rows, recipes_of, rows_of, whole_table
from bayes_sloth.names import SCORE
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]
Parameters = dict[str, Any]


class PointLaw(Protocol):
    """A law that forecasts one number a score: what it has to say, and the verbs that it then has."""

    @property
    def name(self) -> str:
        """Short label for tables."""
        ...

    def learnt(self, rows: Rows, *, seed: int) -> Parameters:
        """Return the parameters of every fold, dims (fold, ...)."""
        ...

    def expected(self, parameters: Parameters, recipes: Recipes) -> Floats:
        """Return what every fold's parameters expect of any models, dims (fold, row, benchmark)."""
        ...

    def fit(self, scores: Scores, *, seed: int = 0) -> Fitted:
        """Learn from every score of a table that the law can use; see `dressing.fit`."""
        return fit(self, scores, seed=seed)

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, all after one run; rows without size or tokens are NaN."""
        return forecasts(self, scores, folds, seed=seed)


def points(law: PointLaw, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Floats:
    """Forecast every score of a table in every fold.

    Parameters
    ----------
    law : PointLaw
        Which law.
    scores : Scores
        The whole table.
    folds : sequence of Fold
        What is hidden from each fit.
    seed : int
        Of the start; 42 is the published one.

    Returns
    -------
    array, dims (fold, model, benchmark)
        Shares of items solved; NaN for models without size or tokens, and for benchmarks of which a fold sees
        nothing.
    """
    rows = rows_of(scores, folds)
    return rows.spread(law.expected(law.learnt(rows, seed=seed), rows.recipes))


def forecasts(law: PointLaw, scores: Scores, folds: Sequence[Fold], *, seed: int) -> Iterator[Forecast]:
    """Yield a dressed forecast for every fold, all after one run; see `Law.forecasts` and `points`."""
    begun = time.perf_counter()
    found = points(law, scores, folds, seed=seed)
    share = (time.perf_counter() - begun) / len(folds)
    truth = scores.data[SCORE].values
    for place, (fold, point) in enumerate(zip(folds, found, strict=True)):
        errors = np.where(scores.observed & ~fold.hidden, np.abs(point - truth), np.nan)
        yield Forecast(place, dressed(point[fold.models], errors), share)


def fit(law: PointLaw, scores: Scores, *, seed: int) -> Fitted:
    """Learn from every score of a table.

    Parameters
    ----------
    law : PointLaw
        Which law.
    scores : Scores
        The table; models without size or tokens say nothing.
    seed : int
        Of the start.

    Returns
    -------
    Fitted
        With the parameters, and the absolute errors on what was seen.

    Raises
    ------
    InputError
        If a benchmark has no score to learn from, or no row has both a size and tokens.
    """
    rows = whole_table(scores)
    check_seen(law.name, scores, rows.seen[0])
    learnt = law.learnt(rows, seed=seed)
    errors = np.abs(law.expected(learnt, rows.recipes)[0] - rows.score)
    draws = partial(_drawn, law, learnt, rows.families, np.where(rows.seen[0], errors, np.nan))
    return Fitted(law.name, scores, draws, {name: value[0] for name, value in learnt.items()})


def _drawn(
    law: PointLaw,
    learnt: Parameters,
    families: tuple[str, ...],
    errors: Floats,
    models: pd.DataFrame,
    seed: int,
) -> Floats:
    """Return the dressed forecast of any models, in which nothing is random."""
    return dressed(law.expected(learnt, recipes_of(models, families, law.name))[0], errors)
