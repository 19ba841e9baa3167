"""`bayes-sloth passk` prints what `bs.passk` finds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth.cli import app


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write samples of three models, and skills of these and of one more."""
    folder, made = tmp_path_factory.mktemp("passk"), bs.passk.simulate(models=4, items=12, n=40, seed=0)
    made.table[made.table["model"] != "model 4"].to_csv(folder / "samples.csv", index=False)
    made.skills[:3].to_csv(folder / "skills.csv", index=False)
    made.skills[3:].to_csv(folder / "new.csv", index=False)
    return folder


def run(files: Path, *options: object, skills: bool = True) -> tuple[int, str, str]:
    known = ["--skills", files / "skills.csv"] if skills else []
    asked = ["passk", files / "samples.csv", *known, "--published", *options]
    done = CliRunner().invoke(app, [str(word) for word in asked])
    return done.exit_code, done.stdout, done.stderr


def fitted(files: Path) -> bs.passk.ItemPosterior:
    return bs.passk.published(files / "samples.csv", files / "skills.csv")


def test_json_holds_the_rows_of_the_table(files: Path) -> None:
    code, shown, said = run(files, "--models", files / "new.csv", "--k", 1, "--k", 50, "--json")
    told = json.loads(shown)
    wanted = bs.passk.predict(fitted(files), files / "new.csv", seed=0).table([1, 50])
    assert code == 1 and said == ""  # a point estimate is not to be trusted as it stands
    assert pd.DataFrame(told["passk"])["median"].tolist() == pytest.approx(wanted["median"].tolist())
    assert told["of"] == "the 12 fitted items" and told["method"] == "published"


def test_csv_sets_what_was_observed_beside_sampled_models(files: Path) -> None:
    _, shown, _ = run(files, "--k", 10, "--csv")
    table = pd.read_csv(io.StringIO(shown))
    seen = bs.passk.observed(files / "samples.csv", [10])
    assert table["observed"].tolist() == pytest.approx(seen["observed"].tolist())


def test_samples_that_equal_a_model(files: Path) -> None:
    code, shown, _ = run(files, "--equal", "model 2", "--at", 3, "--json")
    told = json.loads(shown)
    wanted = bs.passk.match(bs.passk.predict(fitted(files), seed=0), "model 2", at=[3])
    assert code == 1 and [row["model"] for row in told["match"]] == wanted["model"].tolist()
    assert [row["reached"] for row in told["match"]] == wanted["reached"].tolist()


def test_people_see_whose_items_and_the_verdict(files: Path) -> None:
    _, shown, _ = run(files, "--new-items", 30)
    assert shown.startswith("pass@k of 30 new items, 90% intervals") and "NOT to be trusted" in shown


@pytest.mark.parametrize(
    ("options", "skills"),
    [(["--prob", 90], True), (["--equal", "gpt"], True), (["--k", 0], True), ([], False)],
)
def test_wrong_input_is_one_line(files: Path, options: list[object], skills: bool) -> None:
    code, shown, said = run(files, *options, skills=skills)
    assert code == 2 and shown == "" and len(said.strip().splitlines()) == 1
