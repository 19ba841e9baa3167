"""Curves of families and of links go through what the law expects of the models, and show what was seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from fits import BENCHMARKS, compiled_quickly, ideal_fit, map_fit, with_groups
from matplotlib.figure import Figure

import bayes_sloth as bs
from bayes_sloth.expectation import expected_scores
from bayes_sloth.plots import chains, curves
from bayes_sloth.score_curves import family_curves, link_curves
from bayes_sloth.summaries import ScoreCurves


@cache
def links(prob: float = 0.9) -> ScoreCurves:
    with compiled_quickly():
        return link_curves(ideal_fit(), prob=prob)


@cache
def mode_curves() -> ScoreCurves:
    """One family at sizes of its own models, one whose tokens are not known, and the packaged scores."""
    packaged = bs.load_leaderboard().select(benchmarks=BENCHMARKS)
    with compiled_quickly():
        options = {"params_b": [7.0, 13.016, 40.0], "seed": 0, "held_out": packaged}
        return family_curves(map_fit(), ["llama-2", "falcon", "mistral"], "GSM8K", **options)


def test_models_lie_on_the_link_at_the_score_that_the_law_expects() -> None:
    """At the mode, where a model has one predictor and a benchmark one link."""
    with compiled_quickly():
        found = link_curves(map_fit(), steps=1500)
    expected = expected_scores(map_fit().data, map_fit().spec)[0, 0]
    models = list(map_fit().scores.models)
    for column, name in enumerate(BENCHMARKS):
        points, curve = (t[t["benchmark"] == name] for t in (found.points, found.curves))
        at = np.interp(points["median"], curve["predictor"], curve["median"])
        np.testing.assert_allclose(
            at, expected[[models.index(m) for m in points["model"]], column], atol=1e-5
        )
        assert curve["median"].is_monotonic_increasing


def test_points_of_links_are_the_observed_scores() -> None:
    scores = ideal_fit().scores
    told = links().points.set_index(["model", "benchmark"])["score"]
    assert told.to_dict() == scores.data["score"].to_series().dropna().to_dict()


def test_bands_and_intervals_of_links_nest() -> None:
    wide, narrow = links(0.9), links(0.5)
    for outer, inner in ((wide.curves, narrow.curves), (wide.points, narrow.points)):
        assert (outer["lower"] <= outer["median"]).all() and (outer["median"] <= outer["upper"]).all()
        assert (outer["upper"] - outer["lower"]).mean() > (inner["upper"] - inner["lower"]).mean()


def test_a_familys_curve_passes_through_what_the_law_expects_of_its_models() -> None:
    """At the size, tokens and tuning of a fitted model nothing is left to draw but its small misfit."""
    fit = map_fit()
    expected = expected_scores(fit.data, fit.spec)[0, 0, fit.scores.models.index("llama-2-13b"), 2]
    curve = mode_curves().curves.query("family == 'llama-2'")
    assert curve["tokens_t"].tolist() == pytest.approx([2.0] * 3)
    assert curve["median"].iloc[1] == pytest.approx(expected, abs=0.005)
    assert curve["median"].is_monotonic_increasing


def test_tokens_that_nobody_knows_are_drawn_and_make_the_band_wider() -> None:
    table = map_fit().scores.metadata
    assert table.loc[table["family"] == "mistral", "tokens_t"].isna().all()
    frame = mode_curves().curves.assign(width=lambda t: t["upper"] - t["lower"]).set_index("family")
    assert frame.loc["mistral", "tokens_t"].isna().all() and (frame["width"] > 0).all()


def test_points_say_what_the_fit_did_not_see() -> None:
    """The tests' table lacks one score that the packaged one holds, and every base model is a point once."""
    points = mode_curves().points.set_index("model")
    packaged = bs.load_leaderboard()
    facts = packaged.metadata.set_index("model")
    assert points.index.is_unique and (facts.loc[points.index, "instruct"] == 0).all()
    assert points.loc["falcon-7b", "held_out"] and not points.loc["falcon-40b", "held_out"]
    truth = packaged.data["score"].sel(benchmark="GSM8K").to_series()
    assert points["score"].to_dict() == truth[points.index].to_dict()


