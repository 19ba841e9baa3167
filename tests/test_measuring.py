"""What to measure next: against closed forms, against brute force, and by following the advice."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fits import BENCHMARKS, compiled_quickly, map_fit
from scipy.special import expit, logit
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth.cli import app
from bayes_sloth.errors import InputError
from bayes_sloth.plan.measuring import measure, reduction
from bayes_sloth.plots import measuring as plots

NEW = {"model": "new", "family": "novel", "params_b": 70.0, "tokens_t": 2.0}
PILOTS = {"model": ["small", "middle"], "family": "novel", "params_b": [1.0, 30.0], "tokens_t": 2.0}
TARGET = "GSM8K"


@cache
def measured(kind: str = "benchmarks") -> pd.DataFrame:
    options: dict[str, Any] = {"candidates": PILOTS} if kind == "pilots" else {}
    with compiled_quickly():
        return measure(map_fit(), NEW, TARGET, seed=0, **options)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_it_finds_what_a_gaussian_leaves(correlation: float) -> None:
    """A fall by chance of four errors: once in ten thousand."""
    z, noise = np.random.default_rng(3).normal(size=(2, 4000))
    y = correlation * z + np.sqrt(1 - correlation**2) * noise
    found = reduction(y, expit(z)[:, None], 0.9, 4000)
    left = np.sqrt(1 - correlation**2)
    assert abs(found["reduction"] - (1 - left)) < 4 * max(found["error"], 0.01)
    assert found["width_after"] == pytest.approx(2 * 1.645 * left, rel=0.06)
    assert found["width_before"] == pytest.approx(2 * 1.645, rel=0.06)


def test_several_scores_of_one_candidate_add_up() -> None:
    z, noise, other = np.random.default_rng(4).normal(size=(3, 4000))
    alone = reduction(z + noise, expit(z)[:, None], 0.9, 4000)
    both = reduction(z + noise, expit(np.column_stack([z, noise])), 0.9, 4000)
    idle = reduction(z + noise, expit(np.column_stack([z, other])), 0.9, 4000)
    assert both["sd_after"] < 0.15 and alone["sd_after"] == pytest.approx(1.0, rel=0.05)
    assert abs(idle["reduction"] - alone["reduction"]) < 0.01  # noise is not followed


def test_the_error_is_the_scatter_over_tables_of_draws() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        z, noise = rng.normal(size=(2, 1000))
        found.append(reduction(z + noise, expit(z)[:, None], 0.9, 1000))
    scatter = np.std([each["reduction"] for each in found])
    # A standard deviation of 40 is right to a ninth; three of these.
    assert np.mean([each["error"] for each in found]) == pytest.approx(scatter, rel=0.35)


def test_the_best_per_cost_comes_first_and_costs_divide() -> None:
    table = measured()
    assert set(table["candidate"]) == {"MMLU", "ARC"} and (table["cost"] == 1).all()
    assert table["reduction_per_cost"].is_monotonic_decreasing
    first = table["candidate"][0]
    with compiled_quickly():
        dear = measure(map_fit(), NEW, TARGET, costs={first: 1000.0}, seed=0)
    assert dear["candidate"].tolist() == table["candidate"].tolist()[::-1]
    at = table.set_index("candidate")["reduction"]
    assert dear.set_index("candidate")["reduction_per_cost"][first] == pytest.approx(at[first] / 1000)
    assert (table["sd_after"] < table["sd_before"]).all() and (
        table["width_after"] < table["width_before"]
    ).all()


def test_a_pilot_nearer_to_the_target_tells_more_and_costs_its_training() -> None:
    table = measured("pilots").set_index("candidate")
    assert table.loc["middle", "reduction"] > table.loc["small", "reduction"]
    assert table["cost"].to_dict() == {"small": 12.0, "middle": 360.0}


def test_following_the_advice_beats_random_choice() -> None:
    """New draws of the model; what was measured is turned into a forecast by the nearest of other draws."""
    with compiled_quickly():
        draws = bs.predict(map_fit(), NEW, seed=77).data["score"].values[0, :, 0]
    logits, target = logit(np.clip(draws, 0.005, 0.995)), draws[:, BENCHMARKS.index(TARGET)]
    truths, others = np.arange(400), np.arange(400, len(draws))
    error = {}
    for name in measured()["candidate"]:
        seen = logits[:, BENCHMARKS.index(name)]
        near = np.argsort(abs(seen[truths][:, None] - seen[others]), axis=1)[:, :40]
        error[name] = (target[truths] - target[others][near].mean(axis=1)) ** 2
    advised = error[measured()["candidate"][0]]
    random = np.mean(list(error.values()), axis=0)
    gain = random - advised
    assert gain.mean() > 2 * gain.std() / np.sqrt(len(truths))


@pytest.mark.parametrize(
    ("model", "target", "options", "message"),
    [
        (PILOTS, TARGET, {}, "2 rows describe the model"),
        (NEW, "GSM9K", {}, "Did you mean 'GSM8K'"),
        (NEW | {"GSM8K": 0.5}, TARGET, {}, "known already"),
        (NEW, TARGET, {"candidates": ["GSM8K"]}, "GSM8K is the target"),
        (NEW, TARGET, {"candidates": ["MMLUX"]}, "unknown benchmark"),
        (NEW | {"MMLU": 0.5, "ARC": 0.5}, TARGET, {}, "nothing is left"),
        (NEW, TARGET, {"costs": {"ARC": 0.0}}, "the cost of ARC is 0"),
        (NEW, TARGET, {"costs": {"ARCH": 1.0}}, "unknown candidate in costs"),
        (NEW, TARGET, {"candidates": {**PILOTS, "tokens_t": None}}, "the cost of small is nan"),
        (NEW, TARGET, {"candidates": {**PILOTS, "model": ["new", "b"]}}, "a name of its own"),
        (NEW, TARGET, {"prob": 1.0}, "prob"),
    ],
)
def test_bad_questions_are_refused(model: Any, target: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure(map_fit(), model, target, seed=0, **options)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measure")
    map_fit().save(folder / "fit.nc")
    pd.DataFrame([NEW]).to_csv(folder / "new.csv", index=False)
    pd.DataFrame([NEW | {"MMLU": 0.6}]).to_csv(folder / "known.csv", index=False)
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    with compiled_quickly():
        done = CliRunner().invoke(app, [*map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_prints_what_measure_returns(files: Path) -> None:
    code, shown, said = run(
        *("plan", "measure", files / "fit.nc", files / "new.csv", "--target", TARGET),
        *("--cost", f"{measured()['candidate'][0]}=1000", "--json"),
    )
    told = json.loads(shown)
    assert code == int(map_fit().report.status) and said == "" and told["target"] == TARGET
    assert [row["candidate"] for row in told["measurements"]] == measured()["candidate"].tolist()[::-1]
    found = {row["candidate"]: row["reduction"] for row in told["measurements"]}
    assert found == pytest.approx(measured().set_index("candidate")["reduction"].to_dict())


def test_a_cost_that_is_no_number_is_refused(files: Path) -> None:
    code, _, said = run(
        "plan", "measure", files / "fit.nc", files / "new.csv", "--target", TARGET, "--cost", "ARC"
    )
    assert code == 2 and "such as MMLU=0.7" in said


def test_the_command_forecasts_what_is_not_known(files: Path) -> None:
    code, shown, _ = run("condition", files / "fit.nc", files / "known.csv", "--json")
    told = json.loads(shown)
    assert code == int(map_fit().report.status) and told["known_scores"] == 1
    assert [row["benchmark"] for row in told["predictions"]] == ["ARC", "GSM8K"]
    with compiled_quickly():
        table = bs.intervals(bs.condition(map_fit(), NEW | {"MMLU": 0.6}, seed=0))
    assert [row["upper"] for row in told["predictions"]] == pytest.approx(table["upper"].tolist()[1:])


def test_pictures_hold_their_tables() -> None:
    table = measured()
    bars = plots.plot_measurements(table).axes[0].patches
    assert [bar.get_width() for bar in bars] == table["reduction_per_cost"].tolist()
    after = pd.DataFrame(
        {
            **{"model": "new", "benchmark": BENCHMARKS, "prob": 0.9, "median": [0.5, 0.6, 0.7]},
            **{"lower": [0.5, 0.5, 0.6], "upper": [0.5, 0.7, 0.8]},
        }
    )
    figure = plots.plot_conditioned(after.assign(lower=0.1, upper=0.9), after)
    before, narrowed, known = figure.axes[0].lines
    assert before.get_xdata().tolist() == [0.5, 0.6, 0.7]
    assert narrowed.get_xdata().tolist() == [0.6, 0.7] and known.get_xdata().tolist() == [0.5]
    figure.savefig(io.BytesIO())
