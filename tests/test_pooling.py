"""Families and features pooled: solutions and determinants against the matrix written out."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_sloth.pooling import PooledCovariance

FAMILY = np.array(list("abacbaadbz"), dtype=object)


@pytest.mark.parametrize("sds", [(0.5, 0.3), (0.05, 2.0), (2.0, 0.05)])
@pytest.mark.parametrize("features", [1, 4])
@pytest.mark.parametrize("rows", [0, 1, 10])
def test_solutions_and_determinants_are_those_of_the_matrix(
    sds: tuple[float, float], features: int, rows: int
) -> None:
    rng = np.random.default_rng(features)
    family, linear = FAMILY[:rows], rng.normal(size=(rows, features))
    same = family[:, None] == family[None, :]
    matrix = sds[1] ** 2 * np.eye(rows) + sds[0] ** 2 * same + linear @ linear.T
    found, columns = PooledCovariance.of(family, linear, *sds), rng.normal(size=(rows, 3))
    np.testing.assert_allclose(found.solved(columns), np.linalg.solve(matrix, columns), rtol=1e-7, atol=1e-8)
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-9)


def test_memory_goes_with_the_rows() -> None:
    """A hundred thousand rows, whose matrix would take 80 GB."""
    rng = np.random.default_rng(0)
    family = rng.integers(20_000, size=100_000).astype(str).astype(object)
    found = PooledCovariance.of(family, rng.normal(size=(100_000, 4)), 0.5, 0.3)
    assert np.isfinite(found.log_determinant)
    assert np.isfinite(found.solved(rng.normal(size=(100_000, 1)))).all()
