"""Rows on another scale or far off the law are named, and rows that are only unlucky seldom are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from messy import normalised, options_of, picked, with_fine_tunes
from oracles import plain_table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.distrust import FALSE_ALARM, FAR, LOW, distrust_in_words, distrusted, far_off, limit_of
from bayes_sloth.laws import SlothLaw
from bayes_sloth.observation import StudentTScore, misfit_variance
from bayes_sloth.posterior import observed_groups

SPEC = bs.ModelSpec()
MISFIT = float(np.exp(SPEC.priors.misfit_mean))
FREEDOM = 2 + float(np.exp(SPEC.priors.tail_mean))


def tree_of(scores: bs.Scores, lower: np.ndarray, misfit: float = MISFIT) -> xr.DataTree:
    """Return the parts of a fit that say what is ordinary."""
    width = len(scores.benchmarks)
    values = {"misfit": np.full(width, misfit), "lower": lower}
    posterior = {name: (("chain", "draw", "benchmark"), v[None, None]) for name, v in values.items()}
    groups = {"posterior": xr.Dataset(posterior), **observed_groups(scores)}
    return xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})


def found_in(scores: bs.Scores, expected: np.ndarray) -> pd.DataFrame:
    floor = scores.data["floor"].values
    return distrusted(tree_of(scores, floor), SPEC, expected)


def test_normalised_rows_are_all_named_and_no_others() -> None:
    """Version 2 scores as the board showed them, of one model in five; others are where the law expects."""
    v2 = bs.load_leaderboard().select(benchmarks=["IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"])
    scores = v2.select(models=np.array(v2.models)[v2.observed.all(axis=1)])
    rows = picked(scores, seed=1)
    messy = normalised(scores, rows)
    named = found_in(messy, scores.data["score"].values)  # far off too, and told of once
    assert set(named["reason"]) == {LOW}
    assert sorted(named["model"]) == list(rows) and len(rows) == round(0.2 * len(scores.models))
    assert found_in(scores, scores.data["score"].values).empty


def test_only_what_the_board_showed_is_normalised() -> None:
    scores = bs.load_leaderboard().select(models=["llama-2-7b", "llama-2-13b"])
    messy = normalised(scores, ["llama-2-7b"])
    changed = (messy.data["score"] != scores.data["score"]).values
    assert not changed[1].any()
    assert set(np.array(scores.benchmarks)[changed[0]]) == {"BBH", "GPQA", "MUSR", "MMLU-PRO"}
    np.testing.assert_allclose(
        messy.data["score"].sel(model="llama-2-7b", benchmark="GPQA"),
        max((float(scores.data["score"].sel(model="llama-2-7b", benchmark="GPQA")) - 0.25) / 0.75, 0),
    )


def test_fine_tunes_join_as_families_of_their_own() -> None:
    scores = bs.load_leaderboard().select(
        models=["bloom-3b", "qwen2-7b"], benchmarks=["IFEval", "BBH", "GPQA"]
    )
    more = with_fine_tunes(scores, seed=0)
    assert len(more.models) == 152 and len(more.families) == 152
    assert more.select(models=scores.models).digest == scores.digest
    assert more.observed.all() and more.metadata["instruct"][2:].all()


@pytest.mark.parametrize("wrong", [1, 2])
def test_two_scores_far_from_what_is_expected_name_a_row_and_one_does_not(wrong: int) -> None:
    scores = bs.load_leaderboard().select(models=["yi-6b", "yi-34b"], benchmarks=["MMLU", "ARC", "BBH"])
    expected = scores.data["score"].values.copy()
    expected[1, :wrong] -= 0.3
    found = found_in(scores, expected)
    if wrong == 1:
        assert found.empty
    else:
        assert found.to_dict("records") == [{"model": "yi-34b", "reason": FAR, "benchmarks": "MMLU, ARC"}]


def test_a_benchmark_fitted_without_error_makes_no_row_look_wrong() -> None:
    """Two points off are ordinary, however small the misfit at a mode."""
    scores = bs.load_leaderboard().select(models=["yi-6b", "yi-34b"], benchmarks=["MMLU", "ARC", "BBH"])
    tree = tree_of(scores, scores.data["floor"].values, misfit=1e-4)
    assert distrusted(tree, SPEC, scores.data["score"].values - 0.02).empty


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Tables drawn around known expected scores: no more name a row than chance allows, false alarm .001."""
    rng = np.random.default_rng(5)
    tables, models, benchmarks = 4000, 60, 6
    expected = rng.uniform(0.3, 0.9, size=(models, benchmarks))
    items, lower = np.full((models, benchmarks), 1000.0), np.full(benchmarks, 0.1)
    share = (expected - lower) / (1 - lower)
    variance = (
        np.asarray(misfit_variance(share, np.full(benchmarks, MISFIT))) + expected * (1 - expected) / items
    )
    noise = rng.standard_t(FREEDOM, size=(tables, models, benchmarks)) * np.sqrt(variance)
    flags = [
        far_off(one, expected, items, SPEC, misfit=np.full(benchmarks, MISFIT), lower=lower)
        for one in expected + noise
    ]
    alarms = int((np.sum(flags, axis=2) >= 2).any(axis=1).sum())
    assert stats.binomtest(alarms, tables, FALSE_ALARM, alternative="greater").pvalue > 1e-3
    assert alarms > 0
    law = StudentTScore(0.0, 1.0, FREEDOM)  # the tails are those of the model's own noise
    assert np.exp(float(law.log_prob(4.0))) == pytest.approx(stats.t.pdf(4.0, FREEDOM))


def test_the_limit_grows_with_the_number_of_pairs_only() -> None:
    few, many = np.ones((20, 3), dtype=bool), np.ones((300, 12), dtype=bool)
    assert 3 < limit_of(few, SPEC) < limit_of(many, SPEC) < 8
    alone = np.zeros((50, 4), dtype=bool)
    alone[:, 0] = True
    assert np.isfinite(limit_of(alone, SPEC))
    with_singles = np.vstack([few, np.eye(3, dtype=bool)])
    assert limit_of(with_singles, SPEC) == limit_of(few, SPEC)


def test_missing_scores_are_neither_low_nor_far() -> None:
    scores = plain_table()
    bare = scores.hide(np.arange(6)[:, None] > 0)
    assert found_in(bare, np.where(bare.observed, scores.data["score"].values, 0.999)).empty
    assert len(found_in(scores, np.full((6, 2), 0.999))) > 1


def test_words_name_every_row_and_what_to_do() -> None:
    rows = [(f"m{i}", LOW, "GPQA, MUSR") for i in range(30)] + [("odd", FAR, "BBH, ARC")]
    low, far = distrust_in_words(pd.DataFrame(rows, columns=["model", "reason", "benchmarks"]))
    assert low.startswith("rows distrusted, 30 with scores far below chance: m0, m1, ")
    assert "m29; if these are chance-normalised, read the table with denormalise=" in low
    assert far == (
        "rows distrusted, 1 with scores far from what the law expects: odd; "
        "check these scores, sizes and families."
    )
    assert distrust_in_words(pd.DataFrame([], columns=["model", "reason", "benchmarks"])) == ()


def test_the_messy_table_is_fitted_by_a_method_that_there_is() -> None:
    assert SlothLaw(method=options_of([]).method).method == "hmc"
