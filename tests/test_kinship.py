"""Lines and groups of relatives: whoever may tell of a held-out model is found, and nobody else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import FACTS, as_scores
from score_tables import wide

from bayes_sloth.errors import InputError
from bayes_sloth.kinship import groups, labels_of, lines_of, relatives
from bayes_sloth.reading import read_models, read_scores
from bayes_sloth.scores import Scores


def table(**above: str) -> pd.DataFrame:
    """Return one model a family, of these parents."""
    return pd.DataFrame({"family": list(above), "parent": list(above.values())})


def with_notes(*line: object) -> Scores:
    """Return six models of the families a, b and c with a note of this name."""
    return read_scores(wide(line=list(line)))


@pytest.mark.parametrize(
    ("above", "named"),
    [
        ({"a": "", "b": "", "c": ""}, "abc"),
        ({"a": "", "b": "a", "c": "a"}, "aaa"),
        ({"c": "b", "b": "a", "a": ""}, "aaa"),
        ({"a": "", "b": "a", "c": "", "d": "c"}, "aacc"),
        ({"b": "gone", "c": "gone", "a": ""}, ("gone", "gone", "a")),
        ({"a": "b", "b": "a", "c": ""}, "aac"),
        ({"a": "a", "b": ""}, "ab"),
        ({"c": "a", "a": "b", "b": "a"}, "ccc"),
    ],
)
def test_families_joined_by_a_parent_are_one_group(above: dict[str, str], named: str) -> None:
    """Also over generations, by a parent that is not in the table, and in a circle."""
    assert relatives(table(**above)).tolist() == list(named)


def test_a_family_of_two_parents_joins_them() -> None:
    rows = pd.DataFrame({"family": list("aabc"), "parent": ["", "", "", ""]})
    assert relatives(rows).tolist() == list("aabc")
    two = pd.concat([rows, pd.DataFrame({"family": ["d", "d"], "parent": ["b", "c"]})])
    assert relatives(two).tolist() == list("aabbbb")


def test_a_line_through_two_families_joins_them() -> None:
    lines = np.array(["1", "2", "2"], dtype=object)
    assert relatives(table(a="", b="", c=""), lines).tolist() == ["a", "b", "b"]
    assert relatives(table(a="", b="", c=""), np.array(list("123"), dtype=object)).tolist() == ["a", "b", "c"]


def test_kin_join_families_beside_lines_and_parents() -> None:
    lines = np.array(list("1233"), dtype=object)
    kin = np.array(["x", "x", "y", "z"], dtype=object)
    assert relatives(table(a="", b="", c="", d=""), lines, kin).tolist() == list("aacc")
    assert relatives(table(a="", b="", c="b", d=""), lines, kin).tolist() == list("aaaa")


def test_kin_of_one_family_are_not_parted() -> None:
    rows = pd.DataFrame({"family": list("aab"), "parent": [""] * 3})
    assert relatives(rows, np.array(["x", "y", "y"], dtype=object)).tolist() == list("aaa")


def test_a_group_is_named_by_its_label_where_a_family_has_that_name() -> None:
    kin = np.array(list("bb"), dtype=object)
    assert relatives(table(a="", b=""), kin).tolist() == ["b", "b"]
    assert relatives(table(a="", b="a"), kin).tolist() == ["a", "a"]  # but the oldest comes first


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    rows = pd.DataFrame(FACTS)
    whole = relatives(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = relatives(rows.iloc[order].reset_index(drop=True))
    np.testing.assert_array_equal(whole[order][:, None] == whole[order], shuffled[:, None] == shuffled)


def test_lines_are_base_and_tuned_models_of_a_family() -> None:
    scores = as_scores(read_models(pd.DataFrame(FACTS)), np.full((11, 4), 0.5))
    found = lines_of(scores, None).tolist()
    wanted = [f"{f} {d}" for f, d in zip(FACTS["family"], FACTS["instruct"], strict=True)]
    assert found == wanted


def test_lines_may_be_a_note_or_a_fact() -> None:
    scores = with_notes("p", "p", "q", "q", "q", "r")
    assert lines_of(scores, "line").tolist() == list("ppqqqr")
    assert lines_of(scores, "family").tolist() == list("aaabbc")
    assert lines_of(scores.select(models=["c-70b", "a-1b"]), "line").tolist() == ["r", "p"]


@pytest.mark.parametrize("empty", ["", "  ", None, float("nan")])
def test_a_model_without_a_line_is_named(empty: object) -> None:
    with pytest.raises(InputError) as error:
        lines_of(with_notes("p", "p", "q", empty, "q", "r"), "line")
    assert str(error.value) == "column 'line' names no line for b-3b: fill it for every model."


@pytest.mark.parametrize("empty", ["", None])
def test_a_model_without_kin_is_named(empty: object) -> None:
    with pytest.raises(InputError) as error:
        labels_of(with_notes("p", "p", "q", empty, "q", "r"), "line", "kin")
    assert str(error.value) == "column 'line' names no kin for b-3b: fill it for every model."


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(
        InputError, match=r"unknown column 'lines': choose from .*family.*Did you mean 'line'\?"
    ):
        lines_of(with_notes(*"ppqqqr"), "lines")


def test_groups_are_masks_in_order_of_appearance() -> None:
    found = groups(np.array(["b", "a", "b"], dtype=object))
    assert [name for name, _ in found] == ["b", "a"]
    assert (np.sum([mask for _, mask in found], axis=0) == 1).all()
