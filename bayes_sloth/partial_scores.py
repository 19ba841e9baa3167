"""Rows of models with some scores known, read against the benchmarks of a fit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.catalogue import Benchmark, known_benchmarks
from bayes_sloth.errors import InputError, InputWarning, nearest
from bayes_sloth.names import FLOOR, ITEMS, MODEL, SCORE
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores
from bayes_sloth.tables.columns import find_columns, is_long, wide_layout
from bayes_sloth.tables.doubts import shares_as_percent
from bayes_sloth.tables.files import Source, load_table
from bayes_sloth.tables.forms import long_form, wide_form

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownScores:
    """Models to forecast, with what is known of their scores.

    Parameters
    ----------
    models : DataFrame
        As `read_models` returns it.
    score, items : array, dims (model, benchmark of the fit)
        Shares of items solved and item counts, NaN where not known.
    """

    models: pd.DataFrame
    score: Floats
    items: Floats


def read_partial(source: Source | Scores, fitted: Scores, *, percent: bool = False) -> KnownScores:
    """Read models with some of their scores, wide or long; models without any score are fine too.

    Parameters
    ----------
    source : path, DataFrame, mapping or Scores
        Columns that describe models, as in `read_models`, and columns of scores, as in `read_scores`.
    fitted : Scores
        The fitted table, whose benchmarks count.
    percent : bool
        Whether the scores are in percent.

    Returns
    -------
    KnownScores
        On the benchmarks of the fit, in their order.

    Raises
    ------
    InputError
        If a cell is wrong, or a model with scores is in the fit already.

    Warns
    -----
    InputWarning
        If scores are on benchmarks that the fit does not have.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> table = load_leaderboard().select(benchmarks=["MMLU", "ARC"])
    >>> row = {"model": "new", "family": "f", "params_b": 7, "tokens_t": 2, "mmlu": 0.6}
    >>> read_partial(row, table).score.tolist()
    [[0.6, nan]]
    """
    models, benchmarks, score, items = (
        _whole(source) if isinstance(source, Scores) else _parts(source, fitted, percent)
    )
    for sentence in shares_as_percent(score, percent):
        warnings.warn(sentence, InputWarning, stacklevel=2)
    columns = {name: number for number, name in enumerate(benchmarks)}
    strange = [name for name in columns if name not in fitted.benchmarks]
    if strange:
        close = {name: nearest(name, fitted.benchmarks) for name in strange}
        meant = "".join(f" Did you mean {near!r} by {name!r}?" for name, near in close.items() if near)
        sentence = f"the fit has no {', '.join(strange)}: scores there are left out; refit to use them."
        warnings.warn(sentence + meant, InputWarning, stacklevel=2)
    kept = [columns.get(name, len(columns)) for name in fitted.benchmarks]
    found = (np.pad(values, ((0, 0), (0, 1)), constant_values=np.nan)[:, kept] for values in (score, items))
    partial = KnownScores(models, *found)
    _refuse_fitted(partial, fitted)
    return partial


def _whole(scores: Scores) -> tuple[pd.DataFrame, list[str], Floats, Floats]:
    data = scores.data
    return scores.metadata, list(scores.benchmarks), data[SCORE].values, data[ITEMS].values


def _parts(source: Source, fitted: Scores, percent: bool) -> tuple[pd.DataFrame, list[str], Floats, Floats]:
    """Read facts and scores; names of models are made up where there are none."""
    frame = load_table(source)
    floors = zip(fitted.benchmarks, fitted.data[FLOOR].values, strict=True)
    known = known_benchmarks({name: Benchmark(name, float(floor)) for name, floor in floors})
    if is_long(frame):
        table = long_form(frame, known, percent=percent)[0]
    else:
        models = read_models(frame, known=fitted.families)
        if not wide_layout(frame, known).scores:
            nothing = np.full((len(models), 0), np.nan)
            return models, [], nothing, nothing
        if not find_columns(frame.columns, (MODEL,)):
            frame = frame.assign(**{MODEL: list(models[MODEL])})
        table = wide_form(frame, known, percent=percent)[0]
    return table.facts, [b.name for b in table.benchmarks], table.score, table.items


def _refuse_fitted(partial: KnownScores, fitted: Scores) -> None:
    """Refuse scores of models in the fit, which would count twice."""
    scored = [not np.isnan(row).all() for row in partial.score]
    twice = [
        name for name, has in zip(partial.models[MODEL], scored, strict=True) if has and name in fitted.models
    ]
    if twice:
        raise InputError(
            f"{', '.join(twice)}: in the fit already, where its scores would count twice; leave the row out, "
            "give another model another name, or refit with the new scores."
        )
