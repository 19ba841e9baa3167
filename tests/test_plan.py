"""Decisions against brute force over draws of a law written here, and against what has to hold of any law."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import allocation
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import compiled_quickly, map_fit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_tables import needs_paper_data

import bayes_sloth as bs
from bayes_sloth.plan import allocating, reaching
from bayes_sloth.plan.allocations import Allocation, judged, regrets
from bayes_sloth.plan.budgets import Box, affordable_tokens, box_of, splits
from bayes_sloth.plan.monte_carlo import mean_and_error, probability_and_error
from bayes_sloth.plan.prospects import prospects
from bayes_sloth.plan.reaching import refined
from bayes_sloth.plan.targets import Target
from bayes_sloth.plots import planning
from bayes_sloth.prediction import Prediction

BOX = Box((0.16, 72.0), (0.18, 15.0))
CHAINS, DRAWS = 2, 500
DIMS = ("chain", "draw", "model", "benchmark")


@cache
def law() -> dict[str, np.ndarray]:
    """Draw levels, returns to size and to tokens of each benchmark, all returns above zero."""
    rng = np.random.default_rng(0)
    size = (CHAINS, DRAWS, 1, 3)
    return {
        "level": rng.normal([-0.3, -0.1, -1.1], 0.4, size),
        "of_size": rng.gamma(40.0, [0.012, 0.01, 0.015], size),
        "of_tokens": rng.gamma(40.0, [0.01, 0.012, 0.008], size),
        "bend": rng.gamma(9.0, 0.015, size),
    }


def scores_by_hand(params_b: np.ndarray, tokens_t: np.ndarray) -> np.ndarray:
    """Return scores of the law above, dims as `DIMS`: they rise with size and tokens, less and less."""
    drawn = law()
    gains = [
        drawn[name] * (1 - np.exp(-drawn["bend"] * np.log(values)[:, None])) / drawn["bend"]
        for name, values in (("of_size", params_b), ("of_tokens", tokens_t))
    ]
    return 1 / (1 + np.exp(-(drawn["level"] + gains[0] + gains[1])))


def predicted(posterior: bs.Posterior, rows: pd.DataFrame, *, seed: int) -> Prediction:
    """Stand in for a forecast by the law above."""
    place = {name: rows[name].to_numpy(dtype=float) for name in ("params_b", "tokens_t")}
    expected = scores_by_hand(**place)
    noise = 0.02 * np.random.default_rng(seed).normal(size=expected.shape)
    labels = {"model": list(rows["model"]), "benchmark": list(posterior.scores.benchmarks)}
    labels |= {name: ("model", values) for name, values in place.items()}
    return Prediction(xr.Dataset({"expected": (DIMS, expected), "score": (DIMS, expected + noise)}, labels))


def foreseen(posterior: bs.Posterior, rows: pd.DataFrame, *, seed: int) -> xr.Dataset:
    """Stand in for prospects by the law above."""
    return predicted(posterior, rows, seed=seed).data[["expected"]]


# --- what sizes and tokens cost ---


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    flops=st.floats(21.5, 24.5),
    used=st.sampled_from([0.0, 0.5]),
    steps=st.integers(2, 40),
)
def test_every_split_costs_the_budget(flops: float, used: float, steps: int) -> None:
    ways = splits(BOX, 10**flops, used, steps)
    spent = 6e21 * ways["params_b"] * ways["tokens_t"] + 2e21 * ways["params_b"] * used
    np.testing.assert_allclose(spent, 10**flops, rtol=1e-9)
    np.testing.assert_array_equal(BOX.holds(ways["params_b"], ways["tokens_t"]), ~ways["extrapolates"])
    assert (np.diff(ways["params_b"]) > 0).all() and (ways["tokens_t"] > 0).all()
    assert BOX.wider().holds(ways["params_b"], ways["tokens_t"]).all()


def test_the_corner_of_the_range_is_one_split() -> None:
    ways = splits(BOX, 6e21 * 72 * 15, 0.0, 9)
    assert ways[~ways["extrapolates"]][["params_b", "tokens_t"]].values.tolist() == [[72.0, 15.0]]


@pytest.mark.parametrize("flops", [1e20, 1e26])
def test_a_budget_for_nothing_in_the_range_is_refused(flops: float) -> None:
    with pytest.raises(bs.InputError, match=r"FLOPs buy no model inside .* from 1.73e\+20 to 6.48e\+24"):
        splits(BOX, flops, 0.0, 9)


def test_use_is_paid_before_training() -> None:
    assert affordable_tokens(6e23, 10.0, 3.0) == pytest.approx(9.0)
    assert box_of(map_fit().scores).sizes[1] == 180.0


# --- how exact averages are ---


def test_monte_carlo_errors_are_those_of_many_runs() -> None:
    """Of autocorrelated draws too; the ratio of 400 runs' spread to the error claimed is 1 within 15%."""
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(2, 250, 400))
    walk = np.empty_like(steps)
    walk[:, 0] = steps[:, 0] / np.sqrt(1 - 0.6**2)
    for place in range(1, 250):
        walk[:, place] = 0.6 * walk[:, place - 1] + steps[:, place]
    mean, error = mean_and_error(walk)
    # The spread of 400 means is known within 3.5%, the mean of estimated errors better than that.
    assert mean.std() / error.mean() == pytest.approx(1.0, abs=0.15)


