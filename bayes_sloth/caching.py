"""Fits kept on disk between runs: keyed by all that decides them, written whole, never trusted blindly."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from bayes_sloth.files import PARTIAL, partial_path
from bayes_sloth.versions import versions_of_packages

if TYPE_CHECKING:
    from bayes_sloth.spec import ModelSpec

T = TypeVar("T")

FOLDER_VARIABLE: Final = "BAYES_SLOTH_CACHE_DIR"
# Twenty fits cover an afternoon of trying families and settings.
KEPT_ENTRIES: Final = 20
# A full NUTS fit takes tens of megabytes; two gigabytes is what a laptop does not notice.
KEPT_BYTES: Final = 2 * 1024**3
# No write of a fit takes an hour, so an older temporary file was left by a process that died.
STALE_SECONDS: Final = 3600.0
# Below half a second compiling again is as quick as reading the compiled program back.
MIN_COMPILE_SECONDS: Final = "0.5"
_ENTRY = re.compile(r"(?P<key>[0-9a-f]{64})-(?P<content>[0-9a-f]{64})\.nc")


class CacheWarning(UserWarning):
    """A fit could not be kept for the next run; the fit itself is sound."""


def cache_folder() -> Path:
    """Return the folder for cached fits and compiled programs, which may not exist yet.

    Returns
    -------
    Path
        The value of `BAYES_SLOTH_CACHE_DIR` where that is set, else the platform's own cache folder.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("bayes_sloth", appauthor=False))


def keep_compiled_programs() -> None:
    """Ask JAX to keep its compiled programs on disk, where the user has not said otherwise.

    JAX reads the environment when it is imported, so this does nothing after that.

    Examples
    --------
    >>> keep_compiled_programs()
    """
    if "jax" in sys.modules:
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_COMPILE_SECONDS)


def float_width() -> int:
    """Return the bits of a JAX float, 32 or 64, without starting a JAX backend.

    Examples
    --------
    >>> float_width() in (32, 64)
    True
    """
    import jax

    return jax.dtypes.canonicalize_dtype(float).itemsize * 8


def versions() -> dict[str, str]:
    """Return the versions that decide a fit: this package, numpyro, jax, numpy and Python's minor release.

    Examples
    --------
    >>> sorted(versions())
    ['bayes_sloth', 'code', 'jax', 'jaxlib', 'numpy', 'numpyro', 'python']
    """
    return versions_of_packages() | {"code": _code_digest()}


def _code_digest() -> str:
    """Hash the package's own source: a checkout keeps its version while its code changes."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def ingredients(data_digest: str, spec: ModelSpec, settings: Mapping[str, object]) -> dict[str, object]:
    """Return everything that decides a fit: data, model, settings of the fit, float width and versions.

    Parameters
    ----------
    data_digest : str
        `Scores.digest` of the table.
    spec : ModelSpec
        The model; every field counts.
    settings : mapping
        Arguments of `fit`: method, seed, chains, draws, warmup.

    Examples
    --------
    >>> from bayes_sloth.spec import ModelSpec
    >>> ingredients("abc", ModelSpec(), {"method": "map", "seed": 0})["seed"]
    0
    """
    return {
        "data": data_digest,
        # repr names the types of nested parts, which asdict forgets; asdict has every digit.
        "spec": [repr(spec), asdict(spec)],
        "float_width": float_width(),
        "versions": versions(),
        **settings,
    }


def key_of(parts: Mapping[str, object]) -> str:
    """Return the cache key of a fit: the SHA-256 of its ingredients, 64 hexadecimal digits.

    Examples
    --------
    >>> key_of({"seed": 0}) == key_of({"seed": 1})
    False
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def recall(key: str, load: Callable[[Path], T], accept: Callable[[T], bool]) -> tuple[T, float] | None:
    """Return the cached fit of `key` and its age in seconds, or None where no sound one is there.

    An entry's name holds the hash of its content, so a damaged or foreign file is passed over before it is
    opened. Whatever `load` raises counts as "not there".

    Parameters
    ----------
    key : str
        From `key_of`.
    load : callable
        Reads a fit from a path.
    accept : callable
        Last say on a fit that was read, such as "its data are these data".

    Examples
    --------
    >>> recall("0" * 64, load=Path.read_bytes, accept=bool) is None
    True
    """
    for path, written in _entries(_fits(), key):
        # Any failure here, of whatever kind, has one remedy: fit again.
        with contextlib.suppress(Exception):
            match = _ENTRY.fullmatch(path.name)
            if match and _content_digest(path) == match["content"]:
                value = load(path)
                if accept(value):
                    return value, max(0.0, time.time() - written)
    return None


def remember(key: str, save: Callable[[Path], object]) -> None:
    """Keep a fit under `key`; a folder that cannot be written gives a `CacheWarning`, never an error.

    Parameters
    ----------
    key : str
        From `key_of`.
    save : callable
        Writes the fit to the path it is given.

    Examples
    --------
    >>> import os, tempfile
    >>> os.environ["BAYES_SLOTH_CACHE_DIR"] = tempfile.mkdtemp()
    >>> remember("0" * 64, lambda path: path.write_bytes(b"fit"))
    >>> recall("0" * 64, load=Path.read_bytes, accept=bool)[0]
    b'fit'
    >>> del os.environ["BAYES_SLOTH_CACHE_DIR"]
    """
    try:
        _fits().mkdir(parents=True, exist_ok=True)
        _store(key, save)
        _prune(_fits())
    except Exception as error:  # the fit is in hand: no failure to keep a copy may lose it
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        warnings.warn(
            f"the fit could not be cached in {_fits()} ({reason}); set {FOLDER_VARIABLE} to a folder that "
            "can be written, or pass --no-cache",
            CacheWarning,
            stacklevel=2,
        )


def age(seconds: float) -> str:
    """Return a span of time in its largest whole unit.

    Examples
    --------
    >>> age(5), age(60), age(3 * 3600 + 5), age(200_000)
    ('5 seconds', '1 minute', '3 hours', '2 days')
    """
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} second{'' if int(seconds) == 1 else 's'}"


def _fits() -> Path:
    """Return the folder of cached fits."""
    return cache_folder() / "fits"


def _store(key: str, save: Callable[[Path], object]) -> None:
    """Write an entry whole, under a name that holds the hash of its content."""
    with partial_path(_fits(), ".nc") as partial:
        save(partial)
        partial.replace(_fits() / f"{key}-{_content_digest(partial)}.nc")


def _content_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(folder: Path, key: str = "") -> list[tuple[Path, float]]:
    """Return entries whose key starts with `key` and when each was written, newest first."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{key}*.nc"):
            with contextlib.suppress(OSError):  # another process may prune it this moment
                found.append((path, path.stat().st_mtime))
    return sorted((e for e in found if _ENTRY.fullmatch(e[0].name)), key=lambda e: e[1], reverse=True)


def _prune(folder: Path) -> None:
    """Delete all but the newest entries, and what dead processes left half-written."""
    total = 0
    for rank, (path, _) in enumerate(_entries(folder)):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
            if rank >= KEPT_ENTRIES or (rank > 0 and total > KEPT_BYTES):
                path.unlink()
    for path in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
