"""The two forms of a table: a row per model, or a row per model and benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from bayes_sloth.catalogue import Benchmark, KnownBenchmarks, key
from bayes_sloth.errors import InputError
from bayes_sloth.names import BENCHMARK, MODEL, SCORE
from bayes_sloth.tables.cells import Floats, Where, read_names, read_numbers, read_positive, read_shares
from bayes_sloth.tables.columns import (
    COUNT,
    LONG,
    METADATA,
    STDERR,
    find_columns,
    unknown_benchmark,
    wide_layout,
)
from bayes_sloth.tables.doubts import Table
from bayes_sloth.tables.facts import condense, condensed_notes, model_facts

Parsed = tuple[Table, pd.DataFrame, tuple[str, ...]]
"""The scores, the notes by model, and sentences about what was guessed."""

LARGEST_STDERR: Final = 0.5  # no share can scatter more: half of the items solved, one item asked
_NO_FACTS: Final = (
    "result files do not hold it: pass models=, a table with columns model, family, params_b and tokens_t "
    "that has a row for {model!r}"
)
_KEEP: Final = "; if column {column!r} holds no scores, pass benchmarks= with the names of those that do"


def row_numbers(frame: pd.DataFrame) -> list[int]:
    """Return the rows' numbers as a reader counts them."""
    return list(range(1, len(frame) + 1))


def wide_form(frame: pd.DataFrame, known: KnownBenchmarks, percent: bool) -> Parsed:
    """Read a row per model and a column per benchmark.

    Parameters
    ----------
    frame : DataFrame
        Raw cells.
    known : KnownBenchmarks
        The catalogue and what the user says.
    percent : bool
        Whether to divide scores by 100.

    Returns
    -------
    Parsed
        Scores, notes and guesses.

    Raises
    ------
    InputError
        If a cell or column is wrong.
    """
    rows = row_numbers(frame)
    facts = model_facts(frame, rows, remedy=_remedy(frame))
    layout = wide_layout(frame, known)
    columns, benchmarks = list(layout.scores), list(layout.scores.values())
    _need_benchmarks(benchmarks)

    def _place(i: int) -> str:
        row, column = divmod(i, len(columns))
        return f"row {rows[row]} ({facts[MODEL].iloc[row]}): {columns[column]}"

    cells = [cell for row in frame[columns].itertuples(index=False, name=None) for cell in row]
    guessed = [c for c, b in layout.scores.items() if b == Benchmark(c) and known.find(c) is None]
    remedy = _KEEP.format(column=guessed[0]) if guessed else ""
    score = read_shares(cells, _place, percent=percent, remedy=remedy).reshape(len(rows), len(columns))
    items = _usual_items(benchmarks, len(rows))
    for j, benchmark in enumerate(benchmarks):
        if column := layout.items.get(benchmark.name):
            items[:, j] = read_positive(list(frame[column]), _at(list(facts[MODEL]), column), "items")
    notes = frame[list(layout.notes)].rename(columns=layout.notes).set_axis(pd.Index(facts[MODEL]))
    return Table(facts, rows, benchmarks, score, items), notes, layout.doubts


def long_form(frame: pd.DataFrame, known: KnownBenchmarks, percent: bool) -> Parsed:
    """Read a row per model and benchmark; parameters, result and errors as for `wide_form`."""
    condensed, firsts = condense(frame)
    facts = model_facts(condensed, firsts, remedy=_remedy(frame))
    found = find_columns(frame.columns, (MODEL, *LONG))
    models = [str(name).strip() for name in frame[found[MODEL]]]
    names = read_names(list(frame[found[BENCHMARK]]), _at(models, BENCHMARK), required=True)
    entries, guesses = _benchmarks(names, known)
    kept = list(dict.fromkeys(entries.values()))
    _need_benchmarks(kept)
    cells = _cells(models, names, list(facts[MODEL]), entries)
    share = read_shares(list(frame[found[SCORE]]), _at(models, SCORE, names), percent=percent)
    count = _counts(frame, found, share, lambda column: _at(models, column, names), percent)
    score, items = np.full((len(facts), len(kept)), np.nan), _usual_items(kept, len(facts))
    for cell, value, n in zip(cells, share, count, strict=True):
        if cell is not None:
            score[cell] = value
            items[cell] = items[cell] if np.isnan(n) else n
    used = {*found.values(), *find_columns(frame.columns, METADATA).values()}
    notes = condensed_notes(frame, [c for c in frame.columns if c not in used], list(facts[MODEL]))
    return Table(facts, firsts, kept, score, items), notes, guesses


