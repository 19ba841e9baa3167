"""A table as the published laws see it: rows of known size and tokens, families, what folds hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import InputError
from bayes_sloth.folds import Fold
from bayes_sloth.names import FAMILY, FLOOR, PARAMS_B, SCORE, TOKENS_T
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that have a size and tokens, and what each fold sees of them.

    Parameters
    ----------
    usable : array of bool, dims (model)
        Which rows of the table these are.
    log_size, log_tokens : array, dims (row)
        Natural logs of billions of parameters and of trillions of tokens.
    family : array, dims (row, family)
        1 for the row's family, 0 for the others; families in alphabetical order.
    score : array, dims (row, benchmark)
        Shares of items solved; 0 where not observed.
    seen : array of bool, dims (fold, row, benchmark)
        Which scores a fold may learn from.
    floor : array, dims (benchmark)
        Chance floors.
    """

    usable: Bools
    log_size: Floats
    log_tokens: Floats
    family: Floats
    score: Floats
    seen: Bools
    floor: Floats

    @property
    def log_flops(self) -> Floats:
        """Natural log of training compute, six times size times tokens, in 1e21 FLOPs; dims (row)."""
        return np.asarray(np.log(6.0) + self.log_size + self.log_tokens)

    @property
    def recipe(self) -> Floats:
        """Covariates of the skills: log tokens, log size and their product; dims (row, covariate)."""
        return np.stack([self.log_tokens, self.log_size, self.log_size * self.log_tokens], axis=1)

    def compute(self, *, pooled: bool) -> Floats:
        """Return log compute as one covariate, or as one for every family; dims (row, covariate).

        Parameters
        ----------
        pooled : bool
            Whether families share a slope.

        Returns
        -------
        array, dims (row, covariate)
            The design.
        """
        log_flops = self.log_flops[:, None]
        return log_flops if pooled else log_flops * self.family

    def groups(self, *, family: bool) -> Floats:
        """Return the dummies of a law with an intercept for every family, or one for all; dims (row, group).

        Parameters
        ----------
        family : bool
            Whether families have intercepts of their own.

        Returns
        -------
        array, dims (row, group)
            The design.
        """
        return self.family if family else np.ones((self.score.shape[0], 1))

    def spread(self, points: Any) -> Floats:
        """Return forecasts of these rows as forecasts of the whole table.

        Parameters
        ----------
        points : array, dims (fold, row, benchmark)
            Forecasts.

        Returns
        -------
        array, dims (fold, model, benchmark)
            NaN for rows that are not usable, and for benchmarks of which a fold sees no score.
        """
        learnt = np.where(self.seen.any(axis=1, keepdims=True), points, np.nan)
        whole = np.full((learnt.shape[0], self.usable.size, learnt.shape[2]), np.nan)
        whole[:, self.usable] = learnt
        return whole


def rows_of(scores: Scores, folds: Sequence[Fold]) -> Rows:
    """Return the table as the published laws see it.

    Parameters
    ----------
    scores : Scores
        The whole table.
    folds : sequence of Fold
        What is hidden.

    Returns
    -------
    Rows
        Of the models with a size and tokens.

    Raises
    ------
    InputError
        If there is no fold, or no row has both a size and tokens.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> table = load_leaderboard().select(models=["llama-2-7b", "llama-2-13b"], benchmarks=["MMLU"])
    >>> mask = np.array([[False], [True]])
    >>> rows_of(table, [Fold("larger", mask, mask)]).seen.tolist()
    [[[True], [False]]]
    """
    facts = scores.metadata
    size, tokens = (facts[name].to_numpy(dtype=float) for name in (PARAMS_B, TOKENS_T))
    usable = np.isfinite(size) & np.isfinite(tokens)
    if not folds or not usable.any():
        raise InputError("the published laws need a fold, and rows with both a size and tokens: add them.")
    names = facts[FAMILY].to_numpy(dtype=str)[usable]
    family = (names[:, None] == np.unique(names)[None, :]).astype(float)
    seen = np.stack([scores.observed & ~fold.hidden for fold in folds])[:, usable]
    score = np.nan_to_num(scores.data[SCORE].values[usable])
    floor = np.asarray(scores.data[FLOOR].values, dtype=float)
    return Rows(usable, np.log(size[usable]), np.log(tokens[usable]), family, score, seen, floor)
