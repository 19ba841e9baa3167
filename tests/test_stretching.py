"""Stiff directions are found and widened, at the turn of a warm-up, and nothing else changes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fits import compiled_quickly
from oracles import small_table
from scipy.linalg import block_diag
from test_sampling import PLAIN, sampled
from walks import walk

import bayes_sloth as bs
from bayes_sloth import running, sampling
from bayes_sloth.batch import Batch
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.design import design_of
from bayes_sloth.kernels import Blocked, last_metric
from bayes_sloth.pytree import argument
from bayes_sloth.running import Run
from bayes_sloth.snapshots import frozen, thawed
from bayes_sloth.space import Space
from bayes_sloth.stretching import (
    DIRECTIONS,
    POSITIONS,
    ROUNDS,
    Stretch,
    bent,
    stiffest,
    widened,
)
from bayes_sloth.transitions import BLOCK, ChainState, Program, Taken, advanced, begun, stretched

ANCHORS = ("exam 2", "exam 0")
SPEC = bs.ModelSpec(skills=2, link="logistic", likelihood="normal", interaction=False, deviation=False)
WARMUP = 83  # its turn is after 75 draws
MANY_ROUNDS = 200
PROGRAM = Program(SPEC, "hmc", WARMUP, stretches=True)
NEAR = 0.3  # of the draws' spread, so that some directions are widened by it, some by their curvature


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def as_matrix(stretch: Stretch) -> np.ndarray:
    """Return what the map does to each unit vector, in columns."""
    return np.asarray(jax.vmap(stretch)(jnp.eye(stretch.onto.shape[1]))).T


def test_a_stretch_is_the_identity_and_a_product() -> None:
    onto, across, by = random(3, 5), random(3, 5, seed=1), np.array([3.0, 1.0, 0.2])
    stretch = Stretch(*map(jnp.asarray, (onto, across, by)))
    wanted = np.eye(5) + onto.T * (by - 1) @ across
    np.testing.assert_allclose(as_matrix(stretch), wanted, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(jax.vmap(stretch.transposed)(jnp.eye(5))), wanted, rtol=1e-12)


def test_scaled_directions_are_as_long_as_asked_and_the_rest_as_before() -> None:
    rows = jnp.asarray(np.linalg.qr(random(5, 5))[0])
    map_ = as_matrix(Stretch(rows[:2], rows[:2], jnp.array([3.0, 0.5])))
    np.testing.assert_allclose(map_ @ rows.T, rows.T * jnp.array([3, 0.5, 1, 1, 1]), atol=1e-12)
    back = as_matrix(Stretch(rows[:2], rows[:2], jnp.array([1 / 3, 2.0])))
    np.testing.assert_allclose(back @ map_, np.eye(5), atol=1e-12)


def test_a_direction_becomes_as_wide_as_its_draws_ask_for() -> None:
    """Never narrower, never wider than its curvature asks for, and steps by what limits them then."""
    curved, widths = jnp.array([400.0, 100.0, 100.0, 25.0, 0.5]), jnp.array([0.1, 0.01, 0.1, 2.0, 0.1])
    wider, gain = widened(curved, widths)
    np.testing.assert_allclose(wider, [10, 10, 10, 1, 1])
    assert gain == pytest.approx(np.sqrt(400 / 25))
    assert widened(jnp.zeros(3), jnp.zeros(3))[1] == 1


def test_the_stiffest_directions_are_those_of_the_largest_eigenvalues() -> None:
    """NumPy's, of a matrix whose eigenvalues halve one after the other."""
    turned = np.linalg.qr(random(40, 40))[0]
    values = 1000 * 0.5 ** np.arange(40)
    matrix = jnp.asarray(turned * values @ turned.T)
    rows, curvatures = jax.jit(lambda rounds: stiffest(lambda v: matrix @ v, 40, rounds))(4)
    order = np.argsort(-curvatures)[:6]
    np.testing.assert_allclose(curvatures[order], values[:6], rtol=1e-3)
    np.testing.assert_allclose(np.abs(rows[order] @ turned[:, :6]), np.eye(6), atol=0.03)


def test_no_round_finds_no_direction() -> None:
    rows, curvatures = stiffest(lambda v: 1e6 * v, 40, 0)
    assert not curvatures.any() and not rows.any()


def test_slopes_that_are_not_finite_find_no_direction() -> None:
    """Or a chain that was somewhere would be nowhere for good."""
    matrix = jnp.diag(jnp.arange(1.0, 41.0)).at[3, 3].set(jnp.nan)
    rows, curvatures = stiffest(lambda v: matrix @ v, 40, 4)
    assert not curvatures.any() and not rows.any()
    wider, gain = widened(curvatures, jnp.zeros(DIRECTIONS))
    assert (wider == 1).all() and gain == 1


