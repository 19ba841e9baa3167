"""Protocols hide what they ask for and all that may tell of it, and cut the folds that a reader expects."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracles import FACTS, as_scores
from paper_tables import authors_folds, needs_paper_data, whole_table
from scipy import stats
from score_tables import wide

from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.errors import InputError
from bayes_sloth.folds import Fold
from bayes_sloth.kinship import relatives
from bayes_sloth.protocols import (
    FoldsFrom,
    HoldOut,
    LargerSiblings,
    PartialScores,
    RandomCells,
    ReleasedAfter,
    WholeFamilies,
)
from bayes_sloth.reading import read_models, read_scores
from bayes_sloth.scores import Scores

# Descents that the packaged table does not name.
PARENTS = {
    "llama-3.1": "llama-3",
    "llama-3.3": "llama-3.1",
    "qwen2.5-coder": "qwen2.5",
    "codellama": "llama-2",
}


def small() -> Scores:
    """Eleven models of six families, three of one descent, with a hole in the last column."""
    score = np.linspace(0.3, 0.9, 44).reshape(11, 4)
    score[[0, 3], 3] = np.nan
    return as_scores(read_models(pd.DataFrame(FACTS)), score)


def packaged() -> Scores:
    frame = load_leaderboard().to_frame()
    return read_scores(frame.assign(parent=[PARENTS.get(name, "") for name in frame["family"]]))


TABLES = (small(), packaged())
PROTOCOLS = (
    LargerSiblings(),
    LargerSiblings(seen=2, line="family"),
    LargerSiblings(complete=True),
    LargerSiblings(relatives=False),
    WholeFamilies(least=1),
    WholeFamilies(least=3),
    ReleasedAfter(2023.4),
    RandomCells(parts=4, seed=1),
    PartialScores(known=2, parts=3, seed=1),
)


def named(fold: Fold, scores: Scores) -> tuple[str, set[str], set[str]]:
    """Return a fold's name, the models it asks for, and those of which it shows a score."""
    shown = (scores.observed & ~fold.hidden).any(axis=1)
    models = np.array(scores.models)
    return fold.name, set(models[fold.models]), set(models[shown])


def cut(protocol: HoldOut, scores: Scores) -> dict[str, tuple[set[str], set[str]]]:
    """Return what every fold asks for, and which of the models are not shown at all."""
    found = (named(fold, scores) for fold in protocol.folds(scores))
    return {name: (asked, set(scores.models) - shown) for name, asked, shown in found}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=repr)
@pytest.mark.parametrize("scores", TABLES, ids=["small", "packaged"])
def test_what_is_asked_is_hidden_and_observed(protocol: HoldOut, scores: Scores) -> None:
    folds = protocol.folds(scores)
    assert folds and len({fold.name for fold in folds}) == len(folds)
    for fold in folds:
        assert fold.hidden.shape == fold.asked.shape == scores.observed.shape
        assert not (fold.asked & ~(fold.hidden & scores.observed)).any()
        assert fold.seen(scores).observed.any()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=repr)
def test_the_same_protocol_cuts_the_same_folds(protocol: HoldOut) -> None:
    first, second = ([fold.digest for fold in protocol.folds(small())] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=repr)
@pytest.mark.parametrize("scores", TABLES, ids=["small", "packaged"])
def test_no_score_is_asked_for_twice(protocol: HoldOut, scores: Scores) -> None:
    assert np.sum([fold.asked for fold in protocol.folds(scores)], axis=0).max() == 1


def test_larger_siblings_by_hand() -> None:
    """a, b, c and e are of one descent; only the bases of a and d have more than one model of known size."""
    found = cut(LargerSiblings(), small())
    relatives = {"a3", "b1", "b2", "c1", "e1"}
    assert found == {"a": ({"a2"}, {"a2"} | relatives), "d": ({"d1"}, {"d1"})}


def test_larger_siblings_without_relatives_by_hand() -> None:
    found = cut(LargerSiblings(relatives=False), small())
    assert found == {"a": ({"a2"}, {"a2"}), "d": ({"d1"}, {"d1"})}


