"""Forecasts given scores known already: against brute force over many draws, and against the model itself."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import BENCHMARKS, compiled_quickly, map_fit, table, with_groups
from scipy import stats

import bayes_sloth as bs
from bayes_sloth import conditioning
from bayes_sloth.errors import FitWarning, InputError, InputWarning
from bayes_sloth.partial_scores import read_partial
from bayes_sloth.weighting import Weights, resampled, weights_of

PILOT = {"model": "pilot", "family": "novel", "params_b": 7.0, "tokens_t": 2.0, "MMLU": 0.66, "ARC": 0.62}
LARGE = {"model": "large", "family": "novel", "params_b": 70.0, "tokens_t": 2.0}
ROWS = pd.DataFrame([LARGE, PILOT])


@cache
def spread_fit(draws: int, shift: float) -> bs.Posterior:
    """Return a fit whose draws differ in the average skill, so that new scores tell one draw from another."""
    fit = map_fit()
    posterior = fit.data["posterior"].dataset.isel(draw=np.zeros(draws, dtype=int))
    posterior = posterior.assign_coords(draw=range(draws))
    noise = shift * np.random.default_rng(1).normal(size=(1, draws, 1))
    moved = posterior.assign(skill_mean=posterior["skill_mean"] + noise)
    return with_groups(fit, posterior=moved)


def conditioned(fit: bs.Posterior, rows: Any, seed: int = 0) -> bs.Prediction:
    with compiled_quickly():
        return bs.condition(fit, rows, seed=seed)


def predicted(fit: bs.Posterior, rows: Any, seed: int = 0) -> bs.Prediction:
    with compiled_quickly():
        return bs.predict(fit, rows, seed=seed)


def draws_of(prediction: bs.Prediction, kind: str = "expected") -> np.ndarray:
    """Return draws of the large model's scores and of the pilot's, dims (draw, model, benchmark)."""
    values = prediction.data[kind].sel(model=["large", "pilot"])
    return values.values.reshape(-1, 2, len(BENCHMARKS))


def agreement(expected: np.ndarray) -> np.ndarray:
    """Return the log likelihood of the pilot's known scores in draws of its expected ones, in plain NumPy."""
    posterior = map_fit().data["posterior"].dataset.isel(chain=0, draw=0)
    freedom, total = 2 + float(posterior["tail"]), np.zeros(len(expected))
    for place, name in enumerate(BENCHMARKS[:2]):
        mean, floor = expected[:, 1, place], float(posterior["lower"].sel(benchmark=name))
        share = (mean - floor) / (1 - floor)
        misfit = float(posterior["misfit"].sel(benchmark=name)) ** 2 * (4 * share * (1 - share) + 0.02)
        items = float(np.nanmedian(table().data["items"].sel(benchmark=name)))
        scale = np.sqrt(misfit + mean * (1 - mean) / items)
        total += stats.t.logpdf(float(PILOT[name]), freedom, mean, scale)
    return total


@cache
def brute_force() -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean and sd of expected scores by weighting forecasts made without any, and their worth."""
    expected = draws_of(predicted(spread_fit(10_000, 0.5), ROWS[list(LARGE)]))
    weight = np.exp(agreement(expected) - agreement(expected).max())
    weight /= weight.sum()
    mean = np.einsum("s,smb->mb", weight, expected)
    sd = np.sqrt(np.einsum("s,smb->mb", weight, (expected - mean) ** 2))
    return mean, sd, float(1 / (weight**2).sum())


def gap(prediction: bs.Prediction) -> float:
    """Return how far means and sds are from brute force, in Monte Carlo errors of both."""
    mean, sd, worth = brute_force()
    found = draws_of(prediction)
    error = sd * np.sqrt(1 / worth + 1 / float(prediction.data["effective_draws"]))
    return float(max((abs(found.mean(0) - mean) / error).max(), (abs(found.std(0) - sd) / error).max()))


def test_it_agrees_with_brute_force() -> None:
    """Six moments of each kind: four errors off by chance once in a thousand runs, and the seed is fixed."""
    found = conditioned(spread_fit(1500, 0.5), ROWS)
    assert brute_force()[2] > 200 and conditioning.trusted(found)
    assert gap(found) < 4


def test_draws_left_unweighted_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scores say of the fit itself must count, not only what they say of the models."""
    even = Weights(np.full(1500, 1 / 1500), 0.0, 1500.0)
    monkeypatch.setattr(conditioning, "weights_of", lambda _: even)
    assert gap(conditioned(spread_fit(1500, 0.5), ROWS)) > 6


def test_without_known_scores_it_is_the_forecast() -> None:
    found = conditioned(spread_fit(100, 0.5), ROWS[list(LARGE)])
    usual = predicted(spread_fit(100, 0.5), ROWS[list(LARGE)])
    xr.testing.assert_equal(found.data[["expected", "score"]], usual.data[["expected", "score"]])
    assert not found.data["known"].any() and float(found.data["effective_draws"]) == 100


def test_known_scores_stand_and_rows_may_come_in_any_order() -> None:
    first, second = (conditioned(spread_fit(1500, 0.5), rows) for rows in (ROWS, ROWS.iloc[::-1]))
    known = first.data["known"].sel(model="pilot")
    assert known.values.tolist() == [True, True, False] and not first.data["known"].sel(model="large").any()
    score = first.data["score"].sel(model="pilot")
    for name in BENCHMARKS[:2]:
        assert (score.sel(benchmark=name) == PILOT[name]).all()
    assert list(first.data["model"].values) == ["large", "pilot"]
    xr.testing.assert_equal(first.data["score"].sel(model="large"), second.data["score"].sel(model="large"))
    assert len(bs.intervals(first)) == 6