def test_curvature_by_differences_is_that_of_second_derivatives() -> None:
    """Of a potential with a cubic part, which differences of both sides do not see."""
    matrix = jnp.asarray(random(6, 6))

    def potential(vector: Any) -> Any:
        return jnp.sum(jnp.cosh(matrix @ vector / 3)) + jnp.sum(vector**3)

    places, line = jnp.asarray(random(4, 6, seed=2)), jnp.asarray(random(6, seed=3))
    wanted = jnp.mean(jax.vmap(jax.hessian(potential))(places), 0) @ line
    np.testing.assert_allclose(bent(potential, places, line), wanted, rtol=1e-4)


class Turned(NamedTuple):
    """A chain at its turn, before and after it is stretched, by few and by many rounds."""

    space: Space
    draws: Any
    before: ChainState
    after: ChainState
    wholly: ChainState


@cache
def turned() -> Turned:
    """Warm a chain up to its turn."""
    with compiled_quickly():
        design = argument(design_of(small_table(), ANCHORS))
        space, program = Space(design, SPEC), PROGRAM
        state = begun(design, program, 0.1 * jnp.asarray(random(space.size)), jax.random.key(0))
        for count in 3 * [BLOCK]:
            state, taken = advanced(design, program, state, count, 1)
        middle = taken.vectors.mean(0)
        draws = middle + NEAR * (taken.vectors - middle)
        few, many = (stretched(design, program, state, draws, rounds) for rounds in (4, MANY_ROUNDS))
    return Turned(space, draws, state, few, many)


def blocked(state: ChainState) -> Blocked:
    return state.blocked(turned().space)


def assert_stays_where_it_is(space: Space, before: ChainState, after: ChainState) -> None:
    """Check its place, and that its slope is that of the new coordinates."""
    old, new = before.blocked(space), after.blocked(space)
    np.testing.assert_allclose(new.flat(after.inner.z), old.flat(before.inner.z), atol=1e-9)
    assert max(float(jnp.abs(after.inner.z[k] - before.inner.z[k]).max()) for k in after.inner.z) > 0.01
    with compiled_quickly():
        wanted = jax.jit(jax.grad(new.potential))(after.inner.z)
    for name, slope in after.inner.z_grad.items():
        np.testing.assert_allclose(slope, wanted[name], rtol=1e-6, atol=1e-6)


@pytest.mark.long
def test_a_chain_stays_where_it_is() -> None:
    assert_stays_where_it_is(turned().space, turned().before, turned().after)


def whitening(state: ChainState) -> np.ndarray:
    """Return the map from units of the metric to flat vectors, which is linear."""
    blocks, metric = blocked(state), state.inner.adapt_state.inverse_mass_matrix
    roots = [
        np.linalg.cholesky(metric[name,]) if metric[name,].ndim == 2 else np.diag(np.sqrt(metric[name,]))
        for name in blocks.places
    ]
    columns = jax.vmap(lambda row: blocks.flat(blocks.parted(row)))
    return np.asarray(columns(jnp.asarray(block_diag(*roots).T))).T