def test_larger_siblings_count_complete_models_where_asked() -> None:
    """The smallest of a lacks a score: it stays in sight, but the next one is the one that is seen."""
    assert cut(LargerSiblings(complete=True), small()) == {"d": ({"d1"}, {"d1"})}
    two = cut(LargerSiblings(complete=True, line="family"), small())
    assert two["a"] == ({"a3"}, {"a3", "b1", "b2", "c1", "e1"})


def test_a_lone_large_sibling_of_another_line_is_not_shown() -> None:
    """One tuned model, larger than those asked for, would tell of them."""
    scores = read_scores(wide(model=list("abcdef"), family=list("xxxxyy"), instruct=[0, 0, 0, 1, 0, 0]))
    assert dict(zip("abcdef", scores.metadata["params_b"], strict=True)) == dict(
        zip("abcdef", [1, 7, 30, 3, 9, 70], strict=True)
    )
    assert cut(LargerSiblings(), scores) == {"x": ({"b", "c"}, {"b", "c", "d"}), "y": ({"f"}, {"f"})}
    assert cut(LargerSiblings(seen=2), scores) == {"x": ({"c"}, {"c", "d"})}


def test_of_equally_large_models_the_first_counts_as_smaller() -> None:
    scores = read_scores(wide(family=list("xxxyyy"), params_b=[7.0, 7.0, 7.0, 3.0, 2.0, 2.0]))
    asked = {name: models for name, (models, _) in cut(LargerSiblings(), scores).items()}
    assert asked == {"x": {"a-7b", "a-30b"}, "y": {"b-3b", "c-70b"}}


def test_a_model_of_unknown_size_is_neither_seen_nor_asked_for() -> None:
    scores = read_scores(wide(family=list("xxxyyy"), params_b=[None, 7.0, 30.0, 3.0, 9.0, 70.0]))
    assert cut(LargerSiblings(), scores)["x"] == ({"a-30b"}, {"a-1b", "a-30b"})


def test_a_smaller_sibling_without_scores_does_not_count() -> None:
    scores = read_scores(wide(family=list("xxxyyy")))
    bare = scores.hide(np.array(scores.models)[:, None] == "a-1b")
    assert cut(LargerSiblings(), bare)["x"] == ({"a-30b"}, {"a-1b", "a-30b"})


def test_lines_may_be_named_by_a_note_and_tested_together() -> None:
    scores = read_scores(wide(family=list("xxxyyy"), line=list("ppqrrr")))
    tested = LargerSiblings(line="line", tested=(("p", "r"),), relatives=False)
    assert cut(tested, scores) == {"p+r": ({"a-7b", "b-9b", "c-70b"}, {"a-7b", "b-9b", "c-70b"})}
    kin = LargerSiblings(line="line", tested=(("p",),))
    assert cut(kin, scores) == {"p": ({"a-7b"}, {"a-7b", "a-30b"})}


def test_a_line_through_several_families_makes_one_fold() -> None:
    scores = read_scores(wide(family=list("xxyyzz"), line=list("pqpqrr")))
    found = cut(LargerSiblings(line="line"), scores)
    assert found == {"x": ({"a-30b", "a-7b"}, {"a-30b", "a-7b"}), "z": ({"c-70b"}, {"c-70b"})}


@pytest.mark.parametrize("seen", [1, 2, 3])
@pytest.mark.parametrize("scores", TABLES, ids=["small", "packaged"])
def test_of_a_tested_group_only_smaller_models_of_tested_lines_are_shown(scores: Scores, seen: int) -> None:
    """The rule once more, model by model, from the table alone."""
    facts = scores.metadata.assign(scored=scores.observed.any(axis=1))
    above = {child: parent for child, parent in zip(facts["family"], facts["parent"], strict=True) if parent}

    def oldest(family: str) -> str:
        return oldest(above[family]) if family in above else family  # neither table has a circle

    for fold in LargerSiblings(seen).folds(scores):
        _, asked, shown = named(fold, scores)
        kin = {oldest(facts["family"][row]) for row in fold.models}
        assert kin == {fold.name}
        for row, model in facts[facts["family"].map(oldest).isin(kin)].iterrows():
            line = facts[(facts["family"] == model["family"]) & (facts["instruct"] == model["instruct"])]
            sizes = sorted(line["params_b"][line["scored"]].dropna())
            tested = len(sizes) > seen
            if model["model"] in asked:
                assert tested and model["params_b"] >= sizes[seen - 1]
            if model["model"] in shown:
                assert tested and model["params_b"] <= sizes[seen - 1], scores.models[int(str(row))]
            elif tested and model["scored"] and model["params_b"] > sizes[seen - 1]:
                assert model["model"] in asked


