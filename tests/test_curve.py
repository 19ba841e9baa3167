"""The score law: the model's whole mean against plain NumPy, and what must hold of any mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from oracles import mean_scores, small_table

from bayes_sloth import curve
from bayes_sloth.covariates import _fitted_sds, features_of
from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.design import Design, design_of
from bayes_sloth.model import sloth
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec

TOLERANCE = 1e-10


def traced(design: Design, spec: ModelSpec, seed: int, **data: Any) -> dict[str, Any]:
    """Run the model once at a draw from its prior, some sites at given values."""
    model = handlers.seed(handlers.substitute(sloth, data=data), jax.random.key(seed))
    trace: dict[str, Any] = handlers.trace(model).get_trace(design, spec)
    return trace


def sampled(trace: dict[str, Any]) -> dict[str, np.ndarray]:
    names = [n for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]]
    return {name: np.asarray(trace[name]["value"]) for name in names}


def regression_sds(scores: Scores, design: Design) -> dict[str, np.ndarray]:
    """Return the two standard deviations of each regression, whose search is tested with the covariates."""
    found = {}
    for name, covariate, extra in (
        ("log_size", design.log_size, None),
        ("log_tokens", design.log_tokens, design.log_size.value),
    ):
        features = features_of(scores.metadata, design.scaling, extra)
        known = ~covariate.missing
        found[name] = _fitted_sds(features.rows(known), covariate.value[known])
    return found


def packaged() -> Scores:
    """Thirty packaged models with every kind of gap, on four benchmarks."""
    whole = load_leaderboard()
    names = [name for name in ("MMLU", "BBH", "GSM8K", "HellaSwag") if name in whole.benchmarks]
    table = whole.select(benchmarks=names)
    some = table.observed.any(axis=1)
    return table.select(models=[m for m, seen in zip(table.models, some, strict=True) if seen][:150:5])


@pytest.mark.parametrize("table", [small_table, packaged])
@pytest.mark.parametrize("link", ["richards", "logistic"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_models_mean_is_the_oracles(table: Any, link: str, seed: int) -> None:
    scores = table()
    anchors = (scores.benchmarks[2], scores.benchmarks[0])
    spec = ModelSpec(skills=2, link=link, anchors=anchors)
    design = design_of(scores, anchors)
    trace = traced(design, spec, seed)
    wanted = mean_scores(scores, anchors, sampled(trace), regression_sds(scores, design), law=link)
    found = trace["score"]["fn"].base_dist.mean_score
    np.testing.assert_allclose(trace["model_skill"]["value"], wanted["model_skill"], atol=TOLERANCE)
    np.testing.assert_allclose(found, wanted["expected"], atol=TOLERANCE)


def test_without_interaction_and_departures_the_mean_is_the_oracles_too() -> None:
    scores = small_table()
    anchors = (scores.benchmarks[1],)
    spec = ModelSpec(skills=1, interaction=False, deviation=False, anchors=anchors)
    design = design_of(scores, anchors)
    trace = traced(design, spec, 3, slope=jnp.array([[0.9, -0.4]]), moe_weight=jnp.array(0.3))
    wanted = mean_scores(scores, anchors, sampled(trace), regression_sds(scores, design))
    assert "deviation_raw" not in trace and wanted["expected"].shape == design.score.shape
    np.testing.assert_allclose(trace["score"]["fn"].base_dist.mean_score, wanted["expected"], atol=TOLERANCE)


def test_the_oracle_notices_a_wrong_mean() -> None:
    scores = small_table()
    anchors = scores.benchmarks[:2]
    design = design_of(scores, anchors)
    wrong = replace(design, instruct=1 - design.instruct)
    trace = traced(wrong, ModelSpec(skills=2, anchors=anchors), 0)
    wanted = mean_scores(scores, anchors, sampled(trace), regression_sds(scores, design))
    assert np.abs(trace["score"]["fn"].base_dist.mean_score - wanted["expected"]).max() > 1e-3


def test_the_law_broadcasts_nothing_by_accident() -> None:
    three, four = jnp.linspace(-1, 1, 3), jnp.linspace(0.1, 0.4, 4)
    with jax.numpy_rank_promotion("raise"):
        design = curve.covariates(three, three + 1, jnp.array([0.3, 0.2]), jnp.array([0.1, 0.0]))
        size = curve.effective_log_size(three, -jnp.ones(3), jnp.array(0.5))
        tuned = curve.tuning(jnp.ones(3), jnp.ones((3, 2)), jnp.ones(2), size)
        skill = curve.skills(jnp.ones((3, 2)), jnp.ones((2, 3)), design, tuned, jnp.ones((3, 2)))
        eta = curve.predictor(skill, jnp.ones((4, 2)), four, jnp.ones((3, 4)))
        for link in ("richards", "logistic"):
            share = curve.share_reached(eta, 0 * four, 0.9 * jnp.ones(4), jnp.ones(4), link=link)
            assert curve.expected_score(share, four).shape == (3, 4)
    assert size.shape == (3,)


def test_every_skill_grows_by_its_own_powers() -> None:
    """Against the sum written out, one model and skill after the other."""
    rng = np.random.default_rng(0)
    size, tokens, k, m, slope = (rng.normal(size=n) for n in (3, 3, 2, 2, (2, 3)))
    found = curve.growth(
        jnp.asarray(slope), curve.covariates(*(jnp.asarray(v) for v in (size, tokens, k, m)))
    )
    for i in range(3):
        for a in range(2):
            g, h = (1 - np.exp(-k[a] * size[i])) / k[a], (1 - np.exp(-m[a] * tokens[i])) / m[a]
            wanted = slope[a] @ np.array([g, h, g * h])
            assert found[i, a] == pytest.approx(wanted, abs=1e-12)


def test_tuning_is_the_formula_and_nothing_for_base_models() -> None:
    rng = np.random.default_rng(0)
    instruct, effect, slope, size = np.array([0.0, 1, 1]), *(rng.normal(size=s) for s in ((3, 2), 2, 3))
    found = curve.tuning(*(jnp.asarray(x) for x in (instruct, effect, slope, size)))
    wanted = [[d * (effect[i, k] + slope[k] * size[i]) for k in range(2)] for i, d in enumerate(instruct)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (found[0] == 0).all()


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(Exception, match=r"curve\.predictor"):
        curve.predictor(jnp.ones((3, 2)), jnp.ones((4, 3)), jnp.ones(4), jnp.ones((3, 4)))


def test_effective_size_runs_from_total_to_active_parameters() -> None:
    total, active = np.log([141.0, 46.7]), np.log([39.0, 12.9])
    share = jnp.asarray(active - total)
    at = [curve.effective_log_size(jnp.asarray(total), share, jnp.array(w)) for w in (0.0, 1.0)]
    np.testing.assert_allclose(at[0], total, rtol=1e-12)
    np.testing.assert_allclose(at[1], active, rtol=1e-12)
    dense = curve.effective_log_size(jnp.asarray(total), jnp.zeros(2), jnp.array(0.7))
    np.testing.assert_allclose(dense, total, rtol=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_models_effective_size_has_the_right_limits(weight: float) -> None:
    """With slope 1 on size alone, the skill of a mixture moves by the weight times its log active share."""
    scores = small_table()
    anchors = scores.benchmarks[:1]
    spec = ModelSpec(skills=1, interaction=False, deviation=False, anchors=anchors)
    design = design_of(scores, anchors)
    fixed = {"slope": jnp.array([[1.0, 0.0]]), "size_curvature": jnp.zeros(1)}
    traces = [traced(design, spec, 0, moe_weight=jnp.array(w), **fixed) for w in (0.0, weight)]
    skill = [trace["model_skill"]["value"] for trace in traces]
    params = scores.metadata["params_b"].to_numpy(dtype=float)
    spread = np.nanstd(np.log(params))
    share = np.log(scores.metadata["active_params_b"].to_numpy(dtype=float) / params) / spread
    np.testing.assert_allclose((skill[1] - skill[0])[:, 0], weight * np.nan_to_num(share), atol=1e-12)


def test_the_expected_score_runs_from_the_floor_to_the_upper_asymptote() -> None:
    lower, reach = jnp.array([0.25]), jnp.array([0.8])
    eta = jnp.array([[-200.0], [200.0]])
    share = curve.share_reached(eta, jnp.zeros(1), reach, jnp.ones(1))
    np.testing.assert_allclose(
        curve.expected_score(share, lower)[:, 0], [0.25, 0.25 + 0.75 * 0.8], atol=1e-12
    )


@pytest.mark.parametrize("curvature", [-0.4, 1e-3, 0.3, 1.5])
def test_returns_diminish_as_a_power(curvature: float) -> None:
    """Against the power law itself: sizes s in units of the centre, s = e^x, give (1 - s^-k)/k."""
    size = np.array([0.05, 0.5, 1.0, 3.0, 40.0])
    found = np.asarray(curve.diminishing(jnp.log(size), jnp.array(curvature)))
    np.testing.assert_allclose(found, (1 - size**-curvature) / curvature, rtol=1e-9, atol=1e-12)
    assert (np.diff(found) > 0).all() and found[2] == 0


def test_straight_lines_are_the_limit_on_both_sides() -> None:
    x = jnp.linspace(-3.0, 3.0, 13)
    assert (curve.diminishing(x, jnp.array(0.0)) == x).all()
    for curvature in (1e-9, -1e-9, 2e-5, -2e-5, 6e-5, -6e-5):
        gap = curve.diminishing(x, jnp.array(curvature)) - (x - curvature * x**2 / 2)
        assert float(jnp.abs(gap).max()) < 1e-7
    slope = jax.vmap(jax.grad(lambda k: curve.diminishing(jnp.ones(1), k)[0]))(jnp.array([0.0, 1e-5, 2e-4]))
    np.testing.assert_allclose(
        slope, -0.5, atol=1e-3
    )  # the sampler's gradient has no step where forms change
