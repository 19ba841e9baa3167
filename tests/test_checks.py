"""Checks beyond convergence: right posteriors pass at a stated rate, those made wrong are caught."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_base import from_dict
from arviz_stats import loo
from fits import compiled_quickly, ideal_fit, table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.benchmark_curve import scores_at
from bayes_sloth.checking import CHECKS
from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.checks.identification import check_identification
from bayes_sloth.checks.influence import check_influence
from bayes_sloth.checks.leaving_out import leave_out, smoothed
from bayes_sloth.checks.predictive import check_left_out, check_predictive
from bayes_sloth.checks.prior import judge_prior, prior_predictive
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitStatus
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.observation import LIKELIHOODS, score_law
from bayes_sloth.plots.checks import plot_finding
from bayes_sloth.posterior import FitReport, observed_groups
from bayes_sloth.simulation import Simulation
from bayes_sloth.simulation.blank import draws

SPEC = bs.ModelSpec(skills=2)
SHAPE = (4, 50)
TABLES = 20


@cache
def simulations() -> tuple[Simulation, ...]:
    """Draw tables of one layout by one program."""
    with compiled_quickly():
        first = bs.simulate(SPEC, families=12, models_per_family=3, benchmarks=5, seed=0)
        found = draws(first.design, first.spec, jax.random.split(jax.random.key(0), TABLES))
    return tuple(one_of(first, {name: np.asarray(v[i]) for name, v in found.items()}) for i in range(TABLES))


def one_of(first: Simulation, values: dict[str, np.ndarray]) -> Simulation:
    data, truth = first.scores.data.copy(), first.truth
    data["score"] = (("model", "benchmark"), values["score"])
    truth = xr.Dataset({n: (v.dims, values[str(n)]) for n, v in truth.data_vars.items()}, coords=truth.coords)
    return replace(first, truth=truth, scores=replace(first.scores, data=data))


def simulated(seed: int) -> Simulation:
    return simulations()[seed]


def case_of(simulation: Simulation, **changed: np.ndarray | float) -> Case:
    """Return draws that all but equal the truth, times `changed`: what very many other data would leave."""
    rng = np.random.default_rng(0)
    drawn = {}
    for name, value in simulation.truth.data_vars.items():
        noise = 1 + 0.01 * rng.standard_normal((*SHAPE, *value.shape))
        drawn[str(name)] = (
            ("chain", "draw", *value.dims),
            value.values * noise * changed.get(str(name), 1.0),
        )
    posterior = xr.Dataset(drawn, coords=simulation.truth.coords)
    expected = simulation.truth["expected"].values * changed.get("expected", 1.0)
    tree = xr.DataTree.from_dict(
        {"/posterior": posterior.drop_vars("expected")}
        | {f"/{name}": group for name, group in observed_groups(simulation.scores).items()}
    )
    fit = bs.Posterior(tree, simulation.spec, FitReport("hmc", 0, FitStatus.FINE, (), 1.0, {}, ""))
    return Case(fit, np.broadcast_to(expected.T[:, None, None], (expected.shape[1], *SHAPE, len(expected))))


@pytest.mark.long
def test_a_right_posterior_is_rarely_doubted() -> None:
    """Each of 20 tables is doubted with probability 1/100 at most: three of them once in a thousand runs."""
    found = [check_predictive(case_of(simulated(seed))) for seed in range(TABLES)]
    assert sum(f.level != "fine" for f in found) <= 2
    pit = np.concatenate([f.drawn["pit"]["pit"] for f in found])
    assert stats.kstest(pit, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [({"misfit": 0.3}, "too narrow"), ({"expected": 0.85}, "off"), ({"misfit": 5.0}, "too wide")],
)
def test_a_posterior_made_wrong_is_caught(changed: dict[str, float], verdict: str) -> None:
    found = check_predictive(case_of(simulated(0), **changed))
    assert verdict in set(found.table["verdict"])
    assert found.status is (FitStatus.FINE if verdict == "too wide" else FitStatus.NOT_TRUSTED)
    assert found.advice and found.advice[0].endswith(".")


def test_a_wrong_family_is_named() -> None:
    simulation = simulated(1)
    family = simulation.scores.metadata["family"].to_numpy()
    wrong = np.where(family == family[0], 0.7, 1.0)[:, None]
    found = check_predictive(case_of(simulation, expected=wrong))
    rows = found.table[found.table["kind"] == "family"].set_index("group")
    assert rows.loc[family[0], "verdict"] == "off"
    assert any(f"family {family[0]}: scores are above" in line for line in found.advice)


def test_leaving_out_is_arvizs() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, 250, 6)) * np.linspace(0.1, 1.5, 6)
    wanted = loo(
        from_dict({"posterior": {"x": values[..., 0]}, "log_likelihood": {"y": values}}),
        pointwise=True,
        reff=1.0,
    )
    flat = values.reshape(-1, 6).T
    weights, k = smoothed(flat)
    np.testing.assert_allclose(k, wanted.pareto_k.values)
    np.testing.assert_allclose(np.log((weights * np.exp(flat)).sum(1)), wanted.elpd_i.values)


def test_arviz_leaves_scores_of_a_fit_out_as_the_check_does() -> None:
    """By the likelihoods on demand, holes and all; efficiencies differ, and so a little do the tails."""
    fit = ideal_fit()
    wanted = leave_out(fit, ExpectedByBenchmark(fit.data, fit.spec)).scores
    found = loo(bs.log_likelihood(fit), pointwise=True, reff=1.0)
    where = pd.MultiIndex.from_arrays([found.elpd_i[name].values for name in ("model", "benchmark")])
    told = pd.Series(found.elpd_i.values, where).loc[
        list(zip(wanted["model"], wanted["benchmark"], strict=True))
    ]
    assert len(wanted) == fit.scores.observed.sum() < fit.scores.observed.size
    np.testing.assert_allclose(told, wanted["elpd"], atol=0.02)
    assert found.elpd == pytest.approx(wanted["elpd"].sum(), abs=0.2)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_likelihoods_on_demand_are_those_of_the_law(likelihood: str) -> None:
    """One draw of all scores at once, by the model's own functions."""
    fit = replace(ideal_fit(), spec=replace(ideal_fit().spec, likelihood=likelihood))
    found = bs.log_likelihood(fit)["log_likelihood"]["score"].isel(chain=2, draw=7).values
    draw = {
        n: jnp.asarray(v.values) for n, v in fit.data["posterior"].isel(chain=2, draw=7).data_vars.items()
    }
    design = design_of(fit.scores, fit.spec.anchors or ())
    parts = scores_at(draw, jnp.asarray(design.lines.model), jnp.asarray(design.pivot), fit.spec.link)
    law = score_law(likelihood, *parts, draw["misfit"], jnp.asarray(design.items), draw["tail"])
    wanted = np.asarray(law.log_prob(jnp.asarray(design.score)))[design.observed]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)  # in 32 bits


