"""Observation laws: how an observed score scatters around the expected one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import betaln, gammaln
from numpyro import distributions as dist
from numpyro.distributions.util import promote_shapes

Values = Any  # arrays whose shapes broadcast, as everywhere in NumPyro's distributions

# Expected scores this close to 0 or 1 keep the sampling noise of a score one in 250 away from them.
CLOSEST: Final = 0.004
# At the ends of a benchmark's range a seventh of the mid-range misfit is left.
LEAST_MISFIT: Final = 0.02
# Two degrees of freedom is the least for which a Student-t has a variance.
LEAST_TAIL: Final = 2.0
# A benchmark without an item count has no sampling noise; beta-binomial counts need some number, a large one.
MANY_ITEMS: Final = 100_000.0
# A beta density is nothing or unbounded at 0 and 1, where real scores lie: its range ends this far outside
# them, half an item of a test of 250, so that every score is inside.
MARGIN: Final = 0.002
# At a concentration of 1 or less a beta has two peaks whatever its mean: no scatter of scores has.
LEAST_CONCENTRATION: Final = 1.0


class Noise(NamedTuple):
    """What an observation law needs: broadcastable arrays over (model, benchmark).

    Parameters
    ----------
    mean : array
        Expected score.
    misfit : array
        Variance of what the law leaves unexplained, at this score.
    items : array
        Number of items behind a score; infinite where there is no sampling noise.
    tail : array
        Degrees of freedom above the least.
    """

    mean: Values
    misfit: Values
    items: Values
    tail: Values

    @property
    def sampling(self) -> Values:
        """Variance of a mean of `items` right or wrong answers."""
        inside = jnp.clip(self.mean, CLOSEST, 1 - CLOSEST)
        return inside * (1 - inside) / self.items


def misfit_variance(share: Values, misfit: Values) -> Values:
    r"""Return the variance of what the law leaves unexplained, :math:`\sigma_j^2\{4h(1 - h) + 1/50\}`.

    The misfit is largest at mid-range, where a given error in skill moves the score most.

    Parameters
    ----------
    share : array, dims (model, benchmark)
        Share of the range above the floor.
    misfit : array, dims (benchmark)
        Standard deviation at mid-range, on the score.

    Returns
    -------
    array, dims (model, benchmark)
        On the squared score.

    Examples
    --------
    >>> round(float(misfit_variance(jnp.array(0.5), jnp.array(0.1))), 4)
    0.0102
    """
    return misfit**2 * (4 * share * (1 - share) + LEAST_MISFIT)


class StudentTScore(dist.Distribution):  # type: ignore[misc]
    r"""Student-t score with variance parameter :math:`s^2`; draws are censored to [0, 1].

    The log density is, up to a constant,

    .. math:: \frac{\nu}{2}\log s^2 - \frac{\nu + 1}{2}\log(s^2 + r^2/\nu)

    which takes two logarithms a cell and no division by the scale.
    """

    arg_constraints = {  # noqa: RUF012
        "mean": dist.constraints.real,
        "variance": dist.constraints.positive,
        "freedom": dist.constraints.positive,
    }
    support = dist.constraints.real

    def __init__(self, mean: Values, variance: Values, freedom: Values) -> None:
        self.freedom = freedom
        self.mean_score, self.variance_score = promote_shapes(mean, variance)
        shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(variance))
        super().__init__(batch_shape=shape, validate_args=False)

    def log_prob(self, value: Values) -> Values:
        """Return the log density of scores."""
        freedom, constant, spread = self.freedom, self.constant, self.spread(value)
        return constant + 0.5 * freedom * jnp.log(self.variance_score) - 0.5 * (freedom + 1) * jnp.log(spread)

    @property
    def constant(self) -> Values:
        """What the log density of every score has in common."""
        freedom = self.freedom
        return gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * jnp.log(freedom * jnp.pi)

    def spread(self, value: Values) -> Values:
        r"""Return :math:`s^2 + r^2/\nu`, which has the power :math:`-(\nu + 1)/2` in the density."""
        squared = (value - self.mean_score) ** 2
        return self.variance_score + squared * (1 / self.freedom)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw scores, censored to [0, 1]."""
        noise = jax.random.t(key, self.freedom, sample_shape + self.batch_shape)
        return jnp.clip(self.mean_score + noise * jnp.sqrt(self.variance_score), 0, 1)