def test_what_never_happens_is_not_certain() -> None:
    prob, error = probability_and_error(np.zeros((2, 50, 1), dtype=bool))
    assert prob[0] == 0 and 0 < error[0] < 0.01


# --- reaching a target ---


@cache
def reached(benchmark: object = "MMLU", score: float | None = 0.7, **options: object) -> Target:
    goals = dict(benchmark) if isinstance(benchmark, tuple) else benchmark
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reaching, "predict", predicted)
        return bs.plan.target(map_fit(), "llama-2", goals, score, seed=0, **options)


@pytest.mark.parametrize(
    "options", [{}, {"tokens_t": 1.2}, {"tokens_per_param": 200.0}, {"budget_flops": 1e23}]
)
def test_the_curve_is_the_share_of_draws_that_reach(options: dict[str, float]) -> None:
    found = reached(kind="expected", **options)
    curve = found.curve
    draws = scores_by_hand(curve["params_b"].to_numpy(), curve["tokens_t"].to_numpy())
    np.testing.assert_allclose(curve["prob"], (draws[..., 0] >= 0.7).mean(axis=(0, 1)))
    wanted = {
        "tokens_t": np.full(len(curve), options.get("tokens_t", 2.0)),  # the largest llama-2 has 2
        "tokens_per_param": 0.2 * curve["params_b"],
        "budget_flops": 1e23 / 6e21 / curve["params_b"],
    }[next(iter(options), "tokens_t")]
    np.testing.assert_allclose(curve["tokens_t"], wanted)
    np.testing.assert_allclose(curve["flops"], 6e21 * curve["params_b"] * curve["tokens_t"])
    inside = curve[box_of(map_fit().scores).holds(curve["params_b"], curve["tokens_t"])]
    hit = inside["params_b"][inside["prob"] >= 0.9]
    assert found.size == (hit.iloc[0] if len(hit) else None)


def test_more_size_never_lowers_the_probability_where_the_law_only_rises() -> None:
    assert (np.diff(reached(kind="expected").curve["prob"]) >= 0).all()


def test_the_answer_is_as_fine_as_a_twentieth() -> None:
    found = reached(kind="expected", prob=0.8)
    sizes = found.curve["params_b"].to_numpy()
    place = int(np.flatnonzero(sizes == found.size)[0])
    assert found.curve["prob"][place - 1] < 0.8 <= found.curve["prob"][place]
    assert sizes[place] / sizes[place - 1] < 1.06
    low, high = found.between
    assert low is not None and high is not None and low <= found.size <= high  # type: ignore[operator]


def test_several_benchmarks_together_are_no_likelier_than_each_and_not_independent() -> None:
    found = reached((("MMLU", 0.7), ("ARC", 0.65)), None, kind="expected")
    each = found.scores.pivot(index="params_b", columns="benchmark", values="prob")
    joint = found.curve.set_index("params_b")["prob"]
    assert (joint <= each.min(axis=1) + 1e-12).all()
    draws = scores_by_hand(found.curve["params_b"].to_numpy(), found.curve["tokens_t"].to_numpy())
    both = (draws[..., 0] >= 0.7) & (draws[..., 1] >= 0.65)
    np.testing.assert_allclose(joint, both.mean(axis=(0, 1)))


