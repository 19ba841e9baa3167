"""Forecasts beside the truth, coverage at every level, laws over settings: each table against plain loops."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fake_laws import FakeLaw
from fits import BENCHMARKS, table
from matplotlib.collections import LineCollection
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.comparing import compare_with_truth
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.evaluation_tables import NOMINAL, across_settings, coverage_curve, held_out_forecasts
from bayes_sloth.plots import forecasts as plots
from bayes_sloth.prediction import Prediction
from bayes_sloth.protocols import RandomCells
from bayes_sloth.scoring import FOLD, LEVELS, held, held_by_chance

LAWS = (FakeLaw("right"), FakeLaw("narrow", 0.3))
FALSE_ALARM = 1e-3


@cache
def found() -> Evaluation:
    return evaluate(table(), LAWS, RandomCells(parts=8, seed=1), seed=0, jobs=1, progress=False)


def made_up(folds: int, each: int, *, stretch: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Return cases of a law whose ranks are uniform, or stretched away from the middle."""
    rank = 0.5 + stretch * (np.random.default_rng(seed).uniform(size=folds * each) - 0.5)
    inside = {f"inside_{p:g}": (2 * np.abs(rank - 0.5) <= p).astype(float) for p in LEVELS}
    return pd.DataFrame({"law": "one", FOLD: np.repeat(np.arange(folds), each), "rank": rank, **inside})


def test_every_held_out_score_stands_beside_its_intervals() -> None:
    table_ = held_out_forecasts(found())
    cases = found().cases().set_index(["law", "fold", "model", "benchmark"])
    assert len(table_) == 2 * len(cases)
    row = table_[table_["prob"] == 0.9].set_index(["law", "fold", "model", "benchmark"])
    for column in ("truth", "median", "lower", "upper", "family"):
        assert row[column].tolist() == cases.loc[row.index, column].tolist()
    assert list(dict.fromkeys(table_["law"])) == ["right", "narrow"]
    with pytest.raises(bs.InputError, match=r"probability 0\.7 was evaluated: choose from 0\.5, 0\.8"):
        held_out_forecasts(found(), probs=[0.7])


def test_shares_inside_are_those_of_the_intervals() -> None:
    """Ranks among 40 draws tell of an interval what its quantiles tell, to about a draw."""
    curve = coverage_curve(found(), levels=LEVELS).set_index(["law", "level"])
    pooled = found().table()
    for law in ("right", "narrow"):
        for level in LEVELS:
            assert curve.loc[(law, level), "inside"] == pytest.approx(
                pooled.loc[law, f"{level:.0%}"], abs=0.06
            )
    assert curve["inside"].groupby(level="law").apply(lambda s: s.is_monotonic_increasing).all()


def test_the_band_is_where_the_test_of_calibration_begins_to_flag() -> None:
    """Against `held`: half a score inside the band's ends has a p-value above 1 - prob, beyond them below."""
    cases = made_up(30, 4)
    for level in (0.5, 0.9):
        low, high = held_by_chance(cases, np.array([level]), 0.9)
        for end, step in ((float(low[0]), -1), (float(high[0]), 1)):
            flagged = []
            for side in (-1, 1):
                count = round(end * len(cases) + side * step)
                column = f"inside_{level:g}"
                shares = np.zeros(len(cases))
                shares[np.linspace(0, len(cases) - 1, count).astype(int)] = 1.0
                p = held(cases.assign(**{column: shares}), level, 0.1)["p_value"]
                flagged.append(p < 0.1)
            assert flagged == [False, True]


def test_the_band_of_independent_scores_is_the_binomial_one() -> None:
    levels = np.array([0.2, 0.5, 0.9])
    low, high = held_by_chance(made_up(400, 1), levels, 0.9)
    np.testing.assert_allclose(low, stats.binom.ppf(0.05, 400, levels) / 400, atol=0.006)
    np.testing.assert_allclose(high, stats.binom.isf(0.05, 400, levels) / 400, atol=0.006)


def test_one_fold_tells_nothing() -> None:
    curve = coverage_curve(made_up(1, 20))
    assert (curve["low"] == 0).all() and (curve["high"] == 1).all()


def test_a_calibrated_law_stays_within_the_band_and_a_narrow_one_leaves_it() -> None:
    """False alarm of the first: its two levels leave a band of 99.9% with probability 0.002 at most."""
    right, narrow = (
        coverage_curve(made_up(60, 5, stretch=s), levels=[0.5, 0.8], prob=1 - FALSE_ALARM) for s in (1.0, 1.6)
    )
    assert right["inside"].between(right["low"], right["high"]).all()
    assert (narrow["inside"] < narrow["low"]).all()


