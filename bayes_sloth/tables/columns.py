"""Which column of a table is what: a fact about the model, a benchmark's score, or a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bayes_sloth.catalogue import Benchmark, KnownBenchmarks, key
from bayes_sloth.errors import InputError, nearest
from bayes_sloth.names import (
    ACTIVE_PARAMS_B,
    BENCHMARK,
    DATE,
    FAMILY,
    INSTRUCT,
    MODEL,
    PARAMS_B,
    PARENT,
    SCORE,
    TOKENS_T,
)
from bayes_sloth.tables.cells import is_missing, is_numeric, listed

METADATA: Final = (FAMILY, PARAMS_B, ACTIVE_PARAMS_B, TOKENS_T, INSTRUCT, PARENT, DATE)
REQUIRED: Final = (MODEL, FAMILY, PARAMS_B, TOKENS_T)
NUMERIC: Final = (PARAMS_B, ACTIVE_PARAMS_B, TOKENS_T, DATE)
COUNT: Final = "n"
STDERR: Final = "stderr"
LONG: Final = (BENCHMARK, SCORE, COUNT, STDERR)

# Columns that the wide form may hold beside those named after their benchmark.
ITEMS_PREFIX: Final = "n:"
FLOOR_PREFIX: Final = "floor:"
NOTE_PREFIX: Final = "note:"
NOTE_NAMES: Final = ("source", "note", "url", "hf_", "unnamed")

SHOWN: Final = 15  # names in one message; more would outgrow a terminal


@dataclass(frozen=True)
class Layout:
    """What each column of a wide table is.

    Parameters
    ----------
    scores : dict from column to Benchmark
        Columns of scores, in the table's order.
    items : dict from benchmark name to column
        Columns of item counts, named like "n:MMLU".
    notes : dict from column to name
        Columns kept as they came.
    doubts : tuple of str
        Sentences about columns that were guessed to be benchmarks.
    """

    scores: dict[str, Benchmark]
    items: dict[str, str]
    notes: dict[str, str]
    doubts: tuple[str, ...]


def is_note(name: str) -> bool:
    """Say whether a column is kept as a note by its name alone."""
    return not name or name.casefold().startswith(NOTE_NAMES)


def find_columns(columns: Iterable[str], wanted: Sequence[str]) -> dict[str, str]:
    """Map each wanted name to the column spelled like it, ignoring case, spaces, dashes and underscores."""
    by_key = {key(name): name for name in wanted}
    found: dict[str, str] = {}
    for column in columns:
        name = by_key.get(key(column))
        if name in found:
            raise InputError(f"columns {found[name]!r} and {column!r} both mean {name!r}; keep one of them.")
        if name is not None:
            found[name] = column
    return found


def need_columns(columns: Iterable[str], wanted: Sequence[str], *, remedy: str = "") -> None:
    """Refuse a table that lacks one of the wanted columns, offering the nearest spelling it has."""
    present = list(columns)
    found = find_columns(present, wanted)
    for name in wanted:
        if name in found:
            continue
        close = nearest(name, [c for c in present if c not in found.values()])
        hint = (
            f"rename column {close!r} to {name!r}"
            if close
            else remedy or f"add it (the table has {listed(present, SHOWN)})"
        )
        raise InputError(f"the table has no column {name!r}; {hint}{_EMPTY_ALLOWED.get(name, '')}.")


_EMPTY_ALLOWED: Final = {name: ", leaving cells empty where it is not known" for name in (PARAMS_B, TOKENS_T)}


def is_long(frame: pd.DataFrame) -> bool:
    """Say whether a table is in long form: a row per model and benchmark."""
    found = find_columns(frame.columns, (BENCHMARK, SCORE))
    if len(found) == 1:
        (name,) = found
        other = SCORE if name == BENCHMARK else BENCHMARK
        need_columns(frame.columns, (other,), remedy=f"the long form needs both {name!r} and {other!r}")
    return len(found) == 2


def wide_layout(frame: pd.DataFrame, known: KnownBenchmarks) -> Layout:
    """Decide what each column of a wide table is.

    Parameters
    ----------
    frame : DataFrame
        Raw cells.
    known : KnownBenchmarks
        The catalogue and what the user says.

    Returns
    -------
    Layout
        Roles of all columns but those that describe the model.

    Raises
    ------
    InputError
        If two columns mean the same benchmark, or the user names one that the table lacks.
    """
    metadata = set(find_columns(frame.columns, (MODEL, *METADATA)).values())
    others = [c for c in frame.columns if c not in metadata]
    floors = {c.removeprefix(FLOOR_PREFIX): c for c in others if c.startswith(FLOOR_PREFIX)}
    counts = {c.removeprefix(ITEMS_PREFIX): c for c in others if c.startswith(ITEMS_PREFIX)}
    figures = {*floors.values(), *counts.values()}
    scores, notes, doubts = {}, {}, []
    for column in others:
        if column in figures:
            continue
        benchmark, doubt = _role(frame, column, known, floors)
        if benchmark is None:
            notes[column] = column.removeprefix(NOTE_PREFIX)
        else:
            scores[column] = benchmark
        doubts += doubt
    _unique(scores)
    items = {_owner(scores, name, column).name: column for name, column in counts.items()}
    for name, column in floors.items():
        _owner(scores, name, column)
    return Layout(scores, items, notes, tuple(doubts))


def check_mentioned(known: KnownBenchmarks, present: Sequence[str]) -> None:
    """Refuse benchmarks that the user names and the table does not hold."""
    mentioned = [
        b for b in known.entries if b.source == Benchmark.source or (known.only and key(b.name) in known.only)
    ]
    here = {key(name) for name in present}
    for entry in mentioned:
        if not entry.keys & here:
            close = nearest(entry.name, present)
            hint = f"did you mean {close!r}" if close else f"its benchmarks are {listed(present, SHOWN)}"
            raise InputError(f"benchmarks names {entry.name!r}, which the table does not hold; {hint}?")


def _role(
    frame: pd.DataFrame, column: str, known: KnownBenchmarks, floors: dict[str, str]
) -> tuple[Benchmark | None, list[str]]:
    """Return the benchmark a column holds scores of (None for a note), and a sentence if that is a guess."""
    entry = known.find(column)
    if column in floors:
        base = entry or Benchmark(column)
        return Benchmark(
            base.name, _constant(frame, floors[column]), base.items, base.aliases, base.source
        ), []
    if known.only is not None and (entry is None or key(entry.name) not in known.only):
        return None, []
    if entry is not None:
        return entry, []
    if is_note(column) or not _mostly_numbers(frame[column]):
        return None, []
    return Benchmark(column), [unknown_benchmark(column, known, f"column {column!r}")]


def unknown_benchmark(name: str, known: KnownBenchmarks, place: str) -> str:
    """Return the sentence about a benchmark that the catalogue does not hold."""
    close = known.nearest(name, METADATA)
    hint = f" The nearest known name is {close!r}." if close else ""
    return (
        f"{place} is not a known benchmark, so it gets chance floor 0 and no item count.{hint} Pass "
        f"benchmarks={{{name!r}: (floor, items)}} to say otherwise, or a list of names to make it a note."
    )


def _constant(frame: pd.DataFrame, column: str) -> float:
    """Return the one number that a column of floors repeats."""
    values = {float(v) for v in frame[column] if not is_missing(v) and is_numeric(v)}
    if len(values) != 1:
        raise InputError(
            f"column {column!r} must repeat one number, the benchmark's chance floor; it holds {len(values)}."
        )
    return values.pop()


def _owner(scores: dict[str, Benchmark], name: str, column: str) -> Benchmark:
    """Return the benchmark that a column such as "n:MMLU" belongs to."""
    for spelled, benchmark in scores.items():
        if name == spelled or key(name) in benchmark.keys:
            return benchmark
    raise InputError(f"column {column!r} belongs to no column of scores; add a column {name!r} or remove it.")


def _unique(scores: dict[str, Benchmark]) -> None:
    """Refuse two columns of scores that mean the same benchmark."""
    seen: dict[str, str] = {}
    for column, benchmark in scores.items():
        if benchmark.name in seen:
            raise InputError(
                f"columns {seen[benchmark.name]!r} and {column!r} both mean the benchmark "
                f"{benchmark.name!r}; keep one of them."
            )
        seen[benchmark.name] = column


def _mostly_numbers(cells: Iterable[object]) -> bool:
    """Say whether more than half of the cells that hold something hold a number."""
    held = [cell for cell in cells if not is_missing(cell)]
    return 2 * sum(is_numeric(cell) for cell in held) > len(held)
