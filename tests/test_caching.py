"""The cache of fits: what decides a key, and what becomes of damaged, foreign and simultaneous entries."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bayes_sloth import caching
from bayes_sloth.files import PARTIAL

KEY = "a" * 64
OTHER = "b" * 64
SETTINGS = {"method": "hmc", "seed": 0, "chains": 4, "draws": 1000, "warmup": 500}


@dataclass(frozen=True)
class Prior:
    scale: float = 1.0


@dataclass(frozen=True)
class OtherPrior:
    scale: float = 1.0


@dataclass(frozen=True)
class Spec:
    skills: int = 4
    prior: Prior | OtherPrior = field(default_factory=Prior)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path / "fits"


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def recalled(key: str = KEY) -> bytes | None:
    found = caching.recall(key, Path.read_bytes, lambda _: True)
    return found[0] if found else None


def key(data: str = "d", spec: Any = None, **changes: Any) -> str:
    return caching.key_of(caching.ingredients(data, spec or Spec(), {**SETTINGS, **changes}))


# --- keys -------------------------------------------------------------------------------------------------


def test_the_same_ingredients_give_the_same_key() -> None:
    assert key() == key()
    assert len(key()) == 64


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_changes_the_key(name: str) -> None:
    assert key(**{name: "other"}) != key()


@pytest.mark.parametrize("spec", [Spec(skills=2), Spec(prior=Prior(1 + 1e-15)), Spec(prior=OtherPrior())])
def test_every_part_of_the_spec_changes_the_key(spec: Spec) -> None:
    assert key(spec=spec) != key()


def test_data_change_the_key() -> None:
    assert key(data="e") != key()


def test_float_width_changes_the_key() -> None:
    import jax

    narrow = key()
    with jax.enable_x64(not jax.config.jax_enable_x64):
        assert key() != narrow


@pytest.mark.parametrize("name", ["bayes_sloth", "code", "numpyro", "jax", "jaxlib", "numpy", "python"])
def test_every_version_changes_the_key(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before, found = key(), caching.versions()
    assert name in found
    monkeypatch.setattr(caching, "versions", lambda: {**found, name: "0.0.1"})
    assert key() != before


def test_the_key_needs_no_jax_backend() -> None:
    code = (
        "from bayes_sloth import caching; from dataclasses import make_dataclass;"
        "caching.ingredients('d', make_dataclass('Spec', [])(), {});"
        "from jax._src import xla_bridge; print(len(xla_bridge._backends))"
    )
    assert program(code).stdout.strip() == "0"


def program(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[1]
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)


# --- entries ----------------------------------------------------------------------------------------------


def test_what_is_remembered_is_recalled_with_its_age(fits: Path) -> None:
    caching.remember(KEY, write(b"fit"))
    (entry,) = fits.iterdir()
    written = entry.stat().st_mtime - 7200
    os.utime(entry, (written, written))
    found = caching.recall(KEY, Path.read_bytes, lambda _: True)
    assert found is not None
    assert found[0] == b"fit"
    assert caching.age(found[1]) == "2 hours"
    assert recalled(OTHER) is None


def test_an_empty_cache_recalls_nothing_and_makes_no_folder(fits: Path) -> None:
    assert recalled() is None
    assert not fits.exists()


def damaged(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[0] ^= 1
    entry.write_bytes(content)


def replaced_by_a_folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


def wrong_hash(entry: Path) -> None:
    entry.rename(entry.with_name(f"{KEY}-{OTHER}.nc"))


@pytest.mark.parametrize(
    "harm",
    [
        damaged,
        replaced_by_a_folder,
        wrong_hash,
        lambda entry: entry.write_bytes(entry.read_bytes()[:-1]),
        lambda entry: entry.write_bytes(b""),
        lambda entry: entry.rename(entry.with_name(f"{KEY}.nc")),
    ],
)
def test_a_harmed_entry_is_passed_over(fits: Path, harm: Callable[[Path], object]) -> None:
    caching.remember(KEY, write(b"fit"))
    harm(next(fits.iterdir()))
    assert recalled() is None
    caching.remember(KEY, write(b"new"))
    assert recalled() == b"new"


def test_an_entry_that_cannot_be_loaded_or_accepted_is_passed_over(fits: Path) -> None:
    def fail(path: Path) -> bytes:
        raise KeyError(path)

    caching.remember(KEY, write(b"fit"))
    assert caching.recall(KEY, fail, lambda _: True) is None
    assert caching.recall(KEY, Path.read_bytes, lambda value: value == b"other") is None


def test_a_sound_older_entry_serves_where_the_newest_is_harmed(fits: Path) -> None:
    caching.remember(KEY, write(b"first"))
    old = next(fits.iterdir())
    os.utime(old, (1e9, 1e9))
    caching.remember(KEY, write(b"second"))
    damaged(next(path for path in fits.iterdir() if path != old))
    assert recalled() == b"first"


def test_a_failed_save_leaves_nothing_and_warns(fits: Path) -> None:
    def half(path: Path) -> None:
        path.write_bytes(b"ha")
        raise ValueError("cannot encode")

    with pytest.warns(
        caching.CacheWarning, match=r"could not be cached in .*\(cannot encode\); set BAYES_SLOTH_"
    ):
        caching.remember(KEY, half)
    assert list(fits.iterdir()) == []


def test_a_folder_that_cannot_be_made_warns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.warns(caching.CacheWarning, match="or pass --no-cache"):
        caching.remember(KEY, write(b"fit"))
    assert recalled() is None


def test_only_the_newest_entries_are_kept(fits: Path) -> None:
    for place in range(caching.KEPT_ENTRIES + 5):
        name = f"{place:064x}"
        caching.remember(name, write(name.encode()))
        stamp = 1e9 + place
        os.utime(next(fits.glob(f"{name}*")), (stamp, stamp))
    caching.remember(KEY, write(b"last"))
    assert len(list(fits.iterdir())) == caching.KEPT_ENTRIES
    assert recalled() == b"last"
    assert recalled(f"{5:064x}") is None
    assert recalled(f"{caching.KEPT_ENTRIES + 4:064x}") is not None


def test_the_cache_is_bounded_in_bytes_but_keeps_the_newest(
    fits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "KEPT_BYTES", 10)
    caching.remember(OTHER, write(b"123456"))
    os.utime(next(fits.iterdir()), (1e9, 1e9))
    caching.remember(KEY, write(b"12345678901234567890"))
    assert recalled(OTHER) is None
    assert recalled() == b"12345678901234567890"


def test_what_a_dead_process_left_is_cleared_and_a_live_one_is_left_alone(fits: Path) -> None:
    fits.mkdir()
    dead, live = fits / f"{PARTIAL}dead.nc", fits / f"{PARTIAL}live.nc"
    for path in (dead, live):
        path.write_bytes(b"half")
    os.utime(dead, (1e9, 1e9))
    caching.remember(KEY, write(b"fit"))
    assert not dead.exists()
    assert live.exists()


WRITER = """
import sys, warnings
from pathlib import Path
from bayes_sloth import caching

warnings.simplefilter("error")
mine = sys.argv[1].encode() * 200_000
for _ in range(60):
    caching.remember("a" * 64, lambda path: path.write_bytes(mine))
    found = caching.recall("a" * 64, Path.read_bytes, lambda _: True)
    assert found is not None and len(set(found[0])) == 1 and len(found[0]) == 200_000, "torn entry"
"""


def test_two_processes_at_once_do_no_harm(fits: Path) -> None:
    root = Path(__file__).parents[1]
    commands = [[sys.executable, "-c", WRITER, name] for name in "xy"]
    running = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for command in commands]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert set(recalled() or b"") <= set(b"xy")
    assert not list(fits.glob(f"{PARTIAL}*"))


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(caching.FOLDER_VARIABLE, "~/here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caching.cache_folder() == tmp_path / "here"
    monkeypatch.delenv(caching.FOLDER_VARIABLE)
    assert "bayes_sloth" in caching.cache_folder().parts


def test_a_sound_cache_says_nothing(fits: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caching.remember(KEY, write(b"fit"))
        assert recalled() == b"fit"
