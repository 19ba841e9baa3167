"""Results on standard output: for eyes, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from bayes_sloth.cli.options import Form

if TYPE_CHECKING:
    from rich.text import Text

Row = Mapping[str, object]

HUGE: Final = 1e9  # from here on nobody counts digits


@dataclass(frozen=True)
class Column:
    """One column as eyes see it: a heading and how to show a row in it."""

    heading: str
    show: Callable[[Row], str | Text]
    justify: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Sheet:
    """A table with what surrounds it: one content, three forms.

    JSON holds `facts` and, under `name`, the rows; CSV holds the rows; eyes see `above`, the columns that fit
    the width, and `below`.
    """

    name: str
    fields: tuple[str, ...]
    rows: tuple[Row, ...]
    columns: Callable[[int, bool], Sequence[Column]]  # (width in characters, only ASCII) -> columns
    facts: Mapping[str, object] = field(default_factory=dict)
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def emit(sheet: Sheet, form: Form) -> None:
    """Print a result on standard output in the form asked for, and nothing else there."""
    if form is Form.TABLE:
        _reconfigure(errors="replace")  # a name that the terminal cannot show must not end the command
        _draw(sheet)
        return
    # A machine reads this: UTF-8 whatever the terminal's code page.
    _reconfigure(encoding="utf-8")
    sys.stdout.write(as_json(sheet) if form is Form.JSON else as_csv(sheet))
    sys.stdout.flush()


def as_json(sheet: Sheet) -> str:
    """Return the facts and the rows as one JSON object; what is not a finite number becomes null."""
    rows = [{name: row.get(name) for name in sheet.fields} for row in sheet.rows]
    return json.dumps(plain({**sheet.facts, sheet.name: rows}), indent=2, allow_nan=False) + "\n"


def as_csv(sheet: Sheet) -> str:
    """Return the rows as CSV with a header line; what is not a finite number becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(sheet.fields)
    writer.writerows([plain(row.get(name)) for name in sheet.fields] for row in sheet.rows)
    return text.getvalue()


def plain(value: Any) -> Any:
    """Return the value in Python's own types: NumPy scalars unwrapped, NaN and infinities None.

    Examples
    --------
    >>> plain({"score": float("nan"), "models": (1, 2)})
    {'score': None, 'models': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: object) -> str:
    """Return a number as eyes want it: three decimals, a power of ten for huge ones, "-" for none.

    Examples
    --------
    >>> number(0.12345), number(1234.5), number(12), number(6.3e21), number(None)
    ('0.123', '1234', '12', '6.3e+21', '-')
    """
    value = plain(value)
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= HUGE:
        return f"{value:.3g}"
    # From 100 up, decimals are noise; from 10 up a whole float is a count.
    whole = abs(value) >= 100 or (abs(value) >= 10 and value.is_integer())
    return f"{value:.0f}" if whole else f"{value:.3f}"


def field_columns(fields: Sequence[str]) -> tuple[Column, ...]:
    """Return one column a field, the first at the left: for tables with nothing to draw."""

    def shower(name: str) -> Callable[[Row], str]:
        return lambda row: number(row.get(name))

    return tuple(
        Column(name.replace("_", " "), shower(name), "left" if place == 0 else "right")
        for place, name in enumerate(fields)
    )


def bar(lower: float, median: float, upper: float, width: int, *, ascii_only: bool = False) -> str:
    """Draw an interval on the scale from 0 to 1 as `width` characters.

    Examples
    --------
    >>> bar(0.25, 0.5, 0.75, 9, ascii_only=True)
    '..==o==..'
    """
    track, inside, middle = (".", "=", "o") if ascii_only else ("─", "━", "●")
    if not all(map(math.isfinite, (lower, median, upper))):
        return track * width
    low, mid, high = (round(min(max(value, 0.0), 1.0) * (width - 1)) for value in (lower, median, upper))
    cells = [inside if low <= cell <= high else track for cell in range(width)]
    cells[mid] = middle
    return "".join(cells)


def bar_column(width: int, *, ascii_only: bool) -> Column:
    """Return the column that draws a row's `lower`, `median` and `upper`, with the scale as its heading."""

    def show(row: Row) -> Text:
        from rich.text import Text

        ends = [plain(row.get(name)) for name in ("lower", "median", "upper")]
        low, mid, high = (math.nan if end is None else float(end) for end in ends)
        text = Text(bar(low, mid, high, width, ascii_only=ascii_only), style="dim")
        text.highlight_regex("[━=●o]+", "not dim cyan")
        text.highlight_regex("[●o]", "not dim bold")
        return text

    return Column("0" + "1".rjust(width - 1), show, "left")


def _draw(sheet: Sheet) -> None:
    """Print the sheet for eyes, in colour where the terminal has it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    ascii_only = console.options.ascii_only
    for place, line in enumerate(sheet.above):
        console.print(line, style="bold" if place == 0 else None, soft_wrap=True)
    if sheet.above:
        console.print()
    table = Table(box=box.ASCII if ascii_only else box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    columns = sheet.columns(console.width, ascii_only)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(column.show(row) for column in columns))
    console.print(table)
    if sheet.below:
        console.print()
    for line in sheet.below:
        console.print(line, soft_wrap=True)


def _reconfigure(**how: Any) -> None:
    """Change standard output's encoding or error handler where it has any."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(**how)
