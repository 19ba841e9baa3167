"""Ranks are even when draws and truth share a law, and not otherwise; batches are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from oracles import plain_table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.calibration import batches
from bayes_sloth.calibration.batches import Plan, all_ranked
from bayes_sloth.calibration.fits import Ranked, Sampled, ranked
from bayes_sloth.calibration.simulate import drawn_scores, drawn_sites, quantities, uncensored
from bayes_sloth.calibration.verdict import Calibration, _even, judged
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitStatus, InputError
from bayes_sloth.observation import MARGIN, BetaScore, NormalScore, StudentTScore
from bayes_sloth.refitting import Length
from bayes_sloth.simulation import draws

SPEC = bs.ModelSpec(skills=1, anchors=("exam 0",))
NONE = np.zeros((1, 1), dtype=bool)


def verdict_on(values: np.ndarray, **options: Any) -> Calibration:
    """Judge the ranks of one quantity, a row a table, all fits converged."""
    dims = ("chain", "draw", *(f"place_{i}" for i in range(values.ndim - 1)))
    return judged(xr.Dataset({"x": (dims, values[None])}), np.ones(len(values), dtype=bool), **options)


def walks(rng: np.random.Generator, correlation: float, draws: int, count: int) -> np.ndarray:
    """Draw stationary autoregressive chains of standard normals, dims (chain, draw, element)."""
    values = rng.standard_normal((2, draws, count))
    for i in range(1, draws):
        values[:, i] = correlation * values[:, i - 1] + np.sqrt(1 - correlation**2) * values[:, i]
    return values


def ranks_among(rng: np.random.Generator, truth: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = Sampled({"x": truth}, {"x": values}, np.zeros(values.shape[:2], dtype=bool))
    return ranked(found, NONE, rng).rank["x"]


def test_ranks_among_correlated_draws_are_uniform() -> None:
    """Thinned to the effective draws; among all draws of the same chains they are not."""
    rng = np.random.default_rng(0)
    values, truth = walks(rng, 0.95, 200, 2000), rng.standard_normal(2000)
    thinned, raw = ranks_among(rng, truth, values), (values < truth).mean(axis=(0, 1))
    assert stats.kstest(thinned, "uniform").pvalue > 1e-3
    assert stats.kstest(np.abs(2 * thinned - 1), "uniform").pvalue > 1e-3
    assert stats.kstest(np.abs(2 * raw - 1), "uniform").pvalue < 1e-3


def test_ties_are_spread() -> None:
    """Truth and draws are counts of 0, 1 and 2."""
    rng = np.random.default_rng(1)
    values, truth = rng.integers(0, 3, (2, 50, 500)).astype(float), rng.integers(0, 3, 500).astype(float)
    assert stats.kstest(ranks_among(rng, truth, values), "uniform").pvalue > 1e-3


def test_only_predictions_of_holes_and_what_moves_are_ranked() -> None:
    rng = np.random.default_rng(2)
    values = {"fixed": np.ones((2, 50, 1)), "predicted": rng.standard_normal((2, 50, 1, 2))}
    truth = {"fixed": np.ones(1), "predicted": np.zeros((1, 2))}
    found = ranked(Sampled(truth, values, np.zeros((2, 50))), np.array([[True, False]]), rng)
    assert np.isnan(found.rank["fixed"]).all()
    assert np.isnan(found.rank["predicted"]).tolist() == [[True, False]]


def test_chains_that_disagree_are_seen() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((2, 100, 1)) + np.array([0.0, 5.0])[:, None, None]
    found = ranked(Sampled({"x": np.zeros(1)}, {"x": values}, np.zeros((2, 100))), NONE, rng)
    assert found.r_hat > 1.5


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Of 300 uniform samples no more alarm at a rate of 10% than chance allows, once in a thousand seeds."""
    rng = np.random.default_rng(0)
    found = (verdict_on(rng.random((60, 4)), false_alarm=0.1) for _ in range(300))
    alarms = sum(one.status is FitStatus.NOT_TRUSTED for one in found)
    assert stats.binomtest(alarms, 300, 0.1, alternative="greater").pvalue > 1e-3
    assert alarms > 0


