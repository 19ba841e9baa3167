"""What the model sees of a table, whatever the table lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracles import FACTS, as_scores, pivot_of, plain_table, small_table, standardised, typical_logit

from bayes_sloth.design import Design, design_of, parents
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores
from bayes_sloth.typical import CEILING, EDGE, logits

SCORE = np.linspace(0.3, 0.9, 44).reshape(11, 4)


def table(**columns: Any) -> Scores:
    return as_scores(read_models(pd.DataFrame({**FACTS, **columns})), SCORE)


def designed(**columns: Any) -> Design:
    return design_of(table(**columns), ("exam 1",))


def finite(design: Design) -> bool:
    arrays = [design.log_size.value, design.log_tokens.value, design.log_active_share, design.places.center]
    arrays += [design.root[2], design.score, design.pivot, design.floor, design.log_tokens.unknown.lower]
    return all(np.isfinite(a).all() for a in arrays)


def test_known_covariates_are_standardised_and_unknown_ones_filled() -> None:
    scores = small_table()
    design = design_of(scores, ("exam 0",))
    for covariate, name in ((design.log_size, "params_b"), (design.log_tokens, "tokens_t")):
        raw = np.log(scores.metadata[name].to_numpy(dtype=float))
        known = ~np.isnan(raw)
        np.testing.assert_allclose(covariate.value[known], standardised(raw, raw)[known], atol=1e-12)
        assert (covariate.missing == ~known).all()
        assert covariate.slot[~known].tolist() == list(range((~known).sum()))
        assert np.ptp(covariate.value[~known]) > 1e-3  # a guess of each model's own, not a constant


def test_missing_scores_are_marked_and_no_number_of_theirs_is_left() -> None:
    scores = small_table()
    design = design_of(scores, ("exam 0",))
    assert (design.observed == scores.observed).all() and not design.observed.all()
    assert (design.score[~design.observed] == 0.5).all()
    np.testing.assert_array_equal(design.score[design.observed], scores.data["score"].values[scores.observed])
    np.testing.assert_allclose(design.typical, typical_logit(scores.data["score"].values, design.floor))
    np.testing.assert_allclose(design.pivot, pivot_of(scores.data["score"].values, design.floor))


def test_unknown_item_counts_mean_no_sampling_noise() -> None:
    scores = as_scores(read_models(pd.DataFrame(FACTS)), SCORE, items=None)
    assert np.isinf(design_of(scores, ("exam 0",)).items).all()
    assert (design_of(table(), ("exam 0",)).items == 500).all()


def test_anchors_and_free_benchmarks_split_the_table() -> None:
    design = design_of(table(), ("exam 2", "exam 0"))
    assert design.anchors.tolist() == [2, 0] and design.free.tolist() == [1, 3]


def test_all_tokens_unknown() -> None:
    design = designed(tokens_t=[None] * 11)
    assert finite(design) and design.log_tokens.missing.all()
    assert (np.diag(design.log_tokens.unknown.lower) > 0.4).all()


def test_all_sizes_unknown_but_one() -> None:
    assert finite(designed(params_b=[7.0, *[None] * 10], active_params_b=[None] * 11))


def test_all_dates_unknown() -> None:
    assert finite(designed(date=[None] * 11))


def test_missing_size_with_a_date() -> None:
    """Sizes double every year, one model a family: a later date means a larger guess."""
    dates = np.linspace(2020, 2024, 9).tolist()
    sizes = [2 ** (d - 2020) for d in dates]
    design = designed(
        family=[f"f{i}" for i in range(11)],
        parent=[""] * 11,
        params_b=[None, None, *sizes],
        active_params_b=[None] * 11,
        date=[2020.5, 2023.5, *dates],
    )
    early, late = design.log_size.value[:2]
    assert finite(design) and late - early > 1


def test_all_dense() -> None:
    design = designed(active_params_b=[None] * 11)
    assert not design.log_active_share.any()


def test_mixtures_have_their_log_share_and_dense_models_none() -> None:
    design = designed()
    params = np.array([np.nan if p is None else p for p in FACTS["params_b"]])
    spread = np.nanstd(np.log(params))
    wanted = np.zeros(11)
    wanted[6], wanted[10] = np.log(12 / 45) / spread, np.log(0.5 / 2) / spread
    np.testing.assert_allclose(design.log_active_share, wanted, atol=1e-12)


def test_active_parameters_of_an_unknown_total_are_set_aside() -> None:
    active = [None] * 11
    active[4] = 3.0  # type: ignore[call-overload]
    design = designed(active_params_b=active)
    assert finite(design) and not design.log_active_share.any()


@pytest.mark.parametrize("flag", [0, 1])
def test_tables_of_base_or_tuned_models_only(flag: int) -> None:
    assert not designed(instruct=[flag] * 11).tuned_both_ways.any()


def test_families_with_both_kinds_are_told_apart() -> None:
    design = designed()
    assert dict(zip(design.families, design.tuned_both_ways.tolist(), strict=True)) == {
        "a": True,
        "b": True,
        "c": False,
        "d": False,
        "e": False,
        "f": False,
    }


def test_one_model_a_family_departs_by_the_nugget_alone() -> None:
    design = designed(family=[f"f{i}" for i in range(11)], parent=[""] * 11)
    rows, columns, values = design.root
    assert (rows == columns).all()
    np.testing.assert_allclose(values, np.sqrt(0.2))


def test_one_family() -> None:
    design = designed(family=["a"] * 11, parent=[""] * 11)
    assert finite(design) and design.parent.tolist() == [-1]


def test_one_benchmark() -> None:
    scores = as_scores(read_models(pd.DataFrame(FACTS)), SCORE[:, :1], (0.25,))
    design = design_of(scores, ("exam 0",))
    assert design.free.size == 0 and finite(design)


def test_one_model() -> None:
    facts = {name: column[:1] for name, column in FACTS.items()}
    design = design_of(as_scores(read_models(pd.DataFrame(facts)), SCORE[:1]), ("exam 0",))
    assert finite(design) and design.log_size.value.tolist() == [0.0]


def test_parents_are_numbers_of_families() -> None:
    design = designed()
    named = [None if p < 0 else design.families[p] for p in design.parent]
    assert dict(zip(design.families, named, strict=True)) == {
        "a": None,
        "b": "a",
        "c": "b",
        "d": None,
        "e": "a",
        "f": None,
    }


def test_a_parent_that_is_not_in_the_table_is_none() -> None:
    assert (designed(parent=["gpt-9"] * 11).parent == -1).all()


def without_loops(parent: np.ndarray) -> bool:
    for start in range(parent.size):
        line, steps = start, 0
        while line >= 0 and steps <= parent.size:
            line, steps = parent[line], steps + 1
        if line >= 0:
            return False
    return True


@pytest.mark.parametrize(
    "above",
    [
        {"a": "a"},
        {"a": "b", "b": "a"},
        {"a": "c", "b": "a", "c": "b"},
        {"a": "b", "b": "c", "c": "b", "d": "a"},
    ],
)
def test_loops_of_parents_are_cut(above: dict[str, str]) -> None:
    design = designed(parent=[above.get(f, "") for f in FACTS["family"]])  # type: ignore[attr-defined]
    assert without_loops(design.parent)
    assert (design.parent >= 0).sum() >= len(above) - 1  # and nothing but the closing step is lost


def test_one_row_is_enough_to_name_a_familys_parent() -> None:
    models = pd.DataFrame({"family": ["b", "b", "a"], "parent": ["a", "", ""]})
    assert parents(models, {"a": 0, "b": 1}).tolist() == [-1, 0]
    assert parents(models.iloc[[1, 0, 2]], {"a": 0, "b": 1}).tolist() == [-1, 0]


def test_a_benchmark_without_any_score_leaves_the_table_usable() -> None:
    hidden = np.zeros((11, 4), dtype=bool)
    hidden[:, 3] = True
    assert finite(design_of(table().hide(hidden), ("exam 0",)))


def test_a_table_without_any_score_is_usable() -> None:
    assert finite(design_of(table().hide(True), ("exam 0",)))


def test_a_model_without_scores_says_nothing_of_scales_centres_or_tuning() -> None:
    """As if it were not there: the tuned model of family a, and the one model of family c."""
    gone = ["a3", "c1"]
    hidden = np.isin(table().models, gone)
    masked, absent = (
        design_of(s, ("exam 0",)) for s in (table().hide(hidden[:, None]), table().without(gone))
    )
    assert masked.scaling == absent.scaling != design_of(table(), ("exam 0",)).scaling
    np.testing.assert_array_equal(masked.pivot, absent.pivot)
    there = [masked.families.index(name) for name in absent.families]
    np.testing.assert_array_equal(masked.tuned_both_ways[there], absent.tuned_both_ways)
    assert not masked.tuned_both_ways[0] and designed().tuned_both_ways[0]
    np.testing.assert_allclose(masked.places.center[0], absent.places.center[0], atol=1e-12)
    # A family of which nothing is seen stands where its models do.
    lone = masked.families.index("c")
    np.testing.assert_allclose(masked.places.offsets[masked.family == lone], 0, atol=1e-12)


def test_flags_tell_which_parameters_a_table_needs() -> None:
    flags = [(d.has_parents, d.has_experts) for d in (designed(), design_of(plain_table(), ("exam 0",)))]
    assert flags == [(True, True), (False, False)]
    assert not designed(parent=["gpt-9"] * 11).has_parents
    assert not designed(active_params_b=[None] * 11).has_experts


def test_logits_stay_away_from_floor_and_ceiling() -> None:
    floor = np.array([0.25])
    edge = np.log(EDGE) - np.log(1 - EDGE)
    found = logits(np.array([[0.0], [0.25], [(0.25 + CEILING) / 2], [1.0], [np.nan]]), floor)[:, 0]
    np.testing.assert_allclose(found[:4], [edge, edge, 0.0, -edge], atol=1e-12)
    assert np.isnan(found[4])


def test_families_are_centred_at_their_means() -> None:
    design = designed()
    for number in range(len(design.families)):
        offsets = design.places.offsets[design.family == number]
        np.testing.assert_allclose(offsets.mean(0), 0, atol=1e-12)
