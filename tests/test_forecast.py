"""What a law hands over, and point forecasts dressed in past errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from fake_laws import FakeLaw

from bayes_sloth import laws
from bayes_sloth.laws.forecast import DRESSING, dressed

RNG = np.random.default_rng(2)
POINT = RNG.uniform(0.3, 0.7, size=(4, 3))
ERRORS = np.abs(RNG.normal(0, 0.03, size=(50, 3)))


def test_dressed_draws_are_symmetric_about_the_point() -> None:
    draws = dressed(POINT, ERRORS)
    assert draws.shape == (2 * DRESSING, 4, 3)
    np.testing.assert_allclose(np.median(draws, axis=0), POINT, atol=1e-12)
    ordered = np.sort(draws, axis=0)
    np.testing.assert_allclose((ordered + ordered[::-1]) / 2, np.broadcast_to(POINT, draws.shape), atol=1e-12)


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.95])
def test_a_dressed_interval_holds_its_share_of_the_past_errors(prob: float) -> None:
    """Half-widths are quantiles of the benchmark's own absolute errors, to a step of the grid of draws."""
    lower, upper = np.quantile(dressed(POINT, ERRORS), [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    half = np.quantile(ERRORS, prob, axis=0)
    step = np.quantile(ERRORS, min(prob + 1 / DRESSING, 1), axis=0) - np.quantile(
        ERRORS, prob - 1 / DRESSING, axis=0
    )
    np.testing.assert_array_less(np.abs(upper - POINT - half), np.broadcast_to(step + 1e-12, POINT.shape))
    np.testing.assert_array_less(np.abs(POINT - lower - half), np.broadcast_to(step + 1e-12, POINT.shape))
    reach = (upper - lower).mean(axis=0) / 2
    share = (reach >= ERRORS).mean(axis=0)
    np.testing.assert_allclose(share, prob, atol=1.5 / len(ERRORS))


def test_each_benchmark_has_its_own_errors_and_a_missing_one_is_passed_over() -> None:
    errors = np.array([[0.1, 0.0], [0.1, np.nan], [0.1, 0.0]])
    draws = dressed(np.full((1, 2), 0.5), errors)
    assert sorted(set(draws[:, 0, 0].round(12))) == [0.4, 0.6]
    assert (draws[:, 0, 1] == 0.5).all()


def test_dressed_draws_are_shares() -> None:
    draws = dressed(np.array([[0.02, 0.97]]), np.full((5, 2), 0.1))
    assert draws.min() == 0 and draws.max() == 1


def test_dressing_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(dressed(POINT, ERRORS)).all()


def test_a_law_is_whatever_has_a_name_and_forecasts() -> None:
    assert isinstance(FakeLaw(), laws.Law)
    assert not isinstance("sloth", laws.Law) and not isinstance([FakeLaw()], laws.Law)


def test_laws_load_by_name_and_an_unknown_one_is_an_attribute_error() -> None:
    assert isinstance(laws.SlothLaw(method="map"), laws.Law)
    with pytest.raises(AttributeError, match="no attribute 'Slot'"):
        _ = laws.Slot
