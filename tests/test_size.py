"""What the benchmark of sizes makes of its tables: which scores, which slope, which picture."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import size
from fits import compiled_quickly, ideal_fit
from paper_tables import needs_paper_data

from bayes_sloth import running
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.expectation import expected_scores


def law(power: float) -> pd.DataFrame:
    """Return tables whose costs follow a power of their scores, and a real one that does not."""
    scores = np.array([600, 1800, 6000, 18000])
    costs = {size.PER_DRAW: 1e-4 * scores**power, size.MEMORY: 900.0 + 0.01 * scores}
    made = pd.DataFrame({"table": ["a", "b", "c", "d"], "benchmarks": 12, size.SCORES: scores, **costs})
    real = {
        "table": size.AUTHORS,
        "benchmarks": 106,
        size.SCORES: 9000,
        size.PER_DRAW: 50.0,
        size.MEMORY: 1.0,
    }
    return pd.concat([made, pd.DataFrame([real])], ignore_index=True)


@pytest.mark.parametrize("power", [0.8, 1.0, 2.0])
def test_the_slope_is_the_power_and_leaves_the_real_table_out(power: float) -> None:
    assert size.slope(law(power), size.PER_DRAW) == pytest.approx(power)
    assert np.isnan(size.slope(law(power).tail(2), size.PER_DRAW))


def test_half_of_the_scores_are_missing_and_every_model_has_one() -> None:
    """The share of 400 scores lies 4.5 standard deviations around a half; by chance once in 100,000."""
    with compiled_quickly():
        scores = size.scores_of("100x4")
    assert len(scores.benchmarks) == 4 and 90 <= len(scores.models) <= 100
    assert abs(scores.observed.sum() - 200) < 45 and scores.observed.any(axis=1).all()


def test_a_small_table_is_part_of_a_larger_one() -> None:
    with compiled_quickly():
        small, large = size.scores_of("100x4"), size.scores_of("200x4")
    part = large.select(models=small.models)
    assert len(large.models) > len(small.models) and small.digest == part.digest


@needs_paper_data
def test_the_authors_table_comes_with_its_subtasks() -> None:
    scores = size.authors_scores()
    assert len(scores.models) == 188 and len(scores.benchmarks) >= 106
    assert scores.observed.sum(axis=0).min() >= size.LEAST_SCORES
    assert "hendrycksTest-virology" in scores.benchmarks and "FLOPs (1E21)" not in scores.benchmarks


def test_effective_draws_are_those_of_observed_cells() -> None:
    """The sample takes every cell of a small table."""
    fit = ideal_fit()
    expected = expected_scores(fit.data, fit.spec)[:, :, fit.scores.observed]
    assert size.effective(fit) == pytest.approx(float(np.median(diagnose(expected)["ess_bulk"])))


def test_a_meter_adds_up_seconds_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = SimpleNamespace(n_steps=np.array([[3, 4, 0]]))
    monkeypatch.setattr(running, "_stepped", lambda *_: ("state", taken))
    module = SimpleNamespace(work=lambda x: 2 * x)
    meter = size.Meter()
    meter.watch(module, "work")
    meter.count_steps()
    assert [module.work(3), module.work(4)] == [6, 8]
    assert meter.clock["work"] >= 0 and meter.cores["work"] >= 0
    assert running._stepped(None, None, 2, 1) == ("state", taken)
    running._stepped(None, None, 0, 1)  # only compiles
    assert meter.steps == 7


def test_memory_is_told_where_the_system_tells_it() -> None:
    assert size.peak() > 50 if os.path.exists("/proc/self/status") else np.isnan(size.peak())


def test_the_picture_has_both_costs_with_their_units() -> None:
    left, right = size.draw(law(1.0)).axes
    assert (left.get_xlabel(), left.get_ylabel()) == (
        "observed scores",
        "seconds of one core for an effective draw",
    )
    assert right.get_ylabel() == "largest memory (MB)" and left.get_title() == "slope 1.00"
    assert {panel.get_xscale() for panel in (left, right)} == {"log"}


def test_tables_are_chosen_by_name() -> None:
    assert size.names_of(size.options_of(["--only", "100x12,authors"])) == ["100x12", "authors"]
    assert size.names_of(size.options_of(["--quick"])) == ["100x12"]
    assert set(size.names_of(size.options_of([]))) >= set(size.SIZES)


def test_every_table_is_measured_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Seed, length and single steps reach the processes that fit, and the table is kept as it grows."""
    asked: list[tuple[str, argparse.Namespace]] = []
    rows = law(1.0).to_dict("records")

    def measured(name: str, settings: list[str]) -> dict[str, Any]:
        asked.append((name, size.options_of(settings)))
        return rows[len(asked) - 1] | {"table": name, size.GRADIENT: 1e-3}

    monkeypatch.setattr(size, "measured", measured)
    place = tmp_path / "sizes.csv"
    told = ["--only", "100x12,300x12", "--seed", "3", "--draws", "20", "--one-step", "--csv", str(place)]
    monkeypatch.setattr("sys.argv", ["size.py", *told])
    size.main()
    assert [name for name, _ in asked] == ["100x12", "300x12"]
    for _, options in asked:
        assert (options.seed, options.draws, options.chains, options.one_step) == (3, 20, 2, True)
    assert pd.read_csv(place)["table"].tolist() == ["100x12", "300x12"]