TRUTHS = 36
BLANK = {"MMLU": np.nan, "ARC": np.nan}


def spread(prediction: bs.Prediction) -> float:
    """Return the variance of the last score, on the scale where that of a share hardly follows its mean."""
    last = prediction.data["score"].values[0, :, 0, 2]
    return float(np.var(np.arcsin(np.sqrt(last)), ddof=1))


@cache
def rounds() -> pd.DataFrame:
    """Draw models from the forecast, tell some of their scores, and forecast the last one."""
    fit, rng = spread_fit(100, 0.5), np.random.default_rng(2)
    truth = predicted(fit, PILOT | BLANK, seed=5).data["score"].values[0, :, 0]
    others, rows = np.random.default_rng(3), []
    for scores in truth[:TRUTHS]:
        alone = predicted(fit, PILOT | BLANK, seed=int(others.integers(2**31)))
        row: dict[str, Any] = {"none": spread(alone)}
        for known in (1, 2):
            told = dict(zip(BENCHMARKS, scores, strict=True))
            told |= dict.fromkeys(BENCHMARKS[known:], np.nan)
            found = conditioned(fit, PILOT | told, seed=int(rng.integers(2**31)))
            last = found.data["score"].values[0, :, 0, 2]
            row[str(known)] = spread(found)
            row[f"rank {known}"] = (last < scores[2]).mean() + rng.random() * (last == scores[2]).mean()
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_sloth.errors.FitWarning")
@pytest.mark.parametrize("known", [1, 2])
def test_truths_from_the_model_fall_anywhere_in_their_forecasts(known: int) -> None:
    """Ranks are uniform, whatever the draws: a false alarm once in a thousand, and the seed is fixed."""
    assert stats.kstest(rounds()[f"rank {known}"], "uniform").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_sloth.errors.FitWarning")
@pytest.mark.parametrize(("less", "more"), [("none", "1"), ("1", "2")])
def test_each_further_known_score_lowers_the_mean_variance(less: str, more: str) -> None:
    """The law of total variance; single rows may well become less sure. Every row has draws of its own."""
    lower = rounds()[less] - rounds()[more]
    assert lower.mean() > 2 * lower.std() / np.sqrt(TRUTHS)


def test_scores_that_say_too_much_are_warned_of() -> None:
    """Draws all alike but for a large shift: a few of them explain a far score."""
    with pytest.warns(FitWarning, match=r"effective draws.*Refit with these rows"):
        found = conditioned(spread_fit(100, 0.5), PILOT | {"MMLU": 0.93, "ARC": 0.91})
    assert not conditioning.trusted(found)


def test_weights_with_a_heavy_tail_have_a_large_k() -> None:
    tail = np.random.default_rng(0).pareto(1.0, size=4000) + 1  # shape k is 1
    assert weights_of(np.log(tail)).pareto_k > 0.7
    even = weights_of(np.random.default_rng(0).normal(0, 0.1, size=4000))
    assert even.pareto_k < 0.7 and even.effective_draws > 3900


def test_resampling_follows_the_weights() -> None:
    weight = np.random.default_rng(1).dirichlet(np.ones(500))
    proposals = np.log(np.tile([0.2, 0.0, 0.8], (500, 1)) + 1e-300)
    draw, proposal = resampled(weight, proposals, np.random.default_rng(0))
    assert (abs(np.bincount(draw, minlength=500) - 500 * weight) < 1 + 1e-9).all()
    assert 1 not in proposal and abs((proposal == 2).mean() - 0.8) < 0.08  # four standard errors


def test_rows_are_read_against_the_benchmarks_of_the_fit() -> None:
    wide = read_partial({"family": ["f", "f"], "params_b": 7, "tokens_t": 2, "gsm8k": [0.5, None]}, table())
    assert wide.models["model"].tolist() == ["f-7b", "f-7b-2"]
    np.testing.assert_array_equal(wide.score[:, :2], np.full((2, 2), np.nan))
    assert wide.score[0, 2] == 0.5 and np.isnan(wide.score[1, 2])
    long = pd.DataFrame([{**LARGE, "benchmark": "MMLU", "score": 0.5, "n": 100}])
    found = read_partial(long, table())
    assert found.score[0, 0] == 0.5 and found.items[0, 0] == 100
    for rows in ({**PILOT, "MMLU": 62.5}, long.assign(score=62.5)):
        assert read_partial(rows, table(), percent=True).score[0, 0] == 0.625


def test_shares_taken_for_percent_are_doubted() -> None:
    with pytest.warns(InputWarning, match="percent=True leaves no score above 0.0066: .* leave percent out"):
        read_partial({**PILOT, "MMLU": 0.66, "ARC": None}, table(), percent=True)


def test_a_misspelt_benchmark_is_hinted_at() -> None:
    with pytest.warns(InputWarning, match="the fit has no MMLUU: .* Did you mean 'MMLU' by 'MMLUU'"):
        read_partial({**PILOT, "MMLUU": 0.8}, table())


def test_scores_on_other_benchmarks_are_left_out_with_a_warning() -> None:
    with pytest.warns(InputWarning, match="the fit has no HellaSwag"):
        found = read_partial({**PILOT, "HellaSwag": 0.8}, table())
    assert found.score.shape == (1, 3)


@pytest.mark.parametrize(
    ("row", "seed", "message"),
    [
        (PILOT | {"model": "falcon-7b"}, 0, "falcon-7b: in the fit already"),
        (PILOT | {"MMLU": 66.0}, 0, "outside"),
        (PILOT, -1, "condition: seed is -1"),
    ],
)
def test_bad_rows_are_refused(row: dict[str, Any], seed: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bs.condition(map_fit(), row, seed=seed)
