"""A run of chains that is stopped at any moment goes on from its checkpoint and ends with the same draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np
import pytest
from walks import CHAINS, DRAWS, WARMUP, walk

from bayes_sloth import checkpoints, running
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.errors import FitWarning, InputError
from bayes_sloth.files import PARTIAL
from bayes_sloth.resuming import VERSION, opened

WHOLE: Final = (WARMUP + DRAWS) // running.BLOCK  # blocks of a run
FIT: Final = {"table": "a" * 64, "seed": "0", "version of jax": "1.0"}

pytestmark = pytest.mark.usefixtures("walks")


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a random walk in the place of the sampler, and write after every block."""
    walk.instead(monkeypatch)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)


def taken(folder: Path | None, stop_after: int = 10**6) -> list[np.ndarray]:
    """Run all chains, stop each after some blocks, and return what it has."""
    with opened(folder, FIT) as kept:
        return walk.run(kept, stop_after)


def stopped(folder: Path, blocks: int) -> Path:
    taken(folder, blocks)
    return folder


def same(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])  # chains by themselves, and all as one batch
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4, WHOLE - 1, WHOLE])
def test_a_stopped_run_ends_with_the_same_draws(
    backend: str, blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    wanted = taken(None)
    assert wanted[0].shape == (CHAINS, DRAWS, walk.SIZE)
    folder = stopped(tmp_path / "run", blocks)
    assert same(taken(folder), wanted)


def test_another_start_gives_other_draws(tmp_path: Path) -> None:
    """The comparison above can fail: what is kept decides the draws."""
    wanted, folder = taken(None), stopped(tmp_path / "run", 3)
    newest = sorted(folder.glob("chain-0-*"))[-1]
    with np.load(newest) as found:
        arrays = {name: found[name] for name in found.files}
    arrays["state.1"] = arrays["state.1"] + 1.0
    np.savez(newest, **arrays)
    assert not same(taken(folder), wanted)


def test_draws_are_written_once_and_warm_up_leaves_one_file(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "run", WARMUP // running.BLOCK)
    assert len(list(folder.glob("chain-*"))) == CHAINS
    stopped(folder, WHOLE - 1)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("chain-*")}
    stopped(folder, WHOLE)
    after = {path: path.stat().st_mtime_ns for path in folder.glob("chain-*")}
    assert before.items() < after.items()
    rows = sum(np.load(path)["rows.0"].shape[1] for path in after if "rows.0" in np.load(path))
    assert rows == CHAINS * DRAWS


def test_the_clock_decides_when_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 3600.0)
    wanted, folder = taken(None), tmp_path / "run"
    stopped(folder, 4)
    assert len(list(folder.glob("chain-*"))) == CHAINS  # at the stop alone
    assert same(taken(folder), wanted)


def test_what_a_kill_left_half_written_is_swept_up(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "run", 4)
    (folder / f"{PARTIAL}dead.npz").write_bytes(b"half")
    wanted = taken(None)
    assert same(taken(folder), wanted)
    assert not list(folder.glob(f"{PARTIAL}*"))


def test_a_kill_before_anything_was_written_is_a_new_start(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "lock").touch()
    (folder / f"{PARTIAL}dead.json").write_bytes(b"{")
    assert same(taken(folder), taken(None))


def test_a_kill_after_a_warm_up_file_and_before_the_removal_of_the_last(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "run", 1)
    old = {path: path.read_bytes() for path in folder.glob("chain-*")}
    stopped(folder, 2)
    for path, content in old.items():
        path.write_bytes(content)
    assert same(taken(folder), taken(None))


