"""Every wrong table is refused with one sentence that names the place, the value and the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from score_tables import FACTS, changed, long, wide

from bayes_sloth.errors import InputError
from bayes_sloth.reading import read_scores


def assert_refused(source: object, message: str, **options: object) -> None:
    """Assert that reading fails with this message, in one line."""
    with pytest.raises(InputError, match=message) as caught:
        read_scores(source, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


CELLS = [
    ("MMLU", 2, 1.2, r"row 2 \(a-7b\): MMLU is 1.2, outside \[0, 1\]; scores are shares .* correct the cell"),
    ("MMLU", 2, -0.1, r"row 2 \(a-7b\): MMLU is -0.1, outside \[0, 1\]"),
    ("MMLU", 2, "high", r"row 2 \(a-7b\): MMLU is 'high', which is not a number; write a plain number"),
    ("MMLU", 2, "68.4%", r"row 2 \(a-7b\): MMLU is '68.4%', which is not a number"),
    ("MMLU", 2, "1_0", r"MMLU is '1_0', which is not a number"),
    ("MMLU", 2, True, r"MMLU is True, which is not a number"),
    ("MMLU", 2, "inf", r"row 2 \(a-7b\): MMLU is infinite; leave the cell empty"),
    ("params_b", 3, float("inf"), r"row 3 \(a-30b\): params_b is infinite"),
    ("params_b", 3, 0, r"row 3 \(a-30b\): params_b is 0; give a number above 0 in billions of parameters"),
    ("params_b", 3, "30B", r"row 3 \(a-30b\): params_b is '30B', which is not a number"),
    ("tokens_t", 3, -2, r"row 3 \(a-30b\): tokens_t is -2; give a number above 0 in trillions"),
    ("model", 4, " ", r"row 4: model is empty; every row needs one"),
    ("model", 4, "a-7b", r"rows 2 and 4 both hold model 'a-7b'; merge them or rename one"),
    ("family", 4, None, r"row 4 \(b-3b\): family is empty"),
    ("instruct", 4, 2, r"row 4 \(b-3b\): instruct is 2; write 1 for an instruction-tuned model and 0"),
    ("instruct", 4, "yes", r"row 4 \(b-3b\): instruct is 'yes'"),
    (
        "date",
        4,
        "July 2024",
        r"row 4 \(b-3b\): date is 'July 2024', which is not a date; write 2024, 2024-07",
    ),
    ("date", 4, "2024-13", r"date is '2024-13', which is not a date"),
    ("date", 4, 45123, r"date is 45123, which is not a date"),
    (
        "active_params_b",
        4,
        4.5,
        r"row 4 \(b-3b\): active_params_b is 4.5, more than params_b 3; params_b counts all",
    ),
    ("active_params_b", 4, 0, r"row 4 \(b-3b\): active_params_b is 0; give a number above 0"),
]


@pytest.mark.parametrize(("column", "row", "value", "message"), CELLS)
@pytest.mark.parametrize("through_file", [False, True])
def test_a_wrong_cell(
    column: str, row: int, value: object, message: str, through_file: bool, tmp_path: Path
) -> None:
    frame = wide(instruct=0, date="2024", active_params_b=None)
    frame = changed(frame, column, row, value)
    if through_file:
        frame.to_csv(tmp_path / "table.csv", index=False)
        message = message.replace("is True", "is 'True'").replace("instruct is 2", "instruct is '2'")
        message = message.replace("45123", "'45123'")
    assert_refused(tmp_path / "table.csv" if through_file else frame, message)


def test_percent_is_recognised() -> None:
    assert_refused(
        wide(MMLU=[31, 48, 61, 42, None, 72]),
        r"row 1 \(a-1b\): MMLU is 31, outside \[0, 1\]; it looks like percent: pass percent=True if",
    )
    assert_refused(
        wide(MMLU=[31, 48, 61, 42, None, 172]), r"MMLU is 172, outside \[0, 100\]; correct", percent=True
    )


def test_a_numeric_column_that_is_no_benchmark_gets_a_fitting_remedy() -> None:
    assert_refused(
        wide(downloads=[5, 2000, 100, 7, 8, 900]),
        "downloads is 5, outside.*if column 'downloads' holds no scores, pass benchmarks=",
    )


LONG_CELLS = [
    ("score", 2, 1.3, r"row 2 \(a-7b\): score of MMLU is 1.3, outside \[0, 1\]"),
    ("score", 2, "x", r"row 2 \(a-7b\): score of MMLU is 'x', which is not a number"),
    ("n", 2, 0, r"row 2 \(a-7b\): n of MMLU is 0; give a number above 0 in items"),
    ("stderr", 2, 0.7, r"row 2 \(a-7b\): stderr of MMLU is 0.7; give it in the score's unit, from 0 to 0.5"),
    ("stderr", 2, -0.1, r"row 2 \(a-7b\): stderr of MMLU is -0.1"),
    ("benchmark", 2, "", r"row 2 \(a-7b\): benchmark is empty"),
    (
        "model",
        2,
        "a-1b",
        r"row 2 \(a-1b\): params_b is 7.0, but row 1 says 1.0; make the rows of one model agree",
    ),
    ("family", 7, "z", r"row 7 \(a-7b\): family is 'z', but row 2 says 'a'"),
]


@pytest.mark.parametrize(("column", "row", "value", "message"), LONG_CELLS)
def test_a_wrong_cell_in_long_form(column: str, row: int, value: object, message: str) -> None:
    assert_refused(changed(long(n=None, stderr=None), column, row, value), message)


def test_twins_in_long_form() -> None:
    twice = pd.concat([long(), long().iloc[[2]].assign(benchmark="mmlu")], ignore_index=True)
    assert_refused(twice, "rows 3 and 17 both hold a score of 'a-30b' on 'MMLU'; keep one of them")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (wide().drop(columns="family"), "no column 'family'; add it"),
        (
            wide().rename(columns={"params_b": "param_b"}),
            "no column 'params_b'; rename column 'param_b' to 'params_b'",
        ),
        (
            wide().drop(columns="tokens_t"),
            "no column 'tokens_t'; add it .*, leaving cells empty where it is not",
        ),
        (wide().drop(columns="model"), "no column 'model'"),
        (long().rename(columns={"score": "scroe"}), "no column 'score'; rename column 'scroe'"),
        (wide().rename(columns={"MMLU": "score"}), "no column 'benchmark'; the long form needs both"),
        (wide().iloc[:0], "the table has no rows"),
        (pd.DataFrame(), "the table has no rows"),
        (wide()[FACTS], "the table has no column of scores; add one per benchmark"),
        (wide(GSM8K=None), "benchmark 'GSM8K' has no score in any row; remove its column or fill it"),
        (wide(params_b=None), "no model has both a size and a score.*fill params_b"),
        (wide(mmlu=0.5), "columns 'MMLU' and 'mmlu' both mean the benchmark 'MMLU'; keep one"),
        (wide(Model="x"), "columns 'model' and 'Model' both mean 'model'"),
        (pd.concat([wide(), wide()[["MMLU"]]], axis=1), "column 'MMLU' appears more than once"),
        (wide(**{"n:ARC": 5}), "column 'n:ARC' belongs to no column of scores"),
        (
            wide(**{"floor:MMLU": [0.1, 0.2, 0.1, 0.1, 0.1, 0.1]}),
            "'floor:MMLU' must repeat one number.*it holds 2",
        ),
        (wide(**{"n:MMLU": 0}), r"row 1 \(a-1b\): n:MMLU is 0; give a number above 0 in items"),
        ({"model": ["a", "b"], "family": ["f"]}, "the columns do not fit together.*equal length"),
        (5, "cannot read scores from int; give a path"),
        ([], "cannot read scores from list"),
    ],
)
def test_a_wrong_table(frame: object, message: str) -> None:
    assert_refused(frame, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"denormalise": ["MMLV"]},
            "denormalise holds 'MMLV', which is not in the table; did you mean 'MMLU'",
        ),
        (
            {"denormalise": [("a-7b", "ARC")]},
            r"denormalise holds \('a-7b', 'ARC'\).*pairs \(model, benchmark\)",
        ),
        ({"denormalise": [3]}, "denormalise holds 3"),
        (
            {"benchmarks": {"MMUL": (0.25, 5)}},
            "benchmarks names 'MMUL', which the table does not hold; did you mean 'MMLU'",
        ),
        (
            {"benchmarks": ["MMLU", "ARC"]},
            "benchmarks names 'ARC', which the table does not hold; its benchmarks are",
        ),
    ],
)
def test_a_wrong_option(options: dict[str, object], message: str) -> None:
    assert_refused(wide(), message, **options)


HEADER = b"model,family,params_b,tokens_t,MMLU\n"
FILES = [
    ("table.csv", b"", "is empty; the first line must name the columns"),
    ("table.csv", HEADER, "has no rows"),
    (
        "table.csv",
        HEADER + b"m,f,7,2,0.5\nn,f,8,2",
        "line 3 has 4 fields where the header has 5; the file is cut short",
    ),
    ("table.csv", HEADER + b"m,f,7,2,0,5\n", "line 2 has 6 fields where the header has 5"),
    ("table.csv", HEADER + b'"m,f,7,2,0.5\n', "damaged or cut short"),
    ("table.csv", HEADER.replace(b",", b";") + b"m;f;7;2;0,5\n", "not separated by commas"),
    (
        "table.csv",
        HEADER + "m,café,7,2,0.5\n".encode("latin-1"),
        r"not UTF-8 \(line 2, byte 0xe9\); save it as UTF-8",
    ),
    ("table.csv", (HEADER + b"m,f,7,2,0.5\n").decode().encode("utf-16"), "not UTF-8"),
    ("table.csv", (HEADER + b"m,f,7,2,0.5\n").decode().encode("utf-16-le"), "zero bytes"),
    ("table.parquet", b"PAR1 cut short", "not a whole Parquet file"),
    ("table.xlsx", b"PK", "ends in '.xlsx'; give a file that ends in .csv, .parquet, .json"),
    ("table", b"", "ends in 'nothing'"),
    ("results.json", b'{"results": {"mmlu": {', r"not whole JSON \(line 1"),
    ("results.json", b'[{"model": "m"}]', "has no 'results' of lm-evaluation-harness"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES)
def test_a_wrong_file(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path / name, message)


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nowhere.csv", "nowhere.csv does not exist; check the path")
    assert_refused(tmp_path, "holds no result JSON file")


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    text = wide().to_csv(index=False).replace("\n", "\r\n\r\n")
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_scores(tmp_path / "table.csv").equals(read_scores(wide()))


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide().to_parquet(tmp_path / "table.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_refused(tmp_path / "table.parquet", r"needs pyarrow; run pip install 'bayes_sloth\[parquet\]'")
