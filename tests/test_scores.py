"""The frozen table: its parts, its subsets, its round trip."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from score_tables import wide

from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.errors import InputError
from bayes_sloth.reading import read_models, read_scores
from bayes_sloth.scores import Scores

EXTRAS = {
    "instruct": [0, 1, 0, 1, 0, 0],
    "active_params_b": [None, None, 10.0, None, None, None],
    "parent": ["", "", "", "a", "", ""],
    "date": ["2024-02-29", "2023", "2024-07", None, "", 2022.25],
    "source_params": ["x", "", None, "y", "z", "x"],
}


def scores() -> Scores:
    return read_scores(wide(**EXTRAS))


def test_parts_are_labelled() -> None:
    table = scores()
    assert table.models[:2] == ("a-1b", "a-7b")
    assert table.families == ("a", "b", "c")
    assert table.benchmarks == ("MMLU", "BBH", "GSM8K")
    assert table.data["score"].dims == ("model", "benchmark")
    assert float(table.data["score"].sel(model="b-9b", benchmark="BBH")) == 0.43
    assert float(table.data["floor"].sel(benchmark="BBH")) == 0.2885
    assert float(table.data["items"].sel(model="c-70b", benchmark="MMLU")) == 14042
    assert table.data["instruct"].values.tolist() == [0, 1, 0, 1, 0, 0]
    assert table.data["parent"].values.tolist() == ["", "", "", "a", "", ""]
    assert table.data["params_b"].attrs["units"] == "billions of parameters"


def test_missing_stays_missing() -> None:
    table = scores()
    assert int((~table.observed).sum()) == 2
    assert np.isnan(table.data["tokens_t"].sel(model="c-70b"))
    assert np.isnan(table.data["active_params_b"]).sum() == 5


def test_nothing_can_be_written() -> None:
    table = scores()
    for name in ("score", "items", "params_b", "floor", "family"):
        with pytest.raises(ValueError, match="read-only"):
            table.data[name].values[...] = table.data[name].values
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.notes = pd.DataFrame()  # type: ignore[misc]


def test_a_table_is_a_copy_of_what_it_was_made_from() -> None:
    values = np.array([[0.5]])
    models = read_models({"model": "m", "family": "f", "params_b": 7, "tokens_t": None})
    table = assemble(models, [Benchmark("exam")], values)
    values[0, 0] = 0.9
    assert float(table.data["score"][0, 0]) == 0.5


def test_select_keeps_the_order_named_and_accepts_any_spelling() -> None:
    chosen = scores().select(models=["c-70b", "a-1b"], benchmarks=["gsm8k", "mmlu"])
    assert chosen.models == ("c-70b", "a-1b")
    assert chosen.benchmarks == ("GSM8K", "MMLU")
    assert chosen.data["score"].values[1].tolist() == [0.02, 0.31]
    assert chosen.notes.index.tolist() == ["c-70b", "a-1b"]
    assert scores().select(models="a-7b").models == ("a-7b",)


def test_without_and_hide_leave_the_rest_alone() -> None:
    table = scores()
    assert table.without(["a-7b"]).models == ("a-1b", "a-30b", "b-3b", "b-9b", "c-70b")
    mask = np.zeros((6, 3), dtype=bool)
    mask[0, 1] = True
    hidden = table.hide(mask)
    assert np.isnan(hidden.data["score"].values[0, 1])
    assert hidden.observed.sum() == table.observed.sum() - 1
    assert hidden.data["items"].equals(table.data["items"])
    assert table.observed[0, 1], "hiding must not change the table it starts from"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.select(models=["a-8b"]), "unknown model 'a-8b'; did you mean 'a-"),
        (lambda t: t.select(benchmarks=["zzz"]), "unknown benchmark 'zzz'; the table has MMLU, BBH, GSM8K"),
        (lambda t: t.without(["nobody"]), "unknown model 'nobody'"),
        (lambda t: t.select(models=[]), "no model left"),
        (lambda t: t.select(models=["a-1b", "a-1b"]), "'a-1b' appears more than once"),
        (lambda t: t.hide([True, False]), r"mask has shape \(2,\); give one of shape \(6, 3\)"),
        (lambda t: Scores(t.data.drop_vars("floor")), "no 'floor'; build it with"),
    ],
)
def test_wrong_subsets_are_refused(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(scores())  # type: ignore[operator]


@pytest.mark.parametrize("through_text", [False, True])
def test_a_frame_reads_back_as_an_equal_table(through_text: bool) -> None:
    table = scores()
    frame = table.to_frame()
    if through_text:
        frame = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert read_scores(frame).equals(table)


def test_the_round_trip_keeps_own_floors_counts_and_numeric_notes() -> None:
    frame = wide(
        **{"my exam": [0.5, 0.6, 0.7, 0.5, 0.6, 0.9], "n:MMLU": [100, 200, None, 5, 6, 7], "rank": range(6)}
    )
    with pytest.warns(UserWarning, match="once"):
        once = {"source_test": [0.5, None, None, None, None, None]}
        table = read_scores(
            frame.assign(**once),
            benchmarks=["MMLU", "my exam", "source_test", "bbh"],
        )
    with pytest.warns(UserWarning, match="once"):
        again = read_scores(table.to_frame())
    assert table.benchmarks == ("MMLU", "BBH", "my exam", "source_test")
    assert table.notes.columns.tolist() == ["GSM8K", "rank"]
    assert again.equals(table)
    assert np.isnan(again.data["items"].sel(model="a-30b", benchmark="MMLU"))


def test_the_digest_sees_every_number_and_name_but_no_note() -> None:
    table = scores()
    data = table.data
    variants: list[xr.Dataset] = [
        data.assign(score=data["score"] + 1e-12),
        data.assign(items=data["items"] + 1),
        data.assign_coords(floor=data["floor"] + 1e-12),
        data.assign_coords(instruct=1 - data["instruct"]),
        data.assign_coords(parent=("model", ["x"] * 6)),
        data.assign_coords(date=data["date"].fillna(2000.0)),
        data.assign_coords(model=[f"{m}!" for m in table.models]),
        data.isel(model=slice(None, None, -1)),
    ]
    digests = {Scores(v, table.notes.rename(lambda m: m)).digest for v in variants[:6]}
    digests |= {Scores(v).digest for v in variants[6:]}
    assert len(digests | {table.digest}) == len(variants) + 1
    assert Scores(data).digest == table.digest
    assert not Scores(data).equals(table), "equality, unlike the digest, looks at notes"
    assert not table.equals("a string")


def test_display_fits_a_dozen_lines() -> None:
    text = repr(load_leaderboard())
    assert len(text.splitlines()) <= 12
    assert max(map(len, text.splitlines())) <= 120
    for part in (
        "265 models",
        "70 families",
        "12 benchmarks",
        "32% missing",
        "0.07 to 180 billions",
        "59 unknown",
    ):
        assert part in text
    assert "none known" in repr(scores().select(models=["c-70b"]))


def test_metadata_is_what_read_models_returns() -> None:
    table = scores()
    pd.testing.assert_frame_equal(read_models(table), table.metadata)
    pd.testing.assert_frame_equal(read_models(wide(**EXTRAS)), table.metadata)
