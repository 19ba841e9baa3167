"""Forecasts of folds kept on disk as each ends, so that a long evaluation goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bayes_sloth.errors import InputError
from bayes_sloth.files import whole_file
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast, Law
from bayes_sloth.scores import Scores
from bayes_sloth.versions import versions_of_packages

# What reading a file that is empty, cut short or somebody else's may raise.
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Shelf:
    """Where the forecasts of one law on one table are kept, one file a fold.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    law : Law
        What `repr` says of it is part of every file's name.
    scores : Scores
        The table, likewise.
    folds : sequence of Fold
        Likewise.
    seed : int
        Likewise.

    Raises
    ------
    InputError
        If there can be no such folder.
    """

    folder: Path
    law: Law
    scores: Scores
    folds: Sequence[Fold]
    seed: int

    def __post_init__(self) -> None:
        """Make the folder now, so that no long fit is lost to a wrong path."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"cannot keep folds in {self.folder}: {why}; choose another folder.") from error

    def path(self, place: int) -> Path:
        """Return the file of a fold; another table, law, seed or release of this package has another."""
        told = [repr(self.law), self.scores.digest, str(self.seed), versions_of_packages()["bayes_sloth"]]
        digest = hashlib.sha256("\0".join([*told, self.folds[place].digest]).encode()).hexdigest()
        return self.folder / f"{digest[:20]}.npz"

    def stored(self) -> Iterator[Forecast]:
        """Yield every forecast that is there; a damaged or foreign file counts as none."""
        for place, fold in enumerate(self.folds):
            try:
                with np.load(self.path(place)) as found:
                    told = json.loads(str(found["told"]))
                    draws, seconds, notes = found["draws"], float(told["seconds"]), dict(told["notes"])
            except _DAMAGED:
                continue
            if draws.size and draws.shape[1:] == (fold.models.size, len(self.scores.benchmarks)):
                yield Forecast(place, draws, seconds, notes)

    def store(self, forecast: Forecast) -> None:
        """Keep one forecast, whole or not at all."""
        told = json.dumps({"law": self.law.name, "seconds": forecast.seconds, "notes": forecast.notes})
        with whole_file(self.path(forecast.fold)) as path, path.open("wb") as file:
            np.savez_compressed(file, draws=forecast.draws.astype(np.float32), told=np.array(told))
