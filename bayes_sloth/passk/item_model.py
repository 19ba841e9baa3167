r"""The item-level model: how likely one sample of a model solves an item.

.. math::

    p_{mq} = v_q\,\mathrm{logit}^{-1}(a_q'\theta_m + r_m - b_q + e_{mq}), \qquad
    c_{mq} \sim \mathrm{Binomial}(n_{mq}, p_{mq})

with items that nobody ever solves (:math:`v_q = 0` with probability :math:`\pi`), discriminations
:math:`a_q \sim N(w, \mathrm{diag}(s_a^2))`, difficulties :math:`b_q` from a Student-t, and what the skills do
not know: :math:`r_m \sim N(0, s_r^2)` of a model on all items, :math:`e_{mq} \sim N(0, s_e^2)` of a model on
one item. With :math:`\pi = s_r = s_e = 0` it is the form of Maia Polo et al. (2024), section 5.3.

What is sampled for an item are its models' logits x; :math:`v_q` and :math:`a_q` are summed out. Logits stand
for standard normals: the law of x given the rest is joined with a normal approximation of what the counts say
of it, and x is where a standard normal ends up under the two. Cells of ten thousand samples and
cells of ten are then sampled alike, and so are models whose skills are hardly known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro import deterministic, factor, sample
from numpyro import distributions as dist

from bayes_sloth.arguments import check_scales

Values = Any
Floats = NDArray[np.float64]

# Tails of difficulties: with four degrees of freedom one item in a hundred is as far out as 3.7 scales.
TAIL: Final = 4.0
TINY: Final = 1e-12
BEYOND: Final = 2.0  # logits by which items that nobody solved are harder than their counts say, about


@dataclass(frozen=True)
class ItemPriors:
    """Scales of the priors, in logits for one standard deviation of a skill.

    Parameters
    ----------
    weight_mean, weight_sd : float
        Of a skill's average weight: skills help, each in part; one that hurts is possible.
    weight_scale : float
        Half-normal scale of how items differ in what they ask for.
    difficulty_mean_sd, difficulty_scale : float
        Of the average difficulty, which may be anything, and (half-normal) of their spread.
    model_scale : float
        Half-normal scale of what a model has on these items beyond its skills: about as much as a benchmark
        may be off one skill law.
    residual : float
        Half-normal scale of what a model has on one item alone.
    never_shape : float
        Of Beta(1, shape), the share of items that are never solved: mean 1 / (1 + shape).

    Examples
    --------
    >>> ItemPriors(residual=0.5).residual
    0.5
    """

    weight_mean: float = 0.5
    weight_sd: float = 0.75
    weight_scale: float = 0.5
    difficulty_mean_sd: float = 5.0
    difficulty_scale: float = 3.0
    model_scale: float = 0.5
    residual: float = 1.0
    never_shape: float = 9.0

    def __post_init__(self) -> None:
        """Reject what is no number, and scales that are not positive."""
        check_scales("ItemPriors", **vars(self))


class ItemData(NamedTuple):
    """What the model sees.

    Parameters
    ----------
    n, successes : array, dims (model, item)
        Counts.
    skill : array, dims (model, skill)
        Mean of what is known of the models' skills.
    skill_factor : array, dims (model * skill, direction)
        Factor of its covariance; no directions where skills are known.
    """

    n: Values
    successes: Values
    skill: Values
    skill_factor: Values


def item_model(data: ItemData, priors: ItemPriors) -> None:
    """State the model to NumPyro.

    Parameters
    ----------
    data : ItemData
        Counts and skills.
    priors : ItemPriors
        Scales.
    """
    p = priors
    (models, skills), items = data.skill.shape, data.n.shape[1]
    weight = sample("weight", dist.Normal(p.weight_mean, p.weight_sd).expand([skills]).to_event(1))
    weight_scale = sample("weight_scale", dist.HalfNormal(p.weight_scale).expand([skills]).to_event(1))
    residual = sample("residual", dist.HalfNormal(p.residual))
    never = sample("never", dist.Beta(1.0, p.never_shape))
    skill = deterministic("model_skill", data.skill + _skill_noise(data))
    asked = skill * weight_scale
    level = _levels(data, skill @ weight, residual**2 + (asked**2).sum(axis=1), p)
    deterministic("model_effect", level - skill @ weight)
    difficulty, idle = _difficulties(data, level.mean(), p)
    centre = level - difficulty[:, None]
    covariance = asked @ asked.T + residual**2 * jnp.eye(models)
    raw = sample("logit_raw", dist.Normal().expand([items, models]).to_event(2))
    seen, own = counted_logits(data.successes.T, data.n.T)
    # Cells without a success, or with nothing else, bound a logit on one side: none is felt far from it.
    share = jax.nn.sigmoid(centre)
    felt = data.n.T * share * (1 - share)
    one_sided = (data.successes.T == 0) | (data.successes.T == data.n.T)
    own = jnp.where(one_sided, own * felt / (own + felt + TINY), own)
    logit, log_density = informed(seen, own, centre, covariance, raw)
    deterministic("logit", logit)
    cells = data.successes.T * logit - data.n.T * jax.nn.softplus(logit)
    solvable = jnp.log1p(-never) + cells.sum(axis=1) + log_density
    # Difficulty and logits of an item that is never solved say nothing: any laws serve that integrate to one.
    unsolvable = jnp.log(never) + idle
    both = jnp.logaddexp(unsolvable, solvable)
    untouched = data.successes.sum(axis=0) == 0
    deterministic("never_item", jnp.where(untouched, jnp.exp(unsolvable - both), 0.0))
    factor("counts", jnp.where(untouched, both, solvable).sum())


def _levels(data: ItemData, by_skill: Values, apart_by: Values, priors: ItemPriors) -> Values:
    """Return what models have on all items, by their skills and beyond, dims (model).

    As for logits, a level is where a standard normal ends up under its law given the skills and what the
    counts say of it, nearly: how a model stands to the others on the same items, from which single items are
    apart by some variance, dims (model).
    """
    scale = sample("model_scale", dist.HalfNormal(priors.model_scale))
    raw = sample("level_raw", dist.Normal().expand([len(by_skill)]).to_event(1))
    seen, own = counted_logits(data.successes, data.n)
    tried = jnp.maximum((own > 0).sum(axis=0), 1)
    apart = jnp.where(own > 0, seen - jnp.where(own > 0, seen, 0.0).sum(axis=0) / tried, 0.0)
    each = jnp.where(own > 0, 1 / (apart_by[:, None] + 1 / jnp.where(own > 0, own, 1.0)), 0.0)
    weight = each.sum(axis=1)
    towards = (each * apart).sum(axis=1) / jnp.maximum(weight, TINY) + by_skill.mean()
    columns = (towards[:, None], weight[:, None], by_skill[:, None])
    level, log_density = informed(*columns, jnp.reshape(scale**2, (1, 1)), raw[:, None])
    factor("levels", log_density.sum())
    return level[:, 0]


def _difficulties(data: ItemData, middle: Values, priors: ItemPriors) -> tuple[Values, Values]:
    """Return difficulties, and what is to be added to log densities where an item has none, dims (item).

    What is sampled is how far they are from the average level, which counts tell. An item that is
    never solved gets a difficulty from about where it would be if it were only hard, so that chains pass
    from one to the other.
    """
    mean = sample("difficulty_centre", dist.Normal(-middle, priors.difficulty_mean_sd))
    scale = sample("difficulty_scale", dist.HalfNormal(priors.difficulty_scale))
    law = dist.StudentT(TAIL, mean, scale)
    raw = sample("difficulty_raw", law.expand([data.n.shape[1]]).to_event(1))
    deterministic("difficulty_mean", mean + middle)
    hard = -counted_logits(data.successes.sum(axis=0), data.n.sum(axis=0))[0]
    idle = dist.StudentT(TAIL, hard + BEYOND, BEYOND).log_prob(raw) - law.log_prob(raw)
    return deterministic("difficulty", raw + middle), idle


def _skill_noise(data: ItemData) -> Values:
    """Return how the models' skills differ from their means, dims (model, skill)."""
    directions = data.skill_factor.shape[1]
    if not directions:
        return jnp.zeros(data.skill.shape)
    raw = sample("skill_raw", dist.Normal().expand([directions]).to_event(1))
    return (data.skill_factor @ raw).reshape(data.skill.shape)


