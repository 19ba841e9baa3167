"""What models asked about have of their own in a draw of a fit, as white noise, and what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from numpyro import distributions as dist

from bayes_sloth import curve
from bayes_sloth.benchmark_curve import curve_of, scores_of
from bayes_sloth.effects import drawn_specific, inherit, unit_lower
from bayes_sloth.observation import score_law
from bayes_sloth.questions import Questions
from bayes_sloth.spec import ModelSpec, Priors

Values = Any


class LocalEffects(NamedTuple):
    """Independent standard normal variables behind everything that a fit does not know of models asked about.

    Parameters
    ----------
    log_size, log_tokens : array, dims (model of unknown size), (model of unknown tokens)
        Behind covariates that are not known.
    efficiency, tuning : array, dims (new family, skill)
        Behind the effects of families that were not fitted.
    deviation : array, dims (model, skill)
        Behind departures from the shared slopes, given those of the fitted models.
    specific : array, dims (line, benchmark)
        Behind what lines have of their own on single benchmarks; of no effect for lines that were fitted.
    """

    log_size: Values
    log_tokens: Values
    efficiency: Values
    tuning: Values
    deviation: Values
    specific: Values


def drawn_effects(questions: Questions, skills: int, key: jax.Array, specific_key: jax.Array) -> LocalEffects:
    """Return one draw.

    Parameters
    ----------
    questions : Questions
        Models asked about.
    skills : int
        How many the fit has.
    key, specific_key : random key
        Of the draw.

    Returns
    -------
    LocalEffects
        Of all models together.
    """
    keys = jax.random.split(key, 5)
    models, new = questions.family.shape[0], len(questions.new_families)
    shapes = (
        questions.log_size.missing.shape,
        questions.log_tokens.missing.shape,
        *((new, skills), (new, skills), (models, skills)),
        (questions.lines.fitted.shape[0], questions.pivot.shape[0]),
    )
    return LocalEffects(
        *(jax.random.normal(k, shape) for k, shape in zip((*keys, specific_key), shapes, strict=True))
    )


def skills_and_specifics(
    questions: Questions, draw: Mapping[str, Values], effects: LocalEffects
) -> tuple[Values, Values]:
    """Return what one draw of a fit and of the models' own effects makes of the models.

    Parameters
    ----------
    questions : Questions
        Models asked about.
    draw : mapping of str to array
        Named quantities of one draw of the fit.
    effects : LocalEffects
        The models' own.

    Returns
    -------
    skill : array, dims (model, skill)
        In logits of the anchors.
    specific : array, dims (model, benchmark)
        In logits.
    """
    specific = jnp.zeros((questions.family.shape[0], questions.pivot.shape[0]))
    if "specific" in draw:
        specific = drawn_specific(questions.lines, draw["specific"], draw["specific_scale"], effects.specific)
    return _skill(questions, draw, effects), specific


def score_law_of(
    questions: Questions, draw: Mapping[str, Values], skill: Values, specific: Values, spec: ModelSpec
) -> tuple[Values, dist.Distribution]:
    """Return the expected scores of models asked about, and the law of those that would be observed.

    Parameters
    ----------
    questions : Questions
        Models asked about.
    draw : mapping of str to array
        Named quantities of one draw of the fit.
    skill, specific : array, dims (model, skill), (model, benchmark)
        From `skills_and_specifics`.
    spec : ModelSpec
        Of the fit.

    Returns
    -------
    expected : array, dims (model, benchmark)
        Shares of items solved.
    law : Distribution
        Of batch shape (model, benchmark).
    """
    share, expected = scores_of(skill, specific, curve_of(draw), jnp.asarray(questions.pivot), spec.link)
    expected = jnp.clip(expected, 0.0, 1.0)  # a floor of 0 is known to two points only, on either side
    parts = (share, expected, draw["misfit"], jnp.asarray(questions.items), draw.get("tail", 1.0))
    return expected, score_law(spec.likelihood, *parts)


def _skill(questions: Questions, draw: Mapping[str, Values], effects: LocalEffects) -> Values:
    log_size = questions.log_size.filled(draw["log_size"], 0.0, effects.log_size)
    moved = questions.log_tokens.size_effect * (log_size - questions.log_size.value)
    log_tokens = questions.log_tokens.filled(draw["log_tokens"], moved, effects.log_tokens)
    size = curve.effective_log_size(log_size, jnp.asarray(questions.log_active_share), draw["moe_weight"])
    x = curve.covariates(size, log_tokens, draw["size_curvature"], draw["token_curvature"])
    level = draw["skill_mean"] + _efficiency(questions, draw, effects.efficiency)[questions.family]
    effect = _tuning(draw, effects.tuning)[questions.family]
    tuning = curve.tuning(jnp.asarray(questions.instruct), effect, draw["tuning_slope"], size)
    return curve.skills(level, draw["slope"], x, tuning, _deviation(questions, draw, effects.deviation))


def _efficiency(questions: Questions, draw: Mapping[str, Values], noise: Values) -> Values:
    """Return the efficiencies of known families and, below them, of new ones."""
    known = draw["efficiency"]
    lower = unit_lower(draw.get("family_correlation", jnp.zeros(0)), known.shape[1])
    own = (noise @ lower.T) * draw["family_scale"]
    return inherit(jnp.concatenate([known, own]), jnp.asarray(questions.parent), draw["inheritance"])


def _tuning(draw: Mapping[str, Values], noise: Values) -> Values:
    return jnp.concatenate([draw["family_tuning"], draw["tuning"] + draw["tuning_scale"] * noise])


def _deviation(questions: Questions, draw: Mapping[str, Values], noise: Values) -> Values:
    if "deviation" not in draw:
        return jnp.zeros(noise.shape)
    own = draw["deviation_scale"] * (jnp.asarray(questions.deviation_lower) @ noise)
    return jnp.asarray(questions.deviation_weights) @ draw["deviation"] + own


def with_priors(draw: Mapping[str, Values], priors: Priors, key: jax.Array) -> dict[str, Values]:
    """Return a draw with what the fitted table had no use for, drawn from its prior.

    Parameters
    ----------
    draw : mapping of str to array
        Named quantities of one draw, without the weight of active parameters where the table had no mixture
        of experts, and without inheritance where it had no parent family.
    priors : Priors
        Of the fit.
    key : random key
        Of the draw.

    Returns
    -------
    dict of str to array
        The draw and what it lacked.
    """
    shapes = {"moe_weight": priors.moe_shape, "inheritance": priors.inheritance_shape}
    keys = jax.random.split(key, len(shapes))
    lacking = [(k, name) for k, name in zip(keys, shapes, strict=True) if name not in draw]
    return dict(draw) | {name: jax.random.beta(k, shapes[name], shapes[name]) for k, name in lacking}
