"""Skills of a fit: the same forecasts under every rotation, tables that add up, names, and bad input."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fits import BENCHMARKS, ideal_fit, map_fit

import bayes_sloth as bs
from bayes_sloth import comparing, growing
from bayes_sloth.expectation import expected_scores
from bayes_sloth.plots import skills as plots
from bayes_sloth.skill_counts import compare_skill_counts
from bayes_sloth.skill_doubts import doubts
from bayes_sloth.skill_tables import Skills, matched_pairs, skill_names
from bayes_sloth.summaries import ranks

ROTATIONS = ("geomin", "oblimin", "varimax", "none")
TARGET = pd.DataFrame({"maths": [np.nan, 0.0], "facts": [0.0, np.nan]}, index=["GSM8K", "ARC"])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let the tiny fit's doubtful skills pass: its three benchmarks tell two skills badly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)
        yield


@cache
def found(rotation: str = "geomin") -> Skills:
    return bs.skills(ideal_fit(), rotation=rotation, target=TARGET if rotation == "target" else None)


@pytest.mark.parametrize("rotation", [*ROTATIONS, "target"])
def test_what_benchmarks_see_is_the_same_under_every_rotation(rotation: str) -> None:
    """Lambda theta, of models as of effects and slopes, and the scores expected."""
    data, fitted = found(rotation).data, ideal_fit().data["posterior"].dataset
    loading, raw = data["loading"].values, fitted["loading"].values
    skill = fitted["model_skill"].values
    for name, whole in (
        ("model_skill", skill - skill.mean(axis=2, keepdims=True)),
        ("efficiency", fitted["efficiency"].values),
        ("family_tuning", fitted["family_tuning"].values),
    ):
        mine = data[name].values @ np.swapaxes(loading, 2, 3)
        np.testing.assert_allclose(mine, whole @ np.swapaxes(raw, 2, 3), atol=1e-6)
    slope = np.einsum("cdjk,cdkx->cdjx", loading, data["slope"].values)
    np.testing.assert_allclose(slope, np.einsum("cdjk,cdkx->cdjx", raw, fitted["slope"].values), atol=1e-6)


def test_expected_scores_come_out_of_rotated_skills() -> None:
    fit, data = ideal_fit(), found().data
    draws = fit.data["posterior"].dataset
    back = np.linalg.inv(data["to_skills"].values)
    centre = draws["model_skill"].values.mean(axis=2, keepdims=True)
    whole = draws.assign(
        loading=draws["loading"].copy(
            data=data["loading"].values @ np.swapaxes(data["to_skills"].values, 2, 3)
        ),
        model_skill=draws["model_skill"].copy(data=data["model_skill"].values @ back + centre),
    )
    tree = fit.data.copy()
    tree["posterior"] = tree["posterior"].copy()
    tree["posterior"].dataset = whole
    np.testing.assert_allclose(
        expected_scores(tree, fit.spec), expected_scores(fit.data, fit.spec), atol=1e-9
    )


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_skills_have_unit_variance_over_models_in_every_draw(rotation: str) -> None:
    skill = found(rotation).data["model_skill"]
    np.testing.assert_allclose(skill.mean("model"), 0.0, atol=1e-8)
    np.testing.assert_allclose(skill.std("model"), 1.0, atol=1e-6)
    correlation = found(rotation).data["correlation"].values[0, 0]
    np.testing.assert_allclose(np.corrcoef(skill.values[0, 0].T), correlation, atol=1e-6)


def test_shares_of_variance_add_up_and_what_skills_explain_has_no_rotation() -> None:
    explained = []
    for rotation in ROTATIONS:
        share = found(rotation).data["variance"]
        np.testing.assert_allclose(share.sum("part"), 1.0, atol=1e-9)
        explained.append(share.sel(part=list(found(rotation).names)).sum("part").values)
    for other in explained[1:]:
        np.testing.assert_allclose(other, explained[0], atol=1e-6)


def test_shares_of_variance_are_those_over_the_models() -> None:
    """Against variances over models of what skills and specific effects make of each, model by model."""
    data, draws = found().data, ideal_fit().data["posterior"].dataset
    table = ideal_fit().scores.metadata
    line = {name: place for place, name in enumerate(draws["line"].values)}
    own = [line[f + "*" * int(t)] for f, t in zip(table["family"], table["instruct"], strict=True)]
    common = data["model_skill"].values[0, 0] @ data["loading"].values[0, 0].T
    whole = (common + draws["specific"].values[0, 0][own]).var(axis=0)
    share = data["variance"].isel(chain=0, draw=0)
    skills = share.sel(part=list(found().names)).sum("part").values
    specific = share.sel(part="specific").values
    np.testing.assert_allclose(
        specific / skills, (whole - common.var(axis=0)) / common.var(axis=0), atol=1e-6
    )


def test_tables_have_medians_inside_intervals_and_a_row_for_everything() -> None:
    skills, fit = found(), ideal_fit()
    models, families = len(fit.scores.models), len(fit.scores.families)
    sizes = {"loadings": 6, "correlations": 1, "models": 2 * models, "families": 2 * families, "slopes": 6}
    for name, rows in {**sizes, "variance": 3 * 4}.items():
        table = getattr(skills, name)()
        assert len(table) == rows
        assert (table["lower"] <= table["median"]).all() and (table["median"] <= table["upper"]).all()
    assert skills.families().groupby("skill")["best"].sum().to_numpy() == pytest.approx([1.0, 1.0])


def test_wider_intervals_hold_narrower_ones() -> None:
    narrow, wide = found().loadings(0.5), found().loadings(0.95)
    assert (wide["lower"] <= narrow["lower"]).all() and (narrow["upper"] <= wide["upper"]).all()


def test_tuning_has_the_population_and_families_with_both_kinds() -> None:
    table = found().tuning()
    facts = ideal_fit().scores.metadata.groupby("family")["instruct"].nunique()
    assert list(dict.fromkeys(table["family"])) == ["all families", *facts.index[facts > 1]]


def test_pairs_are_of_one_family_and_size() -> None:
    facts = ideal_fit().scores.metadata.set_index("model")
    table = found().pairs()
    own = table[table["base"] != "average"]
    assert len(table) - len(own) == 2
    for column in ("family", "params_b"):
        assert (facts.loc[own["base"], column].to_numpy() == facts.loc[own["tuned"], column].to_numpy()).all()


def test_pairs_may_be_named() -> None:
    """By name they give the same table: base and tuned models may be of families of different names."""
    matched = found().pairs()
    names = matched[matched["base"] != "average"].drop_duplicates("base").set_index("base")["tuned"].to_dict()
    named = found().pairs(tuned_of=names)
    each = [
        t[t["base"] != "average"].set_index(["base", "tuned", "skill"])["median"] for t in (matched, named)
    ]
    pd.testing.assert_series_equal(each[1].sort_index(), each[0].loc[each[1].index].sort_index())
    with pytest.raises(bs.InputError, match="llama-2-7c"):
        found().pairs(tuned_of={"llama-2-7c": "llama-2-7b-chat"})


def test_without_pairs_there_is_no_row() -> None:
    assert list(matched_pairs(ideal_fit().scores.metadata.assign(instruct=0))) == []


def test_names_come_from_the_leading_benchmarks_or_the_user() -> None:
    reference = pd.DataFrame([[3.0, 0.1], [2.0, 0.0], [0.1, 1.0]], index=["MATH", "GSM8K", "IFEval"])
    assert skill_names(reference) == ("MATH + GSM8K", "IFEval")
    assert skill_names(reference.assign(third=reference[0]))[2] != "MATH + GSM8K"
    assert found("none").names == ideal_fit().spec.anchors
    assert bs.skills(map_fit(), names=["a", "b"]).names == ("a", "b")
    assert found("target").names == ("maths", "facts")


def test_a_target_fixes_what_it_names() -> None:
    loading = found("target").data["loading"].median(("chain", "draw"))
    assert abs(float(loading.sel(benchmark="ARC", skill="maths"))) < 1e-2
    assert abs(float(loading.sel(benchmark="GSM8K", skill="facts"))) < 1e-2


def test_it_prints_itself_in_a_dozen_lines() -> None:
    lines = repr(found()).splitlines()
    assert lines[0] == "Skills: 2 by geomin from 4 chains of 400 draws"
    assert len(lines) <= 12 and "congruence" in lines[1]


def test_a_mode_says_that_it_has_no_intervals() -> None:
    with pytest.warns(bs.FitWarning, match="point estimate"):
        bs.skills(map_fit())


def test_a_duplicated_skill_and_an_empty_one_are_reported() -> None:
    """More skills than there are, as it shows: two skills that are one, and a skill no benchmark asks for."""
    skills = found()
    first, second = skills.names
    same = skills.data["correlation"].copy(data=np.full(skills.data["correlation"].shape, 0.99))
    words = doubts(skills.alignment, skills.data.assign(correlation=same), 1600)
    assert any("are one (correlation 0.99" in word and "skills=1" in word for word in words)
    loading = skills.data["loading"].copy(deep=True)
    loading.loc[{"skill": second}] = np.random.default_rng(0).normal(size=loading.sel(skill=second).shape)
    words = doubts(skills.alignment, skills.data.assign(loading=loading), 1600)
    assert any(f"{second!r} is one that no benchmark" in word for word in words)
    loose = skills.alignment.assign(alike=[1.0, 0.5], r_hat=[1.5, 1.0])
    words = doubts(loose, skills.data, 1600)
    assert any(
        f"skill {second!r} is not identified" in word and "fit with skills=1" in word for word in words
    )
    assert any(f"chains disagree on skill {first!r}" in word for word in words)
    unsure = skills.alignment.assign(simplest=[0.7, 1.0])
    words = [word for word in doubts(unsure, skills.data, 1600) if "several readings" in word]
    assert len(words) == 1 and repr(first) in words[0] and "30% of draws" in words[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rotation": "promax"}, "unknown rotation 'promax': choose from"),
        ({"names": ["one"]}, "do not fit 2 skills"),
        ({"names": ["one", "one"]}, "do not fit 2 skills"),
        ({"rotation": "target"}, "give target="),
        ({"target": TARGET}, "give target="),
        ({"rotation": "target", "target": TARGET.rename(index={"ARC": "ARK"})}, "Did you mean 'ARC'"),
        ({"rotation": "target", "target": np.zeros((2, 2))}, r"shape \(2, 2\): give 3 benchmarks"),
        ({"rotation": "target", "target": TARGET * np.nan}, "wholly free"),
        ({"rotation": "target", "target": "TARGET"}, "the target is 'TARGET': give a table of numbers"),
        (
            {"rotation": "target", "target": TARGET.astype(object).replace(0, "none")},
            "give a table of numbers",
        ),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        bs.skills(map_fit(), **arguments)


def test_ranks_put_the_largest_first() -> None:
    rank = ranks(found().data["efficiency"], "family")
    best = found().data["efficiency"].argmax("family")
    assert (rank.isel(family=best) == 1).all()


def test_growth_is_that_of_the_fitted_law() -> None:
    """Against the slopes at the table's centre: a small step in log size and in log tokens."""
    skills = found()
    scaling, step = skills.posterior.scaling, 1e-4
    size, tokens = np.exp(scaling.size.mean), np.exp(scaling.tokens.mean)
    sizes = [size, size * np.exp(step * scaling.size.sd), size]
    at = growing.grown(skills, sizes, [tokens, tokens, tokens * np.exp(step * scaling.tokens.sd)])
    np.testing.assert_allclose(at.isel(configuration=0), 0.0, atol=1e-9)
    for place, covariate in ((1, "log_size"), (2, "log_tokens")):
        slope = skills.data["slope"].sel(covariate=covariate)
        np.testing.assert_allclose(at.isel(configuration=place) / step, slope, atol=1e-3)


