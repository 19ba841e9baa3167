"""The hierarchical factor model in NumPyro; its mean comes from `curve`, the rest from `likelihood`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpyro
from numpyro import deterministic, sample
from numpyro.distributions import Beta, LogNormal, Normal

from bayes_sloth import curve
from bayes_sloth.benchmark_curve import BenchmarkCurve
from bayes_sloth.design import Covariate, Design
from bayes_sloth.effects import FamilyEffects, handed_on, unit_lower
from bayes_sloth.likelihood import MANY_CELLS, Cells, Form, Shared, TableScores, law_of_cells
from bayes_sloth.links import KNOTS
from bayes_sloth.spec import ModelSpec, Priors

Values = Any

# Scales that a joint mode would drive to zero or to excess; point estimates hold them at their prior medians.
GROUP_SCALES = ("family_scale", "tuning_scale", "deviation_scale", "specific_scale_free")


def sloth(design: Design, spec: ModelSpec) -> None:
    """Declare the model: every sampled site and every named quantity of a posterior.

    Parameters
    ----------
    design : Design
        The table.
    spec : ModelSpec
        Settings and priors.
    """
    priors = spec.priors
    log_size, log_tokens = _log_covariates(design)
    size = _effective_size(log_size, design, priors)
    slope = _slope(design, spec)
    skill_mean = sample("skill_mean", Normal(design.typical[design.anchors], priors.intercept_sd).to_event(1))
    bend = _curvature(design, priors)
    tuning = _family_tuning(design, priors)
    x = curve.covariates(size, log_tokens, *bend)
    tuned = curve.tuning(
        jnp.asarray(design.instruct), tuning[design.family], _tuning_slope(design, priors), size
    )
    deviation = _deviation(design, spec)
    there = _family_average(design, curve.growth(slope, x) + tuned + deviation)
    level = _family_level(design, priors, skill_mean, there)
    skill = curve.skills(level[design.family], slope, x, tuned, deviation)
    skill = deterministic("model_skill", skill)
    specific = _specific(design, spec)[design.lines.model]
    curves = _benchmark_curve(design, spec)
    eta = curve.predictor(skill, curves.loading, curves.intercept, specific)
    _observe(design, spec, curves, eta)


def _filled(covariate: Covariate, name: str, shift: Values) -> Values:
    """Fill what is not known with draws of its own; `shift` moves their mean."""
    missing = covariate.unknown.mean.size
    if not missing:
        return jnp.asarray(covariate.value)
    raw = sample(f"{name}_raw", Normal(0, 1).expand([missing]).to_event(1))
    drawn = (jnp.asarray(covariate.unknown.lower) @ raw)[jnp.asarray(covariate.slot)] + shift
    return jnp.asarray(covariate.value) + jnp.where(covariate.missing, drawn, 0.0)


def _log_covariates(design: Design) -> tuple[Values, Values]:
    log_size = _filled(design.log_size, "log_size", jnp.zeros(design.family.size))
    shift = design.log_tokens.unknown.size_effect * (log_size - design.log_size.value)
    log_tokens = _filled(design.log_tokens, "log_tokens", shift)
    return deterministic("log_size", log_size), deterministic("log_tokens", log_tokens)


def _effective_size(log_size: Values, design: Design, priors: Priors) -> Values:
    if not design.has_experts:
        return log_size
    weight = sample("moe_weight", Beta(priors.moe_shape, priors.moe_shape))
    return curve.effective_log_size(log_size, jnp.asarray(design.log_active_share), weight)


def _slope(design: Design, spec: ModelSpec) -> Values:
    p = spec.priors
    mean, sd = [p.slope_mean, p.slope_mean], [p.slope_sd, p.slope_sd]
    if spec.interaction:
        mean, sd = [*mean, 0.0], [*sd, p.interaction_sd]
    one = Normal(jnp.array([mean]), jnp.array([sd]))
    return sample("slope", one.expand([design.anchors.size, len(mean)]).to_event(2))


def _curvature(design: Design, priors: Priors) -> tuple[Values, Values]:
    one = Normal(priors.curvature_mean, priors.curvature_sd).expand([design.anchors.size]).to_event(1)
    return sample("size_curvature", one), sample("token_curvature", one)


def _family_average(design: Design, values: Values) -> Values:
    """Return the average of models' values in each family, by the number of their scores; 0 without any."""
    seen = jnp.asarray(design.observed).sum(1).astype(values.dtype)[:, None]
    zero = jnp.zeros((design.parent.size, 1))
    total = zero.at[design.family].add(seen)
    weight = seen / jnp.maximum(total, 1.0)[design.family]
    return (zero * values[:1]).at[design.family].add(weight * values)


