"""Blocks hold what their names say, and trajectories of random length leave the posterior as it is."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fits import compiled_quickly
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import NUTS
from numpyro.infer.hmc import HMCState
from numpyro.infer.hmc_util import euclidean_kinetic_energy
from numpyro.infer.util import log_likelihood, unconstrain_fn
from oracles import plain_table, small_table
from scipy import stats

import bayes_sloth as bs
from bayes_sloth import kernels
from bayes_sloth.design import design_of
from bayes_sloth.kernels import (
    LENGTH,
    LONGEST,
    MOST_STEPS,
    SHORTEST,
    SMALLEST,
    Blocked,
    Trajectories,
    kernel_of,
)
from bayes_sloth.model import sloth
from bayes_sloth.refitting import Length, walked
from bayes_sloth.simulation import draws
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

ANCHORS = ("exam 2", "exam 0")  # so that anchors are not the first benchmarks, nor in their order
SPECS = {
    "default": ModelSpec(skills=2, anchors=ANCHORS),
    "spline": ModelSpec(skills=2, anchors=ANCHORS, link="spline"),
    "plain": ModelSpec(
        skills=2, anchors=ANCHORS, link="logistic", interaction=False, deviation=False, specific=False
    ),
}
STEP = 1e-5
each_spec = pytest.mark.parametrize("name", SPECS)


@cache
def blocked(name: str = "default") -> Blocked:
    with compiled_quickly():
        return Blocked(Space(design_of(small_table(), ANCHORS), SPECS[name]))


def curve_of(name: str, exam: int) -> set[tuple[str, tuple[int, ...]]]:
    """Return the parameters of a benchmark's link."""
    shape = {"default": {("asymmetry", (exam,))}, "spline": {("bend", (exam, i)) for i in range(4)}}
    return {("lower", (exam,)), ("reach_logit", (exam,))} | shape.get(name, set())


def somewhere(name: str = "default", seed: int = 0) -> jax.Array:
    return 0.3 * jax.random.normal(jax.random.key(seed), (blocked(name).space.size,))


def entries_moved(name: str, block: str) -> set[tuple[str, tuple[int, ...]]]:
    """Return which entries of which sites a block holds, found by moving it."""
    one, vector = blocked(name), somewhere(name)
    blocks = one.blocks(vector)
    before = one.space.named(vector)
    after = one.space.named(one.flat(blocks | {block: blocks[block] + 1.0}))
    return {
        (site, tuple(int(i) for i in place))
        for site in before
        for place in np.argwhere(np.asarray(before[site] != after[site]))
    }


@each_spec
def test_every_model_starts_where_it_has_a_density(name: str) -> None:
    space = blocked(name).space
    with compiled_quickly():
        assert np.isfinite(jax.jit(space.potential)(space.start()))


@each_spec
def test_blocks_and_flat_vectors_are_inverse(name: str) -> None:
    """Of one vector and of many."""
    one = blocked(name)
    rows = jnp.arange(3.0 * one.space.size).reshape(3, -1)
    np.testing.assert_allclose(one.flat(one.blocks(rows)), rows, rtol=1e-15)
    np.testing.assert_allclose(one.flat(one.blocks(rows[1])), rows[1], rtol=1e-15)


@each_spec
def test_every_parameter_is_in_one_block(name: str) -> None:
    one = blocked(name)
    places = np.concatenate([np.asarray(p) for p in one.places.values()])
    assert sorted(places.tolist()) == list(range(one.space.size))
    assert {n for (n,) in one.dense} == {"skill 0", "skill 1", "benchmark 0", "benchmark 1"}
    assert set(one.places) == {n for (n,) in one.dense} | {"rest"}


@each_spec
@pytest.mark.parametrize(("skill", "anchor"), [(0, 2), (1, 0)])
def test_the_block_of_a_skill_holds_its_effects_and_its_anchors_curve(
    name: str, skill: int, anchor: int
) -> None:
    of_skill = ("size_curvature", "token_curvature", "skill_mean", "tuning", "tuning_slope")
    wanted = {(site, (skill,)) for site in of_skill} | curve_of(name, anchor)
    wanted |= {("slope", (skill, c)) for c in range(2 if name == "plain" else 3)}
    assert entries_moved(name, f"skill {skill}") == wanted


@each_spec
@pytest.mark.parametrize(("free", "exam"), [(0, 1), (1, 3)])
def test_the_block_of_a_benchmark_holds_its_loadings_and_its_curve(name: str, free: int, exam: int) -> None:
    wanted = {("loading_free", (free, k)) for k in range(2)} | {("predictor_free", (free,))}
    assert entries_moved(name, f"benchmark {free}") == wanted | curve_of(name, exam)


