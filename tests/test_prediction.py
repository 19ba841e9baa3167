"""Forecasts: which are wide, which are flagged, and what stays the same whatever the order asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import (
    BENCHMARKS,
    CHAINS,
    DRAWS,
    asked,
    compiled_quickly,
    forecast,
    hmc_fit,
    map_fit,
    table,
    with_groups,
)

import bayes_sloth as bs
from bayes_sloth.asking import REPEATS
from bayes_sloth.errors import InputError
from bayes_sloth.expectation import expected_scores
from bayes_sloth.prediction import SHOWN

COLUMNS = [
    "model",
    "benchmark",
    "mean",
    "median",
    "sd",
    "lower",
    "upper",
    "prob",
    "known_family",
    "extrapolates",
]


def predicted(fit: bs.Posterior, models: object, seed: int = 0) -> bs.Prediction:
    with compiled_quickly():
        return bs.predict(fit, models, seed=seed)


def spread(model: str, kind: str = "expected") -> np.ndarray:
    """Width of the 90% interval of a model on every benchmark."""
    table = bs.intervals(forecast(), kind=kind).set_index("model").loc[model]
    return (table["upper"] - table["lower"]).to_numpy()


def mean(model: str) -> np.ndarray:
    return forecast().data["expected"].sel(model=model).mean(("chain", "draw")).values


def test_a_forecast_holds_draws_of_both_kinds_with_names() -> None:
    data = forecast().data
    assert set(data.data_vars) == {"expected", "score"}
    for kind in ("expected", "score"):
        assert data[kind].dims == ("chain", "draw", "model", "benchmark")
    assert data.sizes == {"chain": 1, "draw": REPEATS, "model": len(asked()), "benchmark": 3}
    assert list(data["model"].values) == list(asked()["model"])
    assert tuple(data["benchmark"].values) == BENCHMARKS
    assert list(data["family"].values) == list(asked()["family"])
    np.testing.assert_array_equal(data["params_b"].values, asked()["params_b"])


def test_draws_are_shares() -> None:
    for kind in ("expected", "score"):
        values = forecast().data[kind].values
        assert np.isfinite(values).all()
        assert values.min() >= 0 and values.max() <= 1


def test_flags_say_which_family_is_new_and_what_is_out_of_range() -> None:
    data = forecast().data
    new = {"new family", "strong parent", "weak parent"}
    assert set(data["model"].values[~data["known_family"].values]) == new
    assert set(data["model"].values[data["extrapolates"].values]) == {"larger", "longer"}
    assert data["known_family"].dtype == data["extrapolates"].dtype == bool


def test_less_knowledge_gives_wider_forecasts() -> None:
    assert (spread("new family") > 1.2 * spread("inside")).all()
    assert (spread("no tokens") > 1.02 * spread("inside")).all()
    assert (spread("no size") > 1.2 * spread("inside")).all()
    assert (spread("weak parent") < spread("new family")).any()


def test_more_compute_gives_higher_scores_and_larger_models_wider_logits() -> None:
    assert (mean("larger") > mean("inside")).all()
    data = forecast().data["expected"]
    logits = np.log(data) - np.log1p(-data)
    assert (logits.sel(model="larger").std("draw") > logits.sel(model="inside").std("draw")).any()


def test_a_child_takes_after_its_parent() -> None:
    efficiency = map_fit().data["posterior"]["efficiency"].mean("skill").squeeze()
    assert efficiency.sel(family="llama-3") > efficiency.sel(family="falcon")
    assert (mean("strong parent") > mean("weak parent")).all()


def test_a_mixture_counts_for_less_than_its_total_size() -> None:
    assert (mean("mixture") < mean("dense")).all()


def test_tuning_does_more_for_larger_models_where_the_fit_says_so() -> None:
    """With a steeper effect large tuned models gain on anchors, small ones lose, and base models stay."""
    posterior = map_fit().data["posterior"].dataset
    steep = with_groups(map_fit(), posterior=posterior.assign(tuning_slope=posterior["tuning_slope"] + 0.5))
    sizes = {"small": (7.0, 1), "large": (400.0, 1), "base": (400.0, 0)}
    rows = [
        {"model": name, "family": "llama-2", "params_b": size, "tokens_t": 2.0, "instruct": instruct}
        for name, (size, instruct) in sizes.items()
    ]
    before, after = (predicted(fit, pd.DataFrame(rows)).data["expected"] for fit in (map_fit(), steep))
    gain = (after - before).mean(("chain", "draw")).sel(benchmark=list(map_fit().spec.anchors or ()))
    assert (gain.sel(model="large") > 0).all() and (gain.sel(model="small") < 0).all()
    assert (after.sel(model="base") == before.sel(model="base")).all()


def test_a_point_estimate_still_has_spread() -> None:
    assert map_fit().draws == 1
    assert (spread("inside") > 0.01).all()
    assert (forecast().data["expected"].sel(model="llama-2-13b").std("draw") > 1e-3).all()


def test_observed_scores_scatter_around_expected_ones() -> None:
    expected, score = (bs.intervals(forecast(), kind=kind) for kind in ("expected", "score"))
    assert (expected["sd"] < score["sd"]).all()
    inside = expected["model"] == "inside"
    assert (spread("inside") < spread("inside", "score")).all()
    np.testing.assert_allclose(expected["mean"][inside], score["mean"][inside], atol=0.01)


@pytest.mark.parametrize("make", [map_fit, hmc_fit])
def test_a_fitted_models_own_row_is_forecast_where_the_fit_has_it(make: Any) -> None:
    """Its departure is known up to what two equal models differ by, so means agree within a few points."""
    fit, names = make(), ["llama-2-13b", "falcon-40b"]
    data = forecast().data if fit.draws == 1 else predicted(fit, asked()).data
    rows = [table().models.index(name) for name in names]
    fitted = expected_scores(fit.data, fit.spec)[:, :, rows].mean((0, 1))
    found = data["expected"].sel(model=names).mean(("chain", "draw")).values
    np.testing.assert_allclose(found, fitted, atol=0.03)
    if fit.draws > 1:
        assert data.sizes["chain"] == CHAINS and data.sizes["draw"] == DRAWS


def test_the_order_asked_permutes_the_numbers_exactly() -> None:
    order = np.random.default_rng(0).permutation(len(asked()))
    shuffled = predicted(map_fit(), asked().iloc[order])
    xr.testing.assert_identical(shuffled.data, forecast().data.isel(model=order))


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    again, other = predicted(map_fit(), asked()), predicted(map_fit(), asked(), seed=1)
    xr.testing.assert_identical(again.data, forecast().data)
    assert not (other.data["score"] == forecast().data["score"]).any()
    noise = 6 * forecast().data["expected"].std("draw") / REPEATS**0.5
    assert (abs((other.data["expected"] - forecast().data["expected"]).mean("draw")) < 2**0.5 * noise).all()


def test_a_table_of_scores_a_file_and_a_mapping_can_be_asked(tmp_path: Any) -> None:
    few = table().select(models=["llama-2-70b", "yi-6b"])
    facts = few.metadata
    facts.to_csv(tmp_path / "models.csv", index=False)
    asked_as = (few, tmp_path / "models.csv", facts.to_dict("list"))
    found = [predicted(map_fit(), models).data for models in asked_as]
    xr.testing.assert_identical(found[0], found[1])
    xr.testing.assert_identical(found[0], found[2])
    assert list(found[0]["model"].values) == ["llama-2-70b", "yi-6b"]


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_a_wrong_seed_is_named(seed: Any) -> None:
    with pytest.raises(InputError, match=r"predict: seed is .*: give a whole number from 0"):
        bs.predict(map_fit(), asked(), seed=seed)


def test_a_wrong_row_is_named() -> None:
    wrong = {"model": "new", "family": "yi", "params_b": -30, "tokens_t": 15}
    with pytest.raises(InputError, match=r"new.*params_b"):
        bs.predict(map_fit(), wrong, seed=0)


def test_intervals_have_exactly_their_columns_in_the_order_asked() -> None:
    found = bs.intervals(forecast())
    assert list(found) == COLUMNS
    assert list(found["model"].unique()) == list(asked()["model"])
    assert list(found["benchmark"][:3]) == list(BENCHMARKS)
    assert len(found) == 3 * len(asked())
    assert (found["prob"] == 0.9).all()
    assert found["known_family"].dtype == found["extrapolates"].dtype == bool
    told = found.groupby("model", sort=False)["extrapolates"].agg(["all", "any"])
    assert (told["all"] == told["any"]).all() and set(told.index[told["all"]]) == {"larger", "longer"}


def test_intervals_are_quantiles_of_the_draws() -> None:
    found = (
        bs.intervals(forecast(), 0.5, kind="expected")
        .set_index(["model", "benchmark"])
        .loc[("inside", "ARC")]
    )
    draws = forecast().data["expected"].sel(model="inside", benchmark="ARC").values.ravel()
    assert found["lower"] == np.quantile(draws, 0.25) and found["upper"] == np.quantile(draws, 0.75)
    assert (found["mean"], found["median"]) == pytest.approx((draws.mean(), np.median(draws)))
    assert found["sd"] == pytest.approx(draws.std())


@pytest.mark.parametrize("prob", [0, 1, 1.5, 90, -0.1, float("nan")])
def test_a_wrong_probability_is_named(prob: float) -> None:
    with pytest.raises(InputError, match=f"prob is {prob}: give a probability between 0 and 1"):
        bs.intervals(forecast(), prob)


def test_a_wrong_kind_is_named() -> None:
    with pytest.raises(InputError, match="kind is 'median': choose 'score' or 'expected'"):
        bs.intervals(forecast(), kind="median")


def test_a_forecast_prints_its_first_rows() -> None:
    lines = repr(forecast()).splitlines()
    assert lines[0] == f"Prediction: {len(asked())} models and 3 benchmarks, {REPEATS} draws"
    assert "llama" not in lines[1] and "inside" in lines[2]
    left = 3 * len(asked()) - SHOWN
    assert len(lines) == 2 + SHOWN + (left > 0) and (left <= 0 or f"{left} more: bs.intervals" in lines[-1])


def test_asking_changes_nothing_in_what_was_given() -> None:
    rows = asked()
    pd.testing.assert_frame_equal(rows, asked())
    predicted(map_fit(), rows)
    pd.testing.assert_frame_equal(rows, asked())