def test_scores_that_carry_their_own_forecast_are_named() -> None:
    case = case_of(simulated(0))
    scores = case.left_out.scores
    assert check_left_out(case).level == "fine"
    assert list(scores["score"]) == pytest.approx(simulated(0).scores.data["score"].values.T.ravel().tolist())
    heavy = scores.assign(k=np.where(np.arange(len(scores)) % 4 == 0, 1.1, 0.2))
    vars(case)["left_out"] = case.left_out._replace(scores=heavy)
    found = check_left_out(case)
    assert found.level == "caution" and scores["model"][0] in found.advice[0]
    assert (found.table["k"].diff().dropna() <= 0).all()


def test_one_skill_too_many_is_seen() -> None:
    case = case_of(simulated(2))
    group = case.posterior.data["posterior"].dataset
    assert "others ask for it" not in doubted(check_identification(with_draws(case, lonely(group, 0.5))))
    found = check_identification(with_draws(case, lonely(group, 0.0)))
    assert "others ask for it" in doubted(found) and "fit with skills=1" in found.advice[0]
    alike = group.copy(deep=True)
    alike["model_skill"].values[..., 1] = 1 + 2 * alike["model_skill"].values[..., 0]
    assert "skills alike" in doubted(check_identification(with_draws(case, alike)))


def lonely(group: xr.Dataset, loading: float) -> xr.Dataset:
    """Return the draws with this loading of all benchmarks but the anchors on the second skill."""
    changed = group.copy(deep=True)
    changed["loading"].values[:, :, 2:, 1] = loading + 0.01 * changed["tail"].values[..., None]
    return changed