def test_the_block_of_a_benchmark_moves_that_benchmark_alone() -> None:
    """By the model: no other benchmark's curve or density, nor any skill."""
    one, vector = blocked(), somewhere()
    blocks = one.blocks(vector)
    rows = jnp.stack([vector, one.flat(blocks | {"benchmark 1": blocks["benchmark 1"] + 0.1})])
    with compiled_quickly():
        found = {site: np.asarray(v) for site, v in one.space.quantities(rows).items()}
    changed = {site for site, (before, after) in found.items() if not np.array_equal(before, after)}
    assert changed >= {"loading", "intercept", "lower", "upper", "asymmetry"}
    assert not changed & {"model_skill", "family_skill", "slope", "specific"}
    for site in ("loading", "intercept", "lower", "reach", "upper", "asymmetry"):
        moved = np.argwhere((found[site][0] != found[site][1]).reshape(4, -1).any(axis=1))
        assert moved.ravel().tolist() == [3], site
    density = log_likelihood(sloth, found, one.space.design, one.space.spec)["score"]
    seen = np.asarray(density[0] != density[1])
    np.testing.assert_array_equal(seen.any(axis=0), [False, False, False, True])


@each_spec
def test_the_potential_is_that_of_the_flat_vector(name: str) -> None:
    one, vector = blocked(name), somewhere(name, seed=1)
    with compiled_quickly():
        wanted = float(jax.jit(one.space.potential)(vector))
        assert float(jax.jit(one.potential)(one.blocks(vector))) == pytest.approx(wanted, abs=1e-9)
    assert np.isfinite(wanted)


def test_a_table_may_be_an_argument_of_a_compiled_program() -> None:
    space = Space(design_of(plain_table(), ("exam 0",)), ModelSpec(skills=1, anchors=("exam 0",)))

    def there_and_back(design: Any, vector: jax.Array) -> jax.Array:
        inside = Blocked(Space(design, space.spec))
        return inside.flat(inside.blocks(vector))

    vector = jnp.arange(float(space.size))
    with compiled_quickly():
        np.testing.assert_allclose(jax.jit(there_and_back)(space.design, vector), vector, rtol=1e-15)


def test_lower_ends_have_a_unit_of_the_size_of_what_many_scores_leave_unknown() -> None:
    """At the truth, all else held, variances are a thousandth of the prior's, and about 1 to the sampler.

    NumPyro adds 2e-5 to the variances that a warm-up of 500 draws has found.
    """
    with compiled_quickly():
        made = bs.simulate(bs.ModelSpec(skills=1), families=400, models_per_family=2, benchmarks=4, seed=0)
        space = Space(made.design, made.spec)
        blocks = Blocked(space)
        drawn = draws(made.design, made.spec, jax.random.key(0)[None])
        sites = {site: drawn[site][0] for site in space.named(jnp.zeros(space.size))}
        truth = jax.jit(lambda at: space.flat(unconstrain_fn(space.model, (), {}, at)))(sites)
        unit = jax.jit(lambda at: blocks.flat(jax.tree.map(jnp.ones_like, blocks.blocks(at))))(truth)
        lower = np.flatnonzero(unit < 1)
        moves = STEP * np.eye(space.size)[lower]
        points = truth + np.concatenate([0 * moves[:1], moves, -moves])
        there, *around = np.asarray(jax.jit(jax.vmap(space.potential))(points))
    variance = STEP**2 / (np.reshape(around, (2, 4)).sum(axis=0) - 2 * there)
    assert {site: v.shape for site, v in space.named(unit).items() if np.any(v < 1)} == {"lower": (4,)}
    assert np.all(variance < 2e-5)
    relative = variance / np.asarray(unit)[lower] ** 2
    assert np.all((relative > 0.02) & (relative < 20))


def test_a_method_has_its_kernel_on_the_blocks() -> None:
    for method, kind in (("hmc", Trajectories), ("nuts", NUTS)):
        kernel = kernel_of(method, blocked(), 10)
        assert type(kernel) is kind
        assert kernel._dense_mass == blocked().dense


# --- trajectories, on a target that is known ---------------------------------------------------------------

SPREAD = np.array([[1.0, 0.9, 0.0, 0.0], [0.9, 1.0, 0.3, 0.0], [0.0, 0.3, 4.0, 0.0], [0.0, 0.0, 0.0, 0.01]])
PRECISION = np.linalg.inv(SPREAD)
SHAPE = 2.0  # of a gamma variable, whose logarithm is skewed
RUN = Length(chains=4, warmup=300, draws=1500)
FALSE_ALARM = 1e-3  # of all statistics of a run together


def potential(at: dict[str, jax.Array]) -> jax.Array:
    """Minus the log density of four correlated normals and the logarithm of a gamma variable."""
    normal, skewed = jnp.concatenate([at["a"], at["b"][:2]]), at["b"][2]
    return 0.5 * normal @ PRECISION @ normal + jnp.exp(skewed) - SHAPE * skewed