def test_whole_families_leave_with_their_relatives() -> None:
    found = cut(WholeFamilies(), small())
    group = {"a1", "a2", "a3", "b1", "b2", "c1", "e1"}
    assert found == {"a": (group, group), "d": ({"d1", "d2"},) * 2, "f": ({"f1", "f2"},) * 2}
    assert set(cut(WholeFamilies(least=3), small())) == {"a"}
    llamas = cut(WholeFamilies(), packaged())["llama-3"][0]
    assert {"llama-3-8b", "llama-3.1-8b", "llama-3.3-70b-instruct"} <= llamas


@pytest.mark.parametrize("protocol", [WholeFamilies, LargerSiblings])
def test_kin_leave_as_descendants_do(protocol: Any) -> None:
    """A column that names what parents name cuts the folds that these would cut."""
    above = packaged()
    kin = relatives(above.metadata)
    told = read_scores(load_leaderboard().to_frame().assign(kin=kin))
    by_parent = sorted(fold.digest for fold in protocol().folds(above))
    assert sorted(fold.digest for fold in protocol(kin="kin").folds(told)) == by_parent
    assert sorted(fold.digest for fold in protocol().folds(told)) != by_parent


def test_of_a_packaged_lineage_nothing_is_left() -> None:
    scores = load_leaderboard()
    lineage = scores.notes["lineage"]
    folds = cut(WholeFamilies(kin="lineage"), scores)
    for asked, hidden in folds.values():
        assert asked == hidden
        assert len(set(lineage[sorted(asked)])) == 1
        assert set(lineage.index[lineage.isin(lineage[sorted(asked)])]) == asked
    assert {"llama-3-8b", "llama-3.1-8b", "llama-3.3-70b-instruct"} <= folds["llama-3"][0]
    assert {"qwen2.5-7b", "qwen2.5-coder-7b-instruct"} <= folds["qwen2.5"][0]
    assert sum(len(asked) for asked, _ in folds.values()) == (lineage.map(lineage.value_counts()) > 1).sum()


def test_larger_siblings_are_forecast_without_larger_kin() -> None:
    scores = load_leaderboard()
    alone, kin = cut(LargerSiblings(), scores), cut(LargerSiblings(kin="lineage"), scores)
    asked, hidden = kin["llama-3"]
    assert asked == {"llama-3-70b", "llama-3-70b-instruct", "llama-3.1-70b", "llama-3.1-70b-instruct"}
    assert hidden == asked | {"llama-3.3-70b-instruct"}
    assert set.union(*(a for a, _ in alone.values())) == set.union(*(a for a, _ in kin.values()))
    assert "codellama-34b" in kin["llama-2"][0] and "codellama-34b" not in alone["llama-2"][1]


@pytest.mark.parametrize("protocol", [WholeFamilies(), LargerSiblings()])
def test_no_relative_of_a_whole_family_is_left(protocol: HoldOut) -> None:
    scores = packaged()
    family = dict(zip(scores.models, scores.metadata["family"], strict=True))
    for fold in WholeFamilies().folds(scores):
        _, asked, shown = named(fold, scores)
        gone, left = ({family[model] for model in models} for models in (asked, shown))
        assert not gone & left
        for child, parent in PARENTS.items():
            assert not ({child, parent} & gone and {child, parent} & left)


def test_released_after_a_date_by_hand() -> None:
    """Two models without a date stay in sight."""
    later = {"b1", "c1", "d1", "d2", "e1"}
    assert cut(ReleasedAfter(2023.4), small()) == {"after 2023.4": (later, later)}
    assert cut(ReleasedAfter(2024.2), small()) == {
        "after 2024.2": ({"c1"}, {"c1"})
    }  # on the day is not after


