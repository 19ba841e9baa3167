"""The command line from end to end on a tiny table, with nothing replaced."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_fakes import EXACT_COLUMNS, refused, run
from fits import (
    BENCHMARKS,
    CHAINS,
    DRAWS,
    WARMUP,
    compiled_quickly,
    forecast,
    hmc_fit,
    ideal_fit,
    map_fit,
    table,
)

import bayes_sloth as bs
from bayes_sloth import caching

LLAMA_30B = ("--family", "llama-2", "--params-b", "30", "--tokens-t", "2", "--name", "inside")


@pytest.fixture(autouse=True)
def quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    table().to_frame().to_csv("scores.csv", index=False)
    with compiled_quickly():
        yield


def test_describe_shows_what_was_read() -> None:
    shown = run("describe", "scores.csv").stdout
    assert "25" in shown
    assert all(name in shown for name in BENCHMARKS)


def test_fit_by_map_then_predict_and_check() -> None:
    shown = run("fit", "scores.csv", "--out", "fit.nc", "--method", "map", "--skills", "2", "--quiet", code=1)
    assert "point estimate" in " ".join(shown.stdout.split())
    fit = bs.load("fit.nc")
    # The same numbers as from Python.
    assert fit.data["posterior"].dataset.equals(map_fit().data["posterior"].dataset)
    asked = pd.DataFrame({"model": ["inside"], "family": ["llama-2"], "params_b": [30.0], "tokens_t": [2.0]})
    asked.to_csv("models.csv", index=False)
    run("predict", "fit.nc", "models.csv", "--out", "predictions.csv", "--prob", "0.8", code=1)
    text = Path("predictions.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == EXACT_COLUMNS
    found = pd.read_csv(io.StringIO(text))
    assert list(found["benchmark"]) == list(BENCHMARKS)
    wanted = bs.intervals(bs.predict(map_fit(), asked, seed=0), 0.8)
    np.testing.assert_allclose(found["lower"], wanted["lower"], atol=1e-4)
    np.testing.assert_allclose(found["upper"], wanted["upper"], atol=1e-4)
    assert (found["prob"] == 0.8).all() and found["known_family"].all()
    assert "has no chains" in run("check", "fit.nc", code=1).stdout


def test_fit_with_few_draws_warns_and_exits_1() -> None:
    sampling = ("--chains", str(CHAINS), "--draws", str(DRAWS), "--warmup", str(WARMUP))
    done = run("fit", "scores.csv", "--out", "fit.nc", "--skills", "2", *sampling, code=1)
    assert "has not converged" in done.stderr
    assert bs.load("fit.nc").data["posterior"].dataset.equals(hmc_fit().data["posterior"].dataset)
    checked = run("check", "fit.nc", "--csv", code=1).stdout
    rows = {row["quantity"]: row for row in csv.DictReader(io.StringIO(checked))}
    assert {"expected_score", "loading", "slope"} < set(rows)
    assert rows["expected_score"]["verdict"] == "bad"


def test_check_of_a_converged_fit_exits_0() -> None:
    ideal_fit().save("fit.nc")
    shown = run("check", "fit.nc").stdout
    assert "to be trusted" in shown and "not to be trusted" not in shown


def test_a_second_forecast_is_recalled_and_a_corrupt_cache_is_refitted() -> None:
    command = ("forecast", "--scores", "scores.csv", "--method", "map", "--skills", "2", *LLAMA_30B, "--json")
    first = run(*command, code=1)
    numbers = json.loads(first.stdout)
    second = run(*command, code=1)
    assert "using the fit of" in second.stderr and "using the fit of" not in first.stderr
    assert json.loads(second.stdout) == numbers
    cached = list((Path("cache")).rglob("*.nc"))
    assert len(cached) == 1
    cached[0].write_bytes(cached[0].read_bytes()[:5000])
    third = run(*command, code=1)
    assert "using the fit of" not in third.stderr
    assert json.loads(third.stdout)["forecasts"] == numbers["forecasts"]
    assert "using the fit of" in run(*command, code=1).stderr  # a sound copy is kept again


def test_a_forecast_of_a_table_is_the_librarys() -> None:
    command = (
        "forecast",
        "--scores",
        "scores.csv",
        "--method",
        "map",
        "--skills",
        "2",
        *LLAMA_30B,
        "--csv",
        "--quiet",
    )
    shown = run(*command, code=1).stdout
    found = pd.read_csv(io.StringIO(shown)).set_index("benchmark")
    row = {"model": "inside", "family": "llama-2", "params_b": 30.0, "tokens_t": 2.0}
    wanted = bs.intervals(bs.predict(map_fit(), row, seed=0)).set_index("benchmark")
    np.testing.assert_allclose(found["median"], wanted["median"], atol=1e-3)
    # Alone or among others, a model is forecast alike, noise of the draws aside.
    among = bs.intervals(forecast()).set_index("model").loc["inside"]
    np.testing.assert_allclose(found["median"], among["median"], atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("describe", "nowhere.csv"), "nowhere.csv"),
        (("check", "scores.csv"), "is not a readable fit"),
        (("predict", "scores.csv", "scores.csv"), "is not a readable fit"),
        (("check", "nowhere.nc"), "there is no file nowhere.nc"),
        (("fit", "scores.csv", "--out", "no/fit.nc"), "no/fit.nc"),
        (("fit", "bad.csv", "--out", "fit.nc", "--method", "map"), "6.8"),
        (("fit", "scores.csv", "--out", "fit.nc", "--draws", "5"), "draws is 5"),
        (("forecast", "--scores", "scores.csv", "--family", "yi"), "--params-b is missing"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    frame = table().to_frame()
    frame.loc[2, "ARC"] = 6.8
    frame.to_csv("bad.csv", index=False)
    assert words in refused(*arguments)
    assert not Path("fit.nc").exists()


def test_a_user_sees_no_traceback_of_the_program() -> None:
    command = [sys.executable, "-m", "bayes_sloth.cli", "check", "scores.csv"]
    root = str(Path(bs.__file__).parents[1])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**caching.os.environ, "PYTHONPATH": root}
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
