"""Draws of what a forecast is made of: the parameters of a fit, and the skills of any models under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth import curve
from bayes_sloth.design import design_of
from bayes_sloth.effects import drawn_specific, inherit, unit_lower
from bayes_sloth.errors import InputError
from bayes_sloth.model import BenchmarkCurve
from bayes_sloth.names import MODEL
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions, questions_of
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores
from bayes_sloth.spec import Priors

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
    back : array of int, dims (row)
        Where each row is among the sorted ones.
    """

    rows: pd.DataFrame
    questions: Questions
    back: Ints


def check_seed(verb: str, seed: object) -> None:
    """Refuse what is no seed.

    Raises
    ------
    InputError
        If it is not a whole number of 32 bits.

    Examples
    --------
    >>> check_seed("predict", -1)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: predict: seed is -1: give a whole number from 0 to 2**32 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"{verb}: seed is {seed!r}: give a whole number from 0 to 2**32 - 1.")


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
    scores = posterior.scores
    rows = models.metadata if isinstance(models, Scores) else read_models(models, known=scores.families)
    order = np.argsort(rows[MODEL].to_numpy(dtype=str), kind="stable")
    sorted_rows = rows.iloc[order].reset_index(drop=True)
    design = design_of(scores, posterior.spec.anchors or ())
    return Asked(rows, questions_of(design, scores.metadata, sorted_rows, scores), np.argsort(order))


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


def with_priors(draw: Draw, priors: Priors, key: jax.Array) -> Draw:
    """Draw from its prior what the fitted table had no use for: no mixture of experts, no parent family."""
    shapes = {"moe_weight": priors.moe_shape, "inheritance": priors.inheritance_shape}
    keys = jax.random.split(key, len(shapes))
    absent = {
        n: jax.random.beta(k, s, s) for k, (n, s) in zip(keys, shapes.items(), strict=True) if n not in draw
    }
    return draw | absent


def specific_of(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    """Return what the lines of all models asked about have of their own, dims (model, benchmark)."""
    if "specific" not in draw:
        return jnp.zeros((questions.family.size, questions.pivot.size))
    return drawn_specific(questions.lines, draw["specific"], draw["specific_scale"], key)


def skill_of(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    """Return one draw of the skills of all models asked about, dims (model, skill)."""
    size_key, token_key, family_key, tuning_key, deviation_key = jax.random.split(key, 5)
    log_size = questions.log_size.drawn(draw["log_size"], 0.0, size_key)
    moved = questions.log_tokens.size_effect * (log_size - questions.log_size.value)
    log_tokens = questions.log_tokens.drawn(draw["log_tokens"], moved, token_key)
    size = curve.effective_log_size(log_size, jnp.asarray(questions.log_active_share), draw["moe_weight"])
    bend = (draw["size_curvature"], draw["token_curvature"])
    x = curve.covariates(size, log_tokens, *bend)
    level = draw["skill_mean"] + _efficiency(questions, draw, family_key)[questions.family]
    effect = _tuning(questions, draw, tuning_key)[questions.family]
    tuning = curve.tuning(jnp.asarray(questions.instruct), effect, draw["tuning_slope"], size)
    return curve.skills(level, draw["slope"], x, tuning, _deviation(questions, draw, deviation_key))


def _efficiency(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    """Return the efficiencies of known families and, below them, of new ones."""
    known = draw["efficiency"]
    skills, new = known.shape[1], len(questions.new_families)
    lower = unit_lower(draw.get("family_correlation", jnp.zeros(0)), skills)
    own = (jax.random.normal(key, (new, skills)) @ lower.T) * draw["family_scale"]
    return inherit(jnp.concatenate([known, own]), jnp.asarray(questions.parent), draw["inheritance"])


def _tuning(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    noise = jax.random.normal(key, (len(questions.new_families), draw["tuning"].size))
    return jnp.concatenate([draw["family_tuning"], draw["tuning"] + draw["tuning_scale"] * noise])


def _deviation(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    shape = (questions.family.size, draw["skill_mean"].size)
    if "deviation" not in draw:
        return jnp.zeros(shape)
    noise = jnp.asarray(questions.deviation_lower) @ jax.random.normal(key, shape)
    return jnp.asarray(questions.deviation_weights) @ draw["deviation"] + draw["deviation_scale"] * noise
