"""A table as the published laws see it: rows of known size and tokens, families, what folds hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.errors import InputError
from bayes_sloth.folds import Fold
from bayes_sloth.names import FAMILY, FLOOR, MODEL, PARAMS_B, SCORE, TOKENS_T
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Recipes:
    """What models are made of, as far as the published laws know.

    Parameters
    ----------
    log_size, log_tokens : array, dims (row)
        Natural logs of billions of parameters and of trillions of tokens.
    family : array, dims (row, family)
        1 for the row's family, 0 for the others; the same share of each for a family never seen.
    """

    log_size: Floats
    log_tokens: Floats
    family: Floats

    @property
    def log_flops(self) -> Floats:
        """Natural log of training compute, six times size times tokens, in 1e21 FLOPs; dims (row)."""
        return np.asarray(np.log(6.0) + self.log_size + self.log_tokens)

    @property
    def terms(self) -> Floats:
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
        return self.family if family else np.ones((self.log_size.size, 1))


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that have a size and tokens, and what each fold sees of them.

    Parameters
    ----------
    recipes : Recipes
        Of these rows.
    families : tuple of str
        Names of the families, in alphabetical order.
    usable : array of bool, dims (model)
        Which rows of the table these are.
    score : array, dims (row, benchmark)
        Shares of items solved; 0 where not observed.
    seen : array of bool, dims (fold, row, benchmark)
        Which scores a fold may learn from.
    floor : array, dims (benchmark)
        Chance floors.
    """

    recipes: Recipes
    families: tuple[str, ...]
    usable: Bools
    score: Floats
    seen: Bools
    floor: Floats

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
    if not folds:
        raise InputError("the published laws need a fold: ask for one.")
    return _rows(scores, np.stack([scores.observed & ~fold.hidden for fold in folds]))


def whole_table(scores: Scores) -> Rows:
    """Return the table with nothing hidden, as the one fold of its rows; see `rows_of`."""
    return _rows(scores, np.asarray(scores.observed)[None])


def recipes_of(models: pd.DataFrame, families: Sequence[str], law: str) -> Recipes:
    """Return what any models are made of, families never seen counting as the average one.

    Parameters
    ----------
    models : DataFrame
        With `model`, `family`, `params_b` (billions) and `tokens_t` (trillions).
    families : sequence of str
        Those of the fitted table.
    law : str
        Its label, for the message.

    Returns
    -------
    Recipes
        One row a model.

    Raises
    ------
    InputError
        If a model has no size or no tokens.

    Examples
    --------
    >>> one = {"model": ["m"], "family": ["new"], "params_b": [7.0], "tokens_t": [2.0]}
    >>> recipes_of(pd.DataFrame(one), ["a", "b"], "any law").family.tolist()
    [[0.5, 0.5]]
    """
    for name in (PARAMS_B, TOKENS_T):
        unknown = models[name].isna().to_numpy(dtype=bool)
        if unknown.any():
            raise InputError(
                f"{law}: {models[MODEL].iloc[int(np.argmax(unknown))]} has no {name}, which this law needs: "
                "give it, or forecast with SlothLaw, which draws what is not known."
            )
    size, tokens = (np.log(models[name].to_numpy(dtype=float)) for name in (PARAMS_B, TOKENS_T))
    own = models[FAMILY].to_numpy(dtype=str)[:, None] == np.array(families, dtype=str)[None, :]
    family = np.where(own.any(axis=1, keepdims=True), own, 1 / max(len(families), 1))
    return Recipes(size, tokens, np.asarray(family, dtype=float))


def with_average(values: Floats, told: Bools) -> Floats:
    """Return coefficients of families, those of which nothing was seen replaced by the mean of the others.

    Parameters
    ----------
    values : array, dims (fit, family, ...)
        Slopes or intercepts.
    told : array of bool, dims (fit, family)
        Whether a fit saw a score of the family.

    Returns
    -------
    array, dims (fit, family, ...)
        0 where a fit saw nothing at all.

    Examples
    --------
    >>> with_average(np.array([[1.0, 9.0, 2.0]]), np.array([[True, False, True]])).tolist()
    [[1.0, 1.5, 2.0]]
    """
    known = told.reshape(*told.shape, *(1,) * (values.ndim - 2))
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / count
    return np.asarray(np.where(known, values, mean), dtype=values.dtype)


def check_count(kind: str, count: int, rows: Rows) -> None:
    """Refuse more skills or components than benchmarks, or none.

    Raises
    ------
    InputError
        If the number is not possible.
    """
    benchmarks = rows.score.shape[1]
    if not 1 <= count <= benchmarks:
        raise InputError(f"{count} {kind} for {benchmarks} benchmarks: give a number from 1 to {benchmarks}.")


def _rows(scores: Scores, seen: Bools) -> Rows:
    facts = scores.metadata
    usable = facts[[PARAMS_B, TOKENS_T]].notna().all(axis=1).to_numpy(dtype=bool)
    if not usable.any():
        raise InputError("the published laws need rows with both a size and tokens: add params_b, tokens_t.")
    made = facts[usable]
    families = tuple(sorted(set(made[FAMILY].astype(str))))
    score = np.nan_to_num(scores.data[SCORE].values[usable])
    floor = np.asarray(scores.data[FLOOR].values, dtype=float)
    return Rows(recipes_of(made, families, ""), families, usable, score, seen[:, usable], floor)
