"""Simulated tables come from the model: labelled, reproducible, of any size, with the truth attached."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from fits import compiled_quickly
from oracles import FACTS, facts_table, link
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.design import design_of
from bayes_sloth.errors import InputError
from bayes_sloth.names import SITE_DIMS
from bayes_sloth.simulation import Simulation, blank_design, draws

SPEC = bs.ModelSpec(skills=2)
SMALL: dict[str, Any] = {"families": 6, "models_per_family": 3, "benchmarks": 5, "missing": 0.3}
TABLES = 400


@pytest.fixture(scope="module", autouse=True)
def quickly() -> Iterator[None]:
    with compiled_quickly():
        yield


@pytest.fixture(scope="module")
def made() -> Simulation:
    return bs.simulate(SPEC, **SMALL, unknown_tokens=0.2, seed=3)


@pytest.fixture(scope="module")
def many(made: Simulation) -> dict[str, np.ndarray]:
    found = draws(made.design, made.spec, jax.random.split(jax.random.key(0), TABLES))
    return {name: np.asarray(value) for name, value in found.items()}


def test_truth_is_named_as_a_posterior(made: Simulation) -> None:
    dims = SITE_DIMS | {"expected": ("model", "benchmark"), "tail": ()}
    for name, variable in made.truth.data_vars.items():
        assert variable.dims == dims.get(name, ()), name  # what has no dims by name is a scalar
        assert np.isfinite(variable.values).all(), name
    assert set(dims) - set(made.truth.data_vars) == {"bend"}
    scalars = {name for name, variable in made.truth.data_vars.items() if not variable.dims}
    assert {"tail"} <= scalars <= {"tail", "inheritance", "moe_weight"}
    assert tuple(made.truth["model"].values) == made.scores.models
    assert tuple(made.truth["family"].values) == made.scores.families
    assert tuple(made.truth["benchmark"].values) == made.scores.benchmarks
    assert tuple(made.truth["skill"].values) == made.spec.anchors == made.scores.benchmarks[:2]


def test_truth_has_the_names_of_a_fit(made: Simulation) -> None:
    fit = bs.fit(made.scores, made.spec, method="map", seed=0, progress=False)
    assert set(fit.data["posterior"].data_vars) == set(made.truth.data_vars) - {"expected"}


def test_the_seed_decides(made: Simulation) -> None:
    again = bs.simulate(SPEC, **SMALL, unknown_tokens=0.2, seed=3)
    assert again.scores.digest == made.scores.digest and again.truth.equals(made.truth)


def test_expected_scores_follow_from_the_truth(made: Simulation) -> None:
    t, typical = made.truth, 1 / (1 + np.exp(-made.design.pivot))
    eta = t["model_skill"].values @ t["loading"].values.T + t["intercept"].values
    pairs = list(zip(made.scores.metadata["family"], made.scores.metadata["instruct"], strict=True))
    eta = eta + [t["specific"].sel(line=f"{family}{'*' * int(tuned)}").values for family, tuned in pairs]
    share = link(eta, typical, t["reach"].values, t["asymmetry"].values)
    lower = t["lower"].values
    np.testing.assert_allclose(t["expected"].values, lower + (1 - lower) * share, atol=1e-10)


def test_as_many_scores_are_missing_as_asked(made: Simulation) -> None:
    assert (~made.scores.observed).sum(axis=0).tolist() == [round(0.3 * 18)] * 5
    assert (made.design.observed == made.scores.observed).all()
    score = made.scores.data["score"].values
    assert ((score >= 0) & (score <= 1) | np.isnan(score)).all()
    np.testing.assert_array_equal(made.design.score[made.scores.observed], score[made.scores.observed])


def test_a_benchmark_keeps_a_score_however_many_are_missing() -> None:
    sparse = bs.simulate(
        bs.ModelSpec(skills=1), families=3, models_per_family=2, benchmarks=3, missing=0.99, seed=0
    )
    assert sparse.scores.observed.sum(axis=0).tolist() == [1, 1, 1]


def test_unknown_tokens_have_a_true_value(made: Simulation) -> None:
    unknown = np.isnan(made.scores.data["tokens_t"].values)
    assert unknown.sum() == round(0.2 * 18)
    gap = made.truth["log_tokens"].values - made.design.log_tokens.value
    assert (gap[~unknown] == 0).all() and (gap[unknown] != 0).all()


def test_the_blank_design_is_that_of_a_fit(made: Simulation) -> None:
    order = np.random.default_rng(0).permutation(len(FACTS["model"]))  # families need not stand together
    facts = facts_table().iloc[order].reset_index(drop=True)
    exams = [Benchmark("x", 0.25, 100), Benchmark("y")]
    tables = [(facts, exams, ("y",))]
    known = made.scores.data["items"].values[0]
    names = [
        Benchmark(n, float(f), float(i))
        for n, f, i in zip(made.scores.benchmarks, made.scores.data["floor"].values, known, strict=True)
    ]
    tables.append((made.scores.metadata, names, made.spec.anchors))
    for table, benchmarks, anchors in tables:
        spec = bs.ModelSpec(skills=len(anchors), anchors=anchors)
        pivot = np.zeros(len(benchmarks))
        blank = blank_design(table, benchmarks, spec, pivot=pivot)
        fitted = design_of(assemble(table, benchmarks, blank.score), anchors)
        assert same(dataclasses.replace(fitted, typical=pivot, pivot=pivot), blank) == []


def same(a: Any, b: Any, place: str = "design") -> list[str]:
    """List the fields in which two frozen values differ."""
    if dataclasses.is_dataclass(a):
        pairs = [(getattr(a, f.name), getattr(b, f.name), f"{place}.{f.name}") for f in dataclasses.fields(a)]
        return [wrong for x, y, name in pairs for wrong in same(x, y, name)]
    if isinstance(a, tuple) and a and not isinstance(a[0], str):
        return [
            wrong for i, (x, y) in enumerate(zip(a, b, strict=True)) for wrong in same(x, y, f"{place}[{i}]")
        ]
    if isinstance(a, np.ndarray):
        return [] if a.shape == b.shape and np.allclose(a, b, atol=1e-9, equal_nan=True) else [place]
    return [] if a == b or (a is not None and np.allclose(a, b)) else [place]


def test_designs_that_differ_are_told_apart(made: Simulation) -> None:
    other = dataclasses.replace(made.design, pivot=made.design.pivot + 1, parent=made.design.parent + 1)
    assert same(made.design, other) == ["design.parent", "design.pivot"]


def test_quantities_are_drawn_from_their_priors(many: dict[str, np.ndarray]) -> None:
    """Kolmogorov-Smirnov on one entry a table; all together fail one seed in a thousand."""
    p = SPEC.priors
    laws = {
        "slope": (many["slope"][:, 0, 0], stats.norm(p.slope_mean, p.slope_sd)),
        "interaction": (many["slope"][:, 1, 2], stats.norm(0, p.interaction_sd)),
        "loading": (many["loading"][:, 2, 1], stats.norm(p.loading_mean, p.loading_sd)),
        "tuning": (many["tuning"][:, 0], stats.norm(0, p.tuning_sd)),
        "tuning on log size": (many["tuning_slope"][:, 1], stats.norm(0, p.tuning_slope_sd)),
        "misfit": (np.log(many["misfit"][:, 3]), stats.norm(p.misfit_mean, p.misfit_sd)),
        "tail": (np.log(many["tail"]), stats.norm(p.tail_mean, p.tail_sd)),
        "asymmetry": (np.log(many["asymmetry"][:, 1]), stats.norm(0, p.asymmetry_sd)),
        "efficiency": (many["efficiency"][:, 0, 0] / many["family_scale"][:, 0], stats.norm(0, 1)),
    }
    p_values = {name: stats.kstest(values, law.cdf).pvalue for name, (values, law) in laws.items()}
    assert min(p_values.values()) > 1e-3 / len(laws), p_values


def test_scores_scatter_as_the_law_says(made: Simulation, many: dict[str, np.ndarray]) -> None:
    """The first benchmark's scores, standardised by the truth, are Student-t; fails one seed in 1,000."""
    share = (many["expected"] - many["lower"][:, None]) / (1 - many["lower"][:, None])
    misfit = many["misfit"][:, None] ** 2 * (4 * share * (1 - share) + 0.02)
    inside = np.clip(many["expected"], 0.004, 0.996)
    scale = np.sqrt(misfit + inside * (1 - inside) / made.design.items)
    freedom = 2 + many["tail"][:, None, None]
    uniform = stats.t.cdf((many["score"] - many["expected"]) / scale, freedom)[:, 0, 0]
    kept = (many["score"][:, 0, 0] > 0) & (many["score"][:, 0, 0] < 1)
    assert kept.mean() > 0.95
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(np.clip((uniform - 0.5) * 2 + 0.5, 0, 1), "uniform").pvalue < 1e-6  # half the scale


