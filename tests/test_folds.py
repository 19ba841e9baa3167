"""A fold hides what it asks for, and a law that is shown it sees nothing else of it."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import plain_table

from bayes_sloth.errors import InputError
from bayes_sloth.folds import Fold

SHAPE = (6, 2)


def mask(*cells: tuple[int, int]) -> np.ndarray:
    found = np.zeros(SHAPE, dtype=bool)
    for cell in cells:
        found[cell] = True
    return found


def test_seen_is_the_table_without_what_is_hidden() -> None:
    scores, hidden = plain_table(), mask((0, 0), (4, 0), (4, 1))
    seen = Fold("a", hidden, mask((4, 1))).seen(scores)
    assert seen.models == scores.models and seen.benchmarks == scores.benchmarks
    np.testing.assert_array_equal(seen.observed, scores.observed & ~hidden)
    there = scores.data["score"].values[seen.observed]
    np.testing.assert_array_equal(seen.data["score"].values[seen.observed], there)


def test_models_are_the_rows_asked_for() -> None:
    assert Fold("a", mask((0, 0), (4, 0), (4, 1), (2, 1)), mask((4, 0), (2, 1), (4, 1))).models.tolist() == [
        2,
        4,
    ]


def test_nothing_asked_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        Fold("yi", mask((0, 0)), mask())
    assert str(error.value) == "fold 'yi' asks for no score: hold out a model that has one."


def test_asking_for_what_is_seen_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        Fold("yi", mask((0, 0)), mask((0, 0), (0, 1)))
    assert str(error.value) == "fold 'yi' asks for scores that are not hidden: hide them too."


def test_digests_tell_masks_apart_and_nothing_else() -> None:
    both, one = mask((0, 0), (0, 1)), mask((0, 0))
    folds = [Fold("a", both, one), Fold("a", both, both), Fold("a", one, one), Fold("a", both.T, one.T)]
    assert len({fold.digest for fold in folds}) == 4
    assert Fold("b", both.copy(), one).digest == folds[0].digest
    rows = np.broadcast_to(np.array([True, False, False, True, False, False])[:, None], SHAPE)
    assert Fold("a", rows, one).digest == Fold("a", rows.copy(), one).digest
