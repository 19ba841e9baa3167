"""Hold-out protocols: what a law may not see of a table, and what it is asked for, fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.arguments import check_whole
from bayes_sloth.errors import InputError
from bayes_sloth.fold_tables import FoldsFrom as FoldsFrom
from bayes_sloth.fold_tables import place_of
from bayes_sloth.folds import Bools, Fold
from bayes_sloth.kinship import Words, groups, labels_of, lines_of, relatives
from bayes_sloth.names import DATE, PARAMS_B, TOKENS_T
from bayes_sloth.scores import Scores


class HoldOut(Protocol):
    """Anything that cuts folds out of a table."""

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return the folds of a table."""
        ...


@dataclass(frozen=True)
class LargerSiblings:
    """Of every tested line only the smallest models are seen, and its larger ones are asked for.

    A line is a family's base models or its instruction-tuned ones, unless a column says otherwise. Relatives
    (families joined by a parent, a line or kin, lines of one family) are tested in one fold, and of a tested
    group nothing is seen but the smallest models of each tested line, and whatever of it is smaller still.

    Parameters
    ----------
    seen : int
        How many models of each tested line are seen.
    line : str, optional
        Column of the table (a note, say) that tells lines apart.
    complete : bool
        Count only models with size, tokens and every score, as the paper does.
    tested : tuple of tuples of str, optional
        The lines to test, those of one fold together; every line of more models than are seen where None.
    relatives : bool
        Whether relatives that are not tested are hidden too; the paper leaves them in.
    kin : str, optional
        Column of the table whose equal values make relatives of models, beside what their parents say;
        `lineage` in the packaged table.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> folds = LargerSiblings(seen=2).folds(load_leaderboard())
    >>> folds[0].name
    'bloom'
    """

    seen: int = 1
    line: str | None = None
    complete: bool = False
    tested: tuple[tuple[str, ...], ...] | None = None
    relatives: bool = True
    kin: str | None = None

    def __post_init__(self) -> None:
        """Check the number."""
        check_whole("LargerSiblings", seen=self.seen)

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return a fold for every group of relatives with a line of more models than are seen."""
        lines = lines_of(scores, self.line)
        kin = relatives(scores.metadata, lines, *_labels(scores, self.kin))
        if self.tested is None:
            chosen = [(name, tuple(dict.fromkeys(lines[members]))) for name, members in groups(kin)]
        else:
            chosen = [("+".join(names), names) for names in self.tested]
            for line in (line for names in self.tested for line in names):
                place_of("LargerSiblings", "line", line, tuple(dict.fromkeys(lines)))
        found = [self._fold(name, names, scores, lines, kin) for name, names in chosen]
        return tuple(fold for fold in found if fold is not None)

    def _fold(
        self, name: str, tested: tuple[str, ...], scores: Scores, lines: Words, kin: Words
    ) -> Fold | None:
        size = scores.metadata[PARAMS_B].to_numpy(dtype=float)
        counts = self._counts(scores)
        asked, spared = np.zeros(size.size, dtype=bool), np.zeros(size.size, dtype=bool)
        for line in tested:
            own = np.flatnonzero(counts & (lines == line))
            # Stable, so that of equally large models the first of the table counts as smaller.
            order = own[np.argsort(size[own], kind="stable")]
            if order.size > self.seen:  # a line of fewer models is not tested: a relative like any other
                asked[order[self.seen :]] = True
                spared |= (lines == line) & _up_to(size, order[: self.seen])
        if not asked.any():
            return None
        group = np.isin(kin, kin[asked]) if self.relatives else np.isin(lines, lines[asked])
        return _whole_rows(name, scores, asked, group & ~spared)

    def _counts(self, scores: Scores) -> Bools:
        """Return which models are counted when the smallest of a line are chosen."""
        table, observed = scores.metadata, scores.observed
        known = [PARAMS_B, TOKENS_T] if self.complete else [PARAMS_B]
        enough = observed.all(axis=1) if self.complete else observed.any(axis=1)
        return np.asarray(table[known].notna().all(axis=1) & enough)


@dataclass(frozen=True)
class WholeFamilies:
    """A family is held out whole, together with its relatives.

    Parameters
    ----------
    least : int
        Fewest models of a group that is tested.
    kin : str, optional
        Column of the table whose equal values make relatives of models, beside what their parents say;
        `lineage` in the packaged table.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> len(WholeFamilies(least=8).folds(load_leaderboard())) > 3
    True
    """

    least: int = 2
    kin: str | None = None

    def __post_init__(self) -> None:
        """Check the number."""
        check_whole("WholeFamilies", least=self.least)

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return a fold for every group of relatives."""
        scored = scores.observed.any(axis=1)
        found = groups(relatives(scores.metadata, *_labels(scores, self.kin)))
        return tuple(
            _whole_rows(name, scores, members, members)
            for name, members in found
            if (members & scored).sum() >= self.least
        )