def test_out_of_reach_is_said() -> None:
    found = reached(score=0.995)
    assert found.size is None and found.between == (None, None)
    assert "not reachable within the data's range" in repr(found) and "at most P" in repr(found)


def test_what_is_reached_outside_the_range_only_is_not_an_answer() -> None:
    found = reached(score=0.5, tokens_t=40.0)  # the table knows no model with so many
    assert found.curve["extrapolates"].all() and found.size is None
    assert "no size asked about is inside it" in found.verdict and "extrapolated," in found.verdict


def test_a_sure_target_needs_a_larger_model() -> None:
    sizes = [reached(kind="expected", prob=prob).size for prob in (0.5, 0.8, 0.95)]
    assert None not in sizes and sizes == sorted(sizes) and len(set(sizes)) == 3  # type: ignore[type-var]


def test_nothing_is_refined_where_the_first_size_reaches() -> None:
    sizes = np.array([1.0, 2.0])
    assert (
        refined(sizes, np.array([True, True])).tolist()
        == refined(sizes, np.zeros(2, bool)).tolist()
        == [1, 2]
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("MMLU",), {}, "give a benchmark and a score"),
        (({"MMLU": 0.5}, 0.5), {}, "give a benchmark and a score"),
        (({},), {}, "no benchmark is given"),
        (("MMLUU", 0.5), {}, "Did you mean 'MMLU'"),
        (("MMLU", 70), {}, "the score of 'MMLU' is 70: give a share"),
        (("MMLU", "70%"), {}, "the score of 'MMLU' is '70%': give a share"),
        (({"MMLU": None},), {}, "the score of 'MMLU' is None"),
        ((["MMLU"],), {}, "goals are a list"),
        (("MMLU", 0.5), {"tokens_t": "15"}, "tokens_t is '15': give a number above zero"),
        (("MMLU", 0.5), {"prob": 90}, "prob is 90"),
        (("MMLU", 0.5), {"instruct": "yes"}, "instruct is 'yes': give True or False"),
        (("MMLU", 0.5), {"kind": "observed"}, "unknown kind 'observed'"),
        (
            ("MMLU", 0.5),
            {"tokens_t": 2, "budget_flops": 1e24},
            "tokens_t and budget_flops exclude",
        ),
        (("MMLU", 0.5), {"tokens_per_param": -20}, "tokens_per_param is -20: give a number above zero"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(
    arguments: tuple[object, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(bs.InputError, match=message):
        bs.plan.target(map_fit(), "llama-2", *arguments, seed=0, **options)


def test_a_family_of_unknown_tokens_has_to_be_given_some() -> None:
    with pytest.raises(bs.InputError, match="tokens of family 'mixtral' are not known: give tokens_t"):
        bs.plan.target(map_fit(), "mixtral", "MMLU", 0.5, seed=0)


# --- spending a budget ---


@cache
def spent(objective: object = "MMLU", flops: float = 1e23, **options: object) -> Allocation:
    aim = dict(objective) if isinstance(objective, tuple) else objective
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocating, "prospects", foreseen)
        return bs.plan.allocate(map_fit(), "llama-2", flops, aim, seed=0, **options)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    peak=st.floats(-2.5, 4.5),
    width=st.floats(0.1, 5.0),
    steps=st.integers(2, 30),
    flops=st.floats(21.5, 24.5),
)
def test_regret_is_zero_at_the_optimum_and_grows_away_from_it(
    peak: float, width: float, steps: int, flops: float
) -> None:
    """For any objective with a single peak in log size, inside the range or at its end."""
    ways = splits(BOX, 10**flops, 0.0, steps)
    values = -np.abs((np.log(ways["params_b"].to_numpy()) - peak) / width)[None, None]
    inside = ~ways["extrapolates"].to_numpy()
    regret = regrets(values, inside)[0, 0][inside]
    best = int(np.argmin(regret))
    assert regret[best] == 0
    assert (np.diff(regret[best:]) >= 0).all() and (np.diff(regret[: best + 1]) <= 0).all()
    told = judged(values, ways, 0.9)["choices"]
    assert told["best"].sum() == pytest.approx(1) and told["regret"][inside].min() == 0


@pytest.mark.parametrize("used", [None, 2.0])
def test_regrets_and_optimum_are_those_of_brute_force(used: float | None) -> None:
    found = spent((("MMLU", 2.0), ("GSM8K", 1.0)), inference_tokens_t=used)
    table = found.choices
    draws = scores_by_hand(table["params_b"].to_numpy(), table["tokens_t"].to_numpy())
    aim = (2 * draws[..., 0] + draws[..., 2]) / 3
    inside = np.flatnonzero(~table["extrapolates"])
    short, winners = np.zeros(len(table)), []
    for chain, draw in np.ndindex(CHAINS, DRAWS):
        best = max(inside, key=lambda place: aim[chain, draw, place])
        winners.append(table["params_b"][best])
        short += aim[chain, draw, best] - aim[chain, draw]
    np.testing.assert_allclose(table["regret"], short / (CHAINS * DRAWS), atol=1e-12)
    chosen = inside[np.argmin(short[inside])]
    assert found.params_b == table["params_b"][chosen]
    assert found.optimum["median"][0] == pytest.approx(np.median(winners))
    spent_flops = 6e21 * found.params_b * (found.tokens_t + (used or 0.0) / 3)
    assert spent_flops == pytest.approx(1e23)


def test_use_that_costs_makes_models_smaller() -> None:
    without, much = spent(flops=1e24), spent(flops=1e24, inference_tokens_t=20.0)
    assert much.params_b < without.params_b


def test_leaving_the_range_is_worth_what_brute_force_says() -> None:
    found = spent(flops=2e24)
    row = found.beyond.iloc[0]
    where = [np.array([found.params_b, row["params_b"]]), np.array([found.tokens_t, row["tokens_t"]])]
    draws = scores_by_hand(*where)[..., 0]
    gain = draws[..., 1] - draws[..., 0]
    assert row["gain"] == pytest.approx(gain.mean()) and row["better"] == pytest.approx((gain > 0).mean())
    assert not box_of(map_fit().scores).holds(row["params_b"], row["tokens_t"])


def test_a_weighted_objective_does_not_depend_on_the_scale_of_weights() -> None:
    one, ten = (spent((("MMLU", 2.0 * k), ("ARC", 1.0 * k))) for k in (1, 10))
    pd.testing.assert_frame_equal(one.choices, ten.choices)


@pytest.mark.parametrize(
    ("flops", "objective", "options", "message"),
    [
        (-1.0, "MMLU", {}, "flops is -1.0: give the budget"),
        ("1e24", "MMLU", {}, "flops is '1e24': give the budget"),
        (1e23, ["MMLU"], {}, "the objective is a list"),
        (1e23, {"MMLU": "2"}, {}, "the weight of 'MMLU' is '2'"),
        (1e30, "MMLU", {}, r"1e\+30 FLOPs buy no model"),
        (1e23, {"MMLU": -1.0}, {}, "the weight of 'MMLU' is -1.0"),
        (1e23, {"MMLUU": 1.0}, {}, "Did you mean 'MMLU'"),
        (1e23, {}, {}, "no weight above zero"),
        (1e23, "MMLU", {"inference_tokens_t": -3}, "inference_tokens_t is -3"),
        (1e23, "MMLU", {"prob": 0}, "prob is 0"),
        (1e23, "MMLU", {"instruct": "no"}, "instruct is 'no': give True or False"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    flops: float, objective: object, options: dict[str, object], message: str
) -> None:
    with pytest.raises(bs.InputError, match=message):
        bs.plan.allocate(map_fit(), "llama-2", flops, objective, seed=0, **options)


@pytest.mark.parametrize("verb", ["target", "allocate", "measure"])
def test_a_path_in_place_of_a_fit_is_refused(verb: str) -> None:
    arguments = {
        "target": ("llama-2", "MMLU", 0.5),
        "allocate": ("llama-2", 1e23, "MMLU"),
        "measure": ({}, "MMLU"),
    }
    with pytest.raises(
        bs.InputError, match=f"{verb}: a str was given for a fit: pass what bs.fit or bs.load"
    ):
        getattr(bs.plan, verb)("fit.nc", *arguments[verb], seed=0)


def test_a_whole_number_is_a_budget_too() -> None:
    pd.testing.assert_frame_equal(spent(flops=10**23).choices, spent(flops=1e23).choices)


def test_luck_of_single_models_is_no_part_of_prospects() -> None:
    """Twins are alike in every draw; elsewhere skills are those of the law at the mode, by plain NumPy."""
    fit = map_fit()
    rows = {"model": ["a", "b", "c"], "family": "llama-2", "params_b": [30.0, 30.0, 60.0], "tokens_t": 2.0}
    with compiled_quickly():
        seen = prospects(fit, pd.DataFrame(rows), seed=0)
    skill = seen["skill"].values[0]
    np.testing.assert_allclose(skill[:, 0], skill[:, 1], atol=1e-6)
    np.testing.assert_allclose(seen["expected"].values[0, :, 0], seen["expected"].values[0, :, 1], atol=1e-6)
    assert (np.abs(skill[:, 2] - skill[:, 0]).std(axis=0) > 0).all()  # how the family goes on is not known


@pytest.mark.filterwarnings("ignore:a point estimate")
def test_a_skill_is_an_objective_in_its_own_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Z = (theta - mean) M, of skills that are handed over."""
    fit = map_fit()
    found = bs.skills(fit, rotation="none")
    theta = np.random.default_rng(0).normal(size=(1, 7, 1, len(found.names)))

    def seen(posterior: bs.Posterior, rows: pd.DataFrame, *, seed: int) -> xr.Dataset:
        growth = np.log(rows["params_b"].to_numpy())[:, None] * np.arange(1, len(found.names) + 1)
        return xr.Dataset({"skill": (("chain", "draw", "model", "skill"), theta + growth)})

    monkeypatch.setattr(allocating, "prospects", seen)
    told = bs.plan.allocate(fit, "llama-2", 1e23, found.names[1], skills=found, seed=0)
    centre = fit.data["posterior"]["model_skill"].values.mean(axis=2)[0, 0]
    turn = found.data["to_skills"].values[0, 0]
    whole = theta[0] + np.log(told.choices["params_b"].to_numpy())[:, None] * np.arange(
        1, len(found.names) + 1
    )
    np.testing.assert_allclose(told.choices["median"], np.median(((whole - centre) @ turn)[..., 1], axis=0))
    assert "skill" in told.objective
    with pytest.raises(bs.InputError, match="skills are of another fit"):
        bs.plan.allocate(replace(fit), "llama-2", 1e23, "MMLU", skills=found, seed=0)


@needs_paper_data
@pytest.mark.slow  # a published law is trained to its end
def test_the_papers_compute_optimal_models_come_out_of_a_refit() -> None:
    """To the digits that were published."""
    scores = allocation.basic_table()
    found = allocation.reproduced(scores, box_of(scores)).set_index(["flops", "skill"])
    assert len(found) == 12
    for (flops, skill), row in found.iterrows():  # type: ignore[misc]
        wanted = allocation.TABLE[flops][skill]
        assert (row["basic_b"], row["basic_t"]) == pytest.approx(wanted, rel=0.005)


# --- pictures ---


def test_the_picture_of_a_target_shows_its_curve() -> None:
    found = reached((("MMLU", 0.7), ("ARC", 0.65)), None, kind="expected")
    figure = planning.plot_target(found)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["all together"].get_ydata(), found.curve["prob"])
    assert len(figure.axes) == 3 and "0.9 wanted" in lines
    figure.canvas.draw()


def test_the_picture_of_an_allocation_shows_regrets() -> None:
    found = spent()
    figure = planning.plot_allocation(found)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), found.choices["regret"])
    figure.canvas.draw()


def test_answers_say_themselves_in_a_few_lines() -> None:
    for found in (reached(), spent()):
        assert len(repr(found).splitlines()) <= 12 and "llama-2 (base)" in repr(found)
