"""From a path, a mapping or a DataFrame to one plain table of raw cells."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import pandas as pd

from bayes_sloth.errors import InputError
from bayes_sloth.tables.lm_eval import parse_results

PathLike = str | os.PathLike[str]
Source: TypeAlias = "PathLike | pd.DataFrame | Mapping[str, object] | Sequence[PathLike]"

SUFFIXES: Final = (".csv", ".parquet", ".json")


def load_table(source: Source) -> pd.DataFrame:
    """Load raw cells from a CSV or Parquet file, result JSON files, a mapping of columns or a DataFrame.

    Parameters
    ----------
    source : path, list of paths, mapping or DataFrame
        A folder, a `.json` file or a list of either is read as results of lm-evaluation-harness.

    Returns
    -------
    DataFrame
        Cells as they came, column names as stripped text, rows numbered from 0.

    Raises
    ------
    InputError
        If the source cannot be read, is truncated, wrongly encoded or empty, or repeats a column.

    Examples
    --------
    >>> load_table({"model": ["a"], "MMLU": [0.5]}).shape
    (1, 2)
    """
    frame = _load(source)
    frame.columns = pd.Index([str(column).strip() for column in frame.columns], dtype=object)
    repeated = [name for name, count in Counter(frame.columns).items() if count > 1]
    if repeated:
        raise InputError(f"column {repeated[0]!r} appears more than once; keep one of them.")
    if frame.empty:
        raise InputError("the table has no rows; give one row per model, or one per model and benchmark.")
    return frame


def _load(source: Source) -> pd.DataFrame:
    """Dispatch on what kind of thing `source` is; the result is a new frame."""
    if isinstance(source, pd.DataFrame):
        named = source.index.name is not None and source.index.name not in source.columns
        return source.reset_index(drop=not named)
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source))
    if isinstance(source, Sequence) and source and all(isinstance(s, str | os.PathLike) for s in source):
        return _from_results([path for s in source for path in _result_paths(Path(s))])
    raise InputError(
        f"cannot read scores from {type(source).__name__}; "
        "give a path, a DataFrame, a mapping of columns or a list of result JSON files."
    )


def _from_mapping(source: Mapping[str, object]) -> pd.DataFrame:
    """Make a frame from columns, or from one row of single values."""
    single = all(isinstance(v, str) or not hasattr(v, "__len__") for v in source.values())
    try:
        return pd.DataFrame([dict(source)]) if single else pd.DataFrame(dict(source)).reset_index(drop=True)
    except ValueError as error:
        raise InputError(f"the columns do not fit together ({error}); give lists of equal length.") from error


def _from_path(path: Path) -> pd.DataFrame:
    """Read one file or folder by its kind."""
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path (the current folder is {Path.cwd()}).")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".json":
        return _from_results(_result_paths(path))
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    raise InputError(
        f"{path} ends in {suffix or 'nothing'!r}; give a file that ends in {', '.join(SUFFIXES)}."
    )


def _from_results(paths: Sequence[Path]) -> pd.DataFrame:
    """Read result files of lm-evaluation-harness into one long table."""
    return pd.concat([parse_results(str(path), read_text(path)) for path in paths], ignore_index=True)


def _result_paths(path: Path) -> list[Path]:
    """Return the result files behind a path: itself, or every results*.json inside a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(path.rglob("results*.json")) or sorted(path.rglob("*.json"))
    if not found:
        raise InputError(
            f"folder {path} holds no result JSON file; give a CSV file, or the harness's output folder."
        )
    return found


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file as text cells, refusing any row that is longer or shorter than the header."""
    try:
        lines = [(n, row) for n, row in _csv_rows(path) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{path} is damaged or cut short ({error}); export the table again.") from error
    if not lines:
        raise InputError(f"{path} is empty; the first line must name the columns.")
    (_, header), body = lines[0], lines[1:]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise InputError(f"{path} is not separated by commas; export it with commas between the columns.")
    for line, row in body:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {line} has {len(row)} fields where the header has {len(header)}; "
                "the file is cut short or a text with a comma lacks its quotes."
            )
    return pd.DataFrame([row for _, row in body], columns=pd.Index(header, dtype=object), dtype=object)


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return (line number, cells) of every line of a CSV file."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    return [(reader.line_num, row) for row in reader]


def read_text(path: Path) -> str:
    """Return a file's text, which must be UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path} is not UTF-8 (line {line}, byte {raw[error.start]:#04x}); save it as UTF-8."
        ) from error
    if "\0" in text:
        raise InputError(f"{path} is not UTF-8 text (it holds zero bytes); save it as UTF-8.")
    return text


def _read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file with pyarrow, an optional dependency."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"reading {path} needs pyarrow; run pip install 'bayes_sloth[parquet]', or give the table as CSV."
        ) from error
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a whole Parquet file ({str(error).splitlines()[0]}); export it again."
        ) from error
    return _load(frame)


def named(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return columns of names as text without blanks around it.

    Parameters
    ----------
    frame : DataFrame
        Cells as they came.
    *columns : str
        Which.

    Returns
    -------
    DataFrame
        Text.

    Raises
    ------
    InputError
        If a name is empty.

    Examples
    --------
    >>> named(pd.DataFrame({"model": [" a", None]}), "model")
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: row 2: model is empty: name it or remove the row.
    """
    found = pd.DataFrame({name: frame[name].astype(str).str.strip() for name in columns})
    empty = frame[list(columns)].isna() | (found == "")
    if empty.to_numpy().any():
        row, name = next(place for place, wrong in empty.stack().items() if wrong)
        raise InputError(f"row {row + 1}: {name} is empty: name it or remove the row.")
    return found
