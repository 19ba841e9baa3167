"""The likelihood of a large table is that of its cells, whichever way it is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.distributions import MaskedDistribution
from oracles import small_table

from bayes_sloth import likelihood, model
from bayes_sloth.benchmark_curve import BenchmarkCurve
from bayes_sloth.calibration.simulate import drawn_scores, drawn_sites, quantities
from bayes_sloth.design import design_of
from bayes_sloth.likelihood import (
    TOGETHER,
    Cells,
    Form,
    Shared,
    TableScores,
    law_of_cells,
    log_density,
    sum_of_logs,
    total_of,
)
from bayes_sloth.links import KNOTS, LINKS
from bayes_sloth.observation import LIKELIHOODS, StudentTScore
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any

MODELS, BENCHMARKS = 37, 3  # of parts of 8 models the last has three holes to fill
FORMS = [Form(link, law) for link in LINKS for law in LIKELIHOODS]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute eight models at a time, and tables of any size that way."""
    monkeypatch.setattr(likelihood, "PART", TOGETHER * BENCHMARKS)
    monkeypatch.setattr(model, "MANY_CELLS", 1)


def table(form: Form, seed: int = 0) -> tuple[Shared, Values, Cells]:
    """Return parameters, predictors and a table with holes and unknown item counts."""
    rng = np.random.default_rng(seed)
    shape = MODELS, BENCHMARKS
    curve = BenchmarkCurve(
        loading=jnp.ones((BENCHMARKS, 1)),
        intercept=jnp.zeros(BENCHMARKS),
        reach=jnp.array([0.9, 0.95, 0.99]),
        asymmetry=jnp.array([0.6, 1.0, 1.7]),
        lower=jnp.array([0.0, 0.2, 0.3]),
        bend=jnp.asarray(rng.normal(0, 0.3, (BENCHMARKS, 2 * len(KNOTS)))) if form.link == "spline" else None,
    )
    items = jnp.where(jnp.asarray(rng.random(shape) < 0.5), 400.0, jnp.inf)
    cells = Cells(
        score=jnp.asarray(rng.random(shape)),
        items=items,
        observed=jnp.asarray(rng.random(shape) < 0.6),
        pivot=jnp.array([-0.5, 0.0, 0.5]),
    )
    shared = Shared(curve, jnp.array([0.02, 0.05, 0.1]), jnp.array(2.5))
    return shared, jnp.asarray(rng.normal(0, 2, shape)), cells


def cell_by_cell(form: Form, shared: Shared, eta: Values, cells: Cells) -> Values:
    density = law_of_cells(form, shared, eta, cells).log_prob(cells.score)
    return jnp.where(cells.observed, density, 0.0).sum()


def flat_slopes(density: Callable[..., Values], form: Form, told: tuple[Shared, Values, Cells]) -> Values:
    slopes = jax.jit(jax.grad(lambda shared, eta: density(form, shared, eta, told[2]), argnums=(0, 1)))
    return np.concatenate([np.ravel(one) for one in jax.tree.leaves(slopes(*told[:2]))])


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_a_table_is_as_likely_as_its_cells_and_has_their_slopes(form: Form) -> None:
    told = table(form)
    found, wanted = log_density(form, *told), cell_by_cell(form, *told)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    slopes = flat_slopes(cell_by_cell, form, told)
    assert np.abs(slopes).max() > 1
    np.testing.assert_allclose(flat_slopes(log_density, form, told), slopes, rtol=1e-9, atol=1e-9)


def test_slopes_have_the_slopes_that_they_have_cell_by_cell() -> None:
    form = Form("richards", "student_t")
    shared, eta, cells = table(form)
    way = jax.tree.map(jnp.cos, (shared, eta))

    def bent(density: Callable[..., Values]) -> Values:
        slope = jax.grad(lambda told: density(form, *told, cells))
        return np.concatenate(
            [np.ravel(one) for one in jax.tree.leaves(jax.jvp(slope, ((shared, eta),), (way,))[1])]
        )

    np.testing.assert_allclose(bent(log_density), bent(cell_by_cell), rtol=1e-9, atol=1e-8)


