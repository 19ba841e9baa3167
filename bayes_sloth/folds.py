"""A fold: which scores a law may not see, and which of these it is asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.errors import InputError
from bayes_sloth.scores import Scores

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fold:
    """One hold-out.

    Parameters
    ----------
    name : str
        What is held out, such as a family.
    hidden : array of bool, dims (model, benchmark)
        Scores that are not seen while fitting.
    asked : array of bool, dims (model, benchmark)
        Hidden and observed scores that are to be forecast.

    Raises
    ------
    InputError
        If nothing is asked, or something that is not hidden.

    Examples
    --------
    >>> mask = np.array([[True, False]])
    >>> Fold("one", mask, mask).models.tolist()
    [0]
    """

    name: str
    hidden: Bools
    asked: Bools

    def __post_init__(self) -> None:
        """Check that a law cannot see what it is asked for."""
        if not self.asked.any():
            raise InputError(f"fold {self.name!r} asks for no score: hold out a model that has one.")
        if (self.asked & ~self.hidden).any():
            raise InputError(f"fold {self.name!r} asks for scores that are not hidden: hide them too.")

    @property
    def models(self) -> NDArray[np.int64]:
        """Rows that are asked for."""
        return np.flatnonzero(self.asked.any(axis=1))

    @property
    def digest(self) -> str:
        """SHA-256 of the two masks; the name does not count."""
        masks = np.stack([self.hidden, self.asked])
        return hashlib.sha256(f"{masks.shape}".encode() + masks.tobytes()).hexdigest()

    def seen(self, scores: Scores) -> Scores:
        """Return the table without what is hidden; all its rows stay."""
        return scores.hide(self.hidden)
