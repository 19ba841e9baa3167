"""Observation laws against SciPy, and their draws against goodness-of-fit tests.

Every goodness-of-fit test here runs at level ALARM on a fixed seed: a correct law fails one seed in ten
thousand, so a failure means a wrong law.
"""

from __future__ import annotations

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
    BetaBinomialScore,
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
