"""Chains start near the mode, do not depend on how they run, and depend on the seed alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import jax
import numpy as np
import pytest
from fits import CHAINS, DRAWS, SPEC, WARMUP, compiled_quickly, hmc_fit, map_fit, table
from oracles import plain_table
from walks import Shorter

import bayes_sloth as bs
from bayes_sloth import running, sampling
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitWarning
from bayes_sloth.kernels import AS_PRIOR, MOST_STEPS, SAMPLED
from bayes_sloth.modes import Modes, held
from bayes_sloth.pytree import argument
from bayes_sloth.running import Batch, Run
from bayes_sloth.sampling import SPREAD, Chains, prepare, run_chains, starts
from bayes_sloth.space import Space
from bayes_sloth.transitions import BLOCK, Program, advanced, begun

# As small a model as there is: what is tested here is how chains run, not what they sample.
PLAIN = bs.ModelSpec(
    skills=1,
    link="logistic",
    likelihood="normal",
    interaction=False,
    deviation=False,
    specific=False,
    anchors=("exam 0",),
)
SETTINGS = {"method": "hmc", "chains": 2, "draws": 12, "warmup": 30}


@cache
def modes() -> Modes:
    """Stand in for modes: where the optimiser would begin."""
    design = design_of(plain_table(), ("exam 0",))
    space = Space(design, PLAIN, held(design, PLAIN))
    with compiled_quickly():
        return Modes(space, space.start()[None], np.zeros(1))


def sampled(seed: int = 0, **changes: int | str) -> Chains:
    with compiled_quickly():
        return run_chains(modes(), **SETTINGS | changes, seed=seed, progress=False)  # type: ignore[arg-type]


def flat(chains: Chains) -> np.ndarray:
    """Return all flat draws, dims (chain, draw, parameter)."""
    return np.stack(chains.vectors)


@cache
def usual() -> Chains:
    return sampled()


def test_the_same_seed_gives_the_same_fit() -> None:
    with compiled_quickly(), pytest.warns(FitWarning):
        again = bs.fit(table(), SPEC, seed=0, chains=CHAINS, draws=DRAWS, warmup=WARMUP, progress=False)
    for name in ("posterior", "sample_stats"):
        assert again.data[name].dataset.equals(hmc_fit().data[name].dataset)


def test_the_seed_decides_and_chains_differ_from_each_other() -> None:
    found, size = flat(usual()), usual().space.size
    assert found.shape == (2, 12, size) and np.isfinite(found).all()
    assert not (found[0] == found[1]).any()
    assert (np.ptp(found, axis=1) > 0).all()  # every chain moves
    np.testing.assert_array_equal(flat(sampled()), found)
    assert not (flat(sampled(seed=1)) == found).any()


def test_named_quantities_are_those_of_the_flat_draws_which_are_let_go() -> None:
    """By chain and draw; whoever asks again is told."""
    chains = sampled(draws=BLOCK + 3)
    wanted = chains.space.quantities(flat(chains).reshape(-1, chains.space.size))["model_skill"]
    found = chains.named()
    np.testing.assert_allclose(found["model_skill"], wanted.reshape(found["model_skill"].shape), rtol=1e-12)
    assert found["model_skill"].shape[:2] == (2, BLOCK + 3)
    assert chains.vectors == []
    with pytest.raises(ValueError, match="the draws have been let go"):
        chains.named()


@pytest.mark.parametrize("seen", [True, False])
def test_whoever_watches_is_told_what_he_waits_for(seen: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with compiled_quickly():
        run_chains(modes(), **SETTINGS, seed=0, progress=seen)  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    assert ("compiling" in shown, "trajectory" in shown) == (seen, seen)


def test_a_batch_keeps_blocks_of_draws_in_one_array_a_chain() -> None:
    """Whatever their lengths; what is asked for from some draw on is a copy of its own."""
    rows = np.arange(54.0).reshape(2, 9, 3)
    batch = Batch(0, 2, None)  # type: ignore[arg-type]
    assert batch.kept() == []
    for first, last in ((0, 4), (4, 6), (6, 9)):
        batch.keep([rows[:, first:last], rows[:, first:last, 0] > 20], 12)
    assert batch.drawn == 9 and [len(chain) for chain in batch.columns[0]] == [12, 12]
    for first in (0, 3, 8):
        vectors, large = batch.kept(first)
        np.testing.assert_array_equal(vectors, rows[:, first:])
        np.testing.assert_array_equal(large, rows[:, first:, 0] > 20)
        assert not np.shares_memory(vectors, batch.columns[0][0])
    assert batch.kept(9) == []


def test_a_chain_that_is_ahead_gives_the_draws_that_all_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chain of two is stopped a block earlier."""
    monkeypatch.setattr(sampling, "watch", _one_ahead)
    chains = sampled(draws=2 * BLOCK)
    assert chains.interrupted and flat(chains).shape == (2, BLOCK, usual().space.size)
    assert {values.shape for values in chains.statistics.values()} == {(2, BLOCK)}
    np.testing.assert_array_equal(flat(chains)[:, :12], flat(usual()))


