"""The forecast command and its cache, with the numerics replaced by fakes."""

from __future__ import annotations

import csv
import io
import json
import warnings
from pathlib import Path

import pytest
from cli_fakes import (
    BENCHMARKS,
    EXACT_COLUMNS,
    FAMILY,
    FakeSpec,
    World,
    installed,
    raiser,
    refused,
    run,
    user_table,
)

import bayes_sloth as bs
from bayes_sloth import caching
from bayes_sloth.errors import FitStatus, FitWarning, InputError


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return installed(monkeypatch, tmp_path)


# --- forecast ---------------------------------------------------------------------------------------------


def test_with_no_options_llama_405b_is_forecast(world: World) -> None:
    shown = run("forecast").stdout
    assert (
        "Llama 3.1 405B Instruct: family llama-3.1, 405B parameters, 15T tokens, instruction-tuned" in shown
    )
    assert "hmc fit of 3 models (4 x 1000 draws, seed 0)" in shown
    row = world.models[0].iloc[0].to_dict()
    assert row == {
        "model": "Llama 3.1 405B Instruct",
        "family": "llama-3.1",
        "params_b": 405.0,
        "tokens_t": 15.0,
        "instruct": 1,
    }


def test_forecast_shows_interval_bar_sibling_and_verdict(world: World) -> None:
    lines = run("forecast").stdout.splitlines()
    mmlu = next(line for line in lines if line.startswith("MMLU"))
    gsm8k = next(line for line in lines if line.startswith("GSM8K"))
    assert "0.820" in mmlu
    assert "0.760 to 0.870" in mmlu
    assert "90% interval" in "".join(lines)
    assert "━●━" in mmlu
    # The base 70B is larger, but a base model is no like for like of an instruct model.
    assert "0.680" in mmlu
    assert "0.800" in gsm8k
    assert "fit: fine" in lines
    assert any("extrapolated" in line for line in lines)


def test_forecast_fits_with_the_options_given(world: World) -> None:
    run("forecast", "--method", "map", "--seed", "7", "--chains", "2", "--draws", "30", "--warmup", "20")
    wanted = {"method": "map", "seed": 7, "chains": 2, "draws": 30, "warmup": 20}
    wanted |= {"progress": True, "checkpoint": None}
    assert world.fits == [{"spec": FakeSpec(), **wanted}]


def test_skills_link_and_likelihood_reach_the_spec(world: World) -> None:
    run("forecast", "--skills", "2", "--link", "logistic", "--likelihood", "normal")
    assert world.fits[0]["spec"] == FakeSpec(2, "logistic", "normal")


def test_a_fit_not_to_be_trusted_exits_1_with_its_advice(world: World) -> None:
    world.status, world.messages = FitStatus.NOT_TRUSTED, ["12 divergences: raise warmup"]
    shown = run("forecast", code=1).stdout
    assert "fit: NOT to be trusted" in shown
    assert "12 divergences: raise warmup" in shown


def test_forecast_json_is_alone_on_stdout(world: World) -> None:
    world.in_fit = lambda: warnings.warn("3 divergences", FitWarning, stacklevel=1)
    result = run("forecast", "--json")
    body = json.loads(result.stdout)
    assert [row["benchmark"] for row in body["forecasts"]] == list(BENCHMARKS)
    assert body["forecasts"][0]["sibling"] == "llama-3.1-8b-instruct"
    assert body["forecasts"][0]["known_family"] is True
    assert body["fit"]["status"] == "fine"
    assert body["prob"] == 0.9
    assert "noise that a sampler prints" in result.stderr
    assert "warning: 3 divergences\n" in result.stderr


def test_forecast_csv_is_alone_on_stdout(world: World) -> None:
    rows = list(csv.DictReader(io.StringIO(run("forecast", "--csv", "--prob", "0.5").stdout)))
    assert list(rows[0]) == [*EXACT_COLUMNS.split(","), "sibling", "sibling_score"]
    assert [row["benchmark"] for row in rows] == list(BENCHMARKS)
    assert {row["prob"] for row in rows} == {"0.5"}


def test_quiet_leaves_stderr_empty_but_for_warnings(world: World) -> None:
    world.in_fit = lambda: warnings.warn("doubtful", FitWarning, stacklevel=1)
    result = run("forecast", "--quiet", "--family", "gemma", "--params-b", "9")
    assert result.stderr.splitlines() == ["noise that a sampler prints", "warning: doubtful"]
    assert world.fits[0]["progress"] is False


