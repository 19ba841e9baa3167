"""Laws of the score law that hold for every parameter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayes_sloth import curve
from bayes_sloth.deviations import NUGGET, Places, conditional, covariance
from bayes_sloth.links import LINKS

SHAPE = (7, 3)  # models and benchmarks; one shape, so that JAX compiles once
few = settings(max_examples=40, deadline=None)


def floats(low: float, high: float, shape: int | tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, shape, elements=st.floats(low, high))


pivots = floats(-3, 3, 3)
reaches = floats(0.02, 1, 3)  # share of the way from the typical share to 1
asymmetries = floats(0.3, 3, 3)


def share(
    link: str, eta: np.ndarray, pivot: np.ndarray, way: np.ndarray, asymmetry: np.ndarray
) -> np.ndarray:
    typical = 1 / (1 + np.exp(-pivot))
    reach = typical + (1 - typical) * way
    arguments = [jnp.asarray(a) for a in (eta, pivot, reach, asymmetry)]
    return np.asarray(curve.share_reached(*arguments, link=link))


@few
@given(floats(-8, 8, SHAPE), pivots, reaches, asymmetries, st.sampled_from(sorted(LINKS)))
def test_links_rise_and_stay_below_the_reach(
    eta: np.ndarray, pivot: np.ndarray, way: np.ndarray, asymmetry: np.ndarray, link: str
) -> None:
    found = share(link, np.sort(eta, axis=0), pivot, way, asymmetry)
    typical = 1 / (1 + np.exp(-pivot))
    assert (np.diff(found, axis=0) >= -1e-15).all()
    assert (found > 0).all() and (found <= (typical + (1 - typical) * way) * (1 + 1e-12)).all()


@few
@given(pivots, reaches, asymmetries, st.sampled_from(sorted(LINKS)))
def test_links_pass_through_the_typical_share(
    pivot: np.ndarray, way: np.ndarray, asymmetry: np.ndarray, link: str
) -> None:
    found = share(link, np.broadcast_to(pivot, SHAPE).copy(), pivot, way, asymmetry)
    np.testing.assert_allclose(found, np.broadcast_to(1 / (1 + np.exp(-pivot)), SHAPE), rtol=1e-9)


@few
@given(floats(-8, 8, SHAPE), pivots, reaches)
def test_logistic_is_richards_with_asymmetry_one(eta: np.ndarray, pivot: np.ndarray, way: np.ndarray) -> None:
    one = np.ones(3)
    plain = share("logistic", eta, pivot, way, 2 * one)
    np.testing.assert_array_equal(plain, share("richards", eta, pivot, way, one))


@few
@given(
    floats(-2, 2, 7),
    floats(-2, 2, 7),
    floats(0, 2, (7, 2)),
    floats(0, 2, (2, 2)),
    floats(0, 1.5, (3, 2)),
    floats(-0.5, 0.5, 2),
    pivots,
    asymmetries,
)
def test_more_compute_never_lowers_the_mean(
    size: np.ndarray,
    tokens: np.ndarray,
    more: np.ndarray,
    slope: np.ndarray,
    loading: np.ndarray,
    interaction: np.ndarray,
    pivot: np.ndarray,
    asymmetry: np.ndarray,
) -> None:
    """Slopes that stay positive over the range of four standard deviations, and loadings above zero."""
    # The slope on log size is b_s + b_st log t: at least 0 while |log t| <= 4, and so for log tokens.
    monotone = np.column_stack([slope + 4 * np.abs(interaction)[:, None], interaction])

    def mean(s: np.ndarray, t: np.ndarray) -> np.ndarray:
        design = curve.covariates(jnp.asarray(s), jnp.asarray(t), jnp.zeros(2), jnp.zeros(2))
        zero = jnp.zeros((7, 2))
        skill = curve.skills(zero, jnp.asarray(monotone), design, zero, zero)
        eta = curve.predictor(skill, jnp.asarray(loading), jnp.zeros(3), jnp.zeros((7, 3)))
        reached = share("richards", np.asarray(eta), pivot, 0.7 * np.ones(3), asymmetry)
        return np.asarray(curve.expected_score(jnp.asarray(reached), jnp.full(3, 0.25)))

    before, after = mean(size, tokens), mean(size + more[:, 0], tokens + more[:, 1])
    assert (after >= before - 1e-12).all()


@few
@given(floats(0, 1, SHAPE), floats(0, 0.9, 3))
def test_expected_scores_lie_between_the_floor_and_one(reached: np.ndarray, lower: np.ndarray) -> None:
    found = np.asarray(curve.expected_score(jnp.asarray(reached), jnp.asarray(lower)))
    assert (found >= lower - 1e-12).all() and (found <= 1 + 1e-12).all()


@few
@given(floats(-2, 2, 7), floats(-3, 0, 7), st.floats(0, 1))
def test_effective_size_lies_between_active_and_total(
    size: np.ndarray, share: np.ndarray, weight: float
) -> None:
    found = np.asarray(curve.effective_log_size(jnp.asarray(size), jnp.asarray(share), jnp.array(weight)))
    assert (found <= size + 1e-12).all() and (found >= size + share - 1e-12).all()


@few
@given(
    arrays(np.int64, 9, elements=st.integers(0, 2)),
    arrays(np.float64, 9, elements=st.sampled_from([0.0, 1.0])),
    floats(-3, 3, 9),
    floats(-3, 3, 9),
    floats(-1, 1, (3, 2)),
)
def test_departures_have_a_valid_covariance_and_data_never_widens_a_forecast(
    family: np.ndarray, instruct: np.ndarray, size: np.ndarray, tokens: np.ndarray, center: np.ndarray
) -> None:
    everybody = Places(family, instruct, size, tokens, center)
    cov = covariance(everybody, everybody)
    np.testing.assert_allclose(cov, cov.T, rtol=1e-12, atol=1e-300)
    assert np.linalg.eigvalsh(cov).min() > -1e-9
    seen, new = (everybody.rows(rows) for rows in (np.arange(6), np.arange(6, 9)))
    lower = conditional(seen, new)[1]
    after = np.diag(lower @ lower.T)
    assert (after <= np.diag(cov)[6:] + NUGGET + 1e-9).all() and (after >= NUGGET - 1e-9).all()
