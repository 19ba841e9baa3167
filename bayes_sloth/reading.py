"""From a table in any accepted form to frozen scores, or to rows of models to forecast."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import BenchmarksArgument, KnownBenchmarks, known_benchmarks
from bayes_sloth.errors import InputError, InputWarning, nearest
from bayes_sloth.names import FAMILY, INSTRUCT, MODEL, PARAMS_B
from bayes_sloth.scores import Scores
from bayes_sloth.tables.cells import Floats
from bayes_sloth.tables.columns import check_mentioned, find_columns, is_long
from bayes_sloth.tables.doubts import Table, doubts, shares_as_percent
from bayes_sloth.tables.facts import join_facts, model_facts
from bayes_sloth.tables.files import Source, load_table
from bayes_sloth.tables.forms import long_form, row_numbers, wide_form

Denormalise = Sequence[str | tuple[str, str]] | str

# A misspelt family differs in a letter or two; two names that differ in a number are two families.
FAMILY_LIKENESS: Final = 0.8


def read_scores(
    source: Source,
    *,
    percent: bool = False,
    benchmarks: BenchmarksArgument = None,
    denormalise: Denormalise = (),
    models: Source | None = None,
) -> Scores:
    """Read a table of benchmark scores and check every cell of it.

    The wide form has a row per model and a column per benchmark; the long form has the columns `model`,
    `benchmark`, `score` and, optionally, `n` (items behind the score) or `stderr` (then `n = score (1 -
    score) / stderr^2`). Both need `model`, `family`, `params_b` (billions) and `tokens_t` (trillions), whose
    cells may be empty where unknown, and may have `instruct` (0 or 1), `active_params_b` (billions), `parent`
    (a family) and `date`. In the wide form `n:NAME` and `floor:NAME` give a benchmark's item counts and
    chance floor. Other columns are kept as notes.

    Parameters
    ----------
    source : path, DataFrame, mapping of columns, or list of paths
        A CSV or Parquet file, or result JSON files of lm-evaluation-harness (a file, a folder or a list of
        them), of which the metrics of the Open LLM Leaderboard are taken.
    percent : bool
        Divide every score (and `stderr`) by 100.
    benchmarks : mapping or sequence, optional
        A mapping from name to `(floor, items)` overrides what is known of a benchmark; a sequence of names
        says which columns are benchmarks.
    denormalise : sequence of str or (model, benchmark)
        Benchmarks, models or single scores that are chance-normalised: `raw = floor + normalised (1 -
        floor)`.
    models : path, DataFrame or mapping, optional
        A table with the columns that describe models, joined by name where `source` lacks them.

    Returns
    -------
    Scores
        The frozen table; no row is dropped for a missing score.

    Raises
    ------
    InputError
        If anything in the table is wrong; the message names the row, the column, the value and the remedy.

    Warns
    -----
    InputWarning
        If the table is usable but doubtful.

    Examples
    --------
    >>> import warnings
    >>> sizes = {"family": ["f", "f"], "params_b": [1, 7], "tokens_t": [2, 2]}
    >>> table = {"model": ["a", "b"], **sizes, "mmlu": [0.3, 0.6]}
    >>> with warnings.catch_warnings(action="ignore"):
    ...     scores = read_scores(table)
    >>> scores.benchmarks
    ('MMLU',)
    """
    known = known_benchmarks(benchmarks)
    frame = load_table(source)
    if models is not None:
        frame = join_facts(frame, load_table(models))
    table, notes, guesses = (long_form if is_long(frame) else wide_form)(frame, known, percent)
    table = replace(table, score=denormalised(table, denormalise))
    _check_whole(table, known)
    for sentence in (*guesses, *shares_as_percent(table.score, percent), *doubts(table)):
        warnings.warn(sentence, InputWarning, stacklevel=2)
    return assemble(table.facts, table.benchmarks, table.score, items=table.items, notes=notes)


def read_models(source: Source | Scores, *, known: Iterable[str] | None = None) -> pd.DataFrame:
    """Read rows that describe models, without scores, by the same rules as a table of scores.

    Parameters
    ----------
    source : path, DataFrame, mapping or Scores
        Columns `family`, `params_b` (billions) and `tokens_t` (trillions), whose cells may be empty where
        unknown; the optional ones of `read_scores`; `model`, made up from family and size where the column is
        absent.
    known : iterable of str, optional
        Families of a fit: one that is only spelled differently gets a warning.

    Returns
    -------
    DataFrame
        Columns model, family, params_b, active_params_b, tokens_t, instruct, parent, date; other columns are
        left out.

    Raises
    ------
    InputError
        If a required column is missing or a cell is wrong.

    Warns
    -----
    InputWarning
        If a family is spelled almost like a known one.

    Examples
    --------
    >>> read_models({"family": "llama-3", "params_b": 405, "tokens_t": 15, "instruct": 1})["model"].tolist()
    ['llama-3-405b-instruct']
    """
    facts = source.metadata if isinstance(source, Scores) else _facts(load_table(source))
    for sentence in _family_doubts(facts, list(known or ())):
        warnings.warn(sentence, InputWarning, stacklevel=2)
    return facts


def _facts(frame: pd.DataFrame) -> pd.DataFrame:
    """Read rows that describe models, making up names where there is no column of them."""
    if find_columns(frame.columns, (MODEL,)):
        return model_facts(frame, row_numbers(frame))
    unnamed = [f"unnamed model {i}" for i in row_numbers(frame)]
    facts = model_facts(frame.assign(**{MODEL: unnamed}), row_numbers(frame))
    sizes = ["" if np.isnan(size) else f"-{size:g}b" for size in facts[PARAMS_B]]
    tuned = ["-instruct" if flag else "" for flag in facts[INSTRUCT]]
    names = [f"{family}{size}{tail}" for family, size, tail in zip(facts[FAMILY], sizes, tuned, strict=True)]
    repeats = [names[:i].count(name) for i, name in enumerate(names)]
    facts[MODEL] = pd.Series(
        [f"{name}-{n + 1}" if n else name for name, n in zip(names, repeats, strict=True)], dtype=object
    )
    return facts


def denormalised(table: Table, entries: Denormalise) -> Floats:
    """Turn chance-normalised scores back: `raw = floor + normalised (1 - floor)`.

    Parameters
    ----------
    table : Table
        Valid scores.
    entries : sequence of str or (model, benchmark)
        Benchmarks in any known spelling, models, or single scores.

    Returns
    -------
    ndarray of float64, dims (model, benchmark)
        Scores with those entries on the raw scale.

    Raises
    ------
    InputError
        If an entry names neither a benchmark nor a model of the table.
    """
    chosen = np.zeros(table.score.shape, dtype=bool)
    for entry in [entries] if isinstance(entries, str) else entries:
        rows, columns = _place(table, entry)
        chosen[rows, columns] = True
    floor = np.array([b.floor for b in table.benchmarks])
    return np.where(chosen, floor + table.score * (1 - floor), table.score)


def _place(table: Table, entry: object) -> tuple[int | slice, int | slice]:
    """Return the rows and columns that an entry of `denormalise` means."""
    known = KnownBenchmarks(tuple(table.benchmarks))
    names = [b.name for b in table.benchmarks]
    models = list(table.facts[MODEL])
    if isinstance(entry, str) and (found := known.find(entry)) is not None:
        return slice(None), names.index(found.name)
    if isinstance(entry, str) and entry in models:
        return models.index(entry), slice(None)
    if isinstance(entry, tuple | list) and len(entry) == 2 and all(isinstance(part, str) for part in entry):
        benchmark = known.find(entry[1])
        if entry[0] in models and benchmark is not None:
            return models.index(entry[0]), names.index(benchmark.name)
    close = nearest(entry, [*names, *models]) if isinstance(entry, str) else None
    hint = (
        f"did you mean {close!r}?"
        if close
        else "give names of benchmarks or models, or pairs (model, benchmark)."
    )
    raise InputError(f"denormalise holds {entry!r}, which is not in the table; {hint}")


def _check_whole(table: Table, known: KnownBenchmarks) -> None:
    """Refuse a table from which nothing can be learnt."""
    check_mentioned(known, [b.name for b in table.benchmarks])
    observed = ~np.isnan(table.score)
    for j in map(int, np.flatnonzero(~observed.any(axis=0))):
        name = table.benchmarks[j].name
        raise InputError(f"benchmark {name!r} has no score in any row; remove its column or fill it.")
    if not (observed.any(axis=1) & table.facts[PARAMS_B].notna().to_numpy()).any():
        raise InputError(
            "no model has both a size and a score, so the effect of size cannot be learnt; "
            "fill params_b in some rows."
        )


def _family_doubts(facts: pd.DataFrame, known: list[str]) -> list[str]:
    """Doubt families spelled almost like a known one, each once however many of its models there are."""
    sentences = []
    for family, rows in facts.reset_index(drop=True).groupby(FAMILY, sort=False):
        if family in known or (close := _nearly(str(family), known)) is None:
            continue
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        sentences.append(
            f"row {rows.index[0] + 1} ({rows[MODEL].iloc[0]}){more}: family {family!r} is not among the "
            f"known ones and counts as new; write {close!r} if that is meant."
        )
    return sentences


def _nearly(family: str, known: list[str]) -> str | None:
    """Return the known family spelled almost like `family`, with the same numbers in it, or None."""
    numbers = re.findall(r"\d+", family)
    alike = {k.casefold(): k for k in known if re.findall(r"\d+", k) == numbers}
    close = difflib.get_close_matches(family.casefold(), alike, n=1, cutoff=FAMILY_LIKENESS)
    return alike[close[0]] if close else None
