"""What a law has learnt from a table, ready to forecast any models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_prob
from bayes_sloth.errors import InputError
from bayes_sloth.laws.forecast import LEVELS
from bayes_sloth.names import BENCHMARK, DRAW, FAMILY, MODEL, PARAMS_B, PROB, SCORE, TOKENS_T
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores

# From rows that describe models, and a seed, to scores that would be observed; dims (draw, model, benchmark).
Draws = Callable[[pd.DataFrame, int], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a law has learnt from a table.

    Parameters
    ----------
    law : str
        Label of the law.
    scores : Scores
        The table.
    draws : callable
        From rows that describe models, and a seed, to draws of their scores.
    parameters : mapping of str to array
        What was learnt.
    notes : dict of str to float
        What the law reports of its fit, such as the worst R-hat.
    """

    law: str
    scores: Scores
    draws: Draws
    parameters: Mapping[str, Any]
    notes: dict[str, float] = field(default_factory=dict)

    def predict(
        self, models: object, *, probs: Sequence[float] = LEVELS, seed: int = 0, draws: bool = False
    ) -> xr.Dataset:
        """Forecast the scores of any models.

        Parameters
        ----------
        models : DataFrame, mapping, path or Scores
            Rows that describe models, as `bayes_sloth.predict` takes them.
        probs : sequence of float
            Probabilities inside the intervals.
        seed : int
            Of the draws.
        draws : bool
            Whether to keep the draws.

        Returns
        -------
        Dataset
            Variables `median` (model, benchmark), `lower` and `upper` (prob, model, benchmark), and `score`
            (draw, model, benchmark) where asked; shares of items solved. On `model` what was asked and
            whether the family is known.

        Raises
        ------
        InputError
            If a row or a probability is not valid, or a row lacks what the law needs.
        """
        for prob in probs:
            check_prob(prob)
        rows = read_models(models, known=self.scores.families)
        score = self.draws(rows, seed)
        tails = [(1 - p) / 2 for p in probs]
        median, *ends = np.quantile(score, [0.5, *tails, *(1 - t for t in tails)], axis=0)
        cell, size = (MODEL, BENCHMARK), (len(probs), *median.shape)
        values = {
            "median": (cell, median),
            "lower": ((PROB, *cell), np.reshape(ends[: len(probs)], size)),
            "upper": ((PROB, *cell), np.reshape(ends[len(probs) :], size)),
        }
        kept = {SCORE: ((DRAW, *cell), score)} if draws else {}
        facts = {name: (MODEL, rows[name].to_numpy()) for name in (FAMILY, PARAMS_B, TOKENS_T)}
        known = rows[FAMILY].isin(self.scores.families).to_numpy(dtype=bool)
        labels = {MODEL: list(rows[MODEL]), BENCHMARK: list(self.scores.benchmarks), PROB: list(probs)}
        return xr.Dataset(values | kept, labels | facts | {"known_family": (MODEL, known)})

    def __repr__(self) -> str:
        """Name the law, the table and what was learnt."""
        sizes = f"{len(self.scores.models)} models, {len(self.scores.benchmarks)} benchmarks"
        return f"Fitted: {self.law} on {sizes}\n  learnt       {', '.join(self.parameters)}"


def check_seen(law: str, scores: Scores, seen: NDArray[np.bool_]) -> None:
    """Refuse a table with a benchmark of which a law can learn nothing.

    Parameters
    ----------
    law : str
        Its label, for the message.
    scores : Scores
        The table.
    seen : array of bool, dims (row, benchmark)
        What the law can learn from.

    Raises
    ------
    InputError
        If a benchmark has no score.
    """
    for name, learnt in zip(scores.benchmarks, np.any(seen, axis=0).tolist(), strict=True):
        if not learnt:
            raise InputError(f"{law}: benchmark {name!r} has no score to learn from: drop it with `select`.")