def test_own_table_without_a_family_names_the_families(world: World, tmp_path: Path) -> None:
    message = refused("forecast", "--scores", user_table(tmp_path))
    assert "give --family and --params-b; families in the table: llama-3.1, qwen2." in message
    assert world.fits == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tokens-t", "15"], "which model? give --family"),
        (["--instruct"], "which model? give --family"),
        (["--family", "qwen2"], "--params-b is missing"),
        (["--family", "qwen2", "--params-b", "-7"], "params_b is not positive"),
        (["--prob", "1.5"], "--prob is 1.5: give a probability between 0 and 1, such as 0.015."),
        (["--prob", "90"], "--prob is 90.0: give a probability between 0 and 1, such as 0.9."),
        (["--prob", "0"], "--prob is 0.0: give a probability between 0 and 1, such as 0.9."),
        (["--prob", "nan"], "--prob is nan"),
        (["--chains", "0"], "--chains is 0: give a whole number from 1 up."),
        (["--draws", "-5"], "--draws is -5"),
        (["--warmup", "0"], "--warmup is 0"),
        (["--skills", "0"], "--skills is 0"),
        (["--seed", "-1"], "--seed is -1: give a whole number from 0 up."),
        (["--seed", "4294967296"], "--seed is 4294967296"),
        (["--percent"], "--percent needs --scores FILE"),
        (["--denormalise", "BBH"], "--denormalise needs --scores FILE"),
        (["--models", "m.csv"], "--models needs --scores FILE"),
        (["--json", "--csv"], "--json and --csv exclude each other"),
    ],
)
def test_wrong_options_are_one_sentence_and_exit_2_before_any_fit(
    world: World, options: list[str], message: str
) -> None:
    assert message in refused("forecast", *options)
    assert world.fits == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["forecast", "--method", "gibbs"],
        ["forecast", "--draws", "many"],
        ["fit", "x.csv"],
        ["forcast"],
        ["check"],
    ],
)
def test_usage_errors_exit_2(world: World, arguments: list[str]) -> None:
    result = run(*arguments, code=2)
    assert result.stdout == ""
    assert "Usage:" in result.stderr


def test_an_unknown_family_is_forecast_with_a_note(world: World) -> None:
    result = run("forecast", "--family", "qwen3", "--params-b", "8")
    assert "family 'qwen3' is not in the table" in result.stderr
    assert "did you mean 'qwen2'?" in result.stderr
    assert "training tokens unknown" in result.stderr
    assert "new family, so wide: qwen3 8B" in result.stdout
    assert world.models[0]["tokens_t"].isna().all()


def test_a_mixture_and_a_name_reach_the_model(world: World) -> None:
    options = ("--params-b", "47", "--active-params-b", "13", "--name", "My MoE")
    shown = run("forecast", "--family", "qwen2", *options).stdout
    assert "My MoE: family qwen2, 47B parameters (13B active), unknown tokens, base" in shown
    assert world.models[0]["active_params_b"].item() == 13.0


def test_options_of_the_table_reach_the_reader(world: World, tmp_path: Path) -> None:
    run("forecast", "--scores", user_table(tmp_path), "--percent", "--models", "m.csv", *FAMILY)
    read = world.reads[0]
    assert read["percent"] is True
    assert read["models"] == Path("m.csv")
    assert read["denormalise"] == ()


@pytest.mark.parametrize("width", ["30", "60", "100", "250"])
def test_the_table_fits_its_width(world: World, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    shown = run("forecast").stdout
    body = [line for line in shown.splitlines() if line.startswith(BENCHMARKS)]
    assert max(map(len, body)) <= int(width)
    assert ("●" in shown) == (int(width) >= 100)


# --- the cache --------------------------------------------------------------------------------------------


def test_the_second_forecast_uses_the_first_fit(world: World) -> None:
    first, second = run("forecast", "--csv"), run("forecast", "--csv", *FAMILY)
    assert len(world.fits) == 1
    assert "using the fit of" not in first.stderr
    assert "using the fit of 0 seconds ago; --no-cache refits" in second.stderr
    assert run("forecast", "--csv", "--quiet").stderr == ""


def test_a_cached_fit_keeps_its_exit_code(world: World) -> None:
    world.status = FitStatus.NOT_TRUSTED
    run("forecast", code=1)
    run("forecast", code=1)
    assert len(world.fits) == 1


def test_no_cache_neither_reads_nor_writes(world: World, tmp_path: Path) -> None:
    run("forecast", "--no-cache")
    run("forecast", "--no-cache")
    assert len(world.fits) == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "options", [["--seed", "1"], ["--method", "map"], ["--chains", "2"], ["--draws", "9"], ["--skills", "2"]]
)
def test_other_settings_are_another_fit(world: World, options: list[str]) -> None:
    run("forecast")
    run("forecast", *options)
    assert len(world.fits) == 2


def test_other_data_are_another_fit(world: World, tmp_path: Path) -> None:
    run("forecast", *FAMILY)
    run("forecast", "--scores", user_table(tmp_path), *FAMILY)
    assert len(world.fits) == 2


def test_a_damaged_entry_is_fitted_again_and_mended(world: World, tmp_path: Path) -> None:
    run("forecast")
    (entry,) = (tmp_path / "cache" / "fits").iterdir()
    entry.write_bytes(entry.read_bytes()[:20])
    run("forecast")
    assert len(world.fits) == 2
    run("forecast")
    assert len(world.fits) == 2


def test_an_entry_that_does_not_load_is_fitted_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run("forecast")
    with monkeypatch.context() as patched:
        patched.setitem(vars(bs), "load", lambda path: raiser(InputError("written by a newer version"))())
        run("forecast")
    assert len(world.fits) == 2


def test_an_unwritable_cache_is_a_warning(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path / "file"))
    result = run("forecast", "--json")
    assert json.loads(result.stdout)["forecasts"]
    assert "warning: the fit could not be cached in" in result.stderr