def informed(
    seen: Values, own: Values, centre: Values, covariance: Values, raw: Values
) -> tuple[Values, Values]:
    r"""Return normals that stand for standard ones, given roughly what was seen of them.

    .. math:: x = \Lambda^{-1}(K^{-1} m + D y) + R^{-\top} z, \qquad \Lambda = K^{-1} + D = R R^\top

    where the law of x is :math:`N(m, K)`, and data say :math:`N(y, D^{-1})`, nearly. Whatever y and D are, x
    has its law; the better they are, the closer z stays to standard normal once the data are seen.

    Parameters
    ----------
    seen, own : array, dims (row, place)
        y, and the diagonal of D: 0 where nothing was seen.
    centre : array, dims (row, place)
        m.
    covariance : array, dims (place, place)
        K, the same for every row.
    raw : array, dims (row, place)
        z.

    Returns
    -------
    value : array, dims (row, place)
        x.
    log_density : array, dims (row)
        Log of :math:`N(x; m, K)\,|dx/dz| / N(z; 0, 1)`, to be added to the log density of z.

    References
    ----------
    Papaspiliopoulos, Roberts and Skold (2007). A general framework for the parametrization of hierarchical
    models. Statistical Science 22, 59-73.

    Examples
    --------
    >>> one = jnp.ones((1, 1))
    >>> value, log_density = informed(0 * one, 0 * one, 2 * one, 4 * one, one)
    >>> value.item(), abs(log_density.item())  # nothing seen: the law itself
    (4.0, 0.0)
    """
    every = jnp.eye(len(covariance))
    root = jnp.linalg.cholesky(covariance)
    precision = jax.scipy.linalg.cho_solve((root, True), every)
    joint = jnp.linalg.cholesky(precision + own[..., None] * every)
    towards = (centre @ precision + own * seen)[..., None]
    middle = jax.scipy.linalg.solve_triangular(joint, towards, lower=True) + raw[..., None]
    value = jax.scipy.linalg.solve_triangular(joint, middle, lower=True, trans=1)[..., 0]
    off = value - centre
    log_density = 0.5 * (raw**2 - off * (off @ precision)).sum(axis=1)
    scale = jnp.log(jnp.diagonal(joint, axis1=-2, axis2=-1)).sum(axis=1) + jnp.log(jnp.diagonal(root)).sum()
    return value, log_density - scale


