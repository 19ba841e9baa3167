"""Importance sampling of what models have of their own, given scores that are known of them already."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from arviz_stats.base.array import array_stats
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray
from numpyro import distributions as dist
from scipy.special import logsumexp

from bayes_sloth.local_effects import drawn_effects, score_law_of, skills_and_specifics
from bayes_sloth.questions import Questions
from bayes_sloth.spec import ModelSpec

Values = Any
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of a draw's own effects; their average weight scatters a third as much as one weight would.
PROPOSALS: Final = 8
BATCH: Final = 50
# Newton's method from the prior's mode; scores far off take most of these, others three.
NEWTON_STEPS: Final = 8
STEP_LENGTHS: Final = (1.0, 0.5, 0.2, 0.05, 0.0)
# Tails of the proposals, heavier than those of any posterior of normal effects.
DEGREES: Final = 8.0


class Known(NamedTuple):
    """Scores known of models asked about.

    Parameters
    ----------
    model, benchmark : array of int, dims (score)
        Where each stands.
    score : array, dims (score)
        Shares of items solved.
    """

    model: Values
    benchmark: Values
    score: Values


class Weights(NamedTuple):
    """How well draws of a fit agree with new scores.

    Parameters
    ----------
    weight : array, dims (draw)
        That sum to 1.
    pareto_k : float
        Shape of the tail of the raw weights; above 0.7 an average over them does not settle.
    effective_draws : float
        As many equally weighted draws would scatter as much.
    """

    weight: Floats
    pareto_k: float
    effective_draws: float


@partial(jax.jit, static_argnames=("spec",))
def propose(
    questions: Questions, draws: Mapping[str, Values], known: Known, keys: Values, *, spec: ModelSpec
) -> tuple[Values, Values]:
    r"""Return draws of the models' own effects near their mode given the known scores, with log weights.

    .. math:: \log w = \log p(y \mid \theta, z) + \log N(z; 0, I) - \log q(z \mid \theta, y)

    with :math:`q` a Student-t around the mode in the directions that the scores tell of, with the inverse of
    the negative Hessian as scale, and the prior in all others. The average of :math:`w` over proposals
    estimates :math:`p(y \mid \theta)` without bias.

    Parameters
    ----------
    questions : Questions
        Models asked about.
    draws : mapping of str to array
        Draws of the fit, the axis of draws first.
    known : Known
        Scores.
    keys : random keys, dims (draw)
        Of the proposals.
    spec : ModelSpec
        Of the fit.

    Returns
    -------
    effects : array, dims (draw, proposal, effect)
        Standard normal before the scores were known.
    log_weights : array, dims (draw, proposal)
        Up to a constant.
    """

    def one(item: tuple[Mapping[str, Values], jax.Array]) -> tuple[Values, Values]:
        return _proposed(questions, item[0], known, item[1], spec)

    found: tuple[Values, Values] = jax.lax.map(one, (draws, keys), batch_size=BATCH)
    return found


def _proposed(
    questions: Questions, draw: Mapping[str, Values], known: Known, key: jax.Array, spec: ModelSpec
) -> tuple[Values, Values]:
    place = (known.model, known.benchmark)
    shape = (questions.family.shape[0], questions.pivot.shape[0])
    blank, unravel = blank_effects(questions, draw)
    unskilled = jnp.zeros((shape[0], draw["skill_mean"].size))
    observed = jnp.full(shape, 0.5).at[place].set(known.score)

    def added(effects: Values) -> Values:
        """Return all that the models add to the benchmarks' intercepts where scores are known, in logits."""
        skill, specific = skills_and_specifics(questions, draw, unravel(effects))
        return (skill @ draw["loading"].T + specific)[place]

    def log_likelihood(logits: Values) -> Values:
        everywhere = jnp.zeros(shape).at[place].set(logits)
        law = score_law_of(questions, draw, unskilled, everywhere, spec)[1]
        return law.log_prob(observed)[place].sum()

    mode, jacobian, curvature = _mode(blank, added, log_likelihood)
    _, stretch, directions = jnp.linalg.svd(jnp.sqrt(curvature)[:, None] * jacobian, full_matrices=False)
    scale = 1 / jnp.sqrt(1 + stretch**2)
    noise_key, free_key = jax.random.split(key)
    law = dist.MultivariateStudentT(DEGREES, jnp.zeros(scale.size), jnp.eye(scale.size))
    noise = law.sample(noise_key, (PROPOSALS,))
    told = directions @ mode + scale * noise
    free = jax.random.normal(free_key, (PROPOSALS, mode.size))
    effects = free + (told - free @ directions.T) @ directions
    prior = dist.Normal(0, 1).log_prob(told).sum(-1)
    agreement = jax.vmap(lambda each: log_likelihood(added(each)))(effects)
    return effects, agreement + prior - law.log_prob(noise) + jnp.log(scale).sum()


def blank_effects(questions: Questions, draw: Mapping[str, Values]) -> tuple[Values, Any]:
    """Return the models' own effects as a vector of zeros, and what turns such a vector into them."""
    key = jax.random.key(0)
    drawn = drawn_effects(questions, draw["skill_mean"].size, key, key)
    return ravel_pytree(jax.tree.map(jnp.zeros_like, drawn))