@dataclass(frozen=True)
class ReleasedAfter:
    """Models released after a date are held out; models without a date stay.

    Parameters
    ----------
    date : float
        Calendar year with fraction: 2024.5 is the first of July 2024.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> ReleasedAfter(2024.5).folds(load_leaderboard())[0].name
    'after 2024.5'
    """

    date: float

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return the one fold."""
        later = scores.metadata[DATE].to_numpy(dtype=float) > self.date
        if not (later & scores.observed.any(axis=1)).any():
            raise InputError(f"no model was released after {self.date:g}: choose an earlier date.")
        return (_whole_rows(f"after {self.date:g}", scores, later, later),)


@dataclass(frozen=True)
class RandomCells:
    """Single scores are held out at random; every score is asked for once.

    Parameters
    ----------
    parts : int
        Number of folds.
    seed : int
        Of the draw.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> len(RandomCells(parts=5, seed=0).folds(load_leaderboard()))
    5
    """

    parts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the number."""
        check_whole("RandomCells", parts=self.parts)

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return the folds."""
        part = np.random.default_rng(self.seed).integers(self.parts, size=scores.observed.shape)
        masks = [scores.observed & (part == i) for i in range(self.parts)]
        return tuple(Fold(f"part {i + 1}", mask, mask) for i, mask in enumerate(masks) if mask.any())


@dataclass(frozen=True)
class PartialScores:
    """Of each tested model a few benchmarks are known, and the others are asked for.

    Parameters
    ----------
    known : int
        How many benchmarks of a tested model are seen.
    parts : int
        Number of folds; every model with more scores than `known` is tested in one of them.
    seed : int
        Of the draw of models and benchmarks.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> len(PartialScores(known=2, parts=4).folds(load_leaderboard()))
    4
    """

    known: int = 3
    parts: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_whole("PartialScores", known=self.known)
        check_whole("PartialScores", parts=self.parts)

    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        """Return the folds."""
        rng = np.random.default_rng(self.seed)
        rank = np.where(scores.observed, rng.random(scores.observed.shape), np.inf).argsort().argsort()
        hidden = scores.observed & (rank >= self.known)
        part = rng.permutation(len(scores.models)) % self.parts
        masks = [hidden & (part == i)[:, None] for i in range(self.parts)]
        return tuple(Fold(f"part {i + 1}", mask, mask) for i, mask in enumerate(masks) if mask.any())


def _labels(scores: Scores, column: str | None) -> tuple[Words, ...]:
    return () if column is None else (labels_of(scores, column, "kin"),)


def _up_to(size: NDArray[np.float64], seen: NDArray[np.int64]) -> Bools:
    """Return which rows are among the seen ones or smaller than the largest of them."""
    found = np.asarray(size < size[seen].max())
    found[seen] = True
    return found


def _whole_rows(name: str, scores: Scores, asked: Bools, hidden: Bools) -> Fold:
    shape = scores.observed.shape
    return Fold(name, np.broadcast_to(hidden[:, None], shape), asked[:, None] & scores.observed)