def _family_level(design: Design, priors: Priors, skill_mean: Values, there: Values) -> Values:
    """Return each family's skill at average size and tokens, sampled as the average skill of its models.

    That average is what a family's scores tell best: it barely depends on slopes, tuning or unknown tokens.
    """
    skills = design.anchors.size
    scale = sample("family_scale", _log_normal(priors.family_scale_mean, priors.family_scale_sd, skills))
    raw = jnp.zeros(0)
    if skills > 1:
        pairs = skills * (skills - 1) // 2
        raw = sample(
            "family_correlation", Normal(0, priors.family_correlation_sd).expand([pairs]).to_event(1)
        )
    share: Values = 0.0
    if design.has_parents:
        share = sample("inheritance", Beta(priors.inheritance_shape, priors.inheritance_shape))
    lower = unit_lower(raw, skills)
    law = FamilyEffects(skill_mean[None, :] + there, scale, lower, jnp.asarray(design.parent), share)
    level = sample("family_skill", law) - there
    deterministic("efficiency", level - skill_mean[None, :])
    return level


def _family_tuning(design: Design, priors: Priors) -> Values:
    """Return the effect of tuning in each family, sampled as itself where base and tuned models tell it."""
    skills = design.anchors.size
    mean = sample("tuning", Normal(0, priors.tuning_sd).expand([skills]).to_event(1))[None, :]
    scale = sample("tuning_scale", _log_normal(priors.tuning_scale_mean, priors.tuning_scale_sd, skills))[
        None, :
    ]
    told = jnp.asarray(design.tuned_both_ways)[:, None]
    raw = sample(
        "family_tuning_raw", Normal(jnp.where(told, mean, 0.0), jnp.where(told, scale, 1.0)).to_event(2)
    )
    return deterministic("family_tuning", jnp.where(told, raw, mean + scale * raw))


def _tuning_slope(design: Design, priors: Priors) -> Values:
    return sample("tuning_slope", Normal(0, priors.tuning_slope_sd).expand([design.anchors.size]).to_event(1))


def _deviation(design: Design, spec: ModelSpec) -> Values:
    shape = (design.family.size, design.anchors.size)
    if not spec.deviation:
        return jnp.zeros(shape)
    p = spec.priors
    scale = sample("deviation_scale", _log_normal(p.deviation_scale_mean, p.deviation_scale_sd, shape[1]))
    raw = sample("deviation_raw", Normal(0, 1).expand(shape).to_event(2))
    rows, columns, values = design.root
    unit = jnp.zeros(shape).at[rows].add(jnp.asarray(values)[:, None] * raw[columns])
    return deterministic("deviation", unit * scale[None, :])


def _specific(design: Design, spec: ModelSpec) -> Values:
    """Return what every line has of its own on every benchmark, a tuned line on top of its base line.

    Nothing on the anchors: a line's average there is its skill, and elsewhere its skills and this.
    """
    lines, benchmarks = design.lines.base.size, design.floor.size
    p, free = spec.priors, benchmarks - design.anchors.size
    if not (spec.specific and free):
        return jnp.zeros((lines, benchmarks))
    scale = sample("specific_scale_free", _log_normal(p.specific_scale_mean, p.specific_scale_sd, free))
    # Heavy tails would fit a shade better, and leave two explanations of every odd score of a lone model.
    raw = sample("specific_raw", Normal(0, 1).expand((lines, free)).to_event(2))
    order = _order(design)
    deterministic("specific_scale", jnp.concatenate([jnp.zeros(design.anchors.size), scale])[order])
    own = handed_on(raw * scale[None, :], design.lines.base)
    return deterministic("specific", jnp.pad(own, ((0, 0), (design.anchors.size, 0)))[:, order])


