"""Drawn tables fitted batch by batch, each batch kept on disk as it ends."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from bayes_sloth.calibration.fits import Ranked, Sampled, ranked, sampled
from bayes_sloth.calibration.simulate import Sites
from bayes_sloth.design import Design
from bayes_sloth.errors import InputError
from bayes_sloth.files import whole_file
from bayes_sloth.refitting import Length
from bayes_sloth.spec import ModelSpec
from bayes_sloth.versions import versions_of_packages

Values = Any
Simulator = Callable[[Design, ModelSpec, jax.Array], Sites]

# Tables drawn at a time, and at most lost when a run is killed; an accelerator fits them in step.
BATCH: Final = {"cpu": 16}
BATCH_OF_ACCELERATORS: Final = 128
# What reading a file that is empty, cut short or somebody else's may raise.
_DAMAGED: Final = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
_NUMBERS: Final = ("r_hat", "ess", "diverging")


@dataclass(frozen=True, eq=False)
class Plan:
    """What is drawn and fitted.

    Parameters
    ----------
    design : Design
        The layout.
    spec : ModelSpec
        The model that is fitted, anchors named.
    simulator : callable
        Where tables come from.
    length : Length
        Of every fit.
    seed : int
        Of everything.
    """

    design: Design
    spec: ModelSpec
    simulator: Simulator
    length: Length
    seed: int

    def keys(self, first: int, count: int) -> jax.Array:
        """Return two keys a table, dims (table, 2): its own, whatever the number of tables."""
        key, numbers = jax.random.key(self.seed), np.arange(first, first + count)
        return jax.vmap(lambda number: jax.random.split(jax.random.fold_in(key, number)))(numbers)

    def digest(self, tables: Sites) -> str:
        """Return what tells these fits from all others."""
        told = [repr(self.spec), repr(self.length), self.seed, versions_of_packages()]
        found = hashlib.sha256(json.dumps(told).encode())
        leaves, structure = jax.tree.flatten((self.design, tables))
        found.update(str(structure).encode())
        for leaf in leaves:
            value = np.ascontiguousarray(leaf)
            found.update(repr((value.dtype.str, value.shape)).encode() + value.tobytes())
        return found.hexdigest()


def all_ranked(plan: Plan, n: int, folder: Path | None, tell: Callable[[int], Any]) -> Iterator[list[Ranked]]:
    """Draw, fit and rank tables batch by batch; batches that a folder holds are read from it.

    Parameters
    ----------
    plan : Plan
        What to do.
    n : int
        How many tables.
    folder : Path, optional
        Where batches are kept.
    tell : callable
        Told how many more tables are done.

    Yields
    ------
    list of Ranked
        One a table.

    Raises
    ------
    InputError
        If there can be no such folder.
    """
    _make(folder)
    batch = BATCH.get(jax.default_backend(), BATCH_OF_ACCELERATORS)
    compiled = False
    for first in range(0, n, batch):
        count, keys = min(batch, n - first), plan.keys(first, batch)
        tables = plan.simulator(plan.design, plan.spec, keys[:, 0])
        path = folder / f"{plan.digest(tables)[:20]}-{first}-{count}.npz" if folder else None
        found = _stored(path, count)
        if found is None:
            found = []
            for number, one in enumerate(_sampled(plan, tables, keys[:, 1], count, compiled), start=first):
                generator = np.random.default_rng([plan.seed, number])
                found.append(ranked(one, np.asarray(plan.design.observed), generator))
                tell(1)
            compiled = True
            _store(path, found)
        else:
            tell(count)
        yield found


def _make(folder: Path | None) -> None:
    """Make the folder now, so that no long run is lost to a wrong path."""
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot keep batches in {folder}: {why}; choose another folder.") from error


def _sampled(plan: Plan, tables: Sites, keys: jax.Array, count: int, compiled: bool) -> Iterator[Sampled]:
    """Yield fits: in threads on a CPU, as one batch on an accelerator."""
    sites, scores = {name: v for name, v in tables.items() if name != "score"}, tables["score"]
    if jax.default_backend() != "cpu":
        together = jax.device_get(_in_step(plan.design, plan.spec, sites, scores, keys, plan.length))
        yield from (jax.tree.map(lambda v, i=i: v[i], together) for i in range(count))
        return

    def one(i: int) -> Sampled:
        own = {name: value[i] for name, value in sites.items()}
        found: Sampled = jax.device_get(sampled(plan.design, plan.spec, own, scores[i], keys[i], plan.length))
        return found

    alone = 0 if compiled else 1  # compiles once, before several threads ask for it at the same time
    yield from map(one, range(alone))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(one, range(alone, count))


@partial(jax.jit, static_argnames=("spec", "length"))
def _in_step(
    design: Design, spec: ModelSpec, sites: Sites, scores: Values, keys: jax.Array, length: Length
) -> Sampled:
    def one(sites: Sites, score: Values, key: jax.Array) -> Sampled:
        found: Sampled = sampled(design, spec, sites, score, key, length)
        return found

    found: Sampled = jax.vmap(one)(sites, scores, keys)
    return found


def _store(path: Path | None, batch: list[Ranked]) -> None:
    """Keep one batch, whole or not at all."""
    if path is None:
        return
    arrays: dict[str, Any] = {
        f"rank {name}": np.stack([one.rank[name] for one in batch]) for name in batch[0].rank
    }
    arrays |= {name: np.array([getattr(one, name) for one in batch]) for name in _NUMBERS}
    with whole_file(path) as partial_file, partial_file.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _stored(path: Path | None, count: int) -> list[Ranked] | None:
    """Return a batch that is there; a damaged or foreign file counts as none."""
    if path is None:
        return None
    try:
        with np.load(path) as file:
            found = dict(file)
        ranks = {name.removeprefix("rank "): v for name, v in found.items() if name.startswith("rank ")}
        numbers = zip(*(found[name].tolist() for name in _NUMBERS), strict=True)
        return [
            Ranked({name: value[i] for name, value in ranks.items()}, *row)
            for i, row in zip(range(count), numbers, strict=True)
        ]
    except _DAMAGED:
        return None
