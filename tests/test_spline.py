"""The spline link: a logistic curve of a warped predictor."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fits import asked, table
from oracles import pivot_of
from scipy.integrate import quad

import bayes_sloth as bs
from bayes_sloth.expectation import expected_scores
from bayes_sloth.links import KNOTS, logistic, spline

PIVOT, REACH = -0.6, 0.93
BENDS = np.random.default_rng(0).normal(0, 0.7, (6, 2 * len(KNOTS)))
PLACES = [*(-k for k in KNOTS[::-1]), 0.0, *KNOTS]


def warped(x: float, bend: np.ndarray) -> float:
    """Integrate the warp's slope by quadrature."""
    heights = np.insert(bend, len(KNOTS), 0.0)
    inside = [place for place in PLACES if min(0, x) < place < max(0, x)]
    return float(quad(lambda t: np.exp(np.interp(t, PLACES, heights)), 0, x, points=inside or None)[0])


def by_hand(x: float, bend: np.ndarray, pivot: float, reach: float) -> float:
    typical = 1 / (1 + np.exp(-pivot))
    ratio = typical / reach
    logit = np.log(ratio / (1 - ratio)) + (1 - typical) / (1 - ratio) * warped(x - pivot, bend)
    return float(reach / (1 + np.exp(-logit)))


def share(x: jax.Array, bend: np.ndarray) -> jax.Array:
    return spline(x[:, None], jnp.array([PIVOT]), jnp.array([REACH]), jnp.asarray(bend)[None])[:, 0]


@pytest.mark.parametrize("bend", BENDS[:4])
def test_the_curve_is_the_integral_of_its_slope(bend: np.ndarray) -> None:
    x = np.array([-9.0, -4.6, -2.6, -1.0, PIVOT, 0.4, 1.4, 3.0, 8.0])
    wanted = [by_hand(at, bend, PIVOT, REACH) for at in x]
    np.testing.assert_allclose(share(jnp.asarray(x), bend), wanted, rtol=1e-9)


def test_without_bends_it_is_the_logistic_curve() -> None:
    x, one = jnp.linspace(-8, 8, 33)[:, None], jnp.ones(1)
    straight = spline(x, PIVOT * one, REACH * one, jnp.zeros((1, 2 * len(KNOTS))))
    np.testing.assert_allclose(straight, logistic(x, PIVOT * one, REACH * one, one), atol=1e-12)


@pytest.mark.parametrize("bend", BENDS)
def test_it_rises_without_kinks_and_keeps_value_and_slope_at_the_pivot(bend: np.ndarray) -> None:
    slope = jax.jit(jax.vmap(jax.grad(lambda x: share(x[None], bend)[0])))
    x = jnp.linspace(-8, 8, 801)
    assert (slope(x) > 0).all() and (share(x, bend) < REACH).all()
    at = jnp.array([place + PIVOT for place in PLACES])
    np.testing.assert_allclose(slope(at - 1e-7), slope(at + 1e-7), rtol=1e-5)
    typical = 1 / (1 + np.exp(-PIVOT))
    center = jnp.array([PIVOT])
    np.testing.assert_allclose(share(center, bend), typical, rtol=1e-9)
    np.testing.assert_allclose(slope(center), typical * (1 - typical), rtol=1e-6)


def test_a_fit_has_bends_and_forecasts_with_them() -> None:
    spec = bs.ModelSpec(skills=1, link="spline", specific=False)
    fit = bs.fit(table(), spec, method="map", seed=0, progress=False)
    at = fit.data["posterior"].dataset.isel(chain=0, draw=0)
    assert (
        at["bend"].dims == ("benchmark", "knot") and at["bend"].size == 2 * len(KNOTS) * at["benchmark"].size
    )
    data = table().data
    pivot = pivot_of(data["score"].values, data["floor"].values)
    eta = at["model_skill"].values @ at["loading"].values.T + at["intercept"].values
    lower = at["lower"].values
    for j in range(pivot.size):
        reached = by_hand(eta[3, j], at["bend"].values[j], pivot[j], at["reach"].values[j])
        wanted = lower[j] + (1 - lower[j]) * reached
        assert expected_scores(fit.data, fit.spec)[0, 0, 3, j] == pytest.approx(wanted, abs=1e-8)
    forecast = bs.predict(fit, asked(), seed=0).data["expected"]
    assert np.isfinite(forecast).all()
