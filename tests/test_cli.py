"""Errors, exit codes and every command but forecast, with the numerics replaced by fakes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from cli_fakes import (
    EXACT_COLUMNS,
    FAMILY,
    FakePosterior,
    World,
    installed,
    load,
    raiser,
    refused,
    run,
    user_table,
)
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth.cli import app
from bayes_sloth.cli.sheets import PREDICTION_COLUMNS
from bayes_sloth.errors import FitError, FitStatus, InputError, InputWarning


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return installed(monkeypatch, tmp_path)


# --- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            InputError("row 3 (a): MMLU is 68,\n outside [0, 1]."),
            2,
            "error: row 3 (a): MMLU is 68, outside [0, 1].",
        ),
        (FitError("no start converged; pass --skills 2."), 1, "error: no start converged; pass --skills 2."),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "no permission for a.csv"),
        (IsADirectoryError(21, "Is a directory", "dir"), 2, "dir is a folder"),
        (
            OSError(28, "No space left on device", "x.nc"),
            2,
            "cannot read or write x.nc: No space left on device",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (
            ZeroDivisionError("division by zero"),
            70,
            "this is a bug in bayes-sloth (ZeroDivisionError: division by",
        ),
        (TypeError(), 70, "TypeError: no message"),
    ],
)
def test_every_error_is_one_line_and_an_exit_code(
    world: World, tmp_path: Path, error: BaseException, code: int, message: str
) -> None:
    world.in_read = raiser(error)
    line = refused("describe", user_table(tmp_path), code=code)
    assert message in line
    assert ("BAYES_SLOTH_DEBUG=1" in line) == (code == 70)


@pytest.mark.parametrize(
    "arguments",
    [
        ["describe", "gone.csv"],
        ["fit", "gone.csv", "--out", "fit.nc"],
        ["forecast", "--scores", "gone.csv", *FAMILY],
        ["check", "gone.csv"],
        ["predict", "gone.csv", "models.csv"],
    ],
)
def test_a_missing_file_is_named(world: World, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "models.csv").write_text("model,family,params_b\na,qwen2,7\n")
    assert "cannot find gone.csv: check the path." in refused(*arguments)


def test_debugging_shows_the_traceback(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYES_SLOTH_DEBUG", "1")
    world.in_read = raiser(ZeroDivisionError("zero"))
    result = CliRunner().invoke(app, ["describe", user_table(tmp_path)])
    assert result.exit_code == 70
    assert "Traceback" in result.stderr
    assert result.stdout == ""


def test_warnings_are_one_line_each_and_once(world: World, tmp_path: Path) -> None:
    def warn() -> None:
        for _ in range(2):
            warnings.warn("far below chance:\n row 2", InputWarning, stacklevel=1)
        warnings.warn("of no interest to a user", DeprecationWarning, stacklevel=1)

    world.in_read = warn
    result = run("describe", user_table(tmp_path), "--json")
    assert result.stderr == "warning: far below chance: row 2\n"
    assert json.loads(result.stdout)["warnings"] == ["far below chance: row 2"]


# --- fit, predict, check, describe ------------------------------------------------------------------------


def fitted(tmp_path: Path, *options: str, code: int = 0) -> str:
    out = tmp_path / "fit.nc"
    run("fit", user_table(tmp_path), "--out", str(out), *options, code=code)
    return str(out)


def test_fit_writes_a_fit_that_loads(world: World, tmp_path: Path) -> None:
    out = fitted(tmp_path, "--method", "laplace", "--denormalise", "MMLU", "--denormalise", "qwen2-7b")
    assert load(Path(out)).report.method == "laplace"
    assert world.reads[0]["denormalise"] == ("MMLU", "qwen2-7b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.nc", "scores.csv"]


def test_fit_exits_with_the_status_and_still_writes(world: World, tmp_path: Path) -> None:
    world.status = FitStatus.NOT_TRUSTED
    assert Path(fitted(tmp_path, code=1)).exists()


def test_fit_json_is_alone_on_stdout(world: World, tmp_path: Path) -> None:
    result = run("fit", user_table(tmp_path), "--out", "fit.nc", "--json")
    assert json.loads(result.stdout)["fit"]["data_digest"] == "user"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("gone/fit.nc", "does not exist; make it first."),
        (".", "it is a folder"),
        ("scores.csv/fit.nc", "not exist"),
    ],
)
def test_a_wrong_out_is_refused_before_the_fit(world: World, tmp_path: Path, out: str, message: str) -> None:
    assert message in refused("fit", user_table(tmp_path), "--out", out)
    assert world.fits == []


def test_a_failed_write_keeps_the_old_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fit.nc").write_text("old")

    def half(self: FakePosterior, path: Path) -> None:
        path.write_text("ha")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(FakePosterior, "save", half)
    assert "No space left" in refused_after_noise("fit", user_table(tmp_path), "--out", "fit.nc")
    assert (tmp_path / "fit.nc").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.nc", "scores.csv"]


def refused_after_noise(*arguments: str) -> str:
    result = run(*arguments, code=2)
    assert result.stdout == ""
    return str(result.stderr.splitlines()[-1])


def models_file(tmp_path: Path) -> str:
    path = tmp_path / "models.csv"
    path.write_text("model,family,params_b,tokens_t\nqwen2-72b,qwen2,72,7\nnew,nova,8,\n", encoding="utf-8")
    return str(path)


def test_predictions_have_exactly_the_promised_columns(world: World, tmp_path: Path) -> None:
    fit, out = fitted(tmp_path), tmp_path / "predictions.csv"
    result = run("predict", fit, models_file(tmp_path), "--out", str(out), "--prob", "0.8")
    assert result.stdout == ""
    assert "wrote 4 predictions to" in result.stderr
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == EXACT_COLUMNS == ",".join(PREDICTION_COLUMNS)
    assert lines[1] == "qwen2-72b,MMLU,0.81,0.82,0.03,0.76,0.87,0.8,False,True"
    assert len(lines) == 5


def test_predict_replaces_an_old_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("old\n" * 100)
    run("predict", fitted(tmp_path), models_file(tmp_path), "--out", "predictions.csv", "--quiet")
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 5


def test_predict_csv_equals_its_file(world: World, tmp_path: Path) -> None:
    fit, models = fitted(tmp_path), models_file(tmp_path)
    result = run("predict", fit, models, "--csv", "--out", "predictions.csv", "--quiet")
    assert result.stdout == (tmp_path / "predictions.csv").read_text(encoding="utf-8")
    assert result.stderr == ""


def test_predict_prints_a_table_or_json(world: World, tmp_path: Path) -> None:
    fit, models = fitted(tmp_path), models_file(tmp_path)
    assert "qwen2-72b" in run("predict", fit, models).stdout
    body = json.loads(run("predict", fit, models, "--json").stdout)
    assert list(body["predictions"][0]) == EXACT_COLUMNS.split(",")


def test_predictions_of_a_fit_not_to_be_trusted_exit_1(world: World, tmp_path: Path) -> None:
    world.status = FitStatus.NOT_TRUSTED
    run("predict", fitted(tmp_path, code=1), models_file(tmp_path), "--out", "p.csv", code=1)
    assert (tmp_path / "p.csv").exists()


def test_predict_refuses_a_file_that_is_no_fit(world: World, tmp_path: Path) -> None:
    assert "is not a fit" in refused("predict", user_table(tmp_path), models_file(tmp_path))


def test_predict_refuses_a_wrong_out_before_it_reads(world: World, tmp_path: Path) -> None:
    assert "make it first" in refused("predict", "gone.nc", models_file(tmp_path), "--out", "gone/p.csv")


@pytest.mark.parametrize("status", [FitStatus.FINE, FitStatus.NOT_TRUSTED])
def test_check_prints_quantities_and_exits_with_the_verdict(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: FitStatus
) -> None:
    quantities = pd.DataFrame(
        {"quantity": ["mu", "slope"], "r_hat": [1.004, np.nan], "ess_bulk": [812.3, 90.0]}
    )
    verdict = SimpleNamespace(
        table=quantities, status=status, verdict="converged or not", advice=("draw more",), findings=()
    )
    monkeypatch.setitem(vars(bs), "check", lambda posterior, only=None: verdict)
    fit = fitted(tmp_path)
    shown = run("check", fit, code=int(status)).stdout
    assert "converged or not" in shown
    assert "draw more" in shown
    assert "1.004" in shown
    body = json.loads(run("check", fit, "--json", code=int(status)).stdout)
    assert body["quantities"][1] == {"quantity": "slope", "r_hat": None, "ess_bulk": 90.0}
    assert body["status"] == status.name.lower()
    assert run("check", fit, "--csv", code=int(status)).stdout.splitlines()[0] == "quantity,r_hat,ess_bulk"


def test_describe_says_what_was_understood(world: World, tmp_path: Path) -> None:
    shown = run("describe", user_table(tmp_path)).stdout
    assert "3 models, 2 families" in shown
    assert "llama-3.1 (2), qwen2 (1)" in shown
    assert "params_b: 7 to 70 billion; tokens_t: 15 to 15 trillion, unknown for 1" in shown
    assert "17% of scores missing; notes: hf_id" in shown
    body = json.loads(run("describe", user_table(tmp_path), "--json").stdout)
    assert body["benchmarks"][1] == {
        "benchmark": "GSM8K",
        "floor": 0.0,
        "items": 1000.0,
        "observed": 2,
        "missing": 1,
        "lowest": 0.78,
        "highest": 0.8,
    }
    assert body["missing_share"] == pytest.approx(1 / 6)
    assert world.fits == []
