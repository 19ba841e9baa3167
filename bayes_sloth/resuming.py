"""Whose a checkpoint is: made for one fit, and opened again by the same fit alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

from bayes_sloth.checkpoints import ABOUT, DAMAGED, Checkpoint
from bayes_sloth.errors import InputError
from bayes_sloth.files import PARTIAL, whole_file
from bayes_sloth.spec import ModelSpec
from bayes_sloth.versions import versions_of_packages

KIND: Final = "checkpoint of bayes_sloth"
VERSION: Final = 7  # of the files, and of what is in a block of draws; any change of these counts it up
_LOCK: Final = "lock"
_SHOWN: Final = 24  # longest value that a message spells out


def identity(table: str, spec: ModelSpec, settings: Mapping[str, object]) -> dict[str, str]:
    """Return what decides the draws of a fit, by name.

    Parameters
    ----------
    table : str
        `Scores.digest`.
    spec : ModelSpec
        As asked for; every digit of every prior counts.
    settings : mapping
        Method, seed, chains, draws, warm-up, device.

    Examples
    --------
    >>> identity("abc", ModelSpec(), {"seed": 0})["seed"]
    '0'
    """
    told = json.dumps([repr(spec), asdict(spec)], default=repr)
    known = {name: str(value) for name, value in settings.items()}
    parts = {"table": table, "model": hashlib.sha256(told.encode()).hexdigest(), **known}
    return parts | {f"version of {name}": version for name, version in versions_of_packages().items()}


@contextlib.contextmanager
def opened(path: str | os.PathLike[str] | None, parts: Mapping[str, str]) -> Iterator[Checkpoint]:
    """Make or open the checkpoint of one fit, and let no other process at it meanwhile.

    Parameters
    ----------
    path : str or path, optional
        A folder of its own, made where it does not exist; None keeps nothing.
    parts : mapping
        From `identity`.

    Raises
    ------
    InputError
        The path holds something else, belongs to another fit, is damaged, of a later version, or in use.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "run"
    >>> with opened(place, {"seed": "0"}) as kept:
    ...     kept.remove()
    >>> place.exists()
    False
    """
    if path is None:
        yield Checkpoint()
        return
    folder = Path(path)
    _check_place(folder)
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / _LOCK).open("ab")
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot write checkpoint {folder}: {why}; choose another folder.") from error
    with lock:
        _hold(lock, folder)
        for partial in folder.glob(f"{PARTIAL}*"):
            partial.unlink()
        _check_identity(folder, parts)
        yield Checkpoint(folder)
    if not (folder / ABOUT).exists():
        (folder / _LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files are in it
            folder.rmdir()


def _check_place(folder: Path) -> None:
    """Refuse a path at which there is, or can be, no checkpoint."""
    if not folder.absolute().parent.is_dir():
        where = folder.absolute().parent
        raise InputError(
            f"cannot write checkpoint {folder}: the folder {where} does not exist; make it first."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"checkpoint {folder} is a file: give the name of a folder, which the fit makes.")
    if not folder.exists() or (folder / ABOUT).exists():
        return
    if any(path.name != _LOCK and not path.name.startswith(PARTIAL) for path in folder.iterdir()):
        raise InputError(f"checkpoint {folder} holds other files: give the name of a new folder.")


def _hold(lock: IO[bytes], folder: Path) -> None:
    """Lock a file until it is closed, as the end of a process does too; do nothing where that is unknown."""
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"checkpoint {folder} is in use by another fit: wait for it or choose another folder."
        ) from error
    except (ImportError, OSError):
        return


def _check_identity(folder: Path, parts: Mapping[str, str]) -> None:
    """Compare what a checkpoint is of with what it should be of; write that down where it is new."""
    about = folder / ABOUT
    if not about.exists():
        with whole_file(about) as path:
            path.write_text(
                json.dumps({"kind": KIND, "version": VERSION, "fit": dict(parts)}), encoding="utf-8"
            )
        return
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
        kind, version, fit = told["kind"], int(told["version"]), dict(told["fit"])
    except DAMAGED as error:
        raise Checkpoint(folder).damaged(f"{ABOUT} cannot be read") from error
    if kind != KIND:
        raise InputError(f"checkpoint {folder} is of another program: give the name of a new folder.")
    if version != VERSION:
        raise InputError(
            f"checkpoint {folder} was written by another release (format {version}, this one reads "
            f"{VERSION}): resume with that release, or delete the folder and fit again."
        )
    other = [_difference(name, fit.get(name, "none"), parts.get(name, "none")) for name in {**parts, **fit}]
    if any(other):
        raise InputError(
            f"checkpoint {folder} belongs to another fit ({'; '.join(filter(None, other))}): "
            "give another folder, or delete this one."
        )


def _difference(name: str, there: str, here: str) -> str:
    """Say in words how two fits differ in one part; empty where they do not."""
    if there == here:
        return ""
    short = max(len(there), len(here)) <= _SHOWN
    return f"{name} is {there} there, {here} here" if short else f"another {name}"