@pytest.mark.parametrize(
    ("rank", "words"),
    [
        (lambda u: u**2, "draws too high"),
        (lambda u: u**0.5, "draws too low"),
        (lambda u: stats.beta(0.4, 0.4).ppf(u), "intervals too narrow"),
        (lambda u: stats.beta(3, 3).ppf(u), "intervals too wide"),
    ],
)
def test_uneven_ranks_are_named(rank: Any, words: str) -> None:
    values = np.random.default_rng(0).random((200, 3))
    values[:, 1] = rank(values[:, 1])
    found = verdict_on(values)
    assert found.status is FitStatus.NOT_TRUSTED
    assert found.table.loc[0, ["where", "verdict"]].tolist() == ["1", words]
    assert f"x (1): {words}" in found.verdict and len(repr(found).splitlines()) <= 12


def test_coverage_is_the_share_of_intervals_that_hold_the_truth() -> None:
    values = (np.arange(1000) + 0.5) / 1000
    row = verdict_on(values).table.iloc[0]
    names = ["cover_50", "cover_80", "cover_90", "cover_95"]
    assert row[names].tolist() == pytest.approx([0.5, 0.8, 0.9, 0.95], abs=2e-3)


def test_fits_that_have_not_converged_are_left_out_and_too_many_are_told() -> None:
    values = np.random.default_rng(0).random(100)
    ranks = xr.Dataset({"x": (("chain", "draw"), values[None])})
    few, many, all_of_them = (judged(ranks, np.arange(100) >= poor) for poor in (5, 20, 100))
    assert few.status is FitStatus.FINE and "95 tables (5 more left out" in few.verdict
    assert many.status is FitStatus.NOT_TRUSTED and "fit longer" in many.verdict.lower()
    assert all_of_them.status is FitStatus.NOT_TRUSTED and all_of_them.table.empty


def test_plots_show_the_least_even_elements() -> None:
    values = np.random.default_rng(0).random((60, 20))
    values[:, 7] **= 3
    found = verdict_on(values)
    panels = found.plot(backend="none").viz["plot"]
    assert len(panels.data_vars) == 12 and next(iter(panels.data_vars)) == "x[7]"
    assert found.plot("x", coverage=True) is not None
    with pytest.raises(InputError, match="unknown quantity 'y'"):
        found.plot("y")


@pytest.mark.parametrize(
    ("law", "cumulative"),
    [
        (StudentTScore(jnp.full(2000, 0.9), 0.04, 4.0), stats.t(4, 0.9, 0.2).cdf),
        (NormalScore(jnp.full(2000, 0.1), 0.04), stats.norm(0.1, 0.2).cdf),
        (BetaScore(jnp.full(2000, 0.5), 0.12), None),
    ],
)
def test_scores_follow_the_density_beyond_its_ends(law: Any, cumulative: Any) -> None:
    values = np.asarray(uncensored(law, jax.random.key(0)))
    if cumulative is None:
        own = stats.beta(float(law.concentration1[0]), float(law.concentration0[0]))
        cumulative = lambda y: own.cdf((y + MARGIN) / (1 + 2 * MARGIN))  # noqa: E731
    assert stats.kstest(values, cumulative).pvalue > 1e-3
    assert (values < 0).any() or (values > 1).any()


def test_p_values_are_those_of_scipy() -> None:
    values = np.random.default_rng(5).random(80) ** 1.2
    assert _even(values) == pytest.approx(stats.kstest(values, "uniform").pvalue)


