"""Metrics agree with their definitions, pass over what is not known, and reward the truth."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from bayes_sloth.errors import InputError
from bayes_sloth.metrics import central_interval, coverage, crps, interval_score, mean_absolute_error

RNG = np.random.default_rng(0)
MODELS, BENCHMARKS = ["a", "b", "c"], ["X", "Y"]


def table(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values, coords={"model": MODELS, "benchmark": BENCHMARKS}, dims=("model", "benchmark")
    )


def drawn(chains: int = 2, draws: int = 15) -> xr.DataArray:
    values = RNG.normal(size=(chains, draws, 3, 2))
    coords = {"model": MODELS, "benchmark": BENCHMARKS}
    return xr.DataArray(values, coords=coords, dims=("chain", "draw", "model", "benchmark"))


def test_crps_is_the_double_sum() -> None:
    draws, truth = drawn(), table(RNG.normal(size=(3, 2)))
    found = crps(draws, truth, dim=())
    assert found.dims == ("model", "benchmark")
    for model in MODELS:
        for benchmark in BENCHMARKS:
            cell = {"model": model, "benchmark": benchmark}
            x, y = draws.sel(cell).values.ravel(), float(truth.sel(cell))
            oracle = np.abs(x - y).mean() - 0.5 * np.abs(x[:, None] - x[None, :]).mean()
            assert float(found.sel(cell)) == pytest.approx(oracle, abs=1e-12)


def test_crps_of_a_normal_tends_to_the_closed_form() -> None:
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    y = 0.7
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert float(crps(xr.DataArray(quantiles, dims="draw"), xr.DataArray(y))) == pytest.approx(
        closed, abs=1e-4
    )


def test_crps_of_one_draw_is_its_error() -> None:
    draws, truth = drawn(1, 1), table(RNG.normal(size=(3, 2)))
    error = mean_absolute_error(draws.isel(chain=0, draw=0), truth)
    assert float(crps(draws, truth)) == pytest.approx(float(error))


def test_crps_does_not_depend_on_the_order_of_dims_or_draws() -> None:
    draws, truth = drawn(), table(RNG.normal(size=(3, 2)))
    turned = draws.transpose("benchmark", "draw", "model", "chain").isel(draw=slice(None, None, -1))
    assert float(crps(turned, truth)) == pytest.approx(float(crps(draws, truth)), abs=1e-14)


def test_interval_score_by_hand() -> None:
    truth = table(np.array([[0.5, -1.0], [3.0, 0.0], [1.0, np.nan]]))
    score = interval_score(truth * 0, truth * 0 + 1, truth, 0.8, dim=())
    expected = np.array([[1.0, 1 + 10 * 1.0], [1 + 10 * 2.0, 1.0], [1.0, np.nan]])
    np.testing.assert_allclose(score.values, expected)
    assert float(interval_score(truth * 0, truth * 0 + 1, truth, 0.8)) == pytest.approx(np.nanmean(expected))


def test_coverage_counts_ends_and_passes_over_what_is_not_known() -> None:
    truth = table(np.array([[0.0, 1.0], [1.5, 0.5], [-0.1, np.nan]]))
    zero, one = table(np.zeros((3, 2))), table(np.ones((3, 2)))
    assert float(coverage(zero, one, truth)) == pytest.approx(3 / 5)
    assert coverage(zero, one, truth, dim="model").values.tolist() == pytest.approx([1 / 3, 1.0])
    assert np.isnan(coverage(zero, one, truth, dim=()).sel(model="c", benchmark="Y"))


def test_coverage_skips_a_cell_without_a_forecast() -> None:
    truth, upper = table(np.full((3, 2), 0.5)), table(np.ones((3, 2)))
    lower = table(np.array([[0.0, 0.6], [0.0, np.nan], [0.0, 0.0]]))
    assert float(coverage(lower, upper, truth)) == pytest.approx(4 / 5)


def test_intervals_of_draws_hold_their_share() -> None:
    draws = drawn(4, 500)
    ends = central_interval(draws, 0.8)
    inside = (draws >= ends["lower"]) & (draws <= ends["upper"])
    np.testing.assert_allclose(inside.mean(("chain", "draw")), 0.8, atol=1e-3)
    assert set(ends["lower"].coords) == {"model", "benchmark"}


def test_true_forecast_scores_best() -> None:
    truth = xr.DataArray(RNG.normal(size=4000), dims="model")
    draws = xr.DataArray(RNG.normal(size=(200, 4000)), dims=("draw", "model"))

    def scores(forecast: xr.DataArray) -> tuple[float, float]:
        ends = central_interval(forecast)
        return float(crps(forecast, truth)), float(interval_score(ends["lower"], ends["upper"], truth))

    right = scores(draws)
    for wrong in (scores(draws * 0.5), scores(draws * 2), scores(draws + 0.5)):
        assert right[0] < wrong[0] and right[1] < wrong[1]


def test_other_labels_are_refused() -> None:
    draws, truth = drawn(), table(RNG.normal(size=(3, 2)))
    other = truth.assign_coords(model=["a", "b", "d"])
    with pytest.raises(InputError, match=r"carry different labels.*select the same models"):
        crps(draws, other)
    with pytest.raises(InputError, match="carry different labels"):
        mean_absolute_error(truth, truth.isel(model=[1, 0, 2]))


def test_draws_need_a_dim_and_a_probability_its_range() -> None:
    truth = table(np.zeros((3, 2)))
    with pytest.raises(InputError, match="give an array with a dim 'draw' or 'chain'"):
        crps(truth, truth)
    with pytest.raises(InputError, match="prob is 90: give a probability between 0 and 1"):
        central_interval(drawn(), 90)
    with pytest.raises(InputError, match="prob is 1"):
        interval_score(truth, truth, truth, 1)
