"""Posterior modes: repeatable, at rest, best first, and the normal approximation around them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import plain_table

from bayes_sloth import modes as module
from bayes_sloth.design import design_of
from bayes_sloth.modes import SAME_MODE, Modes, around_mode, climb, find_modes, held
from bayes_sloth.pytree import argument
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

SPEC = ModelSpec(skills=1, anchors=("exam 0",))
DESIGN = design_of(plain_table(), ("exam 0",))


@cache
def found(seed: int = 0) -> Modes:
    return find_modes(DESIGN, SPEC, seed=seed, progress=False)


def test_the_best_mode_is_at_rest() -> None:
    """Adam's last steps are tiny; the Newton step that is left would gain less than a hundredth."""
    space, best = found().space, found().vectors[0]
    gradient = np.asarray(jax.jit(jax.grad(space.potential))(best))
    begin = np.asarray(jax.jit(jax.grad(space.potential))(space.start()))
    assert np.abs(gradient).max() < 0.05
    assert np.abs(gradient).max() < 1e-3 * np.abs(begin).max()


def test_starts_are_sorted_and_none_is_worse_than_where_it_began() -> None:
    losses = found().losses
    assert losses.shape == (module.STARTS,) and (np.diff(losses) >= 0).all()
    potential = jax.jit(found().space.potential)
    assert losses[-1] < float(potential(found().space.start()))
    kept = [float(potential(found().vectors[i])) for i in range(2)]
    np.testing.assert_allclose(losses[:2], kept, rtol=1e-9)


def test_many_scores_weigh_no_more_against_priors_than_two_hundred() -> None:
    """Four times as many, half the scale; few change nothing, not even the program."""
    assert module.firm(DESIGN.observed, SPEC) == SPEC
    many = np.ones((4 * module.MANY_SCORES, DESIGN.floor.size), bool)
    priors = SPEC.priors
    halved = {name: getattr(priors, name) / 2 for name in ("lower_sd", "asymmetry_sd", "reach_sd", "bend_sd")}
    assert module.firm(many, SPEC) == replace(SPEC, priors=replace(priors, **halved))


def test_another_seed_ends_at_the_same_mode_by_another_way() -> None:
    assert found(1).losses[0] == pytest.approx(found(0).losses[0], abs=SAME_MODE)
    assert not np.array_equal(found(1).vectors, found(0).vectors)


def test_the_same_seed_gives_the_same_numbers() -> None:
    again = find_modes(DESIGN, SPEC, seed=0, progress=False)
    np.testing.assert_array_equal(again.vectors, found(0).vectors)
    np.testing.assert_array_equal(again.losses, found(0).losses)


def test_other_anchors_compile_nothing() -> None:
    found()
    before = [program._cache_size() for program in (module._begin, module._step, module._sort)]  # type: ignore[attr-defined]
    other = find_modes(
        design_of(plain_table(), ("exam 1",)), replace(SPEC, anchors=("exam 1",)), seed=0, progress=False
    )
    after = [program._cache_size() for program in (module._begin, module._step, module._sort)]  # type: ignore[attr-defined]
    assert before == after and other.space.spec.anchors == ("exam 1",)
    assert not np.array_equal(other.vectors, found().vectors)


def test_a_step_keeps_the_types_of_a_state() -> None:
    """Or the second round of the progress bar would have the program compiled again."""
    table = argument(DESIGN)
    before = jax.eval_shape(lambda key: module._begin(table, SPEC, key), jax.random.key(0))
    after = jax.eval_shape(lambda state: module._step(table, SPEC, 2, state), before)
    types = [[(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(state)] for state in (before, after)]
    assert types[0] == types[1]


def test_climbing_inside_a_program_ends_where_the_rounds_do() -> None:
    """Both take the same steps; only the program they are compiled into differs."""
    vectors, losses = jax.jit(partial(climb, found().space))(jax.random.key(0))
    np.testing.assert_allclose(losses, found().losses, atol=1e-6)
    np.testing.assert_allclose(vectors[0], found().vectors[0], atol=1e-3)


def test_a_lost_start_comes_last() -> None:
    class Cliff(Space):
        def potential(self, vector: jax.Array) -> jax.Array:
            return jnp.where(vector[0] > 0, jnp.nan, 0.5 * (vector @ vector) - vector[0])

        def start(self) -> jax.Array:
            return jnp.full(2, -0.01)

    vectors, losses = climb(Cliff(DESIGN, SPEC), jax.random.key(0))
    lost = np.isinf(losses)
    assert lost.any() and (np.diff(lost.astype(int)) >= 0).all()
    assert vectors.shape == (module.STARTS, 2)


@pytest.mark.parametrize(("losses", "agree"), [([1.0, 1.5], True), ([1.0, 9.0], False), ([1.0], False)])
def test_two_starts_at_one_mode_agree(losses: list[float], agree: bool) -> None:
    assert Modes(found().space, jnp.zeros((len(losses), 1)), np.array(losses)).agree is agree


def test_what_a_mode_holds() -> None:
    fixed = held(DESIGN, SPEC)
    priors = SPEC.priors
    assert float(fixed["family_scale"][0]) == pytest.approx(np.exp(priors.family_scale_mean))
    assert not fixed["deviation_raw"].any() and fixed["deviation_raw"].shape == (6, 1)
    lines, benchmarks = DESIGN.lines.base.size, DESIGN.floor.size
    assert not fixed["specific_raw"].any() and fixed["specific_raw"].shape == (lines, benchmarks - 1)
    assert np.asarray(fixed["specific_scale_free"]) == pytest.approx(np.exp(priors.specific_scale_mean))
    plain = held(DESIGN, ModelSpec(skills=1, deviation=False, specific=False))
    assert set(plain) == {"family_scale", "tuning_scale"}


def bowl() -> Modes:
    """Return a space whose potential is a quadratic, so that the normal approximation is exact."""
    precision = jnp.array([[4.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1e-6]])

    class Quadratic(Space):
        def potential(self, vector: jax.Array) -> jax.Array:
            return 0.5 * vector @ precision @ vector

    return Modes(Quadratic(DESIGN, SPEC), jnp.zeros((1, 3)), np.zeros(1))


def test_the_normal_approximation_has_the_inverse_curvature() -> None:
    """Twenty thousand draws tell each covariance to about 1%; 5% is five standard errors."""
    draws = np.asarray(around_mode(bowl(), draws=20_000, seed=0))
    wanted = np.linalg.inv([[4.0, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(np.cov(draws[:, :2].T), wanted, rtol=0.05)
    assert draws[:, 2].var() == pytest.approx(10, rel=0.05)  # a flat direction is held to a tenth
    again = around_mode(bowl(), draws=20_000, seed=0)
    np.testing.assert_array_equal(draws, again)


@pytest.mark.parametrize(("losses", "count"), [([3.0], 1), ([3.0, 3.5, 4.9], 1), ([3.0, 5.0, 5.1, 9.0], 3)])
def test_modes_are_as_many_as_the_gaps_between_losses_say(losses: list[float], count: int) -> None:
    found = Modes(bowl().space, jnp.zeros((len(losses), 3)), np.array(losses))
    assert found.count == count
    assert found.agree == (len(losses) > 1 and losses[1] - losses[0] < 2)
