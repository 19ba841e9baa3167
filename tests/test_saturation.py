"""Benchmarks that most models have all but solved: where their curves end, and where priors are centred."""

from __future__ import annotations

import warnings
from functools import cache

import jax
import numpy as np
import pandas as pd
import pytest
from fits import compiled_quickly
from numpyro import handlers
from oracles import link, pivot_of, typical_logit

import bayes_sloth as bs
from bayes_sloth.checks.sensitivity import _sites
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitWarning
from bayes_sloth.expectation import expected_scores
from bayes_sloth.model import sloth

EXAMS = ("hard", "fair", "solved")
SPEC = bs.ModelSpec(skills=1, anchors=("fair",), deviation=False, specific=False, interaction=False)


@cache
def scores() -> bs.Scores:
    """Sixty models, of which all but the smallest few stand where the third exam ends, at 0.88."""
    log_size, numbers = np.linspace(-1, 4, 60), np.random.default_rng(0)
    exams = (
        0.95 / (1 + np.exp(2.5 - log_size)),
        0.95 / (1 + np.exp(1 - log_size)),
        0.88 / (1 + np.exp(-4 * (log_size + 0.9))),
    )
    facts = {
        "model": [f"model {i}" for i in range(60)],
        "family": [f"family {i % 12}" for i in range(60)],
        "params_b": np.exp(log_size),
        "tokens_t": numbers.uniform(1, 1.5, 60),
    }
    noisy = [np.clip(score + numbers.normal(0, 0.01, 60), 0, 1) for score in exams]
    table = pd.DataFrame(facts | dict(zip(EXAMS, noisy, strict=True)))
    return bs.read_scores(table, benchmarks=dict.fromkeys(EXAMS, (0.0, None)))


@cache
def fit() -> bs.Posterior:
    with compiled_quickly(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bs.fit(scores(), SPEC, method="laplace", seed=0, draws=20, progress=False)


def told_at() -> tuple[np.ndarray, np.ndarray]:
    """Return typical logits and pivots by hand."""
    score, floor = scores().data["score"].values, scores().data["floor"].values
    return typical_logit(score, floor), pivot_of(score, floor)


def test_the_curve_of_a_solved_benchmark_is_told_below_its_typical_share() -> None:
    typical, pivot = told_at()
    design = design_of(scores(), ("fair",))
    np.testing.assert_allclose(design.pivot, pivot)
    np.testing.assert_allclose(design.typical, typical)
    assert pivot[2] < typical[2] - 0.5 and (pivot[:2] == typical[:2]).all()


def test_a_curve_may_end_where_most_models_are() -> None:
    """The typical share of the third exam is above its end: a curve above that misses by ten points."""
    solved = fit().data["posterior"].dataset.sel(benchmark="solved").mean(("chain", "draw"))
    assert float(solved["upper"]) == pytest.approx(0.88, abs=0.01)
    assert float(solved["misfit"]) < 0.02


def test_expected_scores_follow_from_the_formulas() -> None:
    at = {name: values[0, 0].values for name, values in fit().data["posterior"].dataset.items()}
    predictor = at["model_skill"] @ at["loading"].T + at["intercept"]
    share = link(predictor, 1 / (1 + np.exp(-told_at()[1])), at["reach"], at["asymmetry"])
    wanted = at["lower"] + (1 - at["lower"]) * share
    np.testing.assert_allclose(expected_scores(fit().data, fit().spec)[0, 0], wanted, atol=1e-9)


@pytest.mark.parametrize("anchor", ["fair", "solved"])
def test_priors_are_centred_at_typical_shares(anchor: str) -> None:
    """Whether the solved benchmark is the anchor or another one is."""
    numbers, (typical, _) = EXAMS.index(anchor), told_at()
    design = design_of(scores(), (anchor,))

    @jax.jit  # which compiles no more of the model than what is returned
    def middles() -> tuple[jax.Array, jax.Array]:
        trace = handlers.trace(handlers.seed(sloth, jax.random.key(0))).get_trace(design, SPEC)
        return trace["skill_mean"]["fn"].base_dist.loc, trace["predictor_free"]["fn"].base_dist.loc

    skill, others = middles()
    np.testing.assert_allclose(skill, typical[[numbers]])
    np.testing.assert_allclose(others, np.delete(typical, numbers))


def test_the_prior_s_own_parameters_are_found_again() -> None:
    """Of what a fit holds, for the check of how much the prior matters."""
    at = {name: values[0, 0].values for name, values in fit().data["posterior"].dataset.items()}
    typical, pivot = told_at()
    # The anchor may be any benchmark here: one whose pivot is not its typical share tells the two apart.
    sites = _sites(at, design_of(scores(), ("solved",)))
    least = 1 / (1 + np.exp(-pivot))
    np.testing.assert_allclose(least + (1 - least) / (1 + np.exp(-sites["reach_logit"])), at["reach"])
    np.testing.assert_allclose(
        sites["predictor_free"], (at["intercept"] + at["loading"][:, 0] * typical[2])[[0, 1]]
    )
