"""Ctrl-C, kills and errors while chains run: what is kept, what is said, how the fit goes on."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from fits import SPEC, compiled_quickly, table
from walks import CHAINS, walk

import bayes_sloth as bs
from bayes_sloth import running, sampling
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.errors import FitStatus, FitWarning
from bayes_sloth.transitions import BLOCK

PATIENCE: Final = 60.0  # seconds after which a thread that waits in vain fails its test
LENGTH: Final = {"chains": 2, "draws": 3 * BLOCK, "warmup": 2 * BLOCK}


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Heed Ctrl-C, which a process does not that a shell began in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Keyboard:
    """Presses Ctrl-C when every chain has come to its n-th block, and holds them until it is seen."""

    def __init__(self, block: int, presses: int = 1) -> None:
        self.block, self.presses = block, presses
        self.seen = threading.Event()
        self._blocks: dict[int, int] = {}
        self._lock = threading.Lock()
        self._all = threading.Barrier(LENGTH["chains"], timeout=PATIENCE)

    def __call__(self) -> None:
        """Stand before a block of a chain."""
        with self._lock:
            me = threading.get_ident()
            self._blocks[me] = self._blocks.get(me, 0) + 1
        if threading.current_thread() is threading.main_thread() or self._blocks[me] != self.block:
            return
        self._all.wait()
        with self._lock:
            first, self.presses = self.presses > 0, self.presses - 1
        if first:
            _thread.interrupt_main()
        assert self.seen.wait(PATIENCE)

    def event(self) -> threading.Event:
        """Stand in for the event that tells threads to stop."""
        return self.seen


def pressed(monkeypatch: pytest.MonkeyPatch, block: int) -> Keyboard:
    """Press Ctrl-C before a block of the real sampler."""
    keyboard, advanced = Keyboard(block), running.advanced

    def watched(*arguments: Any, **named: Any) -> Any:
        keyboard()
        return advanced(*arguments, **named)

    monkeypatch.setattr(running, "advanced", watched)
    monkeypatch.setattr(sampling, "Event", keyboard.event)
    return keyboard


def fitted(checkpoint: Path | None = None) -> bs.Posterior:
    with compiled_quickly(), pytest.warns(FitWarning):
        return bs.fit(table(), SPEC, seed=0, **LENGTH, progress=False, checkpoint=checkpoint)


@cache
def whole() -> bs.Posterior:
    return fitted()


def same(found: bs.Posterior, wanted: bs.Posterior) -> bool:
    groups = ("posterior", "sample_stats")
    return all(found.data[name].dataset.identical(wanted.data[name].dataset) for name in groups)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("modes were looked for again")


def test_ctrl_c_while_sampling_keeps_the_draws_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        pressed(patch, block=4)  # two of warm-up, one of draws, and the one before which it is pressed
        found = fitted(folder)
    posterior = found.data["posterior"].dataset
    assert posterior.identical(whole().data["posterior"].dataset.isel(draw=slice(2 * BLOCK)))
    words = f"{2 * BLOCK} of {3 * BLOCK} draws of every chain are here; the same call goes on from {folder}."
    assert found.report.messages[0] == f"interrupted: {words}"
    assert found.report.status is FitStatus.NOT_TRUSTED
    assert found.report.settings == {**LENGTH, "draws": 2 * BLOCK, "draws_asked": 3 * BLOCK}
    assert whole().report.settings == LENGTH
    found.save(tmp_path / "fit.nc")
    assert bs.load(tmp_path / "fit.nc").report == found.report
    monkeypatch.setattr("bayes_sloth.starting.find_modes", refuse)
    rest = fitted(folder)
    assert same(rest, whole()) and rest.spec == whole().spec
    assert rest.report.findings == whole().report.findings
    assert not folder.exists()


def test_ctrl_c_in_warm_up_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    pressed(monkeypatch, block=1)
    words = f"during warm-up: no draws yet; the same call resumes from {folder}"
    with compiled_quickly(), pytest.raises(KeyboardInterrupt, match=words):
        bs.fit(table(), SPEC, seed=0, **LENGTH, progress=False, checkpoint=folder)
    assert folder.exists()


def test_without_a_checkpoint_nothing_goes_on() -> None:
    assert sampling._nothing_kept(Checkpoint()) == (
        "interrupted during warm-up: nothing is kept; with checkpoint=path it would have been."
    )
    assert sampling.interruption(50, 100, Checkpoint()) == (
        "interrupted: 50 of 100 draws of every chain are here; fit again for the rest."
    )


# A process that ends itself by the signal that cannot be caught, half-way through writing its third file.
KILLED: Final = f"""
import os, signal, sys
import conftest, numpy as np
from fits import SPEC, compiled_quickly, table
import bayes_sloth as bs
from bayes_sloth import checkpoints
checkpoints.SECONDS, savez, calls = 0.0, np.savez, []
def dying(file, **arrays):
    calls.append(1)
    if len(calls) < int(sys.argv[2]):
        return savez(file, **arrays)
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
np.savez = dying
with compiled_quickly():
    bs.fit(table(), SPEC, seed=0, **{LENGTH!r}, progress=False, checkpoint=sys.argv[1])
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_a_fit_killed_while_it_writes_ends_with_the_same_draws(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, str(folder), "8"]
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(folder.glob(".partial-*")) and list(folder.glob("chain-*"))
    assert same(fitted(folder), whole())
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread leaves though a chain is in the middle of a block that never ends."""
    release, stop = threading.Event(), threading.Event()

    def endless() -> None:
        if threading.current_thread() is not threading.main_thread():
            _thread.interrupt_main()
            assert stop.wait(PATIENCE)
            _thread.interrupt_main()
            assert release.wait(PATIENCE)

    walk.instead(monkeypatch, endless)
    run, batches = walk.new(Checkpoint())
    with pytest.raises(KeyboardInterrupt):
        running.watch(replace(run, stop=stop), batches[:1], False)
    release.set()


def test_an_error_in_one_chain_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    started = iter(range(10**6))

    def failing() -> None:
        if next(started) == 2:
            raise MemoryError("no room")

    walk.instead(monkeypatch, failing)
    run, batches = walk.new(Checkpoint())
    with pytest.raises(MemoryError, match="no room"):
        running.watch(run, batches, False)
    assert run.stop.is_set()


@pytest.mark.parametrize("progress", [False, True])
def test_progress_is_over_all_chains_with_time_left(
    progress: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = threading.Barrier(CHAINS)

    def slow() -> None:
        last.wait(PATIENCE)  # so that the bar is looked at before the end
        threading.Event().wait(running.LOOK / 4)

    walk.instead(monkeypatch, slow)
    batches = walk.watched(Checkpoint(), progress)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(batch.done == 6 for batch in batches)
    if not progress:
        assert shown.err == ""
        return
    assert f"/{CHAINS * (2 + 4 * running.THIN) * BLOCK} [" in shown.err
    assert "warming up" in shown.err or "sampling" in shown.err
    assert "<" in shown.err.split("[")[-1]  # elapsed<left


def test_a_method_that_does_not_sample_keeps_nothing(tmp_path: Path) -> None:
    with compiled_quickly():
        bs.fit(table(), SPEC, method="map", seed=0, progress=False, checkpoint=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
