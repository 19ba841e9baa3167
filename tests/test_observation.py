"""Observation laws against SciPy, and their draws against goodness-of-fit tests.

Every goodness-of-fit test here runs at level ALARM on a fixed seed: a correct law fails one seed in ten
thousand, so a failure means a wrong law.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from bayes_sloth import spec
from bayes_sloth.observation import (
    CLOSEST,
    LIKELIHOODS,
    MANY_ITEMS,
    MARGIN,
    BetaBinomialScore,
    BetaScore,
    Noise,
    NormalScore,
    StudentTScore,
    misfit_variance,
)

ALARM = 1e-4
DRAWS = 5000
MEAN = jnp.array([[0.2, 0.5], [0.7, 0.9]])
VARIANCE = jnp.array([[0.01, 0.0004], [0.002, 0.05]])
SCORE = jnp.array([[0.3, 0.5], [0.1, 1.0]])
NOISE = Noise(MEAN, VARIANCE, jnp.array([[100.0, 400.0], [50.0, jnp.inf]]), jnp.array(3.0))


def test_student_t_log_density_is_scipys() -> None:
    found = StudentTScore(MEAN, VARIANCE, 4.5).log_prob(SCORE)
    wanted = stats.t.logpdf(SCORE, 4.5, loc=MEAN, scale=np.sqrt(VARIANCE))
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_normal_log_density_is_scipys() -> None:
    found = NormalScore(MEAN, VARIANCE).log_prob(SCORE)
    np.testing.assert_allclose(found, stats.norm.logpdf(SCORE, MEAN, np.sqrt(VARIANCE)), rtol=1e-10)


@pytest.mark.parametrize("items", [7, 100, 1319])
def test_beta_binomial_log_density_is_scipys(items: int) -> None:
    law = BetaBinomialScore(MEAN, jnp.array(20.0), jnp.full((2, 2), float(items)))
    a, b = np.asarray(MEAN) * 20, (1 - np.asarray(MEAN)) * 20
    wanted = stats.betabinom.logpmf(np.round(np.asarray(SCORE) * items), items, a, b) + np.log(items)
    np.testing.assert_allclose(law.log_prob(SCORE), wanted, atol=1e-6)  # JAX's log beta is good to 1e-7


def test_beta_binomial_probabilities_sum_to_one() -> None:
    law = BetaBinomialScore(jnp.array(0.3), jnp.array(5.0), jnp.array(12.0))
    probability = np.exp(law.log_prob(jnp.arange(13) / 12)) / 12
    assert probability.sum() == pytest.approx(1, abs=1e-6)


def test_laws_combine_misfit_and_sampling_noise() -> None:
    mean, misfit, items = (np.asarray(v) for v in (NOISE.mean, NOISE.misfit, NOISE.items))
    total = misfit + mean * (1 - mean) / items
    t = stats.t.logpdf(SCORE, 2 + 3.0, loc=mean, scale=np.sqrt(total))
    np.testing.assert_allclose(LIKELIHOODS["student_t"](NOISE).log_prob(SCORE), t, rtol=1e-10)
    normal = stats.norm.logpdf(SCORE, mean, np.sqrt(total))
    np.testing.assert_allclose(LIKELIHOODS["normal"](NOISE).log_prob(SCORE), normal, rtol=1e-10)
    concentration = np.maximum(mean * (1 - mean) / misfit - 1, 1)
    n = np.where(np.isfinite(items), items, MANY_ITEMS)
    counts = stats.betabinom.logpmf(np.round(SCORE * n), n, mean * concentration, (1 - mean) * concentration)
    found = LIKELIHOODS["beta_binomial"](NOISE).log_prob(SCORE)
    np.testing.assert_allclose(found, counts + np.log(n), rtol=1e-6)


def test_without_an_item_count_there_is_no_sampling_noise() -> None:
    assert NOISE.sampling[1, 1] == 0
    assert NOISE.sampling[0, 0] == pytest.approx(0.2 * 0.8 / 100)
    assert (Noise(jnp.array(0.0), 0.0, 10.0, 1.0).sampling > 0).item()
    at_edge = Noise(jnp.array([0.0, 1.0]), 0.0, 1.0, 1.0).sampling
    np.testing.assert_allclose(at_edge, CLOSEST * (1 - CLOSEST))


def test_misfit_is_largest_at_mid_range_and_never_nothing() -> None:
    share = jnp.linspace(0, 1, 101)
    variance = np.asarray(misfit_variance(share, jnp.array(0.1)))
    assert variance.argmax() == 50 and variance.min() > 0
    np.testing.assert_allclose(variance, variance[::-1])
    assert variance[50] == pytest.approx(0.01 * 1.02)


@pytest.mark.parametrize("law", LIKELIHOODS)
def test_draws_are_scores(law: str) -> None:
    draws = np.asarray(LIKELIHOODS[law](NOISE).sample(jax.random.key(0), (500,)))
    assert draws.shape == (500, 2, 2)
    assert ((draws >= 0) & (draws <= 1)).all()
    assert (draws.std(0) > 0).all()


@pytest.mark.parametrize("law", LIKELIHOODS)
def test_draws_have_the_mean_and_spread_of_the_law(law: str) -> None:
    """Means within four standard errors, variances within 25%: narrow noise, so that nothing is censored."""
    mean, misfit = jnp.array([0.3, 0.6]), jnp.array([0.0004, 0.0009])
    noise = Noise(mean, misfit, jnp.array([2000.0, 500.0]), jnp.array(18.0))
    draws = np.asarray(LIKELIHOODS[law](noise).sample(jax.random.key(1), (DRAWS,)))
    total = np.asarray(misfit + noise.sampling)
    total = total * (20 / 18 if law == "student_t" else 1)  # a Student-t's variance exceeds its squared scale
    assert (np.abs(draws.mean(0) - np.asarray(mean)) < 4 * np.sqrt(total / DRAWS)).all()
    np.testing.assert_allclose(draws.var(0), total, rtol=0.25)


def test_student_t_draws_follow_the_law() -> None:
    draws = np.asarray(
        StudentTScore(jnp.array(0.5), jnp.array(1e-4), 5.0).sample(jax.random.key(2), (DRAWS,))
    )
    assert stats.kstest(draws, stats.t(5, 0.5, 0.01).cdf).pvalue > ALARM
    assert stats.kstest(draws, stats.norm(0.5, 0.01).cdf).pvalue < ALARM  # and the test can fail


def test_normal_draws_follow_the_law() -> None:
    draws = np.asarray(NormalScore(jnp.array(0.5), jnp.array(1e-4)).sample(jax.random.key(3), (DRAWS,)))
    assert stats.kstest(draws, stats.norm(0.5, 0.01).cdf).pvalue > ALARM
    assert stats.kstest(draws, stats.norm(0.5, 0.012).cdf).pvalue < ALARM


def scipys_beta(mean: float, variance: float) -> stats.rv_continuous:
    """Return a beta of these moments on the wider range, from the formulas of the moments."""
    width = 1 + 2 * MARGIN
    share = (mean + MARGIN) / width
    concentration = share * (1 - share) / (variance / width**2) - 1
    return stats.beta(share * concentration, (1 - share) * concentration, loc=-MARGIN, scale=width)


@pytest.mark.parametrize(("mean", "variance"), [(0.05, 0.0004), (0.5, 0.01), (0.97, 0.0001)])
def test_beta_log_density_is_scipys_and_has_the_mean_and_variance_that_were_asked(
    mean: float, variance: float
) -> None:
    law, theirs = BetaScore(jnp.array(mean), jnp.array(variance)), scipys_beta(mean, variance)
    inside = np.linspace(0, 1, 41)
    near = inside[np.abs(inside - mean) < 8 * variance**0.5]
    np.testing.assert_allclose(law.log_prob(jnp.asarray(near)), theirs.logpdf(near), rtol=1e-7, atol=1e-7)
    grid = np.linspace(-MARGIN, 1 + MARGIN, 200_003)[1:-1]
    density = np.exp(np.asarray(law.log_prob(jnp.asarray(grid))))
    mass, first = (integrate.trapezoid(density * weight, grid) for weight in (1, grid))
    assert mass == pytest.approx(1, abs=1e-6) and first == pytest.approx(mean, abs=1e-6)
    assert integrate.trapezoid(density * (grid - mean) ** 2, grid) == pytest.approx(variance, rel=1e-5)


def test_beta_scores_have_misfit_and_sampling_variance_up_to_half_of_the_largest() -> None:
    for misfit, wanted in ((0.0004, 0.0004 + 0.21 / 100), (0.9, None)):
        noise = Noise(jnp.array(0.3), jnp.array(misfit), jnp.array(100.0), jnp.array(1.0))
        law = LIKELIHOODS["beta"](noise)
        a, b = float(law.concentration1), float(law.concentration0)
        share, width = (0.3 + MARGIN) / (1 + 2 * MARGIN), 1 + 2 * MARGIN
        bound = width**2 * share * (1 - share) / 2
        assert stats.beta.var(a, b) * width**2 == pytest.approx(bound if wanted is None else wanted)
        assert stats.beta.mean(a, b) == pytest.approx(share)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_beta_scores_at_the_ends_have_a_finite_density_and_slope(score: float) -> None:
    """Also under means at, and beyond, the ends, and whatever the variance."""

    def density(mean: jax.Array, variance: jax.Array) -> jax.Array:
        return BetaScore(mean, variance).log_prob(jnp.array(score))

    for mean in (-0.02, 0.0, 0.004, 0.5, 0.996, 1.0, 1.02):
        for variance in (1e-6, 1e-4, 0.01, 1.0):
            found = jax.value_and_grad(density, argnums=(0, 1))(jnp.array(mean), jnp.array(variance))
            assert np.isfinite(jax.tree.leaves(found)).all(), (mean, variance)
    plain = stats.beta.logpdf(score, 2.0, 3.0)
    assert not np.isfinite(plain)  # what the margin is for


def test_beta_draws_follow_the_law() -> None:
    law = BetaScore(jnp.array(0.06), jnp.array(0.0009))
    draws = np.asarray(law.sample(jax.random.key(6), (DRAWS,)))
    assert stats.kstest(draws[draws > 0], _above_zero(scipys_beta(0.06, 0.0009))).pvalue > ALARM
    assert stats.kstest(draws, stats.norm(0.06, 0.03).cdf).pvalue < ALARM  # as broad, but not skew


def _above_zero(law: stats.rv_continuous) -> Callable[[Any], Any]:
    """Return the distribution function of the draws that are not censored to 0."""
    return lambda score: (law.cdf(score) - law.cdf(0)) / (1 - law.cdf(0))


def test_beta_binomial_draws_follow_the_law() -> None:
    law = BetaBinomialScore(jnp.array(0.3), jnp.array(8.0), jnp.array(10.0))
    counts = np.round(np.asarray(law.sample(jax.random.key(4), (DRAWS,))) * 10).astype(int)
    expected = DRAWS * stats.betabinom.pmf(np.arange(11), 10, 2.4, 5.6)
    observed = np.bincount(counts, minlength=11).astype(float)
    assert expected.min() > 5  # no cell is too thin for a chi-square
    assert stats.chisquare(observed, expected).pvalue > ALARM
    binomial = DRAWS * stats.binom.pmf(np.arange(8), 10, 0.3)
    assert stats.chisquare(observed[:8], binomial * observed[:8].sum() / binomial.sum()).pvalue < ALARM


def test_censored_draws_keep_the_mass_beyond_the_ends() -> None:
    """A normal at 0.9 with sd 0.1 puts Phi(-1) of its mass on 1; the estimate's standard error is 0.005."""
    draws = np.asarray(NormalScore(jnp.array(0.9), jnp.array(0.01)).sample(jax.random.key(5), (DRAWS,)))
    assert (draws == 1).mean() == pytest.approx(stats.norm.cdf(-1), abs=4 * 0.0052)
    assert integrate.quad(lambda x: x * stats.norm.pdf(x, 0.9, 0.1), 0, 1)[0] + stats.norm.cdf(
        -1
    ) == pytest.approx(draws.mean(), abs=4 * 0.08 / np.sqrt(DRAWS))


def test_the_settings_name_every_law() -> None:
    assert set(spec.LIKELIHOODS) == set(LIKELIHOODS)