def _slopes(log_likelihood: Any, logits: Values) -> tuple[Values, Values]:
    """Return slope and curvature of the log likelihood in each score's logit; 0 where it bends upward."""
    slope, bend = jax.jvp(jax.grad(log_likelihood), (logits,), (jnp.ones_like(logits),))
    return slope, jnp.maximum(-bend, 0.0)


def _mode(start: Values, added: Any, log_likelihood: Any) -> tuple[Values, Values, Values]:
    """Return the most probable effects, by Newton's method with the best of a few lengths of each step.

    With them come, as they were before the last step, the logits' Jacobian and the likelihood's curvature.
    """

    def log_density(effects: Values) -> Values:
        return log_likelihood(added(effects)) - 0.5 * effects @ effects

    def better(_: Values, state: tuple[Values, Values, Values]) -> tuple[Values, Values, Values]:
        effects = state[0]
        jacobian = jax.jacfwd(added)(effects)
        slope, curvature = _slopes(log_likelihood, added(effects))
        hessian = jnp.eye(effects.size) + jacobian.T @ (curvature[:, None] * jacobian)
        step = jax.scipy.linalg.solve(hessian, jacobian.T @ slope - effects, assume_a="pos")
        tried = effects + jnp.array(STEP_LENGTHS)[:, None] * step
        density = jax.vmap(log_density)(tried)
        best = jnp.argmax(jnp.where(jnp.isnan(density), -jnp.inf, density))
        return tried[best], jacobian, curvature

    scores = jax.eval_shape(added, start).size
    blank = (start, jnp.zeros((scores, start.size)), jnp.zeros(scores))
    found: tuple[Values, Values, Values] = jax.lax.fori_loop(0, NEWTON_STEPS, better, blank)
    return found


@partial(jax.jit, static_argnames=("spec",))
def forecast_with(
    questions: Questions, draws: Mapping[str, Values], effects: Values, keys: Values, *, spec: ModelSpec
) -> tuple[Values, Values]:
    """Return expected and observed scores in draws of a fit and of the models' own effects.

    Parameters
    ----------
    questions : Questions
        Models asked about.
    draws : mapping of str to array
        Draws of the fit, the axis of draws first.
    effects : array, dims (draw, effect)
        From `propose`.
    keys : random keys, dims (draw)
        Of the observed scores.
    spec : ModelSpec
        Of the fit.

    Returns
    -------
    expected, score : array, dims (draw, model, benchmark)
        Shares of items solved.
    """

    def one(item: tuple[Mapping[str, Values], Values, jax.Array]) -> tuple[Values, Values]:
        draw, own, key = item
        unravel = blank_effects(questions, draw)[1]
        found = skills_and_specifics(questions, draw, unravel(own))
        expected, law = score_law_of(questions, draw, *found, spec)
        return expected, law.sample(key)

    found: tuple[Values, Values] = jax.lax.map(one, (draws, effects, keys), batch_size=BATCH)
    return found


def weights_of(log_weights: Floats) -> Weights:
    """Return the Pareto-smoothed weights of draws.

    Parameters
    ----------
    log_weights : array, dims (draw)
        Raw ones, up to a constant.

    Returns
    -------
    Weights
        Smoothed, with what they are worth.

    References
    ----------
    Vehtari et al. (2024). Pareto smoothed importance sampling. JMLR 25.

    Examples
    --------
    >>> weights = weights_of(np.random.default_rng(0).normal(0, 0.1, size=400))
    >>> round(float(weights.weight.sum()), 6), weights.pareto_k < 0.7, weights.effective_draws > 350
    (1.0, True, True)
    """
    library: Any = array_stats  # untyped; takes log likelihoods, whose negatives are log weights
    smooth, k = library.psislw(-log_weights)
    weight = np.exp(smooth - logsumexp(smooth))
    return Weights(weight, float(k), float(1 / (weight**2).sum()))


def resampled(weights: Floats, log_weights: Floats, numbers: np.random.Generator) -> tuple[Ints, Ints]:
    """Return which draws, and which proposal of each, stand for the weighted ones; as many as there are.

    Parameters
    ----------
    weights : array, dims (draw)
        Of draws, summing to 1.
    log_weights : array, dims (draw, proposal)
        Of each draw's proposals.
    numbers : Generator
        Random numbers.

    Returns
    -------
    draw, proposal : array of int, dims (draw)
        A draw of weight w comes n w times, but for less than one; systematic resampling.

    Examples
    --------
    >>> numbers = np.random.default_rng(0)
    >>> resampled(np.array([0.5, 0.0, 0.25, 0.25]), np.zeros((4, 1)), numbers)[0].tolist()
    [0, 0, 2, 3]
    """
    count = weights.size
    ladder = (np.arange(count) + numbers.random()) / count
    draw = np.minimum(np.searchsorted(np.cumsum(weights), ladder), count - 1)
    # The largest of log weights plus Gumbel noise is a draw by weight.
    noisy = log_weights[draw] + numbers.gumbel(size=(count, log_weights.shape[1]))
    return draw.astype(np.int64), noisy.argmax(axis=1).astype(np.int64)
