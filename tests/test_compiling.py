"""Memory that compiling leaves behind goes back to the system."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest

from bayes_sloth import compiling
from bayes_sloth.compiling import give_back_memory

STATUS = Path("/proc/self/status")


def resident() -> float:
    """Return the memory of this process, in MB."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or not STATUS.exists(), reason="another C library")
def test_freed_memory_goes_back_to_the_system() -> None:
    """Most of 200 MB in small pieces; the C library keeps them, as what came last is still in use."""
    pieces = [b"x" * 100_000 for _ in range(2_000)]
    last = pieces[-1]
    full = resident()
    del pieces
    kept = resident()
    give_back_memory()
    assert full - kept < 50 < 100 < full - resident()
    assert len(last) == 100_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (OSError, AttributeError, TypeError):

        def refuse(name: object, error: type[Exception] = error) -> object:
            raise error

        monkeypatch.setattr(compiling.ctypes, "CDLL", refuse)
        give_back_memory()
    assert ctypes.CDLL is refuse
