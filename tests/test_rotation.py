"""Rotations reach the minimum of their criterion, and give back structure that is known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from bayes_sloth.errors import InputError
from bayes_sloth.rotation import ROTATIONS, best_rotation, rotate, turned

# Thurstone's box problem as far as it is structure: two clusters and one benchmark that asks for both.
SIMPLE = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.0, 0.8], [0.0, 0.7], [0.0, 0.6], [0.5, 0.4]])
CORRELATION = np.array([[1.0, 0.4], [0.4, 1.0]])
OBLIQUE = [name for name, way in ROTATIONS.items() if way.oblique]


def numpy_criterion(loading: np.ndarray, name: str, target: np.ndarray) -> float:
    """Return the criteria from their formulas, without a line of the package."""
    if name == "varimax":
        return float(-0.25 * sum(((column**2 - (column**2).mean()) ** 2).sum() for column in loading.T))
    if name == "oblimin":
        count = loading.shape[1]
        pairs = [(k, m) for k in range(count) for m in range(count) if k != m]
        return float(0.25 * sum((loading[:, k] ** 2 * loading[:, m] ** 2).sum() for k, m in pairs))
    if name == "geomin":
        return float((np.prod(loading**2 + 0.01, axis=1) ** (1 / loading.shape[1])).sum())
    return float(np.nansum((loading - target) ** 2))


def mixed(seed: int, loading: np.ndarray = SIMPLE, correlation: np.ndarray = CORRELATION) -> np.ndarray:
    """Return loadings on uncorrelated skills, in any rotation, that hide the simple ones."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=correlation.shape))[0]
    return np.asarray(loading @ np.linalg.cholesky(correlation) @ turn)


@pytest.mark.parametrize("name", ROTATIONS)
def test_no_rotation_near_by_is_better(name: str) -> None:
    """Against the formulas in NumPy: a thousand small rotations, of all sizes, none of them lower."""
    rng = np.random.default_rng(1)
    hidden = mixed(0) + 0.05 * rng.normal(size=SIMPLE.shape)
    target = np.where(SIMPLE == 0, 0.0, np.nan)
    wanted = jnp.asarray(target) if name == "target" else None
    turn = np.asarray(best_rotation(jnp.asarray(hidden), name, wanted))
    least = numpy_criterion(hidden @ np.linalg.inv(turn).T, name, target)
    for scale in np.geomspace(1e-3, 1.0, 1000):
        other = turn + scale * rng.normal(size=turn.shape)
        other = other / np.linalg.norm(other, axis=0) if ROTATIONS[name].oblique else np.linalg.qr(other)[0]
        assert numpy_criterion(hidden @ np.linalg.inv(other).T, name, target) >= least - 1e-6


@pytest.mark.parametrize("name", OBLIQUE)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_oblique_rotations_find_simple_structure(name: str, seed: int) -> None:
    """Loadings within the shrinkage that one benchmark of both skills makes, correlation with them."""
    hidden = mixed(seed)
    wanted = jnp.asarray(np.where(SIMPLE == 0, 0.0, np.nan)) if name == "target" else None
    turn = np.asarray(best_rotation(jnp.asarray(hidden), name, wanted))
    found = np.abs(hidden @ np.linalg.inv(turn).T)
    found = found if found[0, 0] > found[0, 1] else found[:, ::-1]
    assert np.abs(found - SIMPLE).max() < (1e-3 if name == "target" else 0.1)
    assert abs(abs((turn.T @ turn)[0, 1]) - 0.4) < (1e-3 if name == "target" else 0.15)


def test_varimax_of_a_pair_is_that_of_the_angle() -> None:
    """Two skills have one angle: a search over it, by the formula, ends at the same value."""
    hidden = mixed(3)
    angles = np.linspace(0, np.pi / 2, 20001)
    values = [
        numpy_criterion(
            hidden @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]), "varimax", hidden
        )
        for a in angles
    ]
    turn = np.asarray(best_rotation(jnp.asarray(hidden), "varimax"))
    assert numpy_criterion(hidden @ turn, "varimax", hidden) == pytest.approx(min(values), abs=1e-6)


@pytest.mark.parametrize("name", ROTATIONS)
def test_what_is_rotated_stays_the_same_product(name: str) -> None:
    hidden = mixed(4)
    target = jnp.asarray(SIMPLE) if name == "target" else None
    turn = np.asarray(best_rotation(jnp.asarray(hidden), name, target))
    rotated, correlation = np.asarray(turned(jnp.asarray(hidden), jnp.asarray(turn))), turn.T @ turn
    np.testing.assert_allclose(rotated @ correlation @ rotated.T, hidden @ hidden.T, atol=1e-9)
    np.testing.assert_allclose(np.diag(correlation), 1.0, atol=1e-9)
    if not ROTATIONS[name].oblique:
        np.testing.assert_allclose(correlation, np.eye(2), atol=1e-9)


def test_many_starts_find_what_one_may_miss() -> None:
    rng = np.random.default_rng(6)
    hidden = jnp.asarray(rng.normal(size=(10, 3)))
    one = rotate(hidden, jnp.eye(3), "geomin")[1]
    best = best_rotation(hidden, "geomin")
    assert numpy_criterion(np.asarray(turned(hidden, best)), "geomin", np.zeros(0)) <= float(one) + 1e-6


def test_an_unknown_rotation_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown rotation 'geomine'.*Did you mean 'geomin'"):
        rotate(jnp.eye(2), jnp.eye(2), "geomine")
