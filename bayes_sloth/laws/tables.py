"""A table as the Bayesian rivals see it: numbers only, so that one program serves every fold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.covariates import Scale, scale_of
from bayes_sloth.laws.rows import recipes_of
from bayes_sloth.names import FAMILY, FLOOR, ITEMS, PARAMS_B, SCORE, TOKENS_T
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Table(NamedTuple):
    """Models with their families, compute and scores.

    Parameters
    ----------
    family : array, dims (model, family)
        1 for the model's family, 0 for the others.
    log_compute : array, dims (model)
        Natural log of size times tokens, centred and scaled; 0 where not known.
    center : array, dims (family)
        Mean log compute of the family's models with scores; 0 where there is none.
    told : array of bool, dims (model)
        Whether any score of the model is seen.
    told_family : array of bool, dims (family, benchmark)
        Whether any score of the family is seen.
    score : array, dims (model, benchmark)
        Shares of items solved, 0.5 where not seen.
    observed : array of bool, dims (model, benchmark)
        Which scores are seen.
    items : array, dims (model, benchmark)
        Items behind a score, infinite where not known.
    floor : array, dims (benchmark)
        Chance floors.
    """

    family: Any
    log_compute: Any
    center: Any
    told: Any
    told_family: Any
    score: Any
    observed: Any
    items: Any
    floor: Any


def seen_table(scores: Scores, needs_compute: bool) -> tuple[Table, Bools]:
    """Return what a law sees of a table, and which models it can forecast.

    Parameters
    ----------
    scores : Scores
        The table, what is hidden taken out.
    needs_compute : bool
        Whether models without size or tokens say nothing.

    Returns
    -------
    table : Table
        All models.
    usable : array of bool, dims (model)
        Models whose compute is known, or all.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> few = load_leaderboard().select(models=["llama-2-7b", "llama-2-13b"], benchmarks=["MMLU"])
    >>> seen_table(few, True)[0].log_compute.round(3).tolist()
    [-1.0, 1.0]
    """
    compute = _log_compute(scores.metadata)
    usable = np.isfinite(compute) if needs_compute else np.ones(compute.size, dtype=bool)
    observed = np.asarray(scores.observed & usable[:, None])
    scaled = compute_scale(scores, observed).scaled(compute) if needs_compute else np.zeros(compute.size)
    score, items = (np.asarray(scores.data[name].values, dtype=float) for name in (SCORE, ITEMS))
    cells = np.where(observed, score, 0.5), observed, np.where(np.isnan(items), np.inf, items)
    family, told = _dummies(scores.metadata, scores.families), np.asarray(observed.any(axis=1))
    known = np.nan_to_num(scaled)
    center = (known * told) @ family / np.maximum(told @ family, 1)
    return Table(family, known, center, told, family.T @ observed > 0, *cells, _floor(scores)), usable


def compute_scale(scores: Scores, observed: Bools) -> Scale:
    """Return the scale of log compute over the models of which something is seen."""
    compute = _log_compute(scores.metadata)
    return scale_of(np.where(observed.any(axis=1), compute, np.nan))


def asked_table(models: pd.DataFrame, scores: Scores, scale: Scale | None, center: Floats, law: str) -> Table:
    """Return models asked about; families never seen stand after those of the fit.

    All count as told, so that effects are given and drawn as themselves.

    Parameters
    ----------
    models : DataFrame
        Rows that describe models.
    scores : Scores
        The fitted table.
    scale : Scale, optional
        Of log compute, where the law needs that.
    center : array, dims (family)
        Of the fit.
    law : str
        Its label, for messages.

    Returns
    -------
    Table
        Nothing of it seen; as many items a benchmark as is usual in the table.

    Raises
    ------
    InputError
        If the law needs compute, and a model has no size or no tokens.
    """
    if scale is not None:
        recipes_of(models, scores.families, law)  # names a model that lacks something
    compute = np.zeros(len(models)) if scale is None else scale.scaled(_log_compute(models))
    families = (*scores.families, *dict.fromkeys(f for f in models[FAMILY] if f not in scores.families))
    items = np.asarray(scores.data[ITEMS].values, dtype=float)
    usual = np.array([np.nanmedian(c) if np.isfinite(c).any() else np.inf for c in items.T])
    shape = (len(models), usual.size)
    cells = np.full(shape, 0.5), np.zeros(shape, dtype=bool), np.broadcast_to(usual, shape)
    centers = np.append(center, np.zeros(len(families) - len(center)))
    told = np.ones(shape[0], dtype=bool), np.ones((len(families), usual.size), dtype=bool)
    return Table(_dummies(models, families), compute, centers, *told, *cells, _floor(scores))


def _dummies(models: pd.DataFrame, families: tuple[str, ...]) -> Floats:
    names = models[FAMILY].to_numpy(dtype=object)
    return np.asarray(names[:, None] == np.array(families, dtype=object)[None, :], dtype=float)


def _log_compute(models: pd.DataFrame) -> Floats:
    size, tokens = (np.log(models[name].to_numpy(dtype=float)) for name in (PARAMS_B, TOKENS_T))
    return np.asarray(size + tokens)


def _floor(scores: Scores) -> Floats:
    return np.asarray(scores.data[FLOOR].values, dtype=float)
