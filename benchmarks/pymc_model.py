"""Our model written in PyMC by hand: the same parameters, priors and likelihood, for tables without holes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

import bayes_sloth as bs
from bayes_sloth.curve import STRAIGHT
from bayes_sloth.design import Design
from bayes_sloth.links import STEEPEST
from bayes_sloth.observation import CLOSEST, LEAST_MISFIT, LEAST_TAIL

Floats = NDArray[np.float64]
Values = Any

# Sites whose logarithm is the unconstrained parameter, and what PyMC appends to the name of that.
POSITIVE: Final = (
    *("family_scale", "tuning_scale", "deviation_scale", "specific_scale_free"),
    *("asymmetry", "misfit", "tail"),
)
LOGGED: Final = "_log__"


def pymc_model(design: Design, spec: bs.ModelSpec) -> pm.Model:
    """Return the model with the default link and likelihood, of a complete table whose anchors come first.

    Parameters
    ----------
    design : Design
        No score, size or token count missing, no family with a parent, no mixture of experts.
    spec : ModelSpec
        Settings and priors; sites have the names of ours.

    Returns
    -------
    Model
        PyMC's.
    """
    assert design.observed.all() and not design.has_parents and not design.has_experts
    assert not design.log_size.missing.any() and not design.log_tokens.missing.any()
    assert design.anchors.tolist() == list(range(spec.skills))
    with pm.Model() as model:
        share, expected = _curves(design, spec.priors, _skills(design, spec.priors))
        _scores(design, spec.priors, share, expected)
    return model


def _log_normal(name: str, priors: bs.Priors, shape: Any) -> Values:
    """Sample a positive site whose prior is named after it."""
    plain = name.removesuffix("_free")
    mean, sd = getattr(priors, f"{plain}_mean"), getattr(priors, f"{plain}_sd")
    return pm.LogNormal(name, mean, sd, shape=shape)


def _diminishing(log_scaled: Floats, curvature: Values) -> Values:
    bend = -curvature[None, :] * log_scaled[:, None]
    straight = pt.abs(bend) < STRAIGHT
    safe = pt.switch(straight, 1.0, bend)
    return log_scaled[:, None] * pt.switch(straight, 1 + bend / 2, (pt.exp(safe) - 1) / safe)


def _growth(design: Design, p: bs.Priors) -> Values:
    skills = design.anchors.size
    mean, sd = [p.slope_mean, p.slope_mean, 0.0], [p.slope_sd, p.slope_sd, p.interaction_sd]
    slope = pm.Normal("slope", np.array(mean), np.array(sd), shape=(skills, 3))
    bends = [
        pm.Normal(name, p.curvature_mean, p.curvature_sd, shape=skills)
        for name in ("size_curvature", "token_curvature")
    ]
    size = _diminishing(design.log_size.value, bends[0])
    tokens = _diminishing(design.log_tokens.value, bends[1])
    return size * slope[None, :, 0] + tokens * slope[None, :, 1] + size * tokens * slope[None, :, 2]


def _tuning(design: Design, p: bs.Priors) -> Values:
    skills, families = design.anchors.size, len(design.families)
    mean = pm.Normal("tuning", 0.0, p.tuning_sd, shape=skills)[None, :]
    scale = _log_normal("tuning_scale", p, skills)[None, :]
    told = design.tuned_both_ways[:, None]
    law = pt.switch(told, mean, 0.0), pt.switch(told, scale, 1.0)
    raw = pm.Normal("family_tuning_raw", *law, shape=(families, skills))
    effect = pt.switch(told, raw, mean + scale * raw)
    slope = pm.Normal("tuning_slope", 0.0, p.tuning_slope_sd, shape=skills)
    tuned = effect[design.family] + slope[None, :] * design.log_size.value[:, None]
    return design.instruct[:, None] * tuned


def _deviation(design: Design, p: bs.Priors) -> Values:
    models, skills = design.family.size, design.anchors.size
    rows, columns, values = design.root
    lower = np.zeros((models, models))
    lower[rows, columns] = values
    scale = _log_normal("deviation_scale", p, skills)
    raw = pm.Normal("deviation_raw", 0.0, 1.0, shape=(models, skills))
    return pt.dot(lower, raw) * scale[None, :]


def _skills(design: Design, p: bs.Priors) -> Values:
    """Return the skills; families are sampled at the average skill of their models."""
    skills, families, models = design.anchors.size, len(design.families), design.family.size
    apart = _growth(design, p) + _tuning(design, p) + _deviation(design, p)
    average = np.zeros((families, models))
    average[design.family, np.arange(models)] = 1 / np.bincount(design.family)[design.family]
    there = pt.dot(average, apart)
    mean = pm.Normal("skill_mean", design.typical[design.anchors], p.intercept_sd, shape=skills)
    scale = _log_normal("family_scale", p, skills)
    pairs = list(zip(*np.tril_indices(skills, -1), strict=True))
    raw = pm.Normal("family_correlation", 0.0, p.family_correlation_sd, shape=len(pairs))
    level = pm.Flat("family_skill", shape=(families, skills))
    own = (level - mean[None, :] - there) / scale[None, :]
    white: list[Values] = []
    for k in range(skills):  # forward substitution through the unit lower-triangular factor
        white.append(own[:, k] - sum(raw[n] * white[j] for n, (i, j) in enumerate(pairs) if i == k))
    squares = sum((column**2).sum() for column in white)
    pm.Potential("family_law", -0.5 * squares - families * pt.log(scale).sum())
    return (level - there)[design.family] + apart


def _curves(design: Design, p: bs.Priors, skill: Values) -> tuple[Values, Values]:
    """Return the share of its range reached and the expected score of every model on every benchmark."""
    skills, benchmarks = design.anchors.size, design.floor.size
    free, pivot, central = benchmarks - skills, design.pivot, design.typical
    loading = pm.Normal("loading_free", p.loading_mean, p.loading_sd, shape=(free, skills))
    typical = pm.Normal("predictor_free", central[skills:], p.intercept_sd, shape=free)
    eta = pt.dot(skill, loading.T) + (typical - pt.dot(loading, central[:skills]))[None, :]
    eta = pt.concatenate([skill, eta + _specific(design, p, free)], axis=1)
    lower = pm.Normal("lower", design.floor, p.lower_sd, shape=benchmarks)
    logit = pm.Normal("reach_logit", p.reach_mean, p.reach_sd, shape=benchmarks)
    asymmetry = pm.LogNormal("asymmetry", 0.0, p.asymmetry_sd, shape=benchmarks)
    share = 1 / (1 + np.exp(-pivot))
    reach = share + (1 - share) * pt.sigmoid(logit)
    root = (share / reach) ** (1 / asymmetry)
    steepness = (1 - share) / (asymmetry * (1 - root))
    bend = pt.clip(steepness[None, :] * (eta - pivot[None, :]), -STEEPEST, STEEPEST)
    reached = reach * pt.exp(-asymmetry * pt.log(1 + (1 / root - 1) * pt.exp(-bend)))
    return reached, lower + (1 - lower) * reached


def _specific(design: Design, p: bs.Priors, free: int) -> Values:
    lines = design.lines
    scale = _log_normal("specific_scale_free", p, free)
    raw = pm.Normal("specific_raw", 0.0, 1.0, shape=(lines.base.size, free))
    own = raw * scale[None, :]
    return (own + (lines.base >= 0)[:, None] * own[lines.base])[lines.model]


def _scores(design: Design, p: bs.Priors, share: Values, expected: Values) -> None:
    misfit = _log_normal("misfit", p, design.floor.size)
    tail = _log_normal("tail", p, ())
    inside = pt.clip(expected, CLOSEST, 1 - CLOSEST)
    variance = misfit**2 * (4 * share * (1 - share) + LEAST_MISFIT) + inside * (1 - inside) / design.items
    pm.StudentT("score", nu=LEAST_TAIL + tail, mu=expected, sigma=pt.sqrt(variance), observed=design.score)
