"""Tables in every accepted form become the same scores."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from score_tables import BENCHMARKS, FACTS, changed, long, wide

from bayes_sloth.errors import InputError, InputWarning
from bayes_sloth.reading import read_models, read_scores


def test_wide_long_csv_parquet_and_mapping_agree(tmp_path: Path) -> None:
    expected = read_scores(wide())
    wide().to_csv(tmp_path / "wide.csv", index=False)
    long().to_csv(tmp_path / "long.csv", index=False)
    wide().to_parquet(tmp_path / "wide.parquet")
    wide().set_index("model").to_parquet(tmp_path / "indexed.parquet")
    sources = [long(), wide().set_index("model"), wide().to_dict("list"), *sorted(tmp_path.iterdir())]
    for source in (*sources, str(tmp_path / "wide.csv")):
        got = read_scores(source).select(
            models=expected.models
        )  # the long form meets the models in another order
        assert got.equals(expected), source


def test_the_users_frame_is_not_touched() -> None:
    frame = wide().rename(columns={"MMLU": " MMLU "})
    before = frame.copy(deep=True)
    read_scores(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_missing_score_equals_an_absent_one() -> None:
    holes = long()
    holes.loc[len(holes)] = ["b-9b", "b", 9.0, 1.5, "MMLU", None]
    assert read_scores(holes).equals(read_scores(long()))


@pytest.mark.parametrize(
    "text", ["", "  ", "NA", "n/a", "nan", "NULL", "-", "None", pd.NA, pd.NaT, None, np.nan]
)
def test_ways_to_write_missing(text: object) -> None:
    assert read_scores(changed(wide(), "MMLU", 5, text)).equals(read_scores(wide()))


def test_percent() -> None:
    percent = wide().assign(**{name: wide()[name] * 100 for name in BENCHMARKS})
    got, expected = read_scores(percent, percent=True), read_scores(wide())
    assert np.allclose(got.data["score"], expected.data["score"], rtol=1e-15, equal_nan=True)


def test_column_names_are_matched_by_alias_and_without_case() -> None:
    names = {
        "MMLU": "hendrycks_test",
        "BBH": "leaderboard_bbh",
        "GSM8K": "gsm 8k",
        "params_b": "Params B",
        "model": "Model",
    }
    assert read_scores(wide().rename(columns=names)).equals(read_scores(wide()))


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("2024", 2024.0),
        (2024, 2024.0),
        ("2024.5", 2024.5),
        ("2024-07", 2024 + 182 / 366),
        ("2024-07-19", 2024 + 200 / 366),
        ("2023-12-31T23:00:00", 2023 + 364 / 365),
        (dt.date(2023, 1, 2), 2023 + 1 / 365),
        (pd.Timestamp("2024-07-19"), 2024 + 200 / 366),
        (np.datetime64("2024-07-19"), 2024 + 200 / 366),
    ],
)
def test_dates_become_decimal_years(value: object, year: float) -> None:
    dates = [value, *[None] * 5]
    assert float(read_scores(wide(date=pd.Series(dates, dtype=object))).data["date"][0]) == pytest.approx(
        year
    )


@pytest.mark.parametrize(("value", "flag"), [("1", 1), (1.0, 1), (True, 1), ("false", 0), ("", 0), (None, 0)])
def test_instruct(value: object, flag: int) -> None:
    instruct = pd.Series([value, *[0] * 5], dtype=object)
    assert int(read_scores(wide(instruct=instruct)).data["instruct"][0]) == flag


def test_active_equal_to_all_parameters_means_dense() -> None:
    active = [1.0, None, 12.0, 3.0, 9.0, 70.0]
    got = read_scores(wide(active_params_b=active)).data["active_params_b"].values
    assert np.array_equal(got, [np.nan, np.nan, 12, np.nan, np.nan, np.nan], equal_nan=True)


def test_notes_are_kept_as_they_came() -> None:
    notes = {"hf_id": [f"org/{i}" for i in range(6)], "url_count": range(6), "licence": ["MIT", None] * 3}
    table = read_scores(wide(**notes))
    assert table.benchmarks == tuple(BENCHMARKS)
    assert table.notes.columns.tolist() == ["hf_id", "url_count", "licence"]
    assert table.notes.loc["a-7b", "hf_id"] == "org/1"


def test_an_unknown_benchmark_gets_floor_zero_and_says_so() -> None:
    frame = wide(arc_chalenge=[0.3, 0.4, 0.5, 0.4, 0.5, 0.6])
    with pytest.warns(InputWarning, match="'arc_chalenge' is not a known benchmark.* floor 0.*'ARC'"):
        table = read_scores(frame)
    assert float(table.data["floor"].sel(benchmark="arc_chalenge")) == 0
    assert np.isnan(table.data["items"].sel(benchmark="arc_chalenge")).all()


def test_overrides_and_lists_of_benchmarks() -> None:
    frame = wide(exam=[0.3, 0.4, 0.5, 0.4, 0.5, 0.6])
    table = read_scores(frame, benchmarks={"exam": (0.2, 50), "mmlu": {"items": 10}})
    assert table.data["floor"].values.tolist() == [0.25, 0.2885, 0, 0.2]
    assert table.data["items"].values[0].tolist() == [10, 5761, 1319, 50]
    only = read_scores(frame, benchmarks=["mmlu"])
    assert only.benchmarks == ("MMLU",)
    assert only.notes.columns.tolist() == ["BBH", "GSM8K", "exam"]
    assert read_scores(long(), benchmarks=["mmlu"]).benchmarks == ("MMLU",)


def test_counts_and_standard_errors_override_the_items() -> None:
    frame = long(n=[100, None, *[None] * 14], stderr=[0.5, 0.04, *[None] * 14])
    items = read_scores(frame).data["items"]
    assert float(items.sel(model="a-1b", benchmark="MMLU")) == 100, "a count wins over a standard error"
    assert float(items.sel(model="a-7b", benchmark="MMLU")) == pytest.approx(0.48 * 0.52 / 0.04**2)
    assert float(items.sel(model="a-30b", benchmark="MMLU")) == 14042
    half = changed(changed(frame, "score", 2, 0.0), "stderr", 3, 0.0)
    assert (read_scores(half).data["items"].sel(benchmark="MMLU", model=["a-7b", "a-30b"]) == 14042).all()


def test_percent_applies_to_standard_errors_too() -> None:
    frame = long(stderr=[None, 4, *[None] * 14]).assign(score=long()["score"] * 100)
    items = read_scores(frame, percent=True).data["items"]
    assert float(items.sel(model="a-7b", benchmark="MMLU")) == pytest.approx(0.48 * 0.52 / 0.04**2)


def test_denormalise_turns_back_columns_rows_and_cells() -> None:
    raw = read_scores(wide())
    floor = raw.data["floor"].values
    normalised = raw.data["score"].copy(data=(raw.data["score"].values - floor) / (1 - floor))
    columns = wide().assign(BBH=normalised.values[:, 1])
    row = wide().set_index("model")
    row.loc["a-7b", BENCHMARKS] = normalised.sel(model="a-7b").values
    for frame, entries in (
        (columns, ["leaderboard_bbh"]),
        (columns, "BBH"),
        (row, ["a-7b"]),
        (row, [("a-7b", "mmlu"), ("a-7b", "BBH")]),
    ):
        got = read_scores(frame, denormalise=entries).data["score"]
        assert np.allclose(got, raw.data["score"], atol=1e-15, equal_nan=True), entries


def test_long_rows_may_leave_repeats_empty_and_differ_in_notes() -> None:
    frame = long(url=[f"u{i % 2}" for i in range(16)])
    frame.loc[1:, "family"] = frame.loc[1:, "family"].where(frame.loc[1:, "benchmark"] != "BBH")
    table = read_scores(frame)
    assert table.families == ("a", "b", "c")
    assert table.notes.loc["a-1b", "url"] == "u0; u1"


def test_models_are_joined_by_name_case_or_last_part() -> None:
    facts, scores = wide()[FACTS], wide()[["model", *BENCHMARKS]]
    expected = read_scores(wide())
    for rename in (str, str.upper, "Org/{}".format):
        assert read_scores(scores.assign(model=scores["model"].map(rename)), models=facts).equals(expected)


def test_models_without_a_match_or_with_doubled_columns_are_refused() -> None:
    facts, scores = wide()[FACTS], wide()[["model", *BENCHMARKS]]
    with pytest.raises(InputError, match="models= has no row for 'c-70b'; the nearest name there is 'a-7b'"):
        read_scores(scores, models=facts.iloc[:5])
    with pytest.raises(InputError, match="'family' is in the table and in models="):
        read_scores(wide(), models=facts)
    with pytest.raises(InputError, match="rows 1 and 2 both hold model 'x'"):
        read_scores(scores, models=facts.assign(model="x"))


def test_read_models_makes_up_names_and_fills_what_is_optional() -> None:
    rows = read_models({"family": ["f", "f", "g"], "params_b": [7, 7, None], "tokens_t": [2, 2, None]})
    assert rows["model"].tolist() == ["f-7b", "f-7b-2", "g"]
    assert rows.columns.tolist() == [
        *("model", "family", "params_b", "active_params_b", "tokens_t", "instruct", "parent", "date")
    ]
    assert rows["instruct"].tolist() == [0, 0, 0]
    assert rows["parent"].tolist() == ["", "", ""]
    assert rows[["date", "active_params_b"]].isna().all().all()


def test_read_models_ignores_scores_and_checks_the_rest() -> None:
    assert read_models(wide(MMLU="not a score"))["model"].tolist() == wide()["model"].tolist()
    with pytest.raises(
        InputError, match=r"row 1 \(f-405\): params_b is -405; give a number above 0 in billions"
    ):
        read_models({"model": "f-405", "family": "f", "params_b": -405, "tokens_t": 15})


@pytest.mark.parametrize(("column", "unit"), [("params_b", "billions"), ("tokens_t", "trillions")])
def test_counts_in_place_of_billions_are_refused(column: str, unit: str) -> None:
    row = {"family": "f", "params_b": 7.0, "tokens_t": 2.0} | {column: 7e9}
    with pytest.raises(InputError, match=rf"{column} is 7e\+09, which looks like a count: give {unit} of"):
        read_models(row)


def test_a_family_of_many_models_is_doubted_once() -> None:
    rows = {"family": ["lama-2"] * 3, "params_b": [7.0, 13.0, 70.0], "tokens_t": 2.0}
    with pytest.warns(InputWarning) as caught:
        read_models(rows, known=["llama-2"])
    assert len(caught) == 1 and "and 2 more: family 'lama-2'" in str(caught[0].message)


@pytest.mark.parametrize(
    ("family", "meant"), [("Llama-3", "llama-3"), ("lama-3", "llama-3"), ("qwen_2.5", "qwen2.5")]
)
def test_a_family_spelled_almost_like_a_known_one_is_doubted(family: str, meant: str) -> None:
    query = {"family": family, "params_b": 405, "tokens_t": 15}
    with pytest.warns(InputWarning, match=f"family '{family}' is not among the known ones.* '{meant}'"):
        read_models(query, known=["llama-3", "llama-2", "qwen2.5", "qwen1.5"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", ["llama-3", "llama-4", "qwen2", "brand-new"])
def test_other_families_are_not_doubted(family: str) -> None:
    query = {"family": family, "params_b": 405, "tokens_t": 15}
    assert read_models(query, known=["llama-3", "llama-2", "qwen2.5"])["family"].tolist() == [family]


def test_pandas_own_types_are_read_like_plain_ones() -> None:
    typed = wide().convert_dtypes().astype({"family": "category", "MMLU": "Float64"})
    assert typed["MMLU"].isna().any()
    assert read_scores(typed).equals(read_scores(wide()))
