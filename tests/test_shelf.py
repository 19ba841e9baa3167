"""What is kept of an evaluation is whole, its own, and never mistaken for anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fake_laws import FakeLaw, PowerCut
from oracles import plain_table

from bayes_sloth import shelf as module
from bayes_sloth.errors import InputError
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast
from bayes_sloth.protocols import RandomCells
from bayes_sloth.scores import Scores
from bayes_sloth.shelf import Shelf

PROTOCOL = RandomCells(parts=4, seed=0)


def run(law: FakeLaw, folder: Path | None, *, seed: int = 0, scores: Scores | None = None) -> Evaluation:
    table = plain_table() if scores is None else scores
    return evaluate(table, law, PROTOCOL, seed=seed, jobs=1, folder=folder, progress=False)


def shelf(folder: Path, law: FakeLaw | None = None, **changed: Any) -> Shelf:
    scores = plain_table()
    plain: dict[str, Any] = {"scores": scores, "folds": PROTOCOL.folds(scores), "seed": 0}
    return Shelf(folder, law or FakeLaw(), **plain | changed)


def test_an_interrupted_evaluation_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    whole = run(FakeLaw(), None)
    with pytest.raises(PowerCut):
        run(FakeLaw(stops=2), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    again = FakeLaw()
    resumed = run(again, tmp_path)
    assert again.asked == ["part 2", "part 1"]  # the first run ended in the middle, last fold first
    xr.testing.assert_identical(resumed.data, whole.data)
    third = FakeLaw()
    xr.testing.assert_identical(run(third, tmp_path).data, whole.data)
    assert third.asked == []


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    """Spoil the compressed draws and leave the list of contents."""
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(bytes(content))


def foreign_text(path: Path) -> None:
    path.write_text("not one of ours")


def foreign_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def foreign_archive(path: Path) -> None:
    np.savez(path, something=np.zeros(3))


def without_seconds(path: Path) -> None:
    np.savez(path, draws=np.zeros((2, 6, 2)), told=np.array(json.dumps({"notes": {}})))


def no_object(path: Path) -> None:
    np.savez(path, draws=np.zeros((2, 6, 2)), told=np.array("[1]"))


def other_shape(path: Path) -> None:
    np.savez(path, draws=np.zeros((2, 1, 2)), told=np.array(json.dumps({"seconds": 1.0, "notes": {}})))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILERS = (empty, half, flipped, foreign_text, foreign_array, foreign_archive, without_seconds, no_object)


@pytest.mark.parametrize("spoil", [*SPOILERS, other_shape])
def test_a_damaged_or_foreign_file_is_fitted_anew(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    whole, kept = run(FakeLaw(), tmp_path), shelf(tmp_path)
    spoil(kept.path(2))
    assert [forecast.fold for forecast in kept.stored()] == [0, 1, 3]
    again = FakeLaw()
    xr.testing.assert_identical(run(again, tmp_path).data, whole.data)
    assert again.asked == ["part 3"]
    assert [forecast.fold for forecast in kept.stored()] == [0, 1, 2, 3]


def test_a_folder_of_the_same_name_is_no_forecast(tmp_path: Path) -> None:
    run(FakeLaw(), tmp_path)
    a_folder(shelf(tmp_path).path(2))
    assert [forecast.fold for forecast in shelf(tmp_path).stored()] == [0, 1, 3]


def test_a_forecast_comes_back_as_it_went(tmp_path: Path) -> None:
    kept, notes = shelf(tmp_path), {"r_hat": 1.02, "odd": float("nan"), "long": float("inf")}
    models = kept.folds[1].models.size
    draws = np.random.default_rng(0).uniform(size=(7, models, 2))
    kept.store(Forecast(1, draws, 12.5, notes))
    (found,) = kept.stored()
    assert found.fold == 1 and found.seconds == 12.5
    np.testing.assert_array_equal(found.draws, draws.astype(np.float32))
    assert list(found.notes) == list(notes) and np.array_equal(
        list(found.notes.values()), list(notes.values()), equal_nan=True
    )


def hidden_more(fold: Fold) -> Fold:
    return Fold(fold.name, np.ones_like(fold.hidden), fold.asked)


def test_whatever_tells_on_the_numbers_is_in_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, scores = shelf(tmp_path), plain_table()
    score = scores.data["score"].copy()
    score[0, 0] += 0.01
    others = {
        "seed": shelf(tmp_path, seed=1),
        "law": shelf(tmp_path, FakeLaw(spread=2.0)),
        "table": shelf(tmp_path, scores=Scores(scores.data.assign(score=score))),
        "hidden": shelf(tmp_path, folds=[hidden_more(fold) for fold in usual.folds]),
    }
    names = [usual.path(0), *(other.path(0) for other in others.values())]
    monkeypatch.setattr(module, "versions_of_packages", lambda: {"bayes_sloth": "9.9"})
    assert len({*names, usual.path(0)}) == len(others) + 2
    assert len({usual.path(place) for place in range(4)}) == 4


def test_what_does_not_tell_on_the_numbers_is_not_in_the_name(tmp_path: Path) -> None:
    """The order of folds and their names: another protocol may cut the same fold."""
    usual = shelf(tmp_path)
    turned = shelf(tmp_path, folds=[replace(fold, name="x") for fold in usual.folds[::-1]])
    assert [usual.path(place) for place in range(4)] == [turned.path(3 - place) for place in range(4)]


@pytest.mark.parametrize("change", ["seed", "law", "table"])
def test_another_run_misses_the_shelf(change: str, tmp_path: Path) -> None:
    run(FakeLaw(), tmp_path)
    law = FakeLaw(spread=2.0 if change == "law" else 1.0)
    table = plain_table().select(models=list("abcdf")) if change == "table" else None
    run(law, tmp_path, seed=int(change == "seed"), scores=table)
    assert len(law.asked) == 4


def test_nothing_unfinished_is_left_behind(tmp_path: Path) -> None:
    run(FakeLaw(), tmp_path / "new" / "folder")
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert len(files) == 4 and {path.suffix for path in files} == {".npz"}
    assert not any(path.name.startswith(".") for path in files)


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    law = FakeLaw()
    with pytest.raises(InputError, match=r"cannot keep folds in .*file: .*; choose another folder\."):
        run(law, tmp_path / "file")
    assert law.asked == []