class NormalScore(dist.Distribution):  # type: ignore[misc]
    """Normal score; draws are censored to [0, 1]."""

    arg_constraints = {"mean": dist.constraints.real, "variance": dist.constraints.positive}  # noqa: RUF012
    support = dist.constraints.real

    def __init__(self, mean: Values, variance: Values) -> None:
        self.mean_score, self.variance_score = promote_shapes(mean, variance)
        shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(variance))
        super().__init__(batch_shape=shape, validate_args=False)

    def log_prob(self, value: Values) -> Values:
        """Return the log density of scores."""
        squared = (value - self.mean_score) ** 2 / self.variance_score
        return -0.5 * (squared + jnp.log(2 * jnp.pi * self.variance_score))

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw scores, censored to [0, 1]."""
        noise = jax.random.normal(key, sample_shape + self.batch_shape)
        return jnp.clip(self.mean_score + noise * jnp.sqrt(self.variance_score), 0, 1)


class BetaBinomialScore(dist.Distribution):  # type: ignore[misc]
    """Share of items solved when each model's true rate is beta-distributed around the expected score.

    The log probability is that of the rounded count, plus log(items): a density on the score.
    """

    arg_constraints = {  # noqa: RUF012
        "mean": dist.constraints.unit_interval,
        "concentration": dist.constraints.positive,
        "items": dist.constraints.positive,
    }
    support = dist.constraints.unit_interval

    def __init__(self, mean: Values, concentration: Values, items: Values) -> None:
        inside = jnp.clip(mean, CLOSEST, 1 - CLOSEST)
        self.items_counted = jnp.round(jnp.where(jnp.isfinite(items), items, MANY_ITEMS))
        self.counts = dist.BetaBinomial(
            inside * concentration, (1 - inside) * concentration, self.items_counted
        )
        super().__init__(batch_shape=self.counts.batch_shape, validate_args=False)

    def log_prob(self, value: Values) -> Values:
        """Return the log density of scores."""
        count = jnp.round(value * self.items_counted)
        return self.counts.log_prob(count) + jnp.log(self.items_counted)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw shares of items solved."""
        rate_key, count_key = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        rate = jax.random.beta(rate_key, self.counts.concentration1, self.counts.concentration0, shape)
        return jax.random.binomial(count_key, self.items_counted, rate) / jnp.round(self.items_counted)


class BetaScore(dist.Distribution):  # type: ignore[misc]
    r"""Beta score of a given mean and variance, on a range a little wider than that of its draws, [0, 1].

    With the margin :math:`e`, observed scores are squeezed inside by :math:`z = (y + e) / (1 + 2e)`, and

    .. math:: z \sim \text{Beta}(mc, (1 - m)c), \quad 1 + c = m(1 - m) / \mathrm{Var}(z)

    so that scores of exactly 0 and 1 have a finite density and slope. The concentration :math:`c` is at least
    1: no variance is above half of the largest that a beta of that mean has. Draws are censored to [0, 1].
    """

    arg_constraints = {"mean": dist.constraints.unit_interval, "variance": dist.constraints.positive}  # noqa: RUF012
    support = dist.constraints.real

    def __init__(self, mean: Values, variance: Values) -> None:
        squeezed = _squeezed(jnp.clip(mean, CLOSEST, 1 - CLOSEST))
        spread = variance / (1 + 2 * MARGIN) ** 2
        concentration = jnp.maximum(squeezed * (1 - squeezed) / spread - 1, LEAST_CONCENTRATION)
        self.concentration1, self.concentration0 = squeezed * concentration, (1 - squeezed) * concentration
        super().__init__(batch_shape=jnp.shape(concentration), validate_args=False)

    def log_prob(self, value: Values) -> Values:
        """Return the log density of scores."""
        inside = _squeezed(value)
        powers = (self.concentration1 - 1) * jnp.log(inside) + (self.concentration0 - 1) * jnp.log1p(-inside)
        return powers - betaln(self.concentration1, self.concentration0) - jnp.log(1 + 2 * MARGIN)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw scores, censored to [0, 1]."""
        shape = sample_shape + self.batch_shape
        drawn = jax.random.beta(key, self.concentration1, self.concentration0, shape)
        return jnp.clip(drawn * (1 + 2 * MARGIN) - MARGIN, 0, 1)


def _squeezed(score: Values) -> Values:
    return (score + MARGIN) / (1 + 2 * MARGIN)


def _student_t(noise: Noise) -> dist.Distribution:
    return StudentTScore(noise.mean, noise.misfit + noise.sampling, LEAST_TAIL + noise.tail)


def _normal(noise: Noise) -> dist.Distribution:
    return NormalScore(noise.mean, noise.misfit + noise.sampling)


def _beta_binomial(noise: Noise) -> dist.Distribution:
    inside = jnp.clip(noise.mean, CLOSEST, 1 - CLOSEST)
    # A beta with mean m and concentration c has variance m (1 - m) / (1 + c).
    concentration = jnp.maximum(inside * (1 - inside) / noise.misfit - 1, LEAST_CONCENTRATION)
    return BetaBinomialScore(noise.mean, concentration, noise.items)


def _beta(noise: Noise) -> dist.Distribution:
    return BetaScore(noise.mean, noise.misfit + noise.sampling)


LIKELIHOODS: Mapping[str, Callable[[Noise], dist.Distribution]] = MappingProxyType(
    {"student_t": _student_t, "normal": _normal, "beta_binomial": _beta_binomial, "beta": _beta}
)


def score_law(
    likelihood: str, share: Values, expected: Values, misfit: Values, items: Values, tail: Values
) -> dist.Distribution:
    """Return the law of observed scores around expected ones.

    Parameters
    ----------
    likelihood : str
        Name of the observation law.
    share, expected : array, dims (model, benchmark)
        Share of the range above the floor; expected score.
    misfit : array, dims (benchmark)
        Standard deviation of the misfit at mid-range, on the score.
    items : array, dims (model or 1, benchmark)
        Item counts, infinite where unknown.
    tail : scalar
        Degrees of freedom above the least; of no matter where the law has none.

    Returns
    -------
    Distribution
        Of batch shape (model, benchmark).

    Examples
    --------
    >>> half = jnp.full((1, 1), 0.5)
    >>> law = score_law("normal", half, half, jnp.array([0.1]), jnp.inf * half, 1.0)
    >>> round(float(law.variance_score[0, 0]), 4)
    0.0102
    """
    return LIKELIHOODS[likelihood](Noise(expected, misfit_variance(share, misfit[None, :]), items, tail))