def test_a_checkpoint_is_removed_with_its_folder(tmp_path: Path) -> None:
    with opened(tmp_path / "run", FIT) as kept:
        walk.run(kept)
        kept.keep_modes({"vectors": np.zeros(3)})
        kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with opened(folder, FIT) as kept:
        walk.run(kept)
        (folder / "mine.txt").write_text("mine")
        kept.remove()
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_kill_while_removing_leaves_what_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, folder = taken(None), tmp_path / "run"
    unlink, count = Path.unlink, len(list(stopped(folder, WHOLE).iterdir())) - 1
    for survived in range(count):
        left = [survived]

        def dying(path: Path, missing_ok: bool = False, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyError("killed")
            left[0] -= 1
            unlink(path, missing_ok=missing_ok)

        with monkeypatch.context() as patch, pytest.raises(KeyError), opened(folder, FIT) as kept:
            patch.setattr(Path, "unlink", dying)
            kept.remove()
        assert same(taken(folder), wanted), survived


def test_a_full_disk_is_a_warning_and_nothing_is_lost_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, wanted, savez = tmp_path / "run", taken(None), np.savez

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.warns(FitWarning, match="No space left on device.*goes on"):
        patch.setattr(np, "savez", full)
        with opened(folder, FIT) as kept:
            batches = walk.batches(kept, 4)
            patch.setattr(np, "savez", savez)
            for batch in batches:
                batch.save(kept)
    assert not list(folder.glob(f"{PARTIAL}*"))
    assert same(taken(folder), wanted)


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def test_a_changed_byte_is_found_or_changes_nothing(tmp_path: Path) -> None:
    wanted, folder = taken(None), stopped(tmp_path / "run", 4)
    path = sorted(folder.glob("chain-0-*"))[-1]
    content, found = path.read_bytes(), 0
    for place in np.random.default_rng(0).integers(0, len(content), 60):
        path.write_bytes(flipped(content, int(place)))
        try:
            with opened(folder, FIT) as kept:
                rows = walk.rows(kept, batch=0)
        except InputError as error:
            assert "is damaged" in str(error) and "delete the folder and fit again" in str(error)
            found += 1
        else:
            assert np.array_equal(rows, wanted[0][:1, : rows.shape[1]])
    assert found > 20  # most of a file is data


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_an_error(share: float, tmp_path: Path) -> None:
    folder = stopped(tmp_path / "run", 4)
    for path in folder.glob("chain-1-*"):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"is damaged \(chain-1-\d+.npz cannot be read\): delete the folder"):
        taken(folder)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "run", WHOLE)
    sorted(folder.glob("chain-0-*"))[2].unlink()
    with pytest.raises(InputError, match="a file of draws is missing"):
        taken(folder)


def test_a_state_of_another_shape_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stopped(tmp_path / "run", 4)
    monkeypatch.setattr(walk, "SIZE", walk.SIZE + 1)
    with pytest.raises(InputError, match="chain 0 is of another model"):
        taken(folder)


def told(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        about = folder / "about.json"
        about.write_text(json.dumps(json.loads(about.read_text()) | changes))

    return change


def cut(folder: Path) -> None:
    (folder / "about.json").write_text('{"kind"')


UNFIT: Final[dict[str, tuple[Callable[[Path], Any], str]]] = {
    "table": (told(fit=FIT | {"table": "b" * 64}), r"another fit \(another table\): give another folder"),
    "seed": (told(fit=FIT | {"seed": "1"}), r"another fit \(seed is 1 there, 0 here\)"),
    "version": (told(fit=FIT | {"version of jax": "2.0"}), "version of jax is 2.0 there, 1.0 here"),
    "more": (told(fit=FIT | {"thin": "2"}), "thin is 2 there, none here"),
    "future": (
        told(version=VERSION + 1),
        rf"another release \(format {VERSION + 1}, this one reads {VERSION}\): resume with that release",
    ),
    "kind": (told(kind="something"), "of another program: give the name of a new folder"),
    "words": (told(version="new"), "is damaged .about.json cannot be read"),
    "list": (told(fit=[1]), "is damaged"),
    "cut": (cut, "is damaged .about.json cannot be read"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_checkpoint_of_something_else_is_one_clear_error(case: str, tmp_path: Path) -> None:
    change, message = UNFIT[case]
    folder = stopped(tmp_path / "run", 3)
    change(folder)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(InputError, match=message):
        taken(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_place_that_cannot_hold_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    for name, message in {
        "file": "is a file: give the name of a folder",
        "full": "holds other files: give the name of a new folder",
        "no/run": "the folder .*no does not exist; make it first",
    }.items():
        with pytest.raises(InputError, match=message), opened(tmp_path / name, FIT):
            pass


def test_two_runs_cannot_share_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    folder, words = tmp_path / "run", "in use by another fit"
    with opened(folder, FIT), pytest.raises(InputError, match=words), opened(folder, FIT):
        pass
    with opened(tmp_path / "run", FIT) as kept:
        assert kept.pieces(0) == []


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Checkpoint()
    assert kept.modes() == {} and kept.pieces(0) == []
    kept.keep_modes({"vectors": np.zeros(1)})
    kept.remove()
