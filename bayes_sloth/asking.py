"""What a question to a fit begins with: the models asked about, a seed, and the draws that answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.benchmark_curve import BenchmarkCurve
from bayes_sloth.design import design_of
from bayes_sloth.deviations import NUGGET
from bayes_sloth.errors import InputError
from bayes_sloth.names import MODEL
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions, questions_of
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores

Values = Any
Draw = dict[str, Values]
Ints = NDArray[np.int64]

# A point estimate is one draw; the rest of a forecast is still uncertain, and needs many.
REPEATS: Final = 2000
BATCH: Final = 50  # draws turned into forecasts at a time
SITES: Final = (
    *(
        "size_curvature",
        "token_curvature",
        "slope",
        "skill_mean",
        "family_scale",
        "family_correlation",
        "efficiency",
        "inheritance",
    ),
    *("tuning", "tuning_slope", "tuning_scale", "family_tuning", "deviation_scale", "deviation"),
    *("specific", "specific_scale"),
    *("log_size", "log_tokens", "moe_weight", "misfit", "tail", *BenchmarkCurve._fields),
)


@dataclass(frozen=True, eq=False)
class Asked:
    """Models asked about, in an order that does not depend on the rows'.

    Parameters
    ----------
    rows : DataFrame
        As they were asked, read and checked.
    questions : Questions
        The same as a fit sees them, sorted by name.
    order, back : array of int, dims (row)
        Which row each of the sorted ones is, and where each row is among them.
    """

    rows: pd.DataFrame
    questions: Questions
    order: Ints
    back: Ints


def check_fit(owner: str, thing: object) -> None:
    """Refuse what is no fit.

    Raises
    ------
    InputError
        Says what was given, and how to get a fit.

    Examples
    --------
    >>> check_fit("predict", "fit.nc")
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: predict: a str was given for a fit: pass what bs.fit or bs.load returns.
    """
    if not isinstance(thing, Posterior):
        kind = type(thing).__name__
        raise InputError(f"{owner}: a {kind} was given for a fit: pass what bs.fit or bs.load returns.")


def asked_of(posterior: Posterior, models: object) -> Asked:
    """Read models asked about and find their places in a fit.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : DataFrame, mapping, path or Scores
        As `bs.predict` takes them.

    Returns
    -------
    Asked
        Rows and questions.

    Raises
    ------
    InputError
        If a row is not valid.
    """
    known = posterior.scores.families
    return placed(
        posterior, models.metadata if isinstance(models, Scores) else read_models(models, known=known)
    )


def placed(posterior: Posterior, rows: pd.DataFrame) -> Asked:
    """Find the places of models in a fit.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    rows : DataFrame
        As `read_models` returns it.

    Returns
    -------
    Asked
        Rows and questions.
    """
    scores = posterior.scores
    order = np.argsort(rows[MODEL].to_numpy(dtype=str), kind="stable")
    sorted_rows = rows.iloc[order].reset_index(drop=True)
    design = design_of(scores, posterior.spec.anchors or ())
    return Asked(rows, questions_of(design, scores.metadata, sorted_rows, scores), order, np.argsort(order))


def without_luck(questions: Questions) -> Questions:
    """Return the models asked about without what two of equal size and tokens would differ by.

    Parameters
    ----------
    questions : Questions
        The models.

    Returns
    -------
    Questions
        With departures that are a function of size and tokens; see `deviations.NUGGET`.
    """
    lower = questions.deviation_lower
    values, vectors = np.linalg.eigh(lower @ lower.T - NUGGET * np.eye(len(lower)))
    return replace(questions, deviation_lower=vectors * np.sqrt(np.maximum(values, 0.0)))


def draws_of(posterior: Posterior) -> tuple[Draw, tuple[int, int]]:
    """Return the draws that a forecast needs, one a row; a point estimate is repeated.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    draws : dict of arrays, dims (draw, ...)
        Those of `SITES` that the fit has.
    sizes : tuple of int
        Chains and draws of each.
    """
    group = posterior.data["posterior"].dataset
    found = {name: group[name].values for name in SITES if name in group}
    if posterior.draws == 1:
        found = {name: np.repeat(value, REPEATS, axis=1) for name, value in found.items()}
    sizes = found["skill_mean"].shape[:2]
    return {name: jnp.asarray(value.reshape(-1, *value.shape[2:])) for name, value in found.items()}, sizes
