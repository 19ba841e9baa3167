r"""The item-level model: how likely one sample of a model solves an item.

.. math::

    p_{mq} = v_q\,\mathrm{logit}^{-1}(a_q'\theta_m + r_m - b_q + e_{mq}), \qquad
    c_{mq} \sim \mathrm{Binomial}(n_{mq}, p_{mq})

with items that nobody ever solves (:math:`v_q = 0` with probability :math:`\pi`), discriminations
:math:`a_q \sim N(w, \mathrm{diag}(s_a^2))`, difficulties :math:`b_q` from a Student-t, and what the skills do
not know: :math:`r_m \sim N(0, s_r^2)` of a model on all items, :math:`e_{mq} \sim N(0, s_e^2)` of a model on
one item. With :math:`\pi = s_r = s_e = 0` it is the form of Maia Polo et al. (2024), section 5.3. Both
:math:`v_q` and :math:`e_{mq}` are summed out, so that cells of ten thousand samples and cells of ten are
sampled alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro import deterministic, factor, sample
from numpyro import distributions as dist

Values = Any
Floats = NDArray[np.float64]

# Tails of difficulties: with four degrees of freedom one item in a hundred is as far out as 3.7 scales.
TAIL: Final = 4.0
# Points of the quadrature over e, around each cell's own mode: errors of log densities stay below 0.001 for
# residuals of up to two logits.
POINTS: Final = 11
NEWTON: Final = 8  # steps to those modes; the points need not sit at them exactly
LONGEST: Final = 3.0  # of such a step, logits

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(POINTS)


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
    shape = (items, skills)
    weight = sample("weight", dist.Normal(p.weight_mean, p.weight_sd).expand([skills]).to_event(1))
    weight_scale = sample("weight_scale", dist.HalfNormal(p.weight_scale).expand([skills]).to_event(1))
    raw = sample("discrimination_raw", dist.Normal().expand(shape).to_event(2))
    discrimination = deterministic("discrimination", weight + weight_scale * raw)
    mean = sample("difficulty_mean", dist.Normal(0.0, p.difficulty_mean_sd))
    scale = sample("difficulty_scale", dist.HalfNormal(p.difficulty_scale))
    difficulty = sample("difficulty", dist.StudentT(TAIL, mean, scale).expand([items]).to_event(1))
    effect = deterministic("model_effect", _model_effect(models, p))
    skill = deterministic("model_skill", data.skill + _skill_noise(data))
    residual = sample("residual", dist.HalfNormal(p.residual))
    never = sample("never", dist.Beta(1.0, p.never_shape))
    logit = skill @ discrimination.T + effect[:, None] - difficulty
    cells = cell_log_likelihood(data.successes, data.n, logit, residual).sum(axis=0)
    solvable = jnp.log1p(-never) + cells
    both = jnp.logaddexp(jnp.log(never), solvable)
    untouched = data.successes.sum(axis=0) == 0
    deterministic("never_item", jnp.where(untouched, jnp.exp(jnp.log(never) - both), 0.0))
    factor("counts", jnp.where(untouched, both, solvable).sum())


def _model_effect(models: int, priors: ItemPriors) -> Values:
    scale = sample("model_scale", dist.HalfNormal(priors.model_scale))
    return scale * sample("model_effect_raw", dist.Normal().expand([models]).to_event(1))


def _skill_noise(data: ItemData) -> Values:
    """Return how the models' skills differ from their means, dims (model, skill)."""
    directions = data.skill_factor.shape[1]
    if not directions:
        return jnp.zeros(data.skill.shape)
    raw = sample("skill_raw", dist.Normal().expand([directions]).to_event(1))
    return (data.skill_factor @ raw).reshape(data.skill.shape)


def cell_log_likelihood(successes: Values, n: Values, logit: Values, residual: Values) -> Values:
    r"""Return the log likelihood of each cell's counts, what the model has on that item alone summed out.

    .. math:: \log \int \mathrm{logit}^{-1}(x)^c (1 - \mathrm{logit}^{-1}(x))^{n - c}\, N(x; \eta, s_e^2)\, dx

    by Gauss-Hermite quadrature around the integrand's mode, the binomial coefficient left out.

    Parameters
    ----------
    successes, n, logit : array, dims (model, item)
        Counts, and the logit without the residual.
    residual : scalar
        Standard deviation of the residual, logits.

    Returns
    -------
    array, dims (model, item)
        0 where there are no samples.

    References
    ----------
    Liu and Pierce (1994). A note on Gauss-Hermite quadrature. Biometrika 81, 624-629.

    Examples
    --------
    >>> float(cell_log_likelihood(jnp.array(1.0), jnp.array(2.0), jnp.array(0.0), 1e-6).round(4))
    -1.3863
    """
    fixed = [jax.lax.stop_gradient(jnp.asarray(value)) for value in (successes, n, logit, residual)]
    mode, spread = mode_of(*fixed)
    # The points stay where they are under differentiation: the sum's derivative is then the integral's.
    points = mode[..., None] + jnp.sqrt(2.0) * spread[..., None] * _NODES
    log_integrand = successes[..., None] * points - n[..., None] * jax.nn.softplus(points)
    log_integrand += -0.5 * ((points - logit[..., None]) / residual) ** 2 - jnp.log(residual)
    log_weights = np.log(_WEIGHTS) + _NODES**2 - 0.5 * np.log(np.pi)
    return jax.nn.logsumexp(log_integrand + log_weights, axis=-1) + jnp.log(spread)


def mode_of(successes: Values, n: Values, logit: Values, residual: Values) -> tuple[Values, Values]:
    """Return the mode of each cell's integrand and the standard deviation there."""
    variance = residual**2
    # Between the prior's logit and the counts' own, each by its precision.
    spread = 1 / (successes + 0.5) + 1 / (n - successes + 0.5)
    own = jnp.log(successes + 0.5) - jnp.log(n - successes + 0.5)
    start = (own * variance + logit * spread) / (variance + spread)

    def step(_: int, x: Values) -> Values:
        share = jax.nn.sigmoid(x)
        gradient = successes - n * share - (x - logit) / variance
        return x + jnp.clip(gradient / (n * share * (1 - share) + 1 / variance), -LONGEST, LONGEST)

    mode = jax.lax.fori_loop(0, NEWTON, step, start)
    share = jax.nn.sigmoid(mode)
    return mode, 1 / jnp.sqrt(n * share * (1 - share) + 1 / variance)
