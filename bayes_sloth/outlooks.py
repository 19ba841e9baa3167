"""What each draw of a fit expects of models asked about: their skills, then their scores."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayes_sloth import curve
from bayes_sloth.effects import drawn_specific, inherit, unit_lower
from bayes_sloth.model import BenchmarkCurve, curve_of, scores_of
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions
from bayes_sloth.spec import ModelSpec, Priors

Values = Any
Draw = dict[str, Values]

# A point estimate is one draw; the rest of a forecast is still uncertain, and needs many.
REPEATS: Final = 2000
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


class Outlook(NamedTuple):
    """What one draw expects of the models asked about.

    Parameters
    ----------
    skill : array, dims (model, fitted skill)
        In logits of the anchors.
    share : array, dims (model, benchmark)
        Of the range above the floor, from 0 to 1.
    expected : array, dims (model, benchmark)
        Scores, shares of items solved.
    """

    skill: Values
    share: Values
    expected: Values


def draws_of(posterior: Posterior) -> tuple[Draw, tuple[int, int]]:
    """Return the draws that a forecast needs, one a row, and how many chains and draws they are.

    Parameters
    ----------
    posterior : Posterior
        A fit; a point estimate is repeated.

    Returns
    -------
    draws : dict of arrays, dims (draw, ...)
        By site name, all chains one after the other.
    sizes : tuple of int
        Chains, and draws of each.
    """
    group = posterior.data["posterior"].dataset
    found = {name: group[name].values for name in SITES if name in group}
    if posterior.draws == 1:
        found = {name: np.repeat(value, REPEATS, axis=1) for name, value in found.items()}
    sizes = found["skill_mean"].shape[:2]
    return {name: jnp.asarray(value.reshape(-1, *value.shape[2:])) for name, value in found.items()}, sizes


def outlook_of(questions: Questions, spec: ModelSpec, draw: Draw, keys: tuple[jax.Array, ...]) -> Outlook:
    """Return what one draw expects of all models asked about.

    Parameters
    ----------
    questions : Questions
        The models.
    spec : ModelSpec
        Of the fit.
    draw : dict of arrays
        One of `draws_of`.
    keys : tuple of keys
        For the skills, for what only the prior knows, and for what is specific to a benchmark.

    Returns
    -------
    Outlook
        Of this draw.
    """
    for_skills, for_priors, for_specific = keys
    draw = _with_priors(draw, spec.priors, for_priors)
    skill = _skill(questions, draw, for_skills)
    specific = jnp.zeros((questions.family.size, questions.pivot.size))
    if "specific" in draw:
        specific = drawn_specific(questions.lines, draw["specific"], draw["specific_scale"], for_specific)
    share, expected = scores_of(skill, specific, curve_of(draw), jnp.asarray(questions.pivot), spec.link)
    # A floor of 0 is known to two points only, on either side.
    return Outlook(skill, share, jnp.clip(expected, 0.0, 1.0))


def _with_priors(draw: Draw, priors: Priors, key: jax.Array) -> Draw:
    """Draw from its prior what the fitted table had no use for: no mixture of experts, no parent family."""
    shapes = {"moe_weight": priors.moe_shape, "inheritance": priors.inheritance_shape}
    keys = jax.random.split(key, len(shapes))
    absent = {
        n: jax.random.beta(k, s, s) for k, (n, s) in zip(keys, shapes.items(), strict=True) if n not in draw
    }
    return draw | absent


def _skill(questions: Questions, draw: Draw, key: jax.Array) -> Values:
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
