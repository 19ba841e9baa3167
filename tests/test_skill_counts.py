"""Numbers of skills compared: against ArviZ's comparison, a loop over folds, and a fit that is worse."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import pytest
from fake_laws import FakeLaw
from fits import ideal_fit, map_fit, table, with_groups

import bayes_sloth as bs
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.plots.forecasts import plot_skill_counts
from bayes_sloth.protocols import RandomCells
from bayes_sloth.skill_counts import _mean_se, compare_skill_counts


@cache
def fits() -> dict[str, bs.Posterior]:
    """Stand in for a fit and for one that claims too much misfit, a skill more on its label."""
    fit = ideal_fit()
    draws = fit.data["posterior"].dataset
    worse = with_groups(fit, posterior=draws.assign(misfit=2 * draws["misfit"]))
    return {"three": replace(worse, spec=replace(fit.spec, skills=3, anchors=None)), "two": fit}


@cache
def evaluation() -> Evaluation:
    laws = {"two": FakeLaw("two"), "three": FakeLaw("three", 0.3)}
    return evaluate(table(), laws, RandomCells(parts=5, seed=1), seed=0, jobs=1, progress=False)


@cache
def found() -> pd.DataFrame:
    return compare_skill_counts(fits(), evaluation=evaluation(), progress=False)


def test_the_worse_fit_is_found_and_stands_behind_by_more_than_its_error() -> None:
    assert found()["fit"].tolist() == ["two", "three"] and found()["skills"].tolist() == [2, 3]
    assert found().loc[0, "behind"] == 0 and found().loc[0, "behind_se"] == 0
    assert found().loc[1, "behind"] > 3 * found().loc[1, "behind_se"] > 0


@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_differences_are_those_of_arviz() -> None:
    """Its importance weights take another estimate of how far draws are independent: a percent of room."""
    library: Any = arviz_stats
    whole = {name: bs.log_likelihood(fit) for name, fit in fits().items()}
    loo = {name: library.loo(tree, pointwise=True) for name, tree in whole.items()}
    mine = found().set_index("fit")
    for name, theirs in loo.items():
        assert mine.loc[name, "elpd"] == pytest.approx(float(theirs.elpd), rel=0.01)
        assert mine.loc[name, "elpd_se"] == pytest.approx(float(theirs.se), rel=0.01)
        assert mine.loc[name, "p_loo"] == pytest.approx(float(theirs.p), rel=0.1)
        assert mine.loc[name, "scores"] == theirs.n_data_points
    gap = (loo["two"].elpd_i - loo["three"].elpd_i).values
    assert mine.loc["three", "behind"] == pytest.approx(gap.sum(), rel=0.02)
    assert mine.loc["three", "behind_se"] == pytest.approx(np.sqrt(gap.size) * gap.std(), rel=0.02)


def test_held_out_folds_are_compared_fold_by_fold() -> None:
    mine, pooled = found().set_index("fit"), evaluation().table()
    assert mine["MAE"].to_dict() == pytest.approx(pooled["MAE"].to_dict())
    assert mine["CRPS"].to_dict() == pytest.approx(pooled["CRPS"].to_dict())
    cases = evaluation().cases()
    sums, count = [], 0
    mean = pooled.loc["three", "CRPS"] - pooled.loc["two", "CRPS"]
    for _, part in cases.groupby("fold"):
        both = part.pivot(index=["model", "benchmark"], columns="law", values="crps")
        sums.append((both["three"] - both["two"] - mean).sum())
        count += len(both)
    wanted = np.sqrt(5 / 4 * np.square(sums).sum()) / count
    behind = mine["CRPS_behind"]
    assert behind.min() == 0 and behind["three"] - behind["two"] == pytest.approx(mean)
    worse = "three" if mean > 0 else "two"
    assert mine.loc[worse, "CRPS_behind_se"] == pytest.approx(wanted)


def test_the_error_of_a_mean_over_folds_covers_at_its_rate() -> None:
    """Of 400 means of 40 folds that move together, 90% +- 6% (four standard errors) are within 1.68."""
    rng = np.random.default_rng(0)
    inside = 0
    labels = pd.MultiIndex.from_product([range(40), range(5)], names=["fold", "model"])
    for _ in range(400):
        values = np.repeat(rng.normal(size=40), 5) + 0.3 * rng.normal(size=200)
        inside += abs(values.mean()) < 1.68 * _mean_se(pd.Series(values, labels))
    assert abs(inside / 400 - 0.9) < 0.06


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: {"one": ideal_fit()}, "1 fits to compare"),
        (lambda: {"one": ideal_fit(), "mode": map_fit()}, "fit 'mode' is a point estimate"),
        (lambda: {"one": ideal_fit(), "other": _other()}, "'one' and 'other' are of different tables"),
    ],
)
def test_fits_that_cannot_be_compared_are_refused(wrong: Any, message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        compare_skill_counts(wrong())


def _other() -> bs.Posterior:
    """Stand in for a fit of one score less."""
    scores = ideal_fit().data["observed_data"].dataset
    changed = scores.copy(deep=True)
    changed["score"][0, 0] = np.nan
    return with_groups(ideal_fit(), observed_data=changed)


def test_an_evaluation_without_a_fits_law_is_refused() -> None:
    with pytest.raises(bs.InputError, match="unknown law 'four'"):
        compare_skill_counts({"two": fits()["two"], "four": fits()["three"]}, evaluation=evaluation())


def test_the_picture_shows_how_far_behind() -> None:
    figure = plot_skill_counts(found())
    drawn = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, np.c_[found()["behind"][::-1], [0, 1]])
    figure.canvas.draw()
    assert len(plot_skill_counts(found().drop(columns=["CRPS_behind"])).axes) == 1