def free_benchmarks(design: Design) -> Values:
    """Return the numbers of the benchmarks that are no anchor, dims (benchmark)."""
    every = jnp.arange(design.floor.size)
    return jnp.setdiff1d(every, design.anchors, size=every.size - design.anchors.size, assume_unique=True)


def _order(design: Design) -> Values:
    """Return where each benchmark stands in the list of the anchors, then the others."""
    return jnp.argsort(jnp.concatenate([design.anchors, free_benchmarks(design)]))


def _benchmark_curve(design: Design, spec: ModelSpec) -> BenchmarkCurve:
    p, benchmarks, skills = spec.priors, design.floor.size, design.anchors.size
    free, order = free_benchmarks(design), _order(design)
    central = jnp.asarray(design.typical)
    anchored = central[design.anchors]
    one = Normal(p.loading_mean, p.loading_sd)
    loading_free = sample("loading_free", one.expand([free.size, skills]).to_event(2))
    loading = deterministic("loading", jnp.concatenate([jnp.eye(skills), loading_free])[order])
    # The predictor at the typical skills: a skill's own for its anchor, near the typical logit for the rest.
    typical_free = sample("predictor_free", Normal(central[free], p.intercept_sd).to_event(1))
    typical = jnp.concatenate([anchored, typical_free])[order]
    intercept = deterministic("intercept", typical - loading @ anchored)
    lower = sample("lower", Normal(design.floor, p.lower_sd).to_event(1))
    reach_logit = sample("reach_logit", Normal(p.reach_mean, p.reach_sd).expand([benchmarks]).to_event(1))
    least = 1 / (1 + jnp.exp(-jnp.asarray(design.pivot)))
    reach = least + (1 - least) / (1 + jnp.exp(-reach_logit))
    deterministic("upper", lower + (1 - lower) * reach)
    bend: Values = None
    if spec.link == "spline":
        bend = sample("bend", Normal(0, p.bend_sd).expand([benchmarks, 2 * len(KNOTS)]).to_event(2))
    if spec.link == "richards":
        asymmetry = sample("asymmetry", _log_normal(0.0, p.asymmetry_sd, benchmarks))
    else:
        asymmetry = deterministic("asymmetry", jnp.ones(benchmarks))
    return BenchmarkCurve(loading, intercept, deterministic("reach", reach), asymmetry, lower, bend)


def _observe(design: Design, spec: ModelSpec, curves: BenchmarkCurve, eta: Values) -> None:
    p, benchmarks = spec.priors, design.floor.size
    misfit = sample("misfit", _log_normal(p.misfit_mean, p.misfit_sd, benchmarks))
    tail: Values = jnp.ones(())
    if spec.likelihood == "student_t":
        tail = sample("tail", LogNormal(p.tail_mean, p.tail_sd))
    score, items, observed, pivot = map(
        jnp.asarray, (design.score, design.items, design.observed, design.pivot)
    )
    parameters = Form(spec.link, spec.likelihood), Shared(curves, misfit, tail), eta
    cells = Cells(score, items, observed, pivot)
    if eta.size >= MANY_CELLS:
        sample("score", TableScores(*parameters, cells), obs=score)
        return
    with numpyro.handlers.mask(mask=observed):
        sample("score", law_of_cells(*parameters, cells), obs=score)


def _log_normal(mean: float, sd: float, size: int) -> Any:
    return LogNormal(mean, sd).expand([size]).to_event(1)
