"""A random walk in the sampler's place: what runs, stops and resumes chains is tested without sampling."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayes_sloth import running
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.running import Batch, Run, batches_of, watch
from bayes_sloth.spec import ModelSpec
from bayes_sloth.transitions import BLOCK, Program, Taken

CHAINS: Final = 3
WARMUP: Final = 2 * BLOCK
DRAWS: Final = 4 * BLOCK


class State(NamedTuple):
    """Where a walk stands."""

    key: jax.Array
    position: jax.Array


class Walk:
    """A random walk, with the sampler's interface."""

    SIZE = 3
    STRETCHES = False

    def begun(self, design: object, program: object, position: Any, key: jax.Array) -> State:
        return State(key, position)

    def advanced(self, design: object, program: object, state: State, count: Any, thin: Any) -> Any:
        return _advanced(state, count, thin)

    def instead(self, monkeypatch: pytest.MonkeyPatch, watched: Callable[[], None] = lambda: None) -> None:
        """Put the walk in the sampler's place; `watched` is called before every block."""

        def advanced(*arguments: Any, **named: Any) -> Any:
            watched()
            return self.advanced(*arguments, **named)

        monkeypatch.setattr(running, "begun", self.begun)
        monkeypatch.setattr(running, "stretched", _stretched)
        monkeypatch.setattr(running, "advanced", advanced)

    def new(self, kept: Checkpoint) -> tuple[Run, list[Batch]]:
        design: Any = None
        run = Run(design, Program(ModelSpec(), "hmc", WARMUP, self.STRETCHES), DRAWS, kept, Event())
        keys = jax.random.split(jax.random.key(0), CHAINS)
        return run, batches_of(run, jnp.zeros((CHAINS, self.SIZE)), keys)

    def batches(self, kept: Checkpoint, stop_after: int = 10**6) -> list[Batch]:
        """Run every chain to its end, or to so many blocks from its very beginning."""
        run, batches = self.new(kept)
        for batch in batches:
            running._sample(Shorter(run, stop_after), batch)  # type: ignore[arg-type]
        return batches

    def run(self, kept: Checkpoint, stop_after: int = 10**6) -> list[np.ndarray]:
        """Return the columns of all chains, as far as the shortest one goes."""
        rows = [batch.kept() for batch in self.batches(kept, stop_after)]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def rows(self, kept: Checkpoint, batch: int) -> np.ndarray:
        """Return the vectors that a checkpoint holds of a batch."""
        return self.new(kept)[1][batch].kept()[0]

    def watched(self, kept: Checkpoint, progress: bool = False) -> list[Batch]:
        """Run the chains in threads."""
        run, batches = self.new(kept)
        watch(run, batches, progress)
        return batches


class Shorter:
    """A run that has fewer blocks."""

    def __init__(self, run: Run, blocks: int) -> None:
        self._run, self.blocks = run, run.blocks[:blocks]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)


@jax.jit
def _advanced(state: State, count: Any, thin: Any) -> tuple[State, Taken]:
    def draw(i: Any, carried: tuple[State, Any]) -> tuple[State, Any]:
        key, step = jax.random.split(carried[0].key)
        position = carried[0].position + thin * jax.random.normal(step, carried[0].position.shape)
        return State(key, position), carried[1].at[i].set(position)

    empty = jnp.zeros((BLOCK, state.position.size))
    state, vectors = jax.lax.fori_loop(0, count, draw, (state, empty))
    first = vectors[:, 0]
    return state, Taken(vectors, jnp.ones(BLOCK, int), first > 0, first, first, first)


def _stretched(design: object, program: object, state: State, vectors: Any, rounds: Any) -> State:
    """Go far from where the last draws were, by as many steps as there were rounds."""
    return State(state.key, state.position + 1000 * rounds + vectors.mean(0))


walk = Walk()