@pytest.mark.parametrize(
    ("families", "benchmark", "message"),
    [
        (["llama-4"], "MMLU", "unknown family 'llama-4'"),
        (["llama-2"], "MMLO", "unknown benchmark 'MMLO'"),
        ([], "MMLU", "name at least one family"),
        ("llama-2", "MMLU", "name at least one family"),
    ],
)
def test_curves_of_what_is_not_there_are_refused(families: list[str], benchmark: str, message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        family_curves(map_fit(), families, benchmark, seed=0)


def test_links_refuse_what_makes_no_curve() -> None:
    with pytest.raises(bs.InputError, match="steps is 1"):
        link_curves(map_fit(), steps=1)
    with pytest.raises(bs.InputError, match="unknown benchmark 'ARK'"):
        link_curves(map_fit(), ["ARK"])


def test_a_family_without_sizes_asks_for_them() -> None:
    fit = map_fit()
    known = fit.data["constant_data"].dataset
    lost = known.assign(params_b=known["params_b"].where(known["family"] != "yi"))
    with pytest.raises(bs.InputError, match="no size of a model of 'yi' is known: give params_b"):
        family_curves(with_groups(fit, constant_data=lost), ["yi"], "MMLU", seed=0)


def test_pictures_of_curves_show_their_tables() -> None:
    found = mode_curves()
    figure = curves.plot_family_curves(found)
    axes = figure.axes[0]
    first = found.curves[found.curves["family"] == "llama-2"]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), first[["params_b", "median"]])
    drawn = np.concatenate([line.get_xydata() for line in axes.lines if line.get_linestyle() == "None"])
    wanted = found.points[["params_b", "score"]].to_numpy()
    np.testing.assert_allclose(np.sort(drawn, axis=0)[: len(wanted)], np.sort(wanted, axis=0))
    figure.canvas.draw()
    for axes, (name, part) in zip(
        curves.plot_links(links()).axes, links().points.groupby("benchmark", sort=False), strict=True
    ):
        assert axes.get_title(loc="left") == name
        np.testing.assert_allclose(axes.lines[0].get_xydata(), part[["median", "score"]])


def test_traces_are_the_draws_of_each_chain() -> None:
    fit = ideal_fit()
    figure = chains.plot_traces(fit, "loading", {"benchmark": "GSM8K", "skill": [fit.spec.anchors[0]]})
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    draws = fit.data["posterior"]["loading"].sel(benchmark="GSM8K", skill=fit.spec.anchors[0])
    np.testing.assert_allclose(drawn, draws)


def test_ranks_of_a_chain_apart_depart_from_even_ones() -> None:
    """Of eight lines of 400 even ranks none goes beyond 0.1 but in one set of draws in 200."""
    fit = ideal_fit()
    draws = fit.data["posterior"].dataset[["tuning"]].copy(deep=True)
    assert _furthest(chains.plot_ranks(fit, ["tuning"])) < 0.1
    draws["tuning"][0] += 0.01
    assert _furthest(chains.plot_ranks(with_groups(fit, posterior=draws), ["tuning"])) > 0.3


def _furthest(figure: Figure) -> float:
    """Return how far the lines of a figure go from zero."""
    return max(float(np.abs(line.get_ydata()).max()) for axes in figure.axes for line in axes.lines)


@pytest.mark.parametrize(
    ("names", "coords", "message"),
    [
        ("slopes", None, "unknown quantity 'slopes'.*Did you mean 'slope'"),
        ("slope", {"benchmark": ["MMLU"]}, "unknown dim 'benchmark'"),
        ("loading", {"benchmark": ["MLMU"]}, "Did you mean 'MMLU'"),
        ("model_skill", None, "50 panels cannot be read: choose at most 24"),
    ],
)
def test_chains_of_what_is_not_there_are_refused(
    names: str, coords: dict[str, list[str]] | None, message: str
) -> None:
    with pytest.raises(bs.InputError, match=message):
        chains.plot_traces(map_fit(), names, coords)


def test_curves_print_how_much_there_is() -> None:
    assert repr(ScoreCurves(pd.DataFrame({"median": [0.1]}), pd.DataFrame())) == (
        "ScoreCurves: 1 points of curves, 0 observed scores"
    )
