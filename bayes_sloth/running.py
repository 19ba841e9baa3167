"""Chains on their way: side by side in threads on a CPU, as one batch on an accelerator."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any, Final

import jax
import numpy as np
from tqdm.auto import tqdm

from bayes_sloth import checkpoints
from bayes_sloth.batch import Batch
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.design import Design
from bayes_sloth.kernels import last_metric
from bayes_sloth.snapshots import thawed
from bayes_sloth.stretching import ROUNDS
from bayes_sloth.transitions import BLOCK, ChainState, Program, Taken, advanced, begun, stretched

Values = Any

# Trajectories from one kept draw to the next where there are many parameters: as many effective draws fit in
# half the memory and disk. With few, every third draw is effective as it is. With few, chains are not
# stretched either: what holds them up is how small a benchmark's misfit or own share may be.
THIN: Final = 2
MANY: Final = 1500
LOOK: Final = 0.2  # seconds between two looks at the chains and the keyboard: people notice no less


@dataclass(frozen=True, eq=False)
class Run:
    """What all batches of chains share.

    Parameters
    ----------
    design : Design
        The table.
    program : Program
        Model, method, draws of adaptation.
    draws : int
        To keep of each chain.
    checkpoint : Checkpoint
        Where to keep them.
    stop : Event
        Set to stop at the next block.
    thin : int
        Trajectories from one kept draw to the next.
    """

    design: Design
    program: Program
    draws: int
    checkpoint: Checkpoint
    stop: Event
    thin: int = THIN

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Draws and trajectories a draw of every block; those of the warm-up first."""
        return [
            *((count, 1) for count in self._warming),
            *((count, self.thin) for count in _blocks(self.draws)),
        ]

    @property
    def warm(self) -> int:
        """Blocks of the warm-up."""
        return len(self._warming)

    @property
    def stretched_after(self) -> int:
        """Blocks of the warm-up before chains are stretched; none where they are not."""
        return len(_blocks(self._before))

    @property
    def _before(self) -> int:
        """Draws before chains are stretched."""
        return last_metric(self.program.warmup) if self.program.stretches else 0

    @property
    def _warming(self) -> list[int]:
        """Draws of the blocks of the warm-up; the one before the stretch is whole, where it can be."""
        return _blocks(self._before)[::-1] + _blocks(self.program.warmup - self._before)


def batches_of(run: Run, positions: Values, keys: Values) -> list[Batch]:
    """Return the chains at their beginnings, or where the checkpoint left them.

    Each runs by itself on a CPU, all together on an accelerator.

    Parameters
    ----------
    run : Run
        What they share.
    positions : array, dims (chain, parameter)
        Where they begin.
    keys : random keys, dims (chain)
        Of the chains.

    Returns
    -------
    list of Batch
        In the order of the chains.

    Raises
    ------
    InputError
        The checkpoint is damaged.
    """
    size = 1 if jax.default_backend() == "cpu" else len(keys)
    parts = (slice(first, first + size) for first in range(0, len(keys), size))
    return [_batch(run, number, positions[part], keys[part]) for number, part in enumerate(parts)]


def _batch(run: Run, number: int, positions: Values, keys: Values) -> Batch:
    """Return chains at their beginning, or where the checkpoint left them."""
    chains = len(keys)
    if chains == 1:
        positions, keys = positions[0], keys[0]
    begin = _batched(partial(begun, run.design, run.program), chains)
    pieces = run.checkpoint.pieces(number)
    if not pieces:
        return Batch(number, chains, begin(positions, keys))
    try:
        state = thawed(pieces[-1].state, jax.eval_shape(begin, positions, keys))
    except ValueError as error:
        raise run.checkpoint.damaged(f"chain {number} is of another model") from error
    batch = Batch(number, chains, state, pieces[-1].blocks, pieces[-1].blocks)
    for piece in pieces:
        if piece.rows:
            batch.keep(piece.rows, run.draws)
    return batch


def compile_once(run: Run, batches: list[Batch]) -> None:
    """Compile once, before several chains ask for it at the same time.

    Parameters
    ----------
    run : Run
        What the chains share.
    batches : list of Batch
        All of them.
    """
    if jax.default_backend() == "cpu":
        batch = min(batches, key=lambda one: one.done)
        state, taken = _stepped(run, batch, 0, 1)
        if batch.done < run.stretched_after:
            state = _stretched(run, batch, state, taken, 1, rounds=0)
        jax.block_until_ready(state)  # type: ignore[no-untyped-call]


