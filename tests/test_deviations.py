"""How families depart from the shared slopes: covariance, factor, and forecasts given what was seen."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import conditioned
from scipy import stats

from bayes_sloth.deviations import NUGGET, Places, conditional, covariance, factor

RNG = np.random.default_rng(3)
FAMILY = np.array([0, 0, 0, 1, 1, 2, 0, 1])
INSTRUCT = np.array([0, 1, 0, 0, 0, 1, 1, 1], dtype=float)
SIZE, TOKENS = RNG.normal(size=(2, 8))
CENTER = RNG.normal(0, 0.3, size=(3, 2))


def places(rows: slice | list[int]) -> Places:
    return Places(FAMILY[rows], INSTRUCT[rows], SIZE[rows], TOKENS[rows], CENTER)


def of_one_family(size: np.ndarray, tokens: np.ndarray, instruct: np.ndarray | None = None) -> Places:
    """Return models of a family whose centre is at zero; base models where nothing is said."""
    number = np.zeros(size.size, dtype=np.int64)
    return Places(
        number, np.zeros(size.size) if instruct is None else instruct, size, tokens, np.zeros((1, 2))
    )


ALL = places(slice(None))


def written_out() -> np.ndarray:
    """Write the covariance of all eight, one entry at a time, nugget included."""
    cov = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            if FAMILY[i] == FAMILY[j]:
                u, v = (x - CENTER[FAMILY[i], k] for k, x in enumerate((SIZE[[i, j]], TOKENS[[i, j]])))
                cov[i, j] = u[0] * u[1] / 2
                for pair in (u, v):
                    cov[i, j] += min(abs(pair)) if pair[0] * pair[1] > 0 else 0
                cov[i, j] *= 1 if INSTRUCT[i] == INSTRUCT[j] else 1 / 2
    return cov + 0.2 * np.eye(8)


def test_covariance_is_the_formula() -> None:
    np.testing.assert_allclose(covariance(ALL, ALL) + NUGGET * np.eye(8), written_out(), atol=1e-12)
    one, rest = places([0]), places(slice(1, None))
    np.testing.assert_allclose(covariance(one, rest)[0], written_out()[0, 1:], atol=1e-12)


def test_rows_are_the_chosen_models() -> None:
    some = ALL.rows(np.array([4, 1]))
    np.testing.assert_array_equal(covariance(some, ALL), covariance(ALL, ALL)[[4, 1]])
    assert some.instruct.tolist() == INSTRUCT[[4, 1]].tolist() and some.center is ALL.center


def test_twins_share_half_of_what_either_departs_by() -> None:
    """A base model and its tuned twin: two lines that each keep half of the variance to themselves."""
    size = np.array([2.0, 2.0])
    twins = of_one_family(size, np.zeros(2), np.array([0.0, 1.0]))
    np.testing.assert_allclose(covariance(twins, twins), [[4.0, 2.0], [2.0, 4.0]])
    same = of_one_family(size, np.zeros(2), np.ones(2))
    np.testing.assert_allclose(covariance(same, same), np.full((2, 2), 4.0))


def test_a_tuned_model_tells_less_of_a_base_one_than_a_base_model_does() -> None:
    spreads = []
    for seen in (np.zeros(1), np.ones(1)):
        known, asked = (
            of_one_family(np.array([x]), np.zeros(1), d) for x, d in ((2.0, seen), (2.5, np.zeros(1)))
        )
        spreads.append(float(conditional(known, asked)[1][0, 0]))
    assert spreads[0] < 0.9 * spreads[1]


def test_factor_reproduces_the_covariance() -> None:
    rows, columns, values = factor(ALL)
    lower = np.zeros((8, 8))
    lower[rows, columns] = values
    np.testing.assert_allclose(lower @ lower.T, written_out(), atol=1e-12)
    assert (rows >= columns).all()
    assert (FAMILY[rows] == FAMILY[columns]).all()


def test_the_factors_pattern_depends_on_the_families_alone() -> None:
    """So that folds which move a family's centre run through one program, whichever entries are zero."""
    zeros = Places(FAMILY, INSTRUCT, 0 * SIZE, 0 * TOKENS, 0 * CENTER)
    for found, wanted in zip(factor(zeros)[:2], factor(ALL)[:2], strict=True):
        np.testing.assert_array_equal(found, wanted)
    sizes = np.bincount(FAMILY)
    assert factor(zeros)[0].size == (sizes * (sizes + 1) // 2).sum()


@pytest.mark.parametrize("split", [5, 3, 1])
def test_forecasts_are_plain_gaussian_conditioning(split: int) -> None:
    seen, new = places(slice(0, split)), places(slice(split, None))
    weights, lower = conditional(seen, new)
    values = np.random.default_rng(4).normal(size=split)
    known = np.arange(8) < split
    mean, left = conditioned(written_out(), known, values)
    np.testing.assert_allclose(weights @ values, mean, atol=1e-10)
    np.testing.assert_allclose(lower @ lower.T, left, atol=1e-10)


def test_forecast_and_seen_make_the_joint_density() -> None:
    """p(seen) p(new | seen) = p(seen, new), by SciPy's densities."""
    seen, new = places(slice(0, 5)), places(slice(5, None))
    weights, lower = conditional(seen, new)
    values = np.random.default_rng(5).normal(size=8)
    joint, normal = written_out(), stats.multivariate_normal
    parts = normal.logpdf(values[:5], cov=joint[:5, :5])
    parts += normal.logpdf(values[5:], weights @ values[:5], lower @ lower.T)
    assert parts == pytest.approx(normal.logpdf(values, cov=joint), abs=1e-9)


def test_at_its_centre_a_family_departs_by_the_nugget_alone() -> None:
    centre = Places(np.array([1]), np.zeros(1), CENTER[1:2, 0], CENTER[1:2, 1], CENTER)
    assert covariance(centre, centre)[0, 0] == 0
    assert (covariance(centre, ALL) == 0).all()
    np.testing.assert_allclose(factor(centre)[2], [np.sqrt(NUGGET)])


@pytest.mark.parametrize("direction", [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.6, -0.8)])
def test_departures_grow_with_distance(direction: tuple[float, float]) -> None:
    steps = np.linspace(0, 3, 13)[:, None] * np.array(direction)
    line = of_one_family(steps[:, 0], steps[:, 1])
    assert (np.diff(np.diag(covariance(line, line))) > 0).all()


def test_opposite_sides_share_the_slope_only() -> None:
    pair = of_one_family(np.array([-1.0, 2.0]), np.zeros(2))
    np.testing.assert_allclose(covariance(pair, pair), [[1.5, -1.0], [-1.0, 4.0]])


def test_a_family_never_seen_keeps_its_prior() -> None:
    seen, new = places([0, 1, 2]), places([3, 4])
    weights, lower = conditional(seen, new)
    assert (weights == 0).all()
    np.testing.assert_allclose(lower @ lower.T, written_out()[3:5, 3:5], atol=1e-12)


def test_uncertainty_grows_away_from_what_was_seen() -> None:
    seen = of_one_family(np.array([-0.5, 0.0, 0.5]), np.zeros(3))
    spreads = []
    for size in (0.6, 1.5, 3.0):
        new = of_one_family(np.array([size]), np.zeros(1))
        spreads.append(conditional(seen, new)[1][0, 0])
    assert spreads == sorted(spreads) and spreads[2] > 1.5 * spreads[0]