def test_quantities_are_those_of_the_simulation() -> None:
    design, key = design_of(plain_table(), ("exam 0",)), jax.random.key(4)

    @jax.jit
    def found() -> Any:
        sites = drawn_sites(design, SPEC, key)
        return quantities(design, SPEC, sites, key), drawn_scores(design, SPEC, sites, key)

    named, score = found()
    assert {"expected", "predicted", "log_likelihood", "loading", "tail"} <= set(named)
    for name, values in draws(design, SPEC, key[None]).items():
        if name in named:
            np.testing.assert_allclose(named[name], values[0], atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(score, named["predicted"])  # one law, one key


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Make fits cost nothing: standard normals, and a record of how many there were."""
    fitted: list[int] = []

    def normals(plan: Plan, tables: Any, keys: Any, count: int, compiled: bool) -> Iterator[Sampled]:
        for i in range(count):
            fitted.append(i)
            rng = np.random.default_rng([plan.seed, i])
            yield Sampled(
                {"x": rng.standard_normal(2)}, {"x": rng.standard_normal((2, 50, 2))}, np.zeros((2, 50))
            )

    def simulator(design: Any, spec: Any, keys: Any) -> Any:
        return {"score": np.zeros((len(keys), 2))}

    monkeypatch.setattr(batches, "_sampled", normals)
    design = design_of(plain_table(), ("exam 0",))
    found = Plan(design, SPEC, simulator, Length(2, 10, 50), 0)
    object.__setattr__(found, "fitted", fitted)
    return found


def ranks_of(plan: Plan, n: int, folder: Path | None) -> list[Ranked]:
    return [one for batch in all_ranked(plan, n, folder, lambda done: None) for one in batch]


def test_a_run_goes_on_where_it_stopped(plan: Any, tmp_path: Path) -> None:
    folder = tmp_path / "ranks"
    whole = ranks_of(plan, 40, None)
    run = all_ranked(plan, 40, folder, lambda done: None)
    next(run), run.close()
    plan.fitted.clear()
    again = ranks_of(plan, 40, folder)
    assert len(plan.fitted) == 24
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one.rank["x"], other.rank["x"])
        assert one[1:] == other[1:]
    plan.fitted.clear()
    ranks_of(plan, 40, folder)
    assert not plan.fitted and len(list(folder.iterdir())) == 3


def test_a_damaged_batch_is_fitted_again_and_another_run_is_not_mixed_in(plan: Any, tmp_path: Path) -> None:
    ranks_of(plan, 20, tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"half a file")
    plan.fitted.clear()
    ranks_of(plan, 20, tmp_path)
    assert len(plan.fitted) in (4, 16)  # whichever batch was damaged
    others = [
        Plan(plan.design, plan.spec, plan.simulator, plan.length, 1),
        Plan(plan.design, plan.spec, plan.simulator, Length(2, 11, 50), 0),
        Plan(plan.design, bs.ModelSpec(skills=1, anchors=("exam 1",)), plan.simulator, plan.length, 0),
    ]
    tables = {"score": np.zeros((16, 2))}
    assert len({one.digest(tables) for one in (plan, *others)}) == 4
    assert plan.digest(tables) != plan.digest({"score": np.ones((16, 2))})


def test_a_folder_that_cannot_be_is_told_at_once(plan: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another folder"):
        ranks_of(plan, 20, tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 19}, "n is 19: give a whole number from 20 up"),
        ({"n": True}, "n is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "below 4294967296"),
        ({"length": Length(0, 10, 10)}, "chains is 0"),
        ({"table": "scores.csv"}, "the layout is a str: give Scores"),
        ({"spec": bs.ModelSpec(skills=9)}, "9 skills cannot be told apart"),
        ({"spec": bs.ModelSpec(skills=1, anchors=("Z",))}, "unknown anchor 'Z'"),
        ({"false_alarm": 1.0}, "false_alarm is 1.0: give a probability"),
    ],
)
def test_bad_input_is_told(change: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"spec": SPEC, "table": plain_table(), "n": 20, "seed": 0}
    with pytest.raises(InputError, match=message):
        bs.calibrate(**(usual | change))