class Steered(Trajectories):
    """Wrong: steps grow with the distance from the centre, so a move back differs from the move there."""

    def sample(self, state: HMCState, model_args: Any, model_kwargs: Any) -> HMCState:
        adapted = state.adapt_state.step_size
        step = adapted * (0.2 + 0.8 * jnp.abs(state.z["b"][0]))
        step = jnp.where(state.i < self._warmup, adapted, step)
        moved = super().sample(
            state._replace(adapt_state=state.adapt_state._replace(step_size=step)), model_args, model_kwargs
        )
        kept = jnp.where(state.i < self._warmup, moved.adapt_state.step_size, adapted)
        return moved._replace(adapt_state=moved.adapt_state._replace(step_size=kept))


def halved(momentum: Any, metric: Any = None) -> Any:
    """Wrong: half the kinetic energy of the momenta that are drawn."""
    return 0.5 * euclidean_kinetic_energy(momentum, metric) if metric is not None else 0.0


def p_values(kernel: Trajectories) -> list[float]:
    """Return p-values of the means and second moments, and of two distributions, of everything sampled."""
    start = {"a": jnp.zeros(2), "b": jnp.zeros(3)}
    keys = jax.random.split(jax.random.key(0), RUN.chains)
    with compiled_quickly():
        draws = jax.jit(jax.vmap(lambda key: walked(kernel, start, key, RUN)[0]))(keys)
    found = np.concatenate([np.asarray(draws["a"]), np.asarray(draws["b"])], axis=-1)
    mean = np.append(np.zeros(4), stats.loggamma(SHAPE).mean())
    variance = np.append(np.diag(SPREAD), stats.loggamma(SHAPE).var())
    scores = []
    for values in ((found - mean), (found - mean) ** 2 - variance):
        error = values.std((0, 1)) / np.sqrt(effective_sample_size(values))
        scores.extend(values.mean((0, 1)) / error)
    normal, skewed = found[:, ::10, 0].ravel(), found[:, ::10, 4].ravel()
    shapes = [stats.kstest(normal, "norm"), stats.kstest(skewed, stats.loggamma(SHAPE).cdf)]
    return [*(2 * stats.norm.sf(np.abs(scores))), *(shape.pvalue for shape in shapes)]


def trajectories(kind: type[Trajectories] = Trajectories, **settings: Any) -> Trajectories:
    return kind(potential, RUN.warmup, dense_mass=[("a",)], **settings)


def test_trajectories_sample_a_known_target() -> None:
    """Means, second moments and distributions; all together fail one seed in a thousand."""
    found = p_values(trajectories(target_accept_prob=0.8))
    assert min(found) > FALSE_ALARM / len(found), found


@pytest.mark.parametrize(
    "wrong", [trajectories(Steered), trajectories(kinetic_fn=halved)], ids=["steps", "energy"]
)
def test_a_wrong_kernel_is_caught(wrong: Trajectories) -> None:
    found = p_values(wrong)
    assert min(found) < 0.01 * FALSE_ALARM / len(found), found


def path(kernel: Trajectories, warmup: int, draws: int) -> dict[str, np.ndarray]:
    """Return what is told of every trajectory of one chain."""

    def one(state: HMCState, _: None) -> tuple[HMCState, dict[str, Any]]:
        state = kernel.sample(state, (), {})
        told = {"steps": state.num_steps, "step": state.adapt_state.step_size}
        return state, told | {
            "length": state.trajectory_length,
            "metric": state.adapt_state.inverse_mass_matrix,
        }

    def run(key: jax.Array) -> Any:
        state = kernel.init(key, warmup, {"a": jnp.zeros(2), "b": jnp.zeros(3)}, (), {})
        return jax.lax.scan(one, state, None, warmup + draws)[1]

    with compiled_quickly():
        return jax.device_get(jax.jit(run)(jax.random.key(1)))


def test_after_warm_up_nothing_adapts() -> None:
    """Step and metric are those that the warm-up left, however the steps of single trajectories vary."""
    warmup = 100
    found = path(Trajectories(potential, warmup, dense_mass=[("a",)]), warmup, 200)
    assert np.unique(found["step"][warmup - 1 :]).size == 1 and np.unique(found["step"][:warmup]).size > 50
    for metric in found["metric"].values():
        assert (metric[warmup:] == metric[warmup - 1]).all()
    assert (found["length"] == LENGTH).all()
    step, steps = found["step"][-1], found["steps"][warmup:]
    assert steps.min() >= max(1, int(LENGTH * SHORTEST / step)) and np.unique(steps).size > 5
    assert steps.max() <= LENGTH * LONGEST / (SMALLEST * step)


@pytest.mark.parametrize(("warmup", "early"), [(10, 3), (20, 4)])
def test_no_trajectory_takes_more_steps_than_it_may(
    warmup: int, early: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With steps so short that every trajectory would; fewest at first, fewer in all of the warm-up."""
    monkeypatch.setattr(kernels, "EARLY", 4)
    kernel = Trajectories(potential, warmup, step_size=1e-5, adapt_step_size=False, adapt_mass_matrix=False)
    steps = path(kernel, warmup, 4)["steps"]
    for found, most in zip((steps[:early], steps[early:warmup], steps[warmup:]), MOST_STEPS, strict=True):
        assert ((found <= most) & (found >= most - 1)).all(), found  # one less by rounding