def _one_ahead(run: Run, batches: list[Batch], progress: bool) -> None:
    for batch in batches:
        blocks = len(run.blocks) - 1 + batch.number
        running._sample(Shorter(run, blocks), batch)  # type: ignore[arg-type]


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    """Blocks of draws are only where a run may pause."""
    longer = sampled(draws=BLOCK + 3)
    assert flat(longer).shape == (2, BLOCK + 3, usual().space.size)
    np.testing.assert_array_equal(flat(longer)[:, :12], flat(usual()))
    for name, values in usual().statistics.items():
        np.testing.assert_array_equal(longer.statistics[name][:, :12], values)


def test_statistics_are_those_of_the_draws() -> None:
    """The log density of each, and steps of every trajectory since the last."""
    statistics, space = usual().statistics, usual().space
    assert {values.shape for values in statistics.values()} == {(2, 12)}
    with compiled_quickly():
        density = -jax.jit(jax.vmap(jax.vmap(space.potential)))(flat(usual()))
    np.testing.assert_allclose(statistics["lp"], density, atol=1e-8)
    assert statistics["n_steps"].min() >= 1 and statistics["n_steps"].max() <= MOST_STEPS[2]
    assert not statistics["diverging"].all()


def test_an_accelerator_runs_chains_as_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are the chains that threads run, up to rounding, which grows with every trajectory."""
    wanted = sampled(draws=10, warmup=1)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = sampled(draws=10, warmup=1)
    assert flat(found).shape == flat(wanted).shape
    np.testing.assert_allclose(flat(found)[:, 0], flat(wanted)[:, 0], atol=1e-5)
    np.testing.assert_array_equal(found.statistics["n_steps"][:, 0], wanted.statistics["n_steps"][:, 0])


def test_other_lengths_and_seeds_compile_nothing() -> None:
    usual()
    before = begun._cache_size(), advanced._cache_size()
    sampled(seed=7, chains=3, draws=BLOCK + 1)
    assert (begun._cache_size(), advanced._cache_size()) == before


@pytest.mark.parametrize("stretches", [False, True])
@pytest.mark.parametrize("method", SAMPLED)
def test_a_draw_keeps_the_types_of_a_state(method: str, stretches: bool) -> None:
    """Or the program of the first draws would have to be compiled again for the rest."""
    space = Space(argument(modes().space.design), PLAIN)
    program = Program(PLAIN, method, 30, stretches)
    before = jax.eval_shape(partial(begun, space.design, program), space.start(), jax.random.key(0))
    after, _ = jax.eval_shape(partial(advanced, space.design, program), before, 1, 1)
    types = [
        [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
        for state in (before, after)
    ]
    assert types[0] == types[1]


def test_other_anchors_compile_nothing() -> None:
    usual()
    other = replace(PLAIN, anchors=("exam 1",))
    design = design_of(plain_table(), ("exam 1",))
    space = Space(design, other, held(design, other))
    before = begun._cache_size(), advanced._cache_size()
    with compiled_quickly():
        run_chains(Modes(space, space.start()[None], np.zeros(1)), **SETTINGS, seed=0, progress=False)  # type: ignore[arg-type]
    assert (begun._cache_size(), advanced._cache_size()) == before


def test_chains_start_around_the_mode_with_scales_at_their_medians() -> None:
    spec = map_fit().spec
    design = design_of(table(), spec.anchors or ())
    held_space, space = Space(design, spec, held(design, spec)), Space(design, spec)
    with compiled_quickly():
        best = held_space.start() + 0.1
        found = starts(space, held_space, best, 50, jax.random.key(0))
        assert found.shape == (50, space.size)
        named = jax.vmap(space.named)(found)
    scale = np.asarray(named["family_scale"])
    np.testing.assert_allclose(scale.mean(0), spec.priors.family_scale_mean, atol=5 * SPREAD / 50**0.5)
    scale = np.asarray(named["specific_scale_free"])
    np.testing.assert_allclose(scale.mean(0), spec.priors.specific_scale_mean, atol=5 * SPREAD / 50**0.5)
    for name in ("deviation_raw", "specific_raw"):
        np.testing.assert_allclose(np.asarray(named[name]).mean(), 0, atol=0.01)
    slope = np.asarray(held_space.named(best)["slope"])
    np.testing.assert_allclose(np.asarray(named["slope"]).mean(0), slope, atol=5 * SPREAD / 50**0.5)
    np.testing.assert_allclose(np.asarray(found).std(0).mean(), SPREAD, rtol=0.05)
    # Many scores leave less of a lower end unknown than a start may depart from it by in other parameters.
    unit = spec.priors.lower_sd / np.sqrt(1 + design.observed.sum(0) / AS_PRIOR)
    np.testing.assert_allclose(np.asarray(named["lower"]).std(0), SPREAD * unit, rtol=0.5)


def test_preparing_switches_to_64_bits_and_nothing_else() -> None:
    devices = jax.local_device_count()
    jax.config.update("jax_enable_x64", False)
    try:
        prepare()
        assert jax.config.jax_enable_x64 and jax.local_device_count() == devices
    finally:
        jax.config.update("jax_enable_x64", True)
