"""The links: monotone, bounded, and a plain logistic at the pivot."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import link as oracle

from bayes_sloth.links import Link, logistic, richards, steepness

PIVOTS = jnp.array([-2.0, 0.0, 1.5])
GRID = jnp.linspace(-9.0, 9.0, 181)[:, None]


def reach_of(fraction: float) -> jax.Array:
    """Return an upper asymptote that lies a fraction of the way from the typical share to 1."""
    typical = jax.nn.sigmoid(PIVOTS)
    return typical + (1 - typical) * fraction


@pytest.mark.parametrize("link", [richards, logistic], ids=["richards", "logistic"])
@pytest.mark.parametrize("fraction", [0.05, 0.6, 1.0])
@pytest.mark.parametrize("asymmetry", [0.3, 1.0, 3.0])
def test_links_rise_between_nothing_and_the_reach(link: Link, fraction: float, asymmetry: float) -> None:
    reach = reach_of(fraction)
    bend = jnp.full((1, 3), asymmetry)
    share = np.asarray(link(GRID, PIVOTS[None, :], reach[None, :], bend))
    assert (np.diff(share, axis=0) >= 0).all()
    assert (share > 0).all() and (share <= np.asarray(reach)).all()
    near = link(PIVOTS + jnp.linspace(-1.5, 1.5, 31)[:, None], PIVOTS[None, :], reach[None, :], bend)
    assert (np.diff(near, axis=0) > 0).all()


@pytest.mark.parametrize("link", [richards, logistic], ids=["richards", "logistic"])
@pytest.mark.parametrize("fraction", [0.05, 0.6, 1.0])
@pytest.mark.parametrize("asymmetry", [0.3, 1.0, 3.0])
def test_value_and_slope_at_the_pivot_are_the_logistics(
    link: Link, fraction: float, asymmetry: float
) -> None:
    def at(eta: jax.Array) -> jax.Array:
        return link(eta, PIVOTS, reach_of(fraction), jnp.full(3, asymmetry))

    value, slope = jax.jvp(at, (PIVOTS,), (jnp.ones(3),))
    typical = np.asarray(jax.nn.sigmoid(PIVOTS))
    np.testing.assert_allclose(value, typical, rtol=1e-12)
    np.testing.assert_allclose(slope, typical * (1 - typical), rtol=1e-12)


def test_logistic_is_richards_without_asymmetry() -> None:
    reach = reach_of(0.6)[None, :]
    one, bent = jnp.ones((1, 3)), jnp.full((1, 3), 2.0)
    pivot = PIVOTS[None, :]
    assert (logistic(GRID, pivot, reach, bent) == richards(GRID, pivot, reach, one)).all()
    assert not np.allclose(richards(GRID, pivot, reach, bent), richards(GRID, pivot, reach, one), atol=1e-3)


def test_a_logistic_that_reaches_everything_is_the_sigmoid() -> None:
    one = jnp.ones((1, 3))
    found = logistic(GRID, PIVOTS[None, :], one, one)
    np.testing.assert_allclose(found, jnp.broadcast_to(jax.nn.sigmoid(GRID), (181, 3)), rtol=1e-12)


@pytest.mark.parametrize("asymmetry", [0.3, 1.0, 3.0])
def test_richards_agrees_with_its_textbook_form(asymmetry: float) -> None:
    reach = reach_of(0.6)
    found = richards(GRID, PIVOTS[None, :], reach[None, :], jnp.full((1, 3), asymmetry))
    typical = np.asarray(jax.nn.sigmoid(PIVOTS))
    wanted = oracle(np.asarray(GRID), typical, np.asarray(reach), np.array(asymmetry))
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize("eta", [-1e4, 1e4])
def test_far_away_predictors_give_finite_shares_and_slopes(eta: float) -> None:
    one = jnp.ones(1)
    value, slope = jax.value_and_grad(lambda x: richards(x * one, 0 * one, 0.9 * one, 2 * one)[0])(eta)
    assert 0 <= value <= 0.9 and np.isfinite(slope)
    assert value == pytest.approx(0.0 if eta < 0 else 0.9, abs=1e-9)


def test_shape_changes_only_the_ends() -> None:
    """Less than 1 reaches the floor slowly and the ceiling quickly; more than 1 the other way round."""
    pivot, reach = jnp.zeros(1), jnp.ones(1)
    low, high = (
        [float(richards(jnp.full(1, eta), pivot, reach, jnp.full(1, nu))[0]) for nu in (0.3, 3.0)]
        for eta in (-4.0, 4.0)
    )
    assert low[0] != pytest.approx(low[1], rel=0.1)
    assert 1 - high[0] != pytest.approx(1 - high[1], rel=0.1)


@pytest.mark.parametrize(("asymmetry", "reach"), [(0.5, 0.95), (1.0, 0.9), (2.0, 1.0)])
def test_a_curve_told_at_another_pivot_is_as_steep_as_steepness_says(asymmetry: float, reach: float) -> None:
    """The predictors of the same shares at two pivots lie on a line of slope k(p) / k(q)."""
    one, fine = jnp.ones(1), jnp.linspace(-8.0, 8.0, 20_001)[:, None]
    shape = reach * one, asymmetry * one
    eta = np.linspace(-1.5, 1.0, 20)
    share = np.asarray(richards(jnp.asarray(eta)[:, None], -0.5 * one, *shape))[:, 0]
    there = np.interp(share, np.asarray(richards(fine, 0.6 * one, *shape))[:, 0], np.asarray(fine)[:, 0])
    slope, constant = np.polyfit(eta, there, 1)
    np.testing.assert_allclose(there, slope * eta + constant, atol=1e-5)
    ratio = steepness(-0.5 * one, *shape) / steepness(0.6 * one, *shape)
    assert slope == pytest.approx(float(ratio[0]), abs=1e-5)