@pytest.mark.parametrize("likelihood", ["normal", "beta_binomial"])
def test_other_laws_draw_valid_scores(likelihood: str) -> None:
    spec = bs.ModelSpec(skills=1, likelihood=likelihood, link="logistic", deviation=False, interaction=False)
    sizes = {"families": 4, "models_per_family": 2, "benchmarks": 3}
    made, other = (bs.simulate(spec, **sizes, seed=seed) for seed in (4, 5))  # of equal shape: one program
    assert other.scores.digest != made.scores.digest
    assert not np.allclose(other.truth["slope"], made.truth["slope"])
    score = made.scores.data["score"].values
    assert ((score >= 0) & (score <= 1)).all() and np.ptp(score) > 0
    assert {"tail", "deviation"} & set(made.truth) == set()
    assert made.truth["slope"].sizes == {"skill": 1, "covariate": 2}


def test_own_models_and_benchmarks() -> None:
    spec = bs.ModelSpec(skills=1, anchors=("my exam",))
    made = bs.simulate(spec, models=facts_table(), benchmarks=["mmlu", Benchmark("my exam", 0.5, 40)], seed=0)
    assert made.scores.models == tuple(FACTS["model"])
    assert made.scores.benchmarks == ("MMLU", "my exam")
    assert made.scores.data["floor"].values.tolist() == [0.25, 0.5]
    assert made.truth["loading"].sel(benchmark="my exam").values.tolist() == [1.0]
    assert {"moe_weight", "inheritance"} <= set(made.truth)