def test_every_random_cell_is_asked_for_once() -> None:
    scores = packaged()
    folds = RandomCells(parts=5, seed=3).folds(scores)
    np.testing.assert_array_equal(np.sum([fold.asked for fold in folds], axis=0), scores.observed)
    assert all((fold.hidden == fold.asked).all() for fold in folds)
    # Equally many a fold up to chance: false alarm one in ten thousand.
    counts = [fold.asked.sum() for fold in folds]
    assert stats.chisquare(counts).pvalue > 1e-4
    other = RandomCells(parts=5, seed=4).folds(scores)
    assert other[0].digest != folds[0].digest


def test_partial_scores_leave_as_many_as_are_known() -> None:
    scores = packaged()
    folds = PartialScores(known=3, parts=4, seed=2).folds(scores)
    count = scores.observed.sum(axis=1)
    testable = count > 3
    tested = np.sum([fold.asked.any(axis=1) for fold in folds], axis=0)
    np.testing.assert_array_equal(tested, testable)
    for fold in folds:
        left = fold.seen(scores).observed.sum(axis=1)
        np.testing.assert_array_equal(left[fold.models], 3)
        others = np.setdiff1d(np.arange(count.size), fold.models)
        np.testing.assert_array_equal(left[others], count[others])
        assert (fold.hidden == fold.asked).all()


def test_partial_scores_know_every_benchmark_equally_often() -> None:
    """Full rows only; one cell in twelve each, five standard errors of a share of 3/12."""
    scores = packaged()
    whole = scores.select(
        models=[m for m, full in zip(scores.models, scores.observed.all(axis=1), strict=True) if full]
    )
    known = np.zeros(12)
    for seed in range(20):
        for fold in PartialScores(known=3, parts=2, seed=seed).folds(whole):
            known += (~fold.hidden[fold.models]).sum(axis=0)
    cells = 20 * len(whole.models)
    np.testing.assert_allclose(known / cells, 3 / 12, atol=5 * np.sqrt(3 / 12 * 9 / 12 / cells))


def rows(*lines: tuple[Any, ...]) -> pd.DataFrame:
    names = ["fold", "model", "role", "benchmark"][: len(lines[0])]
    return pd.DataFrame(list(lines), columns=names)


LINES = (
    ("one", "a-1b", "train"),
    ("one", "a-7b", "test"),
    ("two", "b-3b", "test"),
    ("two", "a-30b", "train"),
)


@pytest.mark.parametrize("kind", ["frame", "path", "text"])
def test_folds_from_a_table_or_a_file(kind: str, tmp_path: Path) -> None:
    """What a fold does not mention is not seen in it."""
    path = tmp_path / "folds.csv"
    rows(*LINES).to_csv(path, index=False)
    source: Any = {"frame": rows(*LINES), "path": path, "text": str(path)}[kind]
    scores = read_scores(wide())
    found = [named(fold, scores) for fold in FoldsFrom(source).folds(scores)]
    assert found == [("one", {"a-7b"}, {"a-1b"}), ("two", {"b-3b"}, {"a-30b"})]


def test_folds_of_single_cells() -> None:
    scores = read_scores(wide())
    lines = [(7, "a-1b", "train", "MMLU"), (7, "a-7b", "train", None), (7, "a-7b", "test", "BBH")]
    lines += [(7, "b-9b", "test", ""), (7, "c-70b", "train", "BBH")]
    (fold,) = FoldsFrom(rows(*lines)).folds(scores)
    assert fold.name == "7"
    seen, asked = np.zeros((6, 3), dtype=bool), np.zeros((6, 3), dtype=bool)
    seen[[0, 1, 1, 5], [0, 0, 2, 1]] = True  # test wins over train
    asked[[1, 4, 4], [1, 1, 2]] = True  # the MMLU of b-9b was never measured
    np.testing.assert_array_equal(fold.hidden, ~seen)
    np.testing.assert_array_equal(fold.asked, asked)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("x", "a-8b", "test")], "fold 'x': unknown model 'a-8b'; did you mean 'a-7b'?"),
        (
            [("x", "zz", "test")],
            "fold 'x': unknown model 'zz'; the table has a-1b, a-7b, a-30b, b-3b, b-9b, c-70b.",
        ),
        ([("x", "a-7b", "test", "MMLU2")], "fold 'x': unknown benchmark 'MMLU2'; did you mean 'MMLU'?"),
        ([("x", "a-7b", "tests")], "unknown role 'tests': choose from train, test. Did you mean 'test'?"),
        ([("x", "a-7b", "test"), ("x", "a-1b", None)], "folds, row 2: role is empty: fill it in."),
        ([(None, "a-7b", "test")], "folds, row 1: fold is empty: fill it in."),
        ([("x", " ", "test")], "folds, row 1: model is empty: fill it in."),
        ([("x", "a-7b", "train")], "fold 'x' asks for no score: hold out a model that has one."),
        ([("x", "b-9b", "test", "MMLU")], "fold 'x' asks for no score: hold out a model that has one."),
    ],
)
def test_a_wrong_table_of_folds_is_named(lines: list[tuple[Any, ...]], message: str) -> None:
    with pytest.raises(InputError) as error:
        FoldsFrom(rows(*lines)).folds(read_scores(wide()))
    assert str(error.value) == message


