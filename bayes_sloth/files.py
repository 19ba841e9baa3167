"""Files written whole: a reader sees the old content or the new, never half of one."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bayes_sloth.errors import InputError

PARTIAL: Final = ".partial-"


@contextlib.contextmanager
def partial_path(folder: Path, suffix: str) -> Iterator[Path]:
    """Give a path in `folder` that no other process uses, and leave nothing there afterwards.

    Examples
    --------
    >>> with partial_path(Path(), ".nc") as path:
    ...     path.exists()
    False
    """
    partial = folder / f"{PARTIAL}{secrets.token_hex(8)}{suffix}"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target` and put it in `target`'s place when the block ends well.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with whole_file(target) as path:
    ...     _ = path.write_text("done")
    >>> target.read_text()
    'done'
    """
    target = target.resolve()
    if target.exists() and not target.is_file():  # a device such as /dev/stdout cannot be replaced
        yield target
        return
    with partial_path(target.parent, target.suffix) as partial:
        yield partial
        partial.replace(target)


def check_writable(target: Path) -> None:
    """Raise now where a file could not be written later, so that no long fit is lost to a wrong path.

    Raises
    ------
    InputError
        The folder does not exist or cannot be written, or `target` is itself a folder.

    Examples
    --------
    >>> check_writable(Path("no-such-folder/fit.nc"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    bayes_sloth.errors.InputError: cannot write no-such-folder/fit.nc: ...
    """
    if target.exists() and not target.is_file() and not target.is_dir():
        return  # a device such as /dev/stdout is written to directly
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder; give --out a file name inside it.")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {target}: the folder {folder} does not exist; make it first.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror or error}; choose another folder for --out."
        ) from error
