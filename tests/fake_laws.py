"""Laws that fit nothing: their draws are told by the fold and the seed, so that plumbing is tested alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast
from bayes_sloth.names import SCORE
from bayes_sloth.scores import Scores

DRAWS = 40


class PowerCut(Exception):
    """What ends an evaluation in the middle."""


@dataclass(frozen=True)
class FakeLaw:
    """Draws around the truth with an error of their own, last fold first.

    Parameters
    ----------
    name : str
        Label.
    spread : float
        Standard deviation of the draws, over that of the error of their centre.
    stops : int
        How many folds are forecast before the power fails; all where negative.
    lost : str
        A fold that is never forecast.
    apart : tuple of str
        Folds whose chains do not agree, the last least of all.
    asked : list of str
        Which folds were forecast, kept for the tests.
    """

    name: str = "fake"
    spread: float = 1.0
    stops: int = field(default=-1, repr=False)
    lost: str = ""
    apart: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list, repr=False, compare=False)

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        for place in reversed(range(len(folds))):
            if len(self.asked) == self.stops:
                raise PowerCut
            fold = folds[place]
            if fold.name != self.lost:
                self.asked.append(fold.name)
                yield Forecast(place, self.draws(scores, fold, seed), 0.5, {"r_hat": self.r_hat(fold)})

    def r_hat(self, fold: Fold) -> float:
        """Return what tells of a fold's chains."""
        if fold.name in self.apart:
            return 1.5 + 0.1 * self.apart.index(fold.name)
        return 1.0 + fold.models.size / 10_000

    def draws(self, scores: Scores, fold: Fold, seed: int) -> NDArray[np.float64]:
        """Return draws, dims (draw, model, benchmark)."""
        rng = np.random.default_rng([seed, int(fold.digest[:8], 16)])
        truth = np.nan_to_num(scores.data[SCORE].values[fold.models], nan=0.5)
        center = truth + 0.05 * rng.normal(size=truth.shape)
        return np.clip(center + 0.05 * self.spread * rng.normal(size=(DRAWS, *truth.shape)), 0, 1)