def test_what_is_not_observed_does_not_matter() -> None:
    form = Form("richards", "student_t")
    shared, eta, cells = table(form)
    other = cells._replace(score=jnp.where(cells.observed, cells.score, 0.123))
    assert log_density(form, shared, eta, cells) == log_density(form, shared, eta, other)
    seen = np.argwhere(np.asarray(cells.observed))[-1]
    moved = cells._replace(score=cells.score.at[tuple(seen)].add(0.2))
    assert log_density(form, shared, eta, cells) != log_density(form, shared, eta, moved)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_an_accelerator_takes_a_table_at_once_and_a_processor_in_parts(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    form = Form("richards", "student_t")
    told = table(form)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    eta, cells = likelihood._parts(*told[1:])
    assert eta.shape == ((5, 8, 3) if backend == "cpu" else (1, 40, 3))
    assert not np.asarray(cells.observed).reshape(-1, 3)[MODELS:].any()
    np.testing.assert_allclose(log_density(form, *told), cell_by_cell(form, *told), rtol=1e-12)


def test_a_part_has_eight_models_at_least() -> None:
    many = 2 * likelihood.PART
    cells = Cells(jnp.ones((3, many)), jnp.ones((3, many)), jnp.ones((3, many), bool), jnp.zeros(many))
    assert likelihood._parts(jnp.zeros((3, many)), cells)[0].shape == (1, TOGETHER, many)


def test_scores_are_drawn_as_each_cell_has_them() -> None:
    form = Form("richards", "student_t")
    told = table(form)
    law, key = TableScores(form, *told), jax.random.key(1)
    np.testing.assert_array_equal(law.sample(key), law_of_cells(form, *told).sample(key))
    assert law.event_shape == (MODELS, BENCHMARKS)


def test_logs_of_products_are_sums_of_logs_from_tiny_to_huge() -> None:
    values = 10 ** jnp.asarray(np.random.default_rng(0).uniform(-37, 37, (24, 4)))
    np.testing.assert_allclose(sum_of_logs(values), jnp.log(values).sum(0), rtol=1e-12)
    tiny = jnp.full((TOGETHER, 1), 1e-38)
    np.testing.assert_allclose(sum_of_logs(tiny), TOGETHER * np.log(1e-38), rtol=1e-12)
    slope = jax.grad(lambda x: sum_of_logs(x)[0])(tiny)
    np.testing.assert_allclose(slope, 1 / tiny, rtol=1e-12)


def test_the_total_of_a_law_wants_no_more_than_what_was_observed() -> None:
    law = StudentTScore(jnp.full((8, 2), 0.4), jnp.full((8, 2), 0.01), jnp.array(5.0))
    observed = jnp.zeros((8, 2), bool).at[3, 1].set(True)
    score = jnp.full((8, 2), 0.6)
    np.testing.assert_allclose(total_of(law, score, observed), law.log_prob(score)[3, 1], rtol=1e-12)


@pytest.mark.parametrize("law", ["student_t", "beta"])
def test_a_model_of_a_large_table_is_that_of_a_small_one(monkeypatch: pytest.MonkeyPatch, law: str) -> None:
    design, spec = design_of(small_table(), ("exam 2", "exam 0")), ModelSpec(skills=2, likelihood=law)
    place = 0.3 * jax.random.normal(jax.random.key(0), (Space(design, spec).size,))
    both = jax.jit(jax.value_and_grad(Space(design, spec).potential))(place)
    monkeypatch.setattr(model, "MANY_CELLS", 10**6)
    small = jax.jit(jax.value_and_grad(Space(design, spec).potential))(place)
    np.testing.assert_allclose(both[0], small[0], rtol=1e-12)
    np.testing.assert_allclose(both[1], small[1], rtol=1e-9, atol=1e-9)


def test_tables_are_drawn_alike_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    design, spec = design_of(small_table(), ("exam 2", "exam 0")), ModelSpec(skills=2)

    def drawn() -> Values:
        trace = handlers.trace(handlers.seed(handlers.uncondition(model.sloth), 3)).get_trace(design, spec)
        return trace["score"]["value"]

    large = drawn()
    monkeypatch.setattr(model, "MANY_CELLS", 10**6)
    np.testing.assert_array_equal(large, drawn())


@pytest.mark.parametrize("more", [0, 1])
def test_a_table_is_large_from_so_many_cells_on(monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    design, spec = design_of(small_table(), ("exam 2", "exam 0")), ModelSpec(skills=2)
    monkeypatch.setattr(model, "MANY_CELLS", design.score.size + more)
    law = handlers.trace(handlers.seed(model.sloth, 0)).get_trace(design, spec)["score"]["fn"]
    assert isinstance(law, MaskedDistribution if more else TableScores)


def test_calibration_sees_the_same_large_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    design, spec = design_of(small_table(), ("exam 2", "exam 0")), ModelSpec(skills=2)

    def seen() -> tuple[Values, dict[str, Values]]:
        sites = drawn_sites(design, spec, jax.random.key(0))
        sites["misfit"] = 4 * sites["misfit"]  # some scores beyond the ends
        scores = drawn_scores(design, spec, sites, jax.random.key(1))
        return scores, quantities(design, spec, sites, jax.random.key(2))

    large = seen()
    monkeypatch.setattr(model, "MANY_CELLS", 10**6)
    small = seen()
    assert ((large[0] < 0) | (large[0] > 1)).any()
    for one, other in zip(jax.tree.leaves(large), jax.tree.leaves(small), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_many_tables_side_by_side_are_each_as_alone() -> None:
    form = Form("richards", "student_t")
    several = [table(form, seed) for seed in range(3)]

    def judged(shared: Shared, eta: Values, cells: Cells) -> Values:
        return jax.value_and_grad(log_density, argnums=(1, 2))(form, shared, eta, cells)

    together = jax.jit(jax.vmap(judged))(*jax.tree.map(lambda *each: jnp.stack(each), *several))
    for number, one in enumerate(several):
        for found, alone in zip(jax.tree.leaves(together), jax.tree.leaves(judged(*one)), strict=True):
            np.testing.assert_allclose(found[number], alone, rtol=1e-10, atol=1e-10)
