"""What is printed: numbers, bars, and one content in three forms."""

from __future__ import annotations

import io
import json
import math
import sys

import numpy as np
import pytest

from bayes_sloth.cli.options import Form
from bayes_sloth.cli.terminal import (
    Sheet,
    as_csv,
    as_json,
    bar,
    bar_column,
    emit,
    field_columns,
    number,
    plain,
)

ROWS = (
    {"name": 'a "b", c', "value": np.float64(0.5), "known": np.bool_(True)},
    {"name": "größe", "value": math.nan, "known": np.bool_(False)},
)
SHEET = Sheet(
    name="things",
    fields=("name", "value", "known"),
    rows=ROWS,
    columns=lambda width, ascii_only: field_columns(("name", "value", "known")),
    facts={"infinite": math.inf, "count": np.int64(2)},
    above=("title [not markup]",),
    below=("a last line",),
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (1.0, "1.000"),
        (99.96, "99.960"),
        (123.4, "123"),
        (12.0, "12"),
        (-0.5, "-0.500"),
        (np.float64(0.25), "0.250"),
        (np.int64(7), "7"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (math.nan, "-"),
        (math.inf, "-"),
        (None, "-"),
        ("", "-"),
        ("MMLU", "MMLU"),
    ],
)
def test_numbers(value: object, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("interval", "drawn"),
    [
        ((0.0, 0.5, 1.0), "=====o====="),
        ((0.2, 0.3, 0.4), "..=o=......"),
        ((0.5, 0.5, 0.5), ".....o....."),
        ((0.98, 0.99, 1.0), "..........o"),
        ((-1.0, 0.5, 2.0), "=====o====="),
        ((math.nan, 0.5, 0.6), "..........."),
    ],
)
def test_bars(interval: tuple[float, float, float], drawn: str) -> None:
    assert bar(*interval, 11, ascii_only=True) == drawn


def test_a_bar_has_its_width_and_only_the_plain_one_is_ascii() -> None:
    assert len(bar(0.1, 0.5, 0.7, 37)) == 37
    assert not bar(0.1, 0.5, 0.7, 37).isascii()
    column = bar_column(20, ascii_only=True)
    assert column.heading == "0" + " " * 18 + "1"
    assert str(column.show({"lower": None, "median": 0.5, "upper": 0.6})) == "." * 20


def test_plain_values_are_pythons_own() -> None:
    value = plain({"a": np.array(1.5), 2: (np.int32(1), math.nan)})
    assert value == {"a": 1.5, "2": [1, None]}
    assert type(value["a"]) is float


def test_json_is_strict_and_holds_facts_and_rows() -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    body = json.loads(as_json(SHEET), parse_constant=refuse)
    assert body["infinite"] is None
    assert body["count"] == 2
    assert body["things"][1] == {"name": "größe", "value": None, "known": False}


def test_csv_quotes_and_leaves_missing_empty() -> None:
    assert as_csv(SHEET) == 'name,value,known\n"a ""b"", c",0.5,True\ngröße,,False\n'


def stream(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    return raw


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_machines_get_utf8_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = stream(monkeypatch, encoding)
    emit(SHEET, Form.CSV)
    sys.stdout.flush()
    assert raw.getvalue().decode("utf-8") == as_csv(SHEET)


def test_a_terminal_without_unicode_gets_a_plain_table(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = stream(monkeypatch, "ascii")
    emit(SHEET, Form.TABLE)
    sys.stdout.flush()
    shown = raw.getvalue().decode("ascii")
    assert "title [not markup]" in shown
    assert "gr??e" in shown
    assert shown.rstrip().endswith("a last line")