def counted_logits(successes: Values, n: Values) -> tuple[Values, Values]:
    """Return logits of observed shares and their precisions: 0 where there are no samples."""
    spread = 1 / (successes + 0.5) + 1 / (n - successes + 0.5)
    return jnp.log(successes + 0.5) - jnp.log(n - successes + 0.5), jnp.where(n > 0, 1 / spread, 0.0)


def discriminations(values: Mapping[str, Values], rng: np.random.Generator) -> Floats:
    r"""Draw what items ask of each skill, given their models' logits and the rest.

    .. math:: a_q = w + S u, \quad u \sim N(P^{-1} A^\top (x_q - m_q) / s_e^2,\; P^{-1}), \quad
        A = \theta S, \quad P = I + A^\top A / s_e^2

    Parameters
    ----------
    values : mapping of arrays, dims (chain, draw, ...)
        Sites of `item_model`.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    array, dims (chain, draw, item, skill)
        Draws.
    """
    names = ("weight", "weight_scale", "model_skill", "model_effect", "difficulty", "residual", "logit")
    weight, scale, skill, effect, difficulty, residual, logit = (np.asarray(values[name]) for name in names)
    asked = skill * scale[..., None, :] / residual[..., None, None]
    own = np.einsum("cdmk,cdk->cdm", skill, weight) + effect
    off = (logit - own[..., None, :] + difficulty[..., None]) / residual[..., None, None]
    root = np.linalg.cholesky(np.eye(weight.shape[-1]) + asked.swapaxes(-1, -2) @ asked)
    towards = np.linalg.solve(root, (off @ asked).swapaxes(-1, -2))
    noise = rng.standard_normal(towards.shape)
    found = np.linalg.solve(root.swapaxes(-1, -2), towards + noise).swapaxes(-1, -2)
    drawn: Floats = weight[..., None, :] + scale[..., None, :] * found
    return drawn