def test_a_table_reads_back(made: Simulation) -> None:
    assert bs.read_scores(made.scores.to_frame()).equals(made.scores)


def test_it_prints_itself_in_a_dozen_lines(made: Simulation) -> None:
    lines = repr(made).splitlines()
    assert len(lines) <= 12 and lines[0].startswith(
        "Simulation of Scores: 18 models, 6 families, 5 benchmarks"
    )


def test_made_up_benchmarks_follow_the_packaged_ones() -> None:
    large = bs.simulate(
        families=100, models_per_family=5, benchmarks=15, unknown_tokens=0.1, missing=0.5, seed=0
    )
    assert len(set(large.scores.benchmarks)) == 15 and large.scores.benchmarks[:1] == ("MMLU",)
    assert large.scores.benchmarks[12:] == ("exam 1", "exam 2", "exam 3")
    data = large.scores.data
    assert 0 < float(data["instruct"].mean()) < 0.5
    assert (data["parent"] != "").any()
    assert large.scores.observed.mean() == 0.5


@pytest.mark.slow
def test_ten_thousand_models() -> None:
    large = bs.simulate(families=2500, models_per_family=4, benchmarks=50, unknown_tokens=0.05, seed=0)
    assert large.scores.observed.shape == (10_000, 50) and large.scores.observed.all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": -1}, "simulate: seed is -1: give a whole number from 0 up"),
        ({"families": 0}, "simulate: families is 0: give a whole number from 1 up"),
        ({"models_per_family": 2.5}, "models_per_family is 2.5: give a whole number"),
        ({"benchmarks": 0}, "simulate: benchmarks is 0: give a whole number from 1 up"),
        ({"benchmarks": 2.5}, "benchmarks is 2.5: give a whole number"),
        ({"benchmarks": "MMLU"}, "2 skills cannot be told apart by 1 benchmark"),
        ({"benchmarks": 1}, "2 skills cannot be told apart by 1 benchmark.* at least benchmarks=2"),
        ({"missing": 1.0}, "missing is 1.0: give a share from 0 to below 1"),
        ({"unknown_tokens": -0.1}, "unknown_tokens is -0.1: give a share"),
        ({"models": {"family": "f", "params_b": -7, "tokens_t": 2}}, "params_b"),
        ({"benchmarks": ["MMLU", "mmlu", "ARC"]}, "benchmark 'MMLU' is named more than once"),
    ],
)
def test_bad_arguments(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bs.simulate(SPEC, **({"seed": 0} | changed))


def test_an_anchor_that_is_no_benchmark() -> None:
    with pytest.raises(InputError, match=r"unknown anchor 'MMLUU'.*Did you mean 'MMLU'"):
        bs.simulate(bs.ModelSpec(skills=1, anchors=("MMLUU",)), benchmarks=2, seed=0)