def test_tenfold_says_which_of_size_and_tokens_gives_more() -> None:
    table = growing.tenfold(found()).set_index(["skill", "of"])
    assert len(table) == 6
    for name in found().names:
        gap = table.loc[(name, "size"), "median"] - table.loc[(name, "tokens"), "median"]
        assert table.loc[(name, "size less tokens"), "median"] == pytest.approx(gap, abs=0.02)


@pytest.mark.parametrize(
    ("sizes", "tokens", "message"), [([1.0], [1.0, 2.0], "pair by pair"), ([0.0], [1.0], "above zero")]
)
def test_growth_refuses_what_is_no_model(sizes: list[float], tokens: list[float], message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        growing.grown(found(), sizes, tokens)


def test_families_compare_as_their_draws_do() -> None:
    table = comparing.compare_families(found(), "llama-3", "falcon")
    draws = found().data["efficiency"]
    better = (draws.sel(family="llama-3") > draws.sel(family="falcon")).mean(("chain", "draw"))
    np.testing.assert_allclose(table["better"], better)
    back = comparing.compare_families(found(), "falcon", "llama-3")
    np.testing.assert_allclose(table["better"] + back["better"], 1.0)


def test_models_compare_on_benchmarks_and_on_average() -> None:
    prediction = bs.predict(ideal_fit(), ideal_fit().scores, seed=0)
    floors = dict.fromkeys(BENCHMARKS, 0.25)
    names = ("llama-3-8b", "falcon-7b")
    table = comparing.compare_models(prediction, *names, floors=floors).set_index("benchmark")
    assert list(table.index) == [*BENCHMARKS, "average", "average above chance"]
    gap = prediction.data["score"].sel(model=names[0]) - prediction.data["score"].sel(model=names[1])
    assert table.loc["average", "median"] == pytest.approx(float(gap.mean("benchmark").median()))
    assert table.loc["average", "better"] == pytest.approx(table.loc["average above chance", "better"])
    with pytest.raises(bs.InputError, match="floors has none for"):
        comparing.compare_models(prediction, *names, floors={})
    with pytest.raises(bs.InputError, match="unknown model 'falcon-8b'"):
        comparing.compare_models(prediction, names[0], "falcon-8b")


def test_loadings_of_two_fits_are_aligned_before_they_are_compared() -> None:
    """The same fit, its skills swapped and one of them turned over: nothing differs but by draws' noise."""
    skills = found()
    swapped = skills.data.isel(skill=[1, 0])
    sign = np.array([-1.0, 1.0])
    turned = swapped.assign(loading=swapped["loading"] * sign)
    reference = skills.reference.iloc[:, [1, 0]] * sign
    other = Skills(turned, skills.alignment, reference, "geomin", (), skills.posterior)
    table = comparing.compare_loadings(skills, other)
    assert (table["lower"] < 0).all() and (table["upper"] > 0).all()
    assert table["congruence"].to_numpy() == pytest.approx(np.ones(6))


def test_pictures_show_the_numbers_of_their_tables() -> None:
    skills = found()
    loadings, families = skills.loadings(), skills.families()
    heat = plots.plot_loadings(loadings).axes[0].images[0].get_array()
    median = loadings.pivot(index="benchmark", columns="skill", values="median")
    np.testing.assert_allclose(heat, median.loc[list(BENCHMARKS), list(skills.names)])
    first = plots.plot_loading_intervals(loadings).axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(first, median.loc[list(BENCHMARKS)[::-1], skills.names[0]])
    placed = plots.plot_families(families, *skills.names).axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(placed, families[families["skill"] == skills.names[0]]["median"])
    assert len(plots.plot_tuning(skills.tuning()).axes) == 2
    assert len(plots.plot_base_against_tuned(skills.models(), skills.pairs()).axes) == 2
    assert plots.plot_level_curves(growing.level_curves(skills, steps=5)).axes[0].get_xscale() == "log"
    with pytest.raises(bs.InputError, match="unknown skill"):
        plots.plot_families(families, "maths", skills.names[0])


def test_floors_in_percent_are_refused() -> None:
    """They would turn the comparison round."""
    prediction = bs.predict(
        map_fit(), {"model": ["a"], "family": ["yi"], "params_b": [7.0], "tokens_t": [2.0]}, seed=0
    )
    with pytest.raises(bs.InputError, match="the floor of 'MMLU' is 25"):
        comparing.compare_models(prediction, "a", "a", floors=dict.fromkeys(BENCHMARKS, 25.0))


def test_names_of_other_parts_of_the_variance_and_doubled_ones_are_refused() -> None:
    doubled = TARGET.set_axis(["a", "a"], axis=1)
    for options in ({"names": ["misfit", "facts"]}, {"rotation": "target", "target": doubled}):
        with pytest.raises(bs.InputError, match="do not fit 2 skills"):
            bs.skills(ideal_fit(), **options)


@pytest.mark.parametrize(
    ("call", "maker"),
    [
        (lambda fit: bs.intervals(fit), "bs.predict"),
        (lambda fit: growing.level_curves(fit), "bs.skills"),
        (lambda fit: growing.tenfold(fit), "bs.skills"),
        (lambda fit: compare_skill_counts({"a": fit, "b": "fit.nc"}), "bs.fit"),
    ],
)
def test_a_fit_in_place_of_what_is_made_of_it_is_refused(call: Any, maker: str) -> None:
    with pytest.raises(bs.InputError, match=f"pass what {maker} gives"):
        call(ideal_fit())


def test_numbers_as_words_move_no_skill() -> None:
    with pytest.raises(bs.InputError, match="params_b is '7': give billions of parameters"):
        growing.tenfold(found(), params_b="7")  # type: ignore[arg-type]
    with pytest.raises(bs.InputError, match="level_curves: steps is 1: give a whole number from 2 up"):
        growing.level_curves(found(), steps=1)


def test_what_is_no_fit_and_no_forecast_is_refused() -> None:
    with pytest.raises(bs.InputError, match="read from a fit"):
        bs.skills(map_fit().scores)  # type: ignore[arg-type]
    with pytest.raises(bs.InputError, match=r"pass what bs\.predict gives"):
        comparing.compare_models(map_fit(), "a", "b")  # type: ignore[arg-type]
    with pytest.raises(bs.InputError, match=r"pass what bs\.skills gives"):
        comparing.compare_families(map_fit(), "yi", "falcon")  # type: ignore[arg-type]