def test_settings_hold_the_measures_of_each_evaluation() -> None:
    other = evaluate(table(), LAWS, RandomCells(parts=3, seed=2), seed=0, jobs=1, progress=False)
    frame = across_settings({"a": found(), "b": other}).set_index(["setting", "law"])
    pd.testing.assert_frame_equal(frame.loc["a"], found().table())
    pd.testing.assert_frame_equal(frame.loc["b"], other.table())


@cache
def prediction() -> Prediction:
    """Stand in for forecasts of the table's models: draws around one half."""
    scores = table()
    draws = np.random.default_rng(0).uniform(0.3, 0.7, size=(2, 50, len(scores.models), len(BENCHMARKS)))
    facts = scores.metadata
    flags = MappingProxyType({"known_family": True, "extrapolates": False})
    labels = {
        "model": list(scores.models),
        "benchmark": list(BENCHMARKS),
        "family": ("model", facts["family"]),
    }
    labels |= {name: ("model", np.full(len(facts), value)) for name, value in flags.items()}
    return Prediction(xr.Dataset({"score": (("chain", "draw", "model", "benchmark"), draws)}, labels))


def test_forecasts_stand_beside_what_was_observed_and_holes_are_passed_over() -> None:
    scores = table()
    frame = compare_with_truth(prediction(), scores, probs=[0.8])
    assert len(frame) == int(scores.observed.sum())
    truth = scores.data["score"].to_series().dropna()
    told = frame.set_index(["model", "benchmark"])["truth"]
    assert told.to_dict() == truth.to_dict()
    wanted = bs.intervals(prediction(), 0.8).set_index(["model", "benchmark"]).loc[told.index]
    assert frame["lower"].tolist() == wanted["lower"].tolist()
    assert frame["family"].tolist() == [
        dict(zip(scores.models, scores.metadata["family"], strict=True))[m] for m in frame["model"]
    ]
    other = bs.load_leaderboard().select(models=["bloom-560m"])
    with pytest.raises(bs.InputError, match="no score of the models asked about"):
        compare_with_truth(prediction(), other)


def test_pictures_of_forecasts_show_truth_and_intervals() -> None:
    frame = compare_with_truth(prediction(), table())
    for by, other in (("benchmark", "model"), ("model", "benchmark")):
        figure = plots.plot_forecasts(frame, by=by)
        for axes in figure.axes:
            if not axes.get_visible():
                continue
            own = frame[(frame[by] == axes.get_title(loc="left")) & (frame["prob"] == 0.9)]
            labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
            rows = [labels.index(name) for name in own[other]]
            np.testing.assert_allclose(axes.lines[1].get_xydata(), np.c_[own["truth"], rows])
            wide = next(c for c in axes.collections if isinstance(c, LineCollection))
            np.testing.assert_allclose([s[:, 0] for s in wide.get_segments()], own[["lower", "upper"]])
    figure.canvas.draw()
    with pytest.raises(bs.InputError, match="several laws"):
        plots.plot_forecasts(held_out_forecasts(found()))
    with pytest.raises(bs.InputError, match="unknown by 'family'"):
        plots.plot_forecasts(frame, by="family")


def test_the_picture_of_coverage_shows_its_table() -> None:
    curve = coverage_curve(found())
    figure = plots.plot_coverage(curve)
    for axes, (law, part) in zip(figure.axes, curve.groupby("law", sort=False), strict=True):
        assert axes.get_title(loc="left").startswith(f"{law}, ")
        np.testing.assert_allclose(axes.lines[1].get_xydata(), part[["level", "inside"]])
    assert len(curve) == 2 * len(NOMINAL)


def test_the_picture_of_settings_shows_its_table() -> None:
    frame = across_settings({"a": found(), "b": found()})
    more = pd.DataFrame({"setting": ["b"], "law": ["published"], "MAE": [0.04]})
    axes = plots.plot_settings(pd.concat([frame, more])).axes[0]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines[:3]}
    pooled = found().table()["MAE"]
    assert drawn == {"right": [pooled["right"]] * 2, "narrow": [pooled["narrow"]] * 2, "published": [0.04]}
    highest = max(max(values) for values in drawn.values())
    assert axes.get_ylim()[1] >= 1.04 * highest  # its mark is not cut
    with pytest.raises(bs.InputError, match="unknown measure 'error'"):
        plots.plot_settings(frame, measure="error")
