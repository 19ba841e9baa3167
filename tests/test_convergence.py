"""Convergence statistics against ArviZ, chains that disagree, and how often agreement is doubted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from scipy import signal, stats

from bayes_sloth.convergence import ESS_PER_CHAIN, RHAT, convergence, diagnose, rank_normalised, summarised
from bayes_sloth.errors import FitStatus


def chains(correlation: float, *, seed: int = 0, size: int = 6, draws: int = 400) -> np.ndarray:
    """Four stationary autoregressive chains for each element."""
    noise = np.random.default_rng(seed).normal(size=(4, draws + 100, size))
    return signal.lfilter([1], [1, -correlation], noise, axis=1)[:, 100:]


def arviz(values: np.ndarray) -> dict[str, list[float]]:
    columns = [values[..., i] for i in range(values.shape[-1])]
    return {
        "r_hat": [float(array_stats.rhat(c, method="rank")) for c in columns],
        "ess_bulk": [float(array_stats.ess(c, method="bulk")) for c in columns],
        "ess_tail": [float(array_stats.ess(c, method="tail", prob=(0.05, 0.95))) for c in columns],
    }


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed", "drifting"])
def test_statistics_are_arvizs(correlation: float, shape: str) -> None:
    values = chains(correlation)
    changed = {
        "normal": values,
        "heavy": values**3,
        "skewed": np.exp(values),
        "drifting": values + np.linspace(0, 1, 400)[None, :, None],
    }[shape]
    found, wanted = diagnose(changed), arviz(changed)
    np.testing.assert_allclose(found["r_hat"], wanted["r_hat"], rtol=1e-6)
    # Both cut the sum of autocorrelations by Geyer's rule, at lags that can differ by one.
    np.testing.assert_allclose(found["ess_bulk"], wanted["ess_bulk"], rtol=0.05)
    np.testing.assert_allclose(found["ess_tail"], wanted["ess_tail"], rtol=0.05)


def test_rank_normalised_draws_are_normal_whatever_they_were() -> None:
    scores = rank_normalised(np.exp(5 * chains(0.0, size=1)))
    assert stats.kstest(scores.ravel(), "norm").pvalue > 0.99  # by construction, not by chance
    assert (np.argsort(scores.ravel()) == np.argsort(chains(0.0, size=1).ravel())).all()


@pytest.mark.parametrize("shift", [0.5, 1.0, 5.0])
def test_a_shifted_chain_is_caught(shift: float) -> None:
    values = chains(0.0)
    values[2] += shift
    assert (diagnose(values)["r_hat"] > RHAT).all()


def test_a_wider_chain_is_caught() -> None:
    values = chains(0.0)
    values[1] *= 3
    assert (diagnose(values)["r_hat"] > RHAT).all()


def test_a_drift_is_caught() -> None:
    values = chains(0.0) + np.linspace(0, 1.5, 400)[None, :, None]
    assert (diagnose(values)["r_hat"] > RHAT).all()


def test_independent_draws_are_rarely_doubted() -> None:
    """R-hat of four chains of 500 exceeds 1.01 when a chi-square(7) exceeds 42: once in two million."""
    values = np.random.default_rng(1).normal(size=(4, 500, 300))
    found = diagnose(values)
    assert (found["r_hat"] <= RHAT).all()
    assert (found["ess_bulk"] >= 4 * ESS_PER_CHAIN).all() and (found["ess_tail"] >= 4 * ESS_PER_CHAIN).all()


def test_elements_that_never_move_do_not_spoil_the_others() -> None:
    values = chains(0.0, size=2)
    values[..., 0] = 1.0
    found = diagnose(values)
    assert (found["r_hat"][0], found["ess_bulk"][0], found["ess_tail"][0]) == (1, 1600, 1600)
    assert found["ess_bulk"][1] != 1600


def test_draws_that_are_no_numbers_are_not_fine() -> None:
    values = chains(0.0, size=2)
    values[0, 3, 1] = np.nan
    with np.errstate(invalid="ignore"):
        assert not diagnose(values)["r_hat"][1] <= RHAT


def judged(
    *,
    slope: np.ndarray | None = None,
    expected: np.ndarray | None = None,
    diverging: int = 0,
    deep: float = 0,
) -> Any:
    usual = chains(0.0, size=2, draws=500, seed=8)
    posterior = xr.Dataset(
        {
            "slope": (("chain", "draw", "skill"), usual if slope is None else slope),
            "tail": (("chain", "draw"), chains(0.0, size=1, draws=500, seed=9)[..., 0]),
        },
        coords={"skill": ["MMLU", "GSM8K"], "model": ["m"], "benchmark": ["x", "y"]},
    )
    flags = np.zeros((4, 500), dtype=bool)
    flags.ravel()[:diverging] = True
    depth = np.where(np.arange(2000) < deep * 2000, 10, 3).reshape(4, 500)
    statistics = xr.Dataset(
        {"diverging": (("chain", "draw"), flags), "tree_depth": (("chain", "draw"), depth)}
    )
    scores = chains(0.0, size=2, draws=500, seed=7) if expected is None else expected
    return convergence(posterior, summarised(np.moveaxis(scores, -1, 0)[..., None]), statistics)


def test_good_chains_are_fine() -> None:
    found = judged()
    assert found.status is FitStatus.FINE and found.messages == ()
    assert list(found.table["quantity"]) == ["expected_score", "slope", "tail"]
    assert set(found.table["verdict"]) == {"fine"}


def test_a_forecast_that_disagrees_is_named_with_its_place() -> None:
    expected = chains(0.0, size=2, draws=500)
    expected[0, :, 1] += 1
    found = judged(expected=expected)
    assert found.status is FitStatus.NOT_TRUSTED
    (message,) = found.messages
    assert message.startswith("expected_score has not converged (R-hat 1.")
    assert "at m, y" in message and message.endswith("fit again with twice the draws and warmup.")


@pytest.mark.parametrize(("shift", "verdict"), [(0.39, "caution"), (1.0, "bad")])
def test_slopes_get_a_caution_before_they_are_bad(shift: float, verdict: str) -> None:
    slope = chains(0.0, size=2, draws=500, seed=8)
    slope[0, :, 1] += shift
    row = judged(slope=slope).table.set_index("quantity").loc["slope"]
    assert row["verdict"] == verdict and row["where"] == "GSM8K"
    assert (1.01 < row["r_hat"] < 1.02) == (verdict == "caution")


def test_few_effective_draws_are_bad() -> None:
    found = judged(expected=chains(0.95, size=2, draws=500))
    assert found.status is FitStatus.NOT_TRUSTED
    assert "effective draws of the 400 wanted" in found.messages[0]


def test_divergences_and_deep_trees_are_reported() -> None:
    assert judged(diverging=3).messages[0].startswith("3 steps diverged")
    assert judged(deep=0.2).messages[0].startswith("20% of the draws hit the largest tree depth")
    assert judged(deep=0.04).status is FitStatus.FINE