def _remedy(frame: pd.DataFrame) -> str:
    """Return how to add what describes models to result files, which cannot hold it; "" for other tables."""
    return _NO_FACTS.format(model=frame[MODEL].iloc[0]) if "source_file" in frame.columns else ""


def _at(models: Sequence[str], column: str, names: Sequence[str] | None = None) -> Where:
    """Return a function that says where row i's cell of a column stands."""
    return lambda i: f"row {i + 1} ({models[i]}): {column}" + (f" of {names[i]}" if names else "")


def _need_benchmarks(benchmarks: Sequence[Benchmark]) -> None:
    """Refuse a table without scores."""
    if not benchmarks:
        raise InputError(
            "the table has no column of scores; add one per benchmark, for instance MMLU, "
            "or the columns 'benchmark' and 'score' with a row per model and benchmark."
        )


def _usual_items(benchmarks: Sequence[Benchmark], count: int) -> Floats:
    """Return the benchmarks' own item counts, repeated for every model."""
    usual = [np.nan if b.items is None else float(b.items) for b in benchmarks]
    return np.tile(np.array(usual, dtype=np.float64), (count, 1))


def _benchmarks(names: Sequence[str], known: KnownBenchmarks) -> tuple[dict[str, Benchmark], tuple[str, ...]]:
    """Map each name in a long table to its benchmark, with a sentence for each that is unknown."""
    found: dict[str, Benchmark] = {}
    unknown: dict[str, Benchmark] = {}
    for name in dict.fromkeys(names):
        entry = known.find(name)
        if known.only is not None and (entry is None or key(entry.name) not in known.only):
            continue
        found[name] = entry or unknown.setdefault(key(name), Benchmark(name))
    return found, tuple(unknown_benchmark(b.name, known, f"benchmark {b.name!r}") for b in unknown.values())


def _cells(
    models: Sequence[str], names: Sequence[str], order: Sequence[str], entries: dict[str, Benchmark]
) -> list[tuple[int, int] | None]:
    """Return where each row's score goes, None for an unwanted benchmark; refuse a place taken twice."""
    rows = {model: i for i, model in enumerate(order)}
    columns = {benchmark: j for j, benchmark in enumerate(dict.fromkeys(entries.values()))}
    taken: dict[tuple[int, int], int] = {}
    cells: list[tuple[int, int] | None] = []
    for i, (model, name) in enumerate(zip(models, names, strict=True)):
        cell = (rows[model], columns[entries[name]]) if name in entries else None
        if cell is not None and taken.setdefault(cell, i) != i:
            raise InputError(
                f"rows {taken[cell] + 1} and {i + 1} both hold a score of {model!r} on "
                f"{entries[name].name!r}; keep one of them."
            )
        cells.append(cell)
    return cells


def _counts(
    frame: pd.DataFrame, found: dict[str, str], share: Floats, at: Callable[[str], Where], percent: bool
) -> Floats:
    """Return each row's item count: `n`, else `score (1 - score) / stderr^2`, else NaN."""
    count = np.full(share.shape, np.nan)
    if STDERR in found:
        stderr = read_numbers(list(frame[found[STDERR]]), at(STDERR)) / (100 if percent else 1)
        for i in np.flatnonzero((stderr < 0) | (stderr > LARGEST_STDERR)):
            unit = "percentage points, from 0 to 50" if percent else "the score's unit, from 0 to 0.5"
            raise InputError(
                f"{at(STDERR)(int(i))} is {frame[found[STDERR]].iloc[i]}; "
                f"give it in {unit}, or leave it empty."
            )
        variance = share * (1 - share)
        told = (stderr > 0) & (variance > 0)  # all or none solved: the error is 0 whatever the count
        count[told] = variance[told] / stderr[told] ** 2
    if COUNT in found:
        given = read_positive(list(frame[found[COUNT]]), at(COUNT), "items")
        count = np.where(np.isnan(given), count, given)
    return count
