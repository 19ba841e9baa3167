"""`bayes-sloth plan` prints the answers of `bs.plan`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from fits import map_fit
from test_plan import foreseen, predicted
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth.cli import app
from bayes_sloth.plan import allocating, reaching

TARGET = ("target", "--family", "llama-2", "--score", "MMLU=0.7")
SPLIT = ("allocate", "--family", "llama-2", "--flops", "1e23", "--objective", "MMLU")


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a law written by hand stand in for forecasts: what is printed is the point here."""
    monkeypatch.setattr(reaching, "predict", predicted)
    monkeypatch.setattr(allocating, "prospects", foreseen)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    map_fit().save(path)
    return path


def run(verb: str, saved: Path, *arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["plan", verb, str(saved), *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_json_of_a_target_holds_its_curve(saved: Path) -> None:
    code, shown, said = run(TARGET[0], saved, *TARGET[1:], "--prob", 0.8, "--json")
    found = bs.plan.target(map_fit(), "llama-2", "MMLU", 0.7, prob=0.8, seed=0)
    told = json.loads(shown)
    assert code == 1 and said == ""  # a point estimate is not to be trusted as it stands
    assert told["size"] == found.size and told["wanted"] == {"MMLU": 0.7}
    assert told["verdict"] == found.verdict
    assert pd.DataFrame(told["curve"])["prob"].tolist() == pytest.approx(found.curve["prob"].tolist())
    assert len(told["scores"]) == len(found.scores)


def test_csv_of_an_allocation_holds_its_splits(saved: Path) -> None:
    code, shown, said = run(SPLIT[0], saved, *SPLIT[1:], "--csv")
    found = bs.plan.allocate(map_fit(), "llama-2", 1e23, "MMLU", seed=0)
    table = pd.read_csv(io.StringIO(shown))
    assert code == 1 and said == ""
    assert table["regret"].tolist() == pytest.approx(found.choices["regret"].tolist())


def test_people_see_the_answer_first(saved: Path) -> None:
    _, shown, _ = run(SPLIT[0], saved, *SPLIT[1:])
    assert shown.startswith("Allocation: 1e+23 FLOPs for llama-2 (base), for the most MMLU")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*TARGET, "--score", "MMLU"), "--score 'MMLU': give a name and a number"),
        ((*TARGET, "--score", "MMLU=0.8"), "--score names 'MMLU' twice"),
        ((*TARGET, "--prob", "90"), "--prob is 90"),
        ((*TARGET, "--tokens-t", "2", "--budget-flops", "1e24"), "exclude each other"),
        ((*SPLIT, "--objective", "ARC"), "--objective 'MMLU': give a name and a number"),
        (("allocate", "--family", "llama-2", "--flops", "0", "--objective", "MMLU"), "flops is 0.0"),
    ],
)
def test_wrong_input_is_one_line(saved: Path, arguments: tuple[str, ...], message: str) -> None:
    code, shown, said = run(arguments[0], saved, *arguments[1:])
    assert code == 2 and shown == "" and len(said.strip().splitlines()) == 1
    assert message in said