@cache
def second_derivatives() -> np.ndarray:
    """Return those of the potential, the mean over the places where it is taken, by flat vectors."""
    with compiled_quickly():
        each = jax.jit(jax.vmap(jax.hessian(turned().space.potential)))
        return np.asarray(each(turned().draws[:: BLOCK // POSITIONS])).mean(0)


def curvatures(state: ChainState) -> np.ndarray:
    """Return the eigenvalues of the second derivatives in units of the metric, the largest first."""
    to_flat = whitening(state)
    return np.linalg.eigvalsh(to_flat.T @ second_derivatives() @ to_flat)[::-1]


@pytest.mark.long
def test_stiff_directions_become_as_wide_as_draws_and_the_others_stay() -> None:
    """By all second derivatives, which the search never has."""
    before = curvatures(turned().before)
    assert before[0] > 20 and before.size > 2 * DIRECTIONS
    values, vectors = np.linalg.eigh(
        whitening(turned().before).T @ second_derivatives() @ whitening(turned().before)
    )
    along = np.linalg.solve(whitening(turned().before), np.asarray(turned().draws).T).T @ vectors
    wider, _ = widened(values[-DIRECTIONS:], along.std(0)[-DIRECTIONS:])
    wanted = np.r_[values[:-DIRECTIONS], values[-DIRECTIONS:] / wider**2]
    np.testing.assert_allclose(curvatures(turned().wholly), np.sort(wanted)[::-1], rtol=0.02, atol=0.02)
    assert curvatures(turned().after)[0] < 1.5 * max(wanted)  # after as few rounds as usual
    assert max(wanted) < before[0] / 3


@pytest.mark.long
def test_the_search_for_a_step_begins_at_a_longer_one() -> None:
    before, after = turned().before.inner.adapt_state, turned().after.inner.adapt_state
    gain = after.step_size / before.step_size
    assert gain > 1.2
    assert after.ss_state[-1] - before.ss_state[-1] == pytest.approx(jnp.log(gain))
    assert before.ss_state[3] == 0  # it has just begun again


@pytest.mark.long
def test_a_stretched_state_keeps_its_types_and_comes_back_from_a_file() -> None:
    """Or its next draws would be another program, and a checkpoint another chain."""
    before, after = turned().before, turned().after
    types = [jax.eval_shape(lambda state: state, one) for one in (before, after)]
    assert jax.tree.structure(types[0]) == jax.tree.structure(types[1])
    for old, new in zip(*map(jax.tree.leaves, types), strict=True):
        assert (old.shape, old.dtype, old.weak_type) == (new.shape, new.dtype, new.weak_type)
    again = thawed(frozen(after), types[0])
    for old, new in zip(frozen(after), frozen(again), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.long
def test_a_batch_is_stretched_as_its_chains_are() -> None:
    """Two chains of an accelerator: one state twice, of other draws."""
    spread = turned().draws
    draws = jnp.stack([spread, spread.mean(0) + 0.5 * (spread - spread.mean(0))])
    space, before = turned().space, turned().before
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), before)
    taken = Taken(draws, *5 * [jnp.zeros((2, BLOCK))])
    run = Run(space.design, PROGRAM, 30, Checkpoint(), Event())
    with compiled_quickly():
        found = running._stretched(run, Batch(0, 2, both), both, taken, BLOCK)
        for place in range(2):
            alone = stretched(space.design, PROGRAM, before, draws[place], 4)
            np.testing.assert_allclose(found.by[place], alone.by, rtol=1e-6)
            for name, value in alone.inner.z.items():
                np.testing.assert_allclose(found.inner.z[name][place], value, atol=1e-6)
    assert np.abs(found.by[0] - found.by[1]).max() > 0.01


@pytest.mark.parametrize("warmup", [0, 1, 10, 19, 20, 30, 50, 60, 149, 150, 333, 500, 1000])
def test_a_block_of_the_warm_up_ends_where_chains_are_stretched(warmup: int) -> None:
    design: Any = None
    run = Run(design, Program(PLAIN, "hmc", warmup, stretches=True), 30, Checkpoint(), Event())
    plain = Run(design, Program(PLAIN, "hmc", warmup), 30, Checkpoint(), Event())
    assert plain.stretched_after == 0
    counts = [count for count, _ in run.blocks[: run.warm]]
    assert sum(counts) == warmup and all(0 < count <= BLOCK for count in counts)
    after = run.stretched_after
    assert sum(counts[:after]) == last_metric(warmup)
    assert (after > 0) == (warmup >= 20)
    assert after == 0 or counts[after - 1] == min(BLOCK, last_metric(warmup))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_chains_that_are_stretched_go_on_as_if_never_stopped(
    stop_after: int, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the turn, at it, and after it."""
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    walk.instead(monkeypatch)
    straight = walk.run(Checkpoint())
    monkeypatch.setattr(type(walk), "STRETCHES", True)
    wanted = walk.run(Checkpoint())
    assert wanted[0].min() > straight[0].max() + 1000
    folder = Checkpoint(tmp_path)
    walk.batches(folder, stop_after)
    for found, column in zip(walk.run(folder), wanted, strict=True):
        np.testing.assert_array_equal(found, column)


@pytest.mark.parametrize(("many", "times"), [(0, 2), (10**6, 0)])
def test_chains_of_many_parameters_are_stretched_once_each(
    many: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And go on from there: two programs of draws are not compiled, and draws move."""
    rounds: list[int] = []
    turns: list[tuple[ChainState, ChainState]] = []

    def watched(design: Any, program: Any, state: ChainState, **named: Any) -> ChainState:
        rounds.append(named["rounds"])
        turns.append((state, stretched(design, program, state, **named)))
        return turns[-1][1]

    monkeypatch.setattr(running, "stretched", watched)
    monkeypatch.setattr(sampling, "MANY", many)
    before = advanced._cache_size()
    found = sampled(draws=10)
    assert rounds.count(ROUNDS) == times and len(rounds) == times + (times > 0)
    assert advanced._cache_size() <= before + 1
    assert all((np.ptp(chain, axis=0) > 0).all() for chain in found.vectors)
    for turn in turns[1:]:
        assert_stays_where_it_is(found.space, *turn)
