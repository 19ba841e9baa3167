"""Scores of forecasts against plain NumPy and the package's metrics, and a check of coverage that holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scoringrules
import xarray as xr
from oracles import plain_table
from scipy import stats

from bayes_sloth import metrics
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast
from bayes_sloth.scoring import LEAST_WIDTH, LEVELS, _binomial_tail, _likeness, averaged, held, scored

RNG = np.random.default_rng(4)
CELLS = ("truth", "median", "absolute_error", "crps", "log_score", "rank")
INTERVALS = ("lower", "upper", "width", "interval_score", "inside")


def fold() -> Fold:
    """Three models, of which one is asked for one score and another lacks one."""
    hidden = np.zeros((6, 2), dtype=bool)
    hidden[[1, 2, 4]] = True
    asked = hidden & plain_table().observed
    asked[4, 0] = False
    return Fold("x", hidden, asked)


def drawn(draws: int = 60) -> np.ndarray:
    return RNG.uniform(0, 1, size=(draws, 3, 2)).astype(np.float32)


def scored_draws(draws: np.ndarray) -> xr.Dataset:
    return scored(Forecast(0, draws, 2.5, {"r_hat": 1.01}), fold(), plain_table())


def cell(draws: np.ndarray, truth: float) -> xr.Dataset:
    """Score draws of one cell."""
    table = plain_table()
    score = np.full((6, 2), truth)
    mask = np.zeros((6, 2), dtype=bool)
    mask[0, 0] = True
    changed = type(table)(table.data.assign(score=(("model", "benchmark"), score)))
    shaped = np.broadcast_to(np.asarray(draws, dtype=float)[:, None, None], (len(draws), 1, 2))
    return scored(Forecast(0, shaped, 0.0), Fold("x", mask, mask), changed).isel(model=0, benchmark=0)


def test_only_what_is_asked_is_scored() -> None:
    found = scored_draws(drawn())
    assert list(found["model"].values) == ["b", "c", "e"]
    assert tuple(found["benchmark"].values) == plain_table().benchmarks
    assert found["prob"].values.tolist() == list(LEVELS)
    asked = fold().asked[[1, 2, 4]]
    for name in CELLS:
        assert found[name].dims == ("model", "benchmark")
        np.testing.assert_array_equal(found[name].notnull(), asked)
    for name in INTERVALS:
        assert found[name].dims == ("prob", "model", "benchmark")
        np.testing.assert_array_equal(found[name].notnull(), np.broadcast_to(asked, (4, 3, 2)))
    assert float(found["seconds"]) == 2.5 and float(found["r_hat"]) == 1.01


def test_cells_are_scored_by_their_definitions() -> None:
    draws = drawn()
    found, truth = scored_draws(draws), plain_table().data["score"].values
    for i, j in np.argwhere(fold().asked[[1, 2, 4]]):
        x, y = draws[:, i, j].astype(float), truth[[1, 2, 4][i], j]
        one = found.isel(model=i, benchmark=j)
        assert float(one["truth"]) == y
        assert float(one["median"]) == pytest.approx(np.median(x))
        assert float(one["absolute_error"]) == pytest.approx(abs(np.median(x) - y))
        crps = np.abs(x - y).mean() - 0.5 * np.abs(x[:, None] - x[None, :]).mean()
        assert float(one["crps"]) == pytest.approx(crps, abs=1e-12)
        assert float(one["rank"]) == pytest.approx((x < y).mean())
        for level, interval in zip(LEVELS, (one.sel(prob=p) for p in LEVELS), strict=True):
            lower, upper = np.quantile(x, [(1 - level) / 2, (1 + level) / 2])
            missed = max(lower - y, 0) + max(y - upper, 0)
            assert float(interval["lower"]) == pytest.approx(lower)
            assert float(interval["upper"]) == pytest.approx(upper)
            assert float(interval["width"]) == pytest.approx(upper - lower)
            assert float(interval["interval_score"]) == pytest.approx(
                upper - lower + 2 / (1 - level) * missed
            )
            assert float(interval["inside"]) == (lower <= y <= upper)


def test_measures_are_the_packages_metrics() -> None:
    draws = drawn()
    found = scored_draws(draws)
    truth = found["truth"]
    labelled = xr.DataArray(
        draws.astype(float),
        {"model": truth["model"], "benchmark": truth["benchmark"]},
        dims=("draw", "model", "benchmark"),
    )
    xr.testing.assert_allclose(metrics.crps(labelled, truth, dim=()), found["crps"])
    for level in LEVELS:
        ours, ends = found.sel(prob=level, drop=True), metrics.central_interval(labelled, level)
        price = metrics.interval_score(ends["lower"], ends["upper"], truth, level, dim=())
        np.testing.assert_allclose(ours["interval_score"], price)
        inside = metrics.coverage(ends["lower"], ends["upper"], truth, dim=())
        np.testing.assert_allclose(ours["inside"], inside)


def test_ends_count_as_inside_and_ties_as_half() -> None:
    found = cell(np.array([0.25, 0.25, 0.5, 0.5, 0.5, 0.75]), 0.5)
    assert float(found["rank"]) == pytest.approx((2 + 3 / 2) / 6)
    bound = cell(np.zeros(10), 0.0)
    assert (bound["inside"] == 1).all() and float(bound["rank"]) == 0.5


def test_the_log_score_is_a_kernel_estimate() -> None:
    draws = RNG.normal(0.5, 0.1, size=300).astype(np.float32).astype(float)
    spread = np.subtract(*np.quantile(draws, [0.75, 0.25])) / 1.349
    width = 1.06 * spread * 300**-0.2
    for truth in (0.45, 0.6, 0.9):
        density = np.mean(stats.norm.pdf(truth, draws, width))
        library = scoringrules.logs_ensemble(truth, draws, bw=np.array(width))
        assert float(cell(draws, truth)["log_score"]) == pytest.approx(-np.log(density), rel=1e-6)
        assert float(cell(draws, truth)["log_score"]) == pytest.approx(float(library), rel=1e-6)


def test_the_log_score_of_many_draws_tends_to_the_density_with_the_kernels_width() -> None:
    draws = stats.norm.ppf((np.arange(2000) + 0.5) / 2000, 0.5, 0.1)
    sd = 0.1 * np.sqrt(1 + (1.06 * 500**-0.2) ** 2)  # a kernel at every fourth draw
    for truth in (0.5, 0.6, 0.7):
        wanted = -stats.norm.logpdf(truth, 0.5, sd)
        assert float(cell(draws, truth)["log_score"]) == pytest.approx(wanted, abs=0.02)


def test_a_forecast_without_width_has_a_finite_log_score_near_and_far() -> None:
    point = np.full(20, 0.5)
    peak = np.log(LEAST_WIDTH * np.sqrt(2 * np.pi))
    assert float(cell(point, 0.5)["log_score"]) == pytest.approx(peak)
    assert float(cell(point, 0.9)["log_score"]) == pytest.approx(
        peak + 0.5 * (0.4 / LEAST_WIDTH) ** 2, rel=1e-6
    )


def test_what_comes_back_from_the_shelf_scores_the_same() -> None:
    draws = RNG.uniform(size=(50, 3, 2))
    xr.testing.assert_identical(scored_draws(draws), scored_draws(draws.astype(np.float32)))


def test_the_true_forecast_scores_best() -> None:
    truths = stats.norm.ppf((np.arange(40) + 0.5) / 40, 0.5, 0.1)

    def mean(center: float, sd: float) -> list[float]:
        found = [cell(stats.norm.ppf((np.arange(99) + 0.5) / 99, center, sd), truth) for truth in truths]
        return [
            float(np.mean([one[name].mean() for one in found]))
            for name in ("crps", "log_score", "interval_score")
        ]

    right = mean(0.5, 0.1)
    for wrong in (mean(0.5, 0.05), mean(0.5, 0.2), mean(0.6, 0.1)):
        assert all(a < b for a, b in zip(right, wrong, strict=True))


def test_averages_are_means_of_rows() -> None:
    rng = np.random.default_rng(1)
    measures = [
        "absolute_error",
        "crps",
        "log_score",
        "interval_score",
        "width",
        *(f"inside_{p:g}" for p in LEVELS),
    ]
    cases = pd.DataFrame(rng.uniform(size=(30, len(measures))), columns=measures)
    cases["law"], cases["fold"] = np.repeat(["b", "a"], 15), np.tile(list("zyx"), 10)
    found = averaged(cases, ["law", "fold"])
    titles = ["scores", "MAE", "CRPS", "log score", "interval score", "width", "50%", "80%", "90%", "95%"]
    assert list(found) == titles and list(found.index.names) == ["law", "fold"]
    assert list(found.index[:3]) == [("b", "z"), ("b", "y"), ("b", "x")]  # as they come, not by the alphabet
    part = cases[(cases["law"] == "a") & (cases["fold"] == "y")]
    assert found.loc[("a", "y"), "scores"] == 5
    np.testing.assert_allclose(found.loc[("a", "y")].to_numpy()[1:], part[measures].mean())


def cases_of(sizes: np.ndarray, correlation: float, width: float, rng: np.random.Generator) -> pd.DataFrame:
    """Make normal errors that move together within folds, under intervals of some width."""
    own = np.repeat(np.arange(sizes.size), sizes)
    shared = rng.normal(size=sizes.size)[own]
    error = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=own.size)
    inside = {
        f"inside_{p:g}": (abs(error) < width * stats.norm.ppf((1 + p) / 2)).astype(float) for p in LEVELS
    }
    return pd.DataFrame({"fold": own, **inside})


def verdicts(cases: pd.DataFrame, false_alarm: float) -> list[str]:
    return [held(cases, level, false_alarm / len(LEVELS))["verdict"] for level in LEVELS]


@pytest.mark.parametrize(
    ("folds", "cells", "correlation"), [(20, 1, 0.0), (20, 24, 0.9), (12, 6, 0.6), (4, 12, 0.3)]
)
def test_calibrated_intervals_are_flagged_no_more_often_than_stated(
    folds: int, cells: int, correlation: float
) -> None:
    """Five hundred evaluations at 5%: more alarms than allowed here have probability one in ten thousand."""
    rng = np.random.default_rng(folds)
    alarms = 0
    for _ in range(500):
        sizes = rng.integers(max(1, cells // 2), 3 * cells // 2 + 1, size=folds)
        found = set(verdicts(cases_of(sizes, correlation, 1.0, rng), 0.05))
        alarms += bool(found & {"too narrow", "too wide"})
    assert alarms <= stats.binom.isf(1e-4, 500, 0.05)


@pytest.mark.parametrize(("width", "verdict"), [(0.5, "too narrow"), (2.0, "too wide")])
def test_intervals_of_a_wrong_width_are_flagged(width: float, verdict: str) -> None:
    """Forty folds of six scores; half of the width is told at every level, the double at half of the mass."""
    found = verdicts(cases_of(np.full(40, 6), 0.3, width, np.random.default_rng(0)), 1e-3)
    assert found[0] == verdict and set(found) <= {verdict, "fine"}
    assert width > 1 or set(found) == {verdict}


def test_one_fold_tells_nothing() -> None:
    found = held(cases_of(np.array([50]), 0.0, 0.1, np.random.default_rng(0)), 0.9, 0.5)
    assert found["p_value"] == 1 and found["verdict"] == "too few folds" and found["inside"] < 0.5


def test_the_share_inside_is_counted() -> None:
    cases = cases_of(np.array([3, 5, 2]), 0.2, 1.0, np.random.default_rng(3))
    for level in LEVELS:
        found = held(cases, level, 0.01)
        assert found["level"] == level
        assert found["inside"] == pytest.approx(cases[f"inside_{level:g}"].mean())


def test_the_tail_is_the_binomial_one() -> None:
    for trials, inside, level in ((20, 13, 0.8), (20, 19, 0.8), (7, 7, 0.9), (7, 0, 0.9), (40, 20, 0.5)):
        law = stats.binom(trials, level)
        wanted = min(law.cdf(inside), law.sf(inside - 1), 0.5)
        assert _binomial_tail(inside / trials, trials, level) == pytest.approx(wanted, rel=1e-9)


def test_likeness_is_the_correlation_of_pairs() -> None:
    cases = cases_of(np.array([4, 7, 3, 6, 5]), 0.8, 0.7, np.random.default_rng(5))
    wanted = [0.0]
    for level in LEVELS:
        inside, mean = cases[f"inside_{level:g}"], cases[f"inside_{level:g}"].mean()
        pairs = [
            (a - mean) * (b - mean)
            for _, part in inside.groupby(cases["fold"])
            for i, a in enumerate(part)
            for j, b in enumerate(part)
            if i != j
        ]
        wanted.append(float(np.mean(pairs)) / (mean * (1 - mean)))
    assert _likeness(cases) == pytest.approx(max(wanted))
    assert 0.1 < _likeness(cases) <= 1


def test_folds_whose_scores_are_copies_count_once() -> None:
    """Twelve folds of ten copies say what twelve single scores say, and are judged the same."""
    single = cases_of(np.ones(12, dtype=int), 0.0, 0.6, np.random.default_rng(8))
    copies = single.loc[np.repeat(np.arange(12), 10)].reset_index(drop=True)
    for level in LEVELS:
        assert held(copies, level, 0.01)["p_value"] == pytest.approx(
            held(single, level, 0.01)["p_value"], rel=1e-6
        )
