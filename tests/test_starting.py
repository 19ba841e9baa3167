"""Anchors are chosen by looks at the modes, until modes confirm their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from oracles import small_table

from bayes_sloth import starting
from bayes_sloth.spec import ModelSpec
from bayes_sloth.starting import LOOKS, _confirmed


def anchors_after(names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """Return where looks end that begin at a, and how many there were; every look names other anchors."""
    looks = []

    def modes(spec: ModelSpec) -> Any:
        looks.append(spec.anchors)
        return SimpleNamespace(space=SimpleNamespace(spec=spec))

    def named(found: Any, scores: Any) -> tuple[str, ...]:
        return (names[found.space.spec.anchors[0]],)

    monkeypatch.setattr(starting, "_better_anchors", named)
    found = _confirmed(modes(ModelSpec(skills=1, anchors=("a",))), modes, small_table())
    assert len(looks) == len(set(looks)) <= LOOKS
    return found.space.spec.anchors[0], len(looks)


@pytest.mark.parametrize(
    ("names", "end", "looks"),
    [
        ({"a": "a"}, "a", 1),
        ({"a": "b", "b": "b"}, "b", 2),
        ({"a": "b", "b": "a"}, "b", 2),
        ({"a": "b", "b": "c", "c": "c"}, "c", 3),
        ({"a": "b", "b": "c", "c": "b"}, "b", 3),
        ({"a": "b", "b": "c", "c": "a"}, "b", 3),
        ({"a": "b", "b": "c", "c": "d"}, "b", 3),
    ],
    ids=["first is fine", "next is fine", "there and back", "third is fine", "two name b", "ring", "none"],
)
def test_looks_end_where_anchors_name_themselves_or_at_the_first_choice(
    names: dict[str, str], end: str, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert anchors_after(names, monkeypatch) == (end, looks)
