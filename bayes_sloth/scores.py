"""The frozen table of scores: who was measured on what, how big, how long trained, and what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayes_sloth.catalogue import KnownBenchmarks, key
from bayes_sloth.errors import InputError, nearest
from bayes_sloth.names import (
    BENCHMARK,
    DATE,
    FAMILY,
    FLOOR,
    INSTRUCT,
    ITEMS,
    MODEL,
    PARAMS_B,
    PARENT,
    SCORE,
    TOKENS_T,
    UNITS,
)
from bayes_sloth.tables.cells import listed
from bayes_sloth.tables.columns import FLOOR_PREFIX, ITEMS_PREFIX, METADATA, NOTE_PREFIX, NUMERIC, is_note

SHOWN: Final = 12  # the packaged benchmarks, in one line of a terminal


@dataclass(frozen=True, eq=False)
class Scores:
    """Benchmark scores of language models, validated and labelled; a missing score is simply not observed.

    Parameters
    ----------
    data : xarray.Dataset
        Dims `model`, `benchmark`. Variables `score` (share in [0, 1], NaN = not observed) and `items` (number
        of test items behind a score, NaN = unknown). Coordinates on `model`: `family`, `params_b` (billions,
        NaN = unknown), `active_params_b` (billions, NaN = dense), `tokens_t` (trillions, NaN = unknown),
        `instruct` (0 or 1), `parent` ("" = none), `date` (decimal year, NaN = unknown); on `benchmark`:
        `floor` (share in [0, 1)).
    notes : DataFrame
        Further columns as they came, one row per model.

    Raises
    ------
    InputError
        If a variable or coordinate is missing, or two models or benchmarks share a name.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> scores = load_leaderboard().select(benchmarks=["mmlu", "gsm8k"])
    >>> scores.benchmarks
    ('MMLU', 'GSM8K')
    """

    data: xr.Dataset
    notes: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        """Check the layout, then store private, read-only copies."""
        data = _read_only(self.data)
        notes = self.notes if len(self.notes.columns) else pd.DataFrame(index=data.indexes[MODEL])
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "notes", notes.loc[list(data.indexes[MODEL])].rename_axis(MODEL))

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the table's order."""
        return tuple(str(name) for name in self.data[MODEL].values)

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families, in order of first appearance."""
        return tuple(dict.fromkeys(str(name) for name in self.data[FAMILY].values))

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Names of the benchmarks, in the table's order."""
        return tuple(str(name) for name in self.data[BENCHMARK].values)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which scores are observed, shape (model, benchmark)."""
        return np.asarray(~np.isnan(self.data[SCORE].values))

    @property
    def metadata(self) -> pd.DataFrame:
        """What is known of each model besides its scores: the columns that `read_models` returns."""
        columns = {MODEL: list(self.models)} | {name: self.data[name].values.copy() for name in METADATA}
        return pd.DataFrame(columns).astype({name: object for name in (MODEL, FAMILY, PARENT)})

    @property
    def digest(self) -> str:
        """SHA-256 of everything a fit can see (not the notes); the order of rows and columns counts."""
        return hashlib.sha256(b"".join(_content(self.data))).hexdigest()

    def select(
        self, *, models: Iterable[str] | None = None, benchmarks: Iterable[str] | None = None
    ) -> Scores:
        """Return only the named models and benchmarks, in the order named.

        Parameters
        ----------
        models : iterable of str, optional
            Exact names; all models where None.
        benchmarks : iterable of str, optional
            Names in any known spelling; all benchmarks where None.

        Returns
        -------
        Scores
            A new table.

        Raises
        ------
        InputError
            If a name is not in the table, or none is given.

        Examples
        --------
        >>> from bayes_sloth.datasets import load_leaderboard
        >>> load_leaderboard().select(models=["llama-2-7b"]).families
        ('llama-2',)
        """
        chosen = {} if models is None else {MODEL: _positions(MODEL, models, self.models)}
        if benchmarks is not None:
            spelled = [_spelling(name, self.benchmarks) for name in _names(benchmarks)]
            chosen[BENCHMARK] = _positions(BENCHMARK, spelled, self.benchmarks)
        return Scores(self.data.isel(chosen), self.notes)

    def without(self, models: Iterable[str]) -> Scores:
        """Return the table without the named models; a name that is not in the table is an `InputError`."""
        left_out = set(_positions(MODEL, models, self.models))
        return self.select(models=[name for i, name in enumerate(self.models) if i not in left_out])

    def hide(self, mask: ArrayLike) -> Scores:
        """Return the table with the scores under `mask` not observed, for instance to forecast them.

        Parameters
        ----------
        mask : array of bool, dims (model, benchmark)
            True where a score is to be hidden; anything that broadcasts to the table.

        Returns
        -------
        Scores
            A new table with the same models and benchmarks.

        Raises
        ------
        InputError
            If the mask does not fit the table.

        Examples
        --------
        >>> from bayes_sloth.datasets import load_leaderboard
        >>> scores = load_leaderboard()
        >>> int(scores.hide(scores.observed).observed.sum())
        0
        """
        array = np.asarray(mask)
        shape = (len(self.models), len(self.benchmarks))
        try:
            fits = np.broadcast_to(array, shape).astype(bool)
        except ValueError as error:
            raise InputError(
                f"the mask has shape {array.shape}; give one of shape {shape} (model, benchmark)."
            ) from error
        score = np.where(fits, np.nan, self.data[SCORE].values)
        return Scores(self.data.assign({SCORE: ((MODEL, BENCHMARK), score)}), self.notes)

    def to_frame(self) -> pd.DataFrame:
        """Return a wide table, a row per model, that `read_scores` reads back as an equal `Scores`.

        Floors and counts other than the packaged ones get columns such as `floor:MMLU` and `n:MMLU`.

        Returns
        -------
        DataFrame
            Columns: model, family, sizes, tokens, instruct, parent, date, the benchmarks, then the notes.

        Examples
        --------
        >>> from bayes_sloth.datasets import load_leaderboard
        >>> load_leaderboard().to_frame().shape[0]
        265
        """
        columns: dict[str, object] = {str(name): column.to_numpy() for name, column in self.metadata.items()}
        for j, name in enumerate(self.benchmarks):
            columns[name] = self.data[SCORE].values[:, j].copy()
        for j, name in enumerate(self.benchmarks):
            columns.update(self._figures(j, name))
        for name in self.notes.columns:
            columns[name if is_note(name) else NOTE_PREFIX + name] = self.notes[name].to_numpy()
        return pd.DataFrame(columns)

    def _figures(self, j: int, name: str) -> dict[str, object]:
        """Return the columns that a benchmark needs, for its floor and items to be read back."""
        known = KnownBenchmarks().find(name)
        floor, items = float(self.data[FLOOR].values[j]), self.data[ITEMS].values[:, j]
        usual = np.full(items.shape, np.nan if known is None or known.items is None else known.items)
        columns: dict[str, object] = {}
        if known is None or known.floor != floor:
            columns[FLOOR_PREFIX + name] = np.full(items.shape, floor)
        if not np.array_equal(items, usual, equal_nan=True):
            columns[ITEMS_PREFIX + name] = items.copy()
        return columns

    def equals(self, other: object) -> bool:
        """Say whether `other` is a table with the same content in the same order, notes included."""
        if not isinstance(other, Scores):
            return False
        mine, theirs = (s.notes.astype(object).where(s.notes.notna(), "").astype(str) for s in (self, other))
        return self.digest == other.digest and mine.equals(theirs)

    def __repr__(self) -> str:
        """Show models, families, benchmarks, the share missing and the ranges."""
        observed, tuned = self.observed, int(self.data[INSTRUCT].sum())
        sizes = {"models": self.models, "families": self.families, "benchmarks": self.benchmarks}
        lines = [
            "Scores: " + ", ".join(f"{len(names)} {kind}" for kind, names in sizes.items()),
            f"  benchmarks   {listed(self.benchmarks, SHOWN)}",
            f"  scores       {observed.sum()} observed, {1 - observed.mean():.0%} missing",
            f"  instruct     {tuned} instruction-tuned, {len(self.models) - tuned} base",
        ]
        return "\n".join([*lines, *(self._range(name) for name in (PARAMS_B, TOKENS_T, DATE))])

    def _range(self, name: str) -> str:
        """Return one line of the display: smallest to largest known value."""
        values = self.data[name].values
        known = values[~np.isnan(values)]
        unknown = f", {values.size - known.size} unknown" if known.size < values.size else ""
        digits = ".1f" if name == DATE else "g"
        if not known.size:
            return f"  {name:<12} none known"
        return f"  {name:<12} {known.min():{digits}} to {known.max():{digits}} {UNITS[name]}{unknown}"


def _read_only(data: xr.Dataset) -> xr.Dataset:
    """Return a deep copy whose arrays refuse to be written, with units attached."""
    needed = (SCORE, ITEMS, MODEL, BENCHMARK, FLOOR, *METADATA)
    missing = [name for name in needed if name not in data.variables]
    if missing:
        raise InputError(f"the data set has no {missing[0]!r}; build it with read_scores or assemble.")
    for dim in (MODEL, BENCHMARK):
        if not data.sizes[dim]:
            raise InputError(f"the table has no {dim} left; keep at least one.")
        if not data.indexes[dim].is_unique:
            twice = data.indexes[dim][data.indexes[dim].duplicated()][0]
            raise InputError(f"{dim} {twice!r} appears more than once; give each {dim} a name of its own.")
    copy = data.transpose(MODEL, BENCHMARK).copy(deep=True)
    for name, variable in copy.variables.items():
        if name not in (MODEL, BENCHMARK):
            variable.values.flags.writeable = False
        if name in UNITS:
            variable.attrs["units"] = UNITS[str(name)]
    return copy


def _content(data: xr.Dataset) -> Iterable[bytes]:
    """Yield the bytes that identify a table: names and numbers, every NaN alike."""
    for name in (MODEL, BENCHMARK, FAMILY, PARENT):
        yield "\0".join([name, *(str(v) for v in data[name].values), ""]).encode()
    for name in (SCORE, ITEMS, FLOOR, INSTRUCT, *NUMERIC):
        values = np.asarray(data[name].values, dtype="<f8") + 0.0  # turns -0.0 into 0.0
        yield name.encode() + np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes()


def _names(names: Iterable[str]) -> list[str]:
    """Return names as a list; a lone name is a list of one."""
    return [names] if isinstance(names, str) else list(names)


def _positions(kind: str, names: Iterable[str], present: tuple[str, ...]) -> list[int]:
    """Return where the named entries stand."""
    places = {name: i for i, name in enumerate(present)}
    wanted = _names(names)
    for name in wanted:
        if name not in places:
            close = nearest(name, present)
            hint = f"did you mean {close!r}?" if close else f"the table has {listed(present, SHOWN)}."
            raise InputError(f"unknown {kind} {name!r}; {hint}")
    return [places[name] for name in wanted]


def _spelling(name: str, present: tuple[str, ...]) -> str:
    """Return the table's own spelling of a benchmark, or `name` unchanged where it has none."""
    known = KnownBenchmarks().find(name)
    wanted = {key(name)} | ({key(known.name)} if known else set())
    return next((p for p in present if key(p) in wanted), name)
