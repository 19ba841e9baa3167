"""What a run of chains keeps on disk: pieces that are written whole, once, and resumed from after a kill."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import FitWarning, InputError
from bayes_sloth.files import whole_file

Arrays = dict[str, NDArray[Any]]

# Two or three writes of a megabyte in ten seconds cost nothing; a kill costs less than ten seconds of work.
SECONDS: Final = 4.0
ABOUT: Final = "about.json"
_MODES: Final = "modes.npz"
_PIECE = re.compile(r"chain-(?P<batch>\d+)-(?P<blocks>\d{8})\.npz")
_KINDS: Final = ("state.", "rows.")
# What reading a file that is empty, cut short or somebody else's may raise.
DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
_SHOWN: Final = 24  # longest value that a message spells out


class Piece(NamedTuple):
    """Where a batch of chains stands, and the draws kept since the piece before.

    Parameters
    ----------
    since, blocks : int
        Blocks behind the piece before, and behind this one; warm-up included.
    state : list of arrays
        Leaves of the sampler's state.
    rows : list of arrays, dims (chain, draw, ...)
        Columns of `transitions.Taken`; empty during warm-up.
    """

    since: int
    blocks: int
    state: list[NDArray[Any]]
    rows: list[NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A folder with one file for every few seconds of every chain; without a folder, nothing is kept.

    Parameters
    ----------
    folder : Path, optional
        From `resuming.opened`.

    Examples
    --------
    >>> Checkpoint().pieces(0)
    []
    """

    folder: Path | None = None

    def pieces(self, batch: int) -> list[Piece]:
        """Return what is kept of a batch of chains, in order; empty where nothing is.

        Raises
        ------
        InputError
            A file is damaged or missing.
        """
        found = [self._piece(path) for path in self._paths(batch)]
        # A kill may have left more than the newest piece of the warm-up.
        bare = sum(not piece.rows for piece in found)
        found = found[max(0, bare - 1) :]
        for before, piece in zip([None, *found], found, strict=False):
            if piece.rows and piece.since != (before.blocks if before else 0):
                raise self.damaged("a file of draws is missing")
        return found

    def add(self, batch: int, piece: Piece) -> bool:
        """Keep one more piece, whole or not at all; a disk that is full gives a warning, not an error.

        Returns
        -------
        bool
            Whether it was kept.
        """
        if self.folder is None:
            return False
        arrays = {"span": np.array([piece.since, piece.blocks])}
        for kind, values in zip(_KINDS, (piece.state, piece.rows), strict=True):
            arrays |= {f"{kind}{i}": value for i, value in enumerate(values)}
        kept = self._write(f"chain-{batch}-{piece.blocks:08d}.npz", arrays)
        if kept and not piece.rows:  # what stood there before the draws began is of no more use
            for path in self._paths(batch)[:-1]:
                path.unlink(missing_ok=True)
        return kept

    def modes(self) -> Arrays:
        """Return what `keep_modes` kept; empty where it kept nothing."""
        path = (self.folder or Path()) / _MODES
        return self._arrays(path) if self.folder is not None and path.exists() else {}

    def keep_modes(self, arrays: Arrays) -> None:
        """Keep where the chains start."""
        if self.folder is not None:
            self._write(_MODES, arrays)

    def remove(self) -> None:
        """Delete what is kept; newest first, so that whatever a kill leaves of it can be resumed."""
        if self.folder is None:
            return
        for path in sorted(self._paths(), key=lambda path: path.name[-12:], reverse=True):
            path.unlink()
        for name in (_MODES, ABOUT):
            (self.folder / name).unlink(missing_ok=True)

    def damaged(self, what: str) -> InputError:
        """Return the error of a checkpoint that cannot be resumed."""
        return InputError(
            f"checkpoint {self.folder} is damaged ({what}): delete the folder and fit again from the start."
        )

    def _paths(self, batch: int | None = None) -> list[Path]:
        """Return the files of one batch of chains, or of all, oldest first."""
        if self.folder is None:
            return []
        matches = ((_PIECE.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted(path for match, path in matches if match and batch in (None, int(match["batch"])))

    def _arrays(self, path: Path) -> Arrays:
        """Read every array of a file; its checksums find what was changed."""
        try:
            with np.load(path, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except DAMAGED as error:
            raise self.damaged(f"{path.name} cannot be read") from error

    def _piece(self, path: Path) -> Piece:
        """Read one file of a batch of chains."""
        arrays = self._arrays(path)
        leaves = [[value for name, value in arrays.items() if name.startswith(kind)] for kind in _KINDS]
        if arrays.get("span", np.empty(0)).shape != (2,):
            raise self.damaged(f"{path.name} cannot be read")
        since, blocks = (int(number) for number in arrays["span"])
        return Piece(since, blocks, *leaves)

    def _write(self, name: str, arrays: Arrays) -> bool:
        """Write a file whole and through to the disk, and say whether that could be done."""
        assert self.folder is not None
        try:
            with whole_file(self.folder / name) as path, path.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            words = (
                f"the checkpoint {self.folder} cannot be written ({error.strerror or error}): the fit goes on"
            )
            warnings.warn(f"{words}; make room, and it is tried again.", FitWarning, stacklevel=3)
            return False
        return True
