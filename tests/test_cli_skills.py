"""`bayes-sloth skills` prints the tables that `bs.skills` makes."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import pandas as pd
import pytest
from fits import laplace_fit
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth.cli import app
from bayes_sloth.cli.skill_commands import Told
from bayes_sloth.skill_tables import Skills

NONE = ("--rotation", "none")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    laplace_fit().save(path)
    return path


@pytest.fixture(scope="module")
def found() -> Skills:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # so few draws
        return bs.skills(laplace_fit(), rotation="none")


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["skills", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("table", Told)
def test_json_holds_the_rows_of_the_table(table: Told, saved: Path, found: Skills) -> None:
    code, shown, said = run(saved, "--table", table.value, "--prob", 0.8, "--json", *NONE)
    told = json.loads(shown)
    wanted = getattr(found, table.value)(0.8)
    assert code == 1 and said == ""  # a normal approximation is not to be trusted as it stands
    assert told["skills"] == list(found.names) and told["rotation"] == "none"
    assert told["findings"] == list(found.findings)
    assert pd.DataFrame(told[table.value])["median"].tolist() == pytest.approx(wanted["median"].tolist())


def test_csv_and_names_of_ones_own(saved: Path) -> None:
    code, shown, _ = run(saved, "--csv", "--name", "knowledge", "--name", "sums", *NONE)
    assert code == 1 and set(pd.read_csv(io.StringIO(shown))["skill"]) == {"knowledge", "sums"}


def test_people_see_the_table_and_what_not_to_read(saved: Path, found: Skills) -> None:
    _, shown, said = run(saved, *NONE)
    assert shown.startswith("loadings, none rotation, 90% intervals") and said == ""
    for sentence in found.findings:
        assert sentence.split()[0] in shown


@pytest.mark.parametrize("arguments", [["--name", "one"], ["--prob", "2"]])
def test_wrong_input_is_one_line(saved: Path, arguments: list[str]) -> None:
    code, shown, said = run(saved, *NONE, *arguments)
    assert code == 2 and shown == "" and len(said.strip().splitlines()) == 1
