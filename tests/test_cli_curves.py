"""`bayes-sloth family-curves`, `links` and `skill-counts` print the tables that the package makes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from fits import compiled_quickly, laplace_fit
from typer.testing import CliRunner

from bayes_sloth.cli import app
from bayes_sloth.score_curves import family_curves, link_curves
from bayes_sloth.skill_counts import compare_skill_counts

SIZES = ("--params-b", "7", "--params-b", "70")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    laplace_fit().save(path)
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    with compiled_quickly():
        done = CliRunner().invoke(app, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


def test_curves_of_families_in_json_with_their_points(saved: Path) -> None:
    asked = ("--family", "llama-2", "--benchmark", "ARC", "--seed", 3, "--prob", 0.8, *SIZES)
    code, shown, said = run("family-curves", saved, *asked, "--json")
    told = json.loads(shown)
    wanted = family_curves(laplace_fit(), ["llama-2"], "ARC", seed=3, prob=0.8, params_b=[7, 70])
    assert code == 1 and said == ""  # a normal approximation is not to be trusted as it stands
    assert pd.DataFrame(told["curves"])["upper"].tolist() == pytest.approx(wanted.curves["upper"].tolist())
    assert [point["model"] for point in told["points"]] == wanted.points["model"].tolist()


def test_links_in_csv_and_for_people(saved: Path) -> None:
    code, shown, _ = run("links", saved, "--benchmark", "GSM8K", "--csv")
    wanted = link_curves(laplace_fit(), ["GSM8K"]).curves
    assert code == 1
    assert pd.read_csv(io.StringIO(shown))["median"].tolist() == pytest.approx(wanted["median"].tolist())
    assert run("links", saved, "--benchmark", "GSM8K")[1].startswith("links, 90% bands")


def test_fits_are_compared_under_their_paths(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.nc"
    again.write_bytes(saved.read_bytes())
    code, shown, _ = run("skill-counts", saved, again, "--json")
    told = pd.DataFrame(json.loads(shown)["fits"])
    wanted = compare_skill_counts({"a": laplace_fit(), "b": laplace_fit()}, progress=False)
    assert code == 1 and set(told["fit"]) == {str(saved), str(again)}
    assert told["elpd"].tolist() == pytest.approx(wanted["elpd"].tolist())


@pytest.mark.parametrize(
    "arguments",
    [
        ("family-curves", "--family", "llama-9", "--benchmark", "ARC"),
        ("family-curves", "--family", "llama-2", "--benchmark", "ARC", "--seed", "-1"),
        ("links", "--benchmark", "ARK"),
        ("links", "--prob", "90"),
        ("skill-counts",),
    ],
)
def test_wrong_input_is_one_line(saved: Path, arguments: tuple[str, ...]) -> None:
    command, *rest = arguments
    code, shown, said = run(command, saved, *rest)
    assert code == 2 and shown == "" and len(said.strip().splitlines()) == 1
