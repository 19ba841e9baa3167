"""The choice of anchors: one benchmark of each kind, the same whatever the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import FLOORS, as_scores, facts_table, small_table

from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.errors import InputError
from bayes_sloth.identify import anchors_of, check_anchors, telling_anchors
from bayes_sloth.scores import Scores

NAMES = ("maths 1", "maths 2", "facts 1", "facts 2", "guess")


def two_kinds() -> Scores:
    """Return two benchmarks of each of two skills, and one most models fail, steep all the same."""
    rng = np.random.default_rng(2)
    skill = rng.normal(size=(11, 2))
    logit = np.stack(
        [skill[:, 0], 0.9 * skill[:, 0], skill[:, 1], 1.1 * skill[:, 1], -2.6 + 2 * skill[:, 0]], 1
    )
    logit += rng.normal(0, 0.15, logit.shape)
    return as_scores(facts_table(), 0.97 / (1 + np.exp(-1.5 * logit)), (0.0,) * 5, names=NAMES)


def test_anchors_are_of_different_kinds() -> None:
    chosen = anchors_of(two_kinds(), 2)
    assert {name.split()[0] for name in chosen} == {"maths", "facts"}


@pytest.mark.parametrize("skills", [1, 2, 3, 4])
def test_anchors_are_distinct_and_the_same_every_time(skills: int) -> None:
    scores = small_table()
    chosen = anchors_of(scores, skills)
    assert len(set(chosen)) == skills and set(chosen) <= set(scores.benchmarks)
    assert anchors_of(scores, skills) == chosen


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_order_of_rows_does_not_choose(seed: int) -> None:
    for scores in (small_table(), load_leaderboard()):
        order = np.random.default_rng(seed).permutation(len(scores.models))
        shuffled = scores.select(models=[scores.models[i] for i in order])
        assert anchors_of(shuffled, 3) == anchors_of(scores, 3)


def test_fewer_skills_keep_the_most_telling_anchor_usable() -> None:
    assert anchors_of(two_kinds(), 1)[0] != "guess"


def test_a_benchmark_at_its_floor_is_no_anchor_while_others_will_do() -> None:
    assert "guess" not in anchors_of(two_kinds(), 4)
    assert "guess" in anchors_of(two_kinds(), 5)


def test_as_many_skills_as_benchmarks() -> None:
    assert set(anchors_of(small_table(), len(FLOORS))) == set(small_table().benchmarks)


def test_telling_anchors_prefer_large_loadings_and_little_noise() -> None:
    skill = np.random.default_rng(0).normal(size=(50, 1))
    loading, even = np.array([[1.0], [2.0], [1.5]]), np.full(3, 0.05)
    assert telling_anchors(loading, skill, even, np.zeros(3)) == (1,)
    noisy = np.array([0.05, 0.5, 0.05])
    assert telling_anchors(loading, skill, noisy, np.zeros(3)) == (2,)


def test_telling_anchors_pass_over_what_is_told_already() -> None:
    skill = np.random.default_rng(0).normal(size=(50, 2))
    loading = np.array([[3.0, 0.0], [2.9, 0.1], [0.0, 1.0]])
    assert set(telling_anchors(loading, skill, np.full(3, 0.05), np.zeros(3))) == {0, 2}


def test_skills_that_hardly_vary_are_worth_little() -> None:
    skill = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 0.01]
    loading = np.array([[1.0, 0.0], [0.0, 5.0]])
    assert telling_anchors(loading, skill, np.full(2, 0.05), np.zeros(2))[0] == 0


def test_named_anchors_are_checked() -> None:
    scores = two_kinds()
    assert check_anchors(scores, ("guess", "maths 1")) == ("guess", "maths 1")
    with pytest.raises(InputError, match=r"unknown anchor 'fact 1': .*Did you mean 'facts 1'\?"):
        check_anchors(scores, ("maths 1", "fact 1"))


def test_a_benchmark_hardly_anybody_was_measured_on_is_no_anchor() -> None:
    """Two scores fit any factor without error, so a small residual says nothing about such a benchmark."""
    table = load_leaderboard().select(benchmarks=["MMLU", "GSM8K", "ARC"])
    seen = np.flatnonzero(table.observed[:, 1])
    hidden = np.zeros(table.observed.shape, dtype=bool)
    hidden[seen[2:], 1] = True
    assert "GSM8K" not in anchors_of(table.hide(hidden), 2)


def test_one_model_is_enough_to_choose_an_anchor() -> None:
    table = load_leaderboard().select(models=["llama-3-8b"])
    assert len(anchors_of(table, 1)) == 1
