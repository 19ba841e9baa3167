"""Chains that run as one program: where they stand, and the draws that they have brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.checkpoints import Checkpoint, Piece
from bayes_sloth.snapshots import frozen
from bayes_sloth.transitions import ChainState


@dataclass(eq=False)
class Batch:
    """Chains that run as one program, and where they stand.

    Parameters
    ----------
    number, chains : int
        Which batch it is, and of how many chains.
    state : ChainState
        The chains in front where there are several.
    done, saved : int
        Blocks behind the state, and behind the one on disk.
    drawn, unsaved : int
        Draws of each chain that are kept, and how many of these are not on disk.
    columns : tuple of lists of arrays, dims (draw, ...)
        What `transitions.Taken` names, of each chain, with room for all draws. One array each, not one a
        block: a large one is handed back to the system when it is let go, many small ones are not.
    """

    number: int
    chains: int
    state: ChainState
    done: int = 0
    saved: int = 0
    drawn: int = 0
    unsaved: int = 0
    columns: tuple[list[NDArray[Any]], ...] = ()

    def keep(self, rows: Sequence[NDArray[Any]], room: int) -> None:
        """Keep a block of draws, dims (chain, draw, ...); `room`: draws of the whole run."""
        if not self.columns:
            self.columns = tuple(
                [np.empty((room, *row.shape[2:]), row.dtype) for _ in range(self.chains)] for row in rows
            )
        end = self.drawn + rows[0].shape[1]
        for column, row in zip(self.columns, rows, strict=True):
            for chain, values in zip(column, row, strict=True):
                chain[self.drawn : end] = values
        self.drawn = end

    def kept(self, first: int = 0) -> list[NDArray[Any]]:
        """Return what is kept from some draw on, dims (chain, draw, ...); nothing where there is none."""
        if first >= self.drawn:
            return []
        return [np.stack([chain[first : self.drawn] for chain in column]) for column in self.columns]

    def save(self, checkpoint: Checkpoint) -> None:
        """Put what is new on disk."""
        if checkpoint.folder is None or self.done == self.saved:
            return
        fresh = self.kept(self.drawn - self.unsaved)
        if checkpoint.add(self.number, Piece(self.saved, self.done, frozen(self.state), fresh)):
            self.saved, self.unsaved = self.done, 0

    def trajectories(self, blocks: list[tuple[int, int]]) -> int:
        """Return how many were run, over all chains."""
        return self.chains * sum(count * thin for count, thin in blocks[: self.done])