@pytest.mark.parametrize("column", ["fold", "model", "role"])
def test_a_missing_column_of_folds_is_named(column: str) -> None:
    with pytest.raises(InputError) as error:
        FoldsFrom(rows(*LINES).drop(columns=column)).folds(read_scores(wide()))
    assert str(error.value) == f"the folds have no column {column!r}: give fold, model and role."


def test_a_file_of_folds_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"folds\.csv does not exist; check the path"):
        FoldsFrom(tmp_path / "folds.csv").folds(read_scores(wide()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LargerSiblings(0), "LargerSiblings: seen is 0: give a whole number from 1 up."),
        (lambda: WholeFamilies(least=1.5), "WholeFamilies: least is 1.5: give a whole number from 1 up."),
        (lambda: RandomCells(parts=True), "RandomCells: parts is True: give a whole number from 1 up."),
        (lambda: PartialScores(known=0), "PartialScores: known is 0: give a whole number from 1 up."),
        (lambda: PartialScores(parts=-1), "PartialScores: parts is -1: give a whole number from 1 up."),
    ],
)
def test_a_wrong_number_is_named(make: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == message


def test_what_a_protocol_cannot_do_is_named() -> None:
    with pytest.raises(InputError) as error:
        ReleasedAfter(2030).folds(small())
    assert str(error.value) == "no model was released after 2030: choose an earlier date."
    with pytest.raises(InputError) as error:
        LargerSiblings(tested=(("d 0",), ("d 1",))).folds(small())
    assert str(error.value) == "LargerSiblings: unknown line 'd 1'; did you mean 'e 1'?"
    with pytest.raises(InputError, match="unknown column 'lines'"):
        LargerSiblings(line="lines").folds(small())
    for protocol in (LargerSiblings(kin="lineages"), WholeFamilies(kin="lineages")):
        with pytest.raises(InputError, match=r"unknown column 'lineages'.*Did you mean 'lineage'\?"):
            protocol.folds(load_leaderboard())


@needs_paper_data
@pytest.mark.parametrize("seen", [1, 2])
@pytest.mark.parametrize("benchmarks", ["v1", "v2", "joint"])
def test_the_authors_folds_are_larger_siblings(benchmarks: str, seen: int) -> None:
    """From every row of their table, fold by fold: they test what is asked for and train on what is shown."""
    scores, theirs = whole_table(benchmarks), authors_folds(benchmarks, seen)
    tested = tuple(tuple(name.split("+")) for name in theirs["test_families"].unique())
    ours = LargerSiblings(seen, line="Family2", complete=True, tested=tested, relatives=False).folds(scores)
    numbers = theirs["fold"].unique().tolist()
    assert len(ours) == len(numbers) and all(a < b for a, b in pairwise(numbers))
    for fold, number in zip(ours, numbers, strict=True):
        part = theirs[theirs["fold"] == number]
        train, test = (set(part["model"][part["role"] == role]) for role in ("train", "test"))
        assert set(part["test_families"]) == {fold.name}
        _, asked, shown = named(fold, scores)
        assert asked == test
        assert train <= shown
        assert fold.asked[fold.models].all()
        # What else is shown has too few siblings, or lacks a figure: none of a tested line is as large.
        line = dict(zip(scores.models, scores.notes["Family2"], strict=True))
        size = dict(zip(scores.models, scores.metadata["params_b"], strict=True))
        for model in shown - train:
            siblings = [size[m] for m in train if line[m] == line[model]]
            assert line[model] not in fold.name.split("+") or size[model] < max(siblings)