def _stepped(run: Run, batch: Batch, count: int, thin: int) -> tuple[ChainState, Taken]:
    """Return the state of a batch some draws later, and those draws."""
    step = _batched(partial(advanced, run.design, run.program, count=count, thin=thin), batch.chains)
    found: tuple[ChainState, Taken] = step(batch.state)
    return found


def _stretched(
    run: Run, batch: Batch, state: ChainState, taken: Taken, count: int, rounds: int = ROUNDS
) -> ChainState:
    """Return the state of a batch in coordinates that its last draws ask for."""
    places = np.linspace(0, count - 1, BLOCK).astype(int)
    stretch = _batched(partial(stretched, run.design, run.program, rounds=rounds), batch.chains)
    found: ChainState = stretch(state, vectors=taken.vectors[..., places, :])
    return found


def _sample(run: Run, batch: Batch) -> None:
    """Take a batch of chains to its end, or until told to stop."""
    written = time.monotonic()
    for count, thin in run.blocks[batch.done :]:
        if run.stop.is_set():
            break
        state, taken = jax.block_until_ready(_stepped(run, batch, count, thin))  # type: ignore[no-untyped-call]
        if batch.done >= run.warm:
            rows = [np.asarray(value) for value in taken]
            rows = rows if batch.chains > 1 else [row[None] for row in rows]
            batch.keep([row[:, :count] for row in rows], run.draws)
            batch.unsaved += count
        elif batch.done + 1 == run.stretched_after:
            state = _stretched(run, batch, state, taken, count)
        batch.state, batch.done = state, batch.done + 1
        if time.monotonic() - written >= checkpoints.SECONDS:
            batch.save(run.checkpoint)
            written = time.monotonic()
    batch.save(run.checkpoint)


def watch(run: Run, batches: list[Batch], progress: bool) -> None:
    """Run all batches to their end; Ctrl-C stops them at the next block, a second one stops at once.

    Parameters
    ----------
    run : Run
        What they share.
    batches : list of Batch
        From `batches_of`.
    progress : bool
        Whether to show a bar.

    Raises
    ------
    KeyboardInterrupt
        At the second Ctrl-C.
    """
    blocks = run.blocks
    total = sum(batch.chains for batch in batches) * sum(count * thin for count, thin in blocks)
    behind = sum(batch.trajectories(blocks) for batch in batches)
    futures: list[Future[None]] = [Future() for _ in batches]

    def look() -> None:
        started = [future for future in futures if not future.cancelled()]
        while wait(started, timeout=LOOK, return_when=FIRST_EXCEPTION).not_done:
            warm = all(batch.done >= run.warm for batch in batches)
            bar.set_description("sampling" if warm else "warming up", False)
            bar.update(sum(batch.trajectories(blocks) for batch in batches) - bar.n)
            if any(future.done() and future.exception() for future in started):
                return

    with tqdm(total=total, initial=behind, unit="trajectory", disable=not progress, leave=False) as bar:
        try:
            for batch, future in zip(batches, futures, strict=True):
                _begin(future, partial(_sample, run, batch))
            look()
        except KeyboardInterrupt:
            run.stop.set()
            for future in futures:
                future.cancel()  # does nothing to what has begun
            if progress:
                bar.write("stopping after this block of draws; Ctrl-C again stops at once.", file=sys.stderr)
            look()
        finally:
            run.stop.set()
    for future in futures:
        if not future.cancelled():
            future.result()


def _begin(future: Future[None], function: Callable[[], None]) -> None:
    """Run a function in a thread, which the end of the process waits for: it may be deep in compiled code."""

    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            function()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work).start()


def _blocks(length: int) -> list[int]:
    """Return the lengths of the blocks that make up a run."""
    return [min(BLOCK, length - done) for done in range(0, length, BLOCK)]


def _batched(function: Callable[..., Any], chains: int) -> Callable[..., Any]:
    """Return a function of batches of chains; of one chain, of its state as it is.

    To put on and take off a batch of one takes 240 tiny programs a block, and each waits for the interpreter.
    """
    return jax.vmap(function) if chains > 1 else function
