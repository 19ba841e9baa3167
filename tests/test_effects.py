"""Family effects against the full covariance matrix, written out by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayes_sloth.effects import FamilyEffects, inherit, unit_lower

SHARE = 0.6
LOC = jnp.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5], [-1.0, 0.0], [3.0, 2.0]])
SCALE = jnp.array([0.5, 1.5])
LOWER = jnp.array([[1.0, 0.0], [-0.7, 1.0]])
# Correlation of the families' effects with share w: w for each step up or down a line, w^2 between siblings.
W, W2, W3 = SHARE, SHARE**2, SHARE**3
LINES = {
    "nobody": ([-1, -1, -1, -1, -1], np.eye(5)),
    # 0 -> 1 -> 2 and 0 -> 3; 4 alone.
    "chain and siblings": (
        [-1, 0, 1, 0, -1],
        np.array([[1, W, W2, W, 0], [W, 1, W, W2, 0], [W2, W, 1, W3, 0], [W, W2, W3, 1, 0], [0, 0, 0, 0, 1]]),
    ),
    # A parent may come later in the table than its child: 2 -> 1 -> 0, and 4 -> 3.
    "later parents": (
        [1, 2, -1, 4, -1],
        np.array([[1, W, W2, 0, 0], [W, 1, W, 0, 0], [W2, W, 1, 0, 0], [0, 0, 0, 1, W], [0, 0, 0, W, 1]]),
    ),
}


def full(families: np.ndarray) -> np.ndarray:
    """Covariance of all effects, families outer and skills inner."""
    root = np.diag(SCALE) @ np.asarray(LOWER)
    return np.kron(families, root @ root.T)


def law(parent: list[int], share: float = SHARE) -> FamilyEffects:
    return FamilyEffects(LOC, SCALE, LOWER, jnp.array(parent), share)


@pytest.mark.parametrize("line", LINES)
def test_log_density_is_scipys_on_the_full_covariance(line: str) -> None:
    parent, families = LINES[line]
    dense = stats.multivariate_normal(np.asarray(LOC).ravel(), full(families))
    for value in np.random.default_rng(0).normal(size=(3, 5, 2)):
        found = float(law(parent).log_prob(jnp.asarray(value)))
        assert found == pytest.approx(dense.logpdf(value.ravel()), abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.95])
def test_extreme_shares_agree_too(share: float) -> None:
    families = np.eye(5)
    families[0, 1] = families[1, 0] = share
    value = np.random.default_rng(1).normal(size=(5, 2))
    wanted = stats.multivariate_normal(np.asarray(LOC).ravel(), full(families)).logpdf(value.ravel())
    assert float(law([-1, 0, -1, -1, -1], share).log_prob(jnp.asarray(value))) == pytest.approx(
        wanted, abs=1e-9
    )


@pytest.mark.parametrize("line", LINES)
def test_draws_have_the_full_covariance(line: str) -> None:
    """Whitened draws are independent standard normals.

    One Kolmogorov test at 1e-4 and, with ten coordinates, 45 correlations at z = 4.8, which is 1e-4 in all:
    a correct law fails one seed in five thousand.
    """
    parent, families = LINES[line]
    draws = np.asarray(law(parent).sample(jax.random.key(7), (4000,)))
    assert draws.shape == (4000, 5, 2)
    centred = (draws - np.asarray(law(parent).mean)).reshape(4000, 10)
    white = np.linalg.solve(np.linalg.cholesky(full(families)), centred.T).T
    assert stats.kstest(white.ravel(), "norm").pvalue > 1e-4
    correlation = (white.T @ white / 4000)[np.triu_indices(10, 1)]
    assert np.abs(correlation).max() < 4.8 / np.sqrt(4000)


def test_the_test_of_draws_can_fail() -> None:
    draws = np.asarray(law([-1, 0, 1, 0, -1]).sample(jax.random.key(7), (4000,)))
    centred = (draws - np.asarray(LOC)).reshape(4000, 10)
    white = np.linalg.solve(np.linalg.cholesky(full(np.eye(5))), centred.T).T
    correlation = (white.T @ white / 4000)[np.triu_indices(10, 1)]
    assert np.abs(correlation).max() > 4.8 / np.sqrt(4000)


def test_one_draw_has_the_shape_of_one_table() -> None:
    assert law([-1] * 5).sample(jax.random.key(0)).shape == (5, 2)
    assert law([-1] * 5).sample(jax.random.key(0), (2, 3)).shape == (2, 3, 5, 2)


def test_a_long_line_keeps_its_variance() -> None:
    """Twenty generations: the last family's innovations still add to variance one."""
    parent = jnp.arange(20) - 1
    weights = inherit(jnp.eye(20), parent, 0.8)
    np.testing.assert_allclose((weights**2).sum(1), np.ones(20), rtol=1e-12)
    assert weights[19, 0] == pytest.approx(0.8**19)


def test_renumbering_families_changes_nothing() -> None:
    parent = np.array([-1, 0, 1, 0, -1])
    order = np.array([3, 4, 1, 0, 2])
    back = np.argsort(order)
    renumbered = np.array([-1 if parent[i] < 0 else back[parent[i]] for i in order])
    value = jnp.asarray(np.random.default_rng(2).normal(size=(5, 2)))
    moved = FamilyEffects(LOC[order], SCALE, LOWER, jnp.asarray(renumbered), SHARE).log_prob(value[order])
    assert float(moved) == pytest.approx(float(law(list(parent)).log_prob(value)), abs=1e-10)


def test_unit_lower_reads_row_by_row() -> None:
    wanted = [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 4.0, 1.0]]
    assert unit_lower(jnp.array([2.0, 3.0, 4.0]), 3).tolist() == wanted
    assert unit_lower(jnp.zeros(0), 1).tolist() == [[1.0]]
