"""Lines: a family's base models, and its tuned ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE: Final = -1


@dataclass(frozen=True)
class Lines:
    """Which models are of one line, and which tuned line stands on which base line.

    Parameters
    ----------
    model : array of int, dims (model)
        Line number of every model.
    family : array of int, dims (line)
        Family number.
    tuned : array of int, dims (line)
        1 = instruction-tuned, 0 = base.
    base : array of int, dims (line)
        Number of the base line that a tuned line stands on, -1 for none.
    """

    model: Ints
    family: Ints
    tuned: Ints
    base: Ints

    def names(self, families: Sequence[str]) -> list[str]:
        """Return a label for every line: its family, tuned ones with a star."""
        return [f"{families[f]}{'*' * t}" for f, t in zip(self.family, self.tuned, strict=True)]


@dataclass(frozen=True, eq=False)
class AskedLines:
    """The lines of models asked about, against those of a fit.

    Parameters
    ----------
    model : array of int, dims (model)
        Line number of every model asked about.
    fitted, beside : array of int, dims (line)
        Number of the same line in the fit, and of the other line of its family; -1 for none.
    base : array of int, dims (line)
        For a line of a new family, the asked line that it stands on; -1 for none.
    """

    model: Ints
    fitted: Ints
    beside: Ints
    base: Ints


def lines_in(family: Ints, instruct: Floats) -> Lines:
    """Return the lines of a table, those of one family side by side, its base line first.

    Parameters
    ----------
    family : array of int, dims (model)
        Family number.
    instruct : array, dims (model)
        1 = instruction-tuned.

    Returns
    -------
    Lines
        Every line has a model.

    Examples
    --------
    >>> lines_in(np.array([0, 0, 1]), np.array([0.0, 1.0, 1.0])).base.tolist()
    [-1, 0, -1]
    """
    codes, model = np.unique(2 * family + (instruct > 0), return_inverse=True)
    owner = codes // 2
    follows = np.concatenate([[False], owner[1:] == owner[:-1]])[: codes.size]
    base = np.where(follows, np.arange(codes.size) - 1, NONE)
    return Lines(model.astype(np.int64), owner, codes % 2, base)


def asked_lines(fitted: Lines, family: Ints, instruct: Floats) -> AskedLines:
    """Return the lines of models asked about, against those of a fit.

    Parameters
    ----------
    fitted : Lines
        Of the fit.
    family : array of int, dims (model)
        Family number, new families after the fitted ones.
    instruct : array, dims (model)
        1 = instruction-tuned.

    Returns
    -------
    AskedLines
        What is known of each.

    Examples
    --------
    >>> fit = lines_in(np.array([0]), np.array([0.0]))
    >>> asked = asked_lines(fit, np.array([0, 0]), np.array([0.0, 1.0]))
    >>> asked.fitted.tolist(), asked.beside.tolist()
    ([0, -1], [-1, 0])
    """
    asked = lines_in(family, instruct)
    places = {2 * f + t: n for n, (f, t) in enumerate(zip(fitted.family, fitted.tuned, strict=True))}
    codes = 2 * asked.family + asked.tuned
    own, other = (np.array([places.get(int(c), NONE) for c in sought]) for sought in (codes, codes ^ 1))
    unknown = (own < 0) & (other < 0)
    return AskedLines(asked.model, own, other, np.where(unknown, asked.base, NONE))


def tuned_both_ways(family: Ints, instruct: Floats, families: int) -> NDArray[np.bool_]:
    """Return which families have base and instruction-tuned models."""
    tuned = np.bincount(family, weights=instruct, minlength=families)
    return (tuned > 0) & (tuned < np.bincount(family, minlength=families))