def with_draws(case: Case, group: xr.Dataset) -> Case:
    tree = case.posterior.data.copy()
    tree["posterior"] = xr.DataTree(group)
    return Case(replace(case.posterior, data=tree), case.expected)


def doubted(found: Finding) -> set[str]:
    return set(found.table[found.table["verdict"] != "fine"]["question"])


def test_size_that_goes_with_tokens_is_seen() -> None:
    case = case_of(simulated(2))
    group = case.posterior.data["posterior"].dataset.copy(deep=True)
    group["log_tokens"].values[:] = 0.5 * group["log_size"].values
    group["slope"].values[..., 1] = 1 - group["slope"].values[..., 0]
    found = check_identification(with_draws(case, group))
    assert {"size with tokens", "slopes traded"} <= doubted(found)
    assert any(line.startswith("size and tokens are hardly told apart") for line in found.advice)


def test_a_model_that_decides_a_slope_is_named() -> None:
    """The first-order shift is exact for a normal mean with normal data: here every point's is known."""
    case = case_of(simulated(0))
    rng = np.random.default_rng(0)
    models, size = 36, 4 * 50
    mean = rng.normal(size=size)
    mean = (mean - mean.mean()) / mean.std()
    group = case.posterior.data["posterior"].dataset.copy(deep=True)
    group["slope"].values[..., 0, 0] = 0.5 + 0.1 * mean.reshape(SHAPE)
    likelihood = 1e-3 * rng.standard_normal((size, models))
    likelihood[:, 7] = 2.0 * mean  # of log density 2 z: leaving it out moves z by 2
    spoiled = with_draws(case, group)
    vars(spoiled)["left_out"] = case.left_out._replace(log_likelihood=likelihood)
    found = check_influence(spoiled)
    first = found.table.iloc[0]
    assert first["model"] == simulated(0).scores.models[7] and first["quantity"] == "slope"
    assert first["shift"] == pytest.approx(2.0)
    assert found.level == "caution" and first["model"] in found.advice[0]
    assert found.table["shift"][1] < 0.1


def test_the_prior_passes_on_its_own_tables_and_fails_on_others() -> None:
    with compiled_quickly():
        tree = prior_predictive(table(), SPEC, seed=0, draws=100)
        again = prior_predictive(table(), SPEC, seed=0, draws=100)
    assert set(tree.children) == {"prior", "prior_predictive", "observed_data", "constant_data"}
    assert judge_prior(tree).level == "fine"
    assert again["prior_predictive"].dataset.equals(tree["prior_predictive"].dataset)
    wild = replace(SPEC, priors=replace(SPEC.priors, slope_sd=20.0))
    with compiled_quickly():
        found = judge_prior(prior_predictive(table(), wild, seed=0, draws=100))
    assert found.level == "caution" and "narrow slopes" in found.advice[0]
    narrow = tree["prior_predictive"].dataset * 0 + 0.5
    tree["prior_predictive"] = xr.DataTree(narrow)
    assert "hardly allows" in judge_prior(tree).advice[0]


@pytest.mark.parametrize("asked", [{"seed": -1}, {"seed": 0, "draws": 0}, {"seed": 0.5}])
def test_prior_predictive_refuses_what_it_cannot_use(asked: dict[str, float]) -> None:
    with pytest.raises(bs.InputError, match="give a whole number from"):
        prior_predictive(table(), SPEC, **asked)  # type: ignore[arg-type]


def test_every_check_has_a_picture() -> None:
    case = case_of(simulated(0))
    for found in (
        check_predictive(case),
        check_left_out(case),
        check_identification(case),
        check_influence(case),
    ):
        figure = plot_finding(found)
        assert figure.axes[0].get_xlabel() and found.level in figure.axes[0].get_title(loc="left")
    with pytest.raises(bs.InputError, match="unknown picture 'other'"):
        plot_finding(Finding("other", pd.DataFrame(), FitStatus.FINE, "", ()))


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(bs.InputError, match=r"unknown check 'influense'.*Did you mean 'influence'"):
        bs.check(case_of(simulated(0)).posterior, only=["influense"])
    assert set(CHECKS) > {"predictive", "influence"}
