"""Chains start near the mode, run side by side, and depend on the seed alone."""

from __future__ import annotations

import os

import jax
import numpy as np
import pytest
from fits import CHAINS, DRAWS, SPEC, WARMUP, compiled_quickly, map_fit, nuts_fit, table

import bayes_sloth as bs
from bayes_sloth import sampling
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitWarning
from bayes_sloth.modes import held
from bayes_sloth.sampling import JITTER, chain_method, prepare, starts
from bayes_sloth.space import Space


def test_the_same_seed_gives_the_same_chains() -> None:
    with compiled_quickly(), pytest.warns(FitWarning):
        again = bs.fit(
            table(), SPEC, method="nuts", seed=0, chains=CHAINS, draws=DRAWS, warmup=WARMUP, progress=False
        )
    for name in ("posterior", "sample_stats", "log_likelihood"):
        assert again.data[name].dataset.equals(nuts_fit().data[name].dataset)


def test_chains_differ_from_each_other() -> None:
    skill = nuts_fit().data["posterior"].dataset["model_skill"].values
    assert not np.array_equal(skill[0], skill[1])
    assert (np.ptp(skill, axis=1) > 0).all()  # every chain moves


def test_chains_start_around_the_mode_with_scales_at_their_medians() -> None:
    spec = map_fit().spec
    design = design_of(table(), spec.anchors or ())
    held_space, space = Space(design, spec, held(design, spec)), Space(design, spec)
    with compiled_quickly():
        best = held_space.start() + 0.1
        found = starts(space, held_space, best, 50, jax.random.key(0))
        assert found.shape == (50, space.start().size)
        named = jax.vmap(space.named)(found)
    scale = np.asarray(named["family_scale"])
    np.testing.assert_allclose(scale.mean(0), spec.priors.family_scale_mean, atol=5 * JITTER / 50**0.5)
    np.testing.assert_allclose(np.asarray(named["deviation_raw"]).mean(), 0, atol=0.01)
    slope = np.asarray(held_space.named(best)["slope"])
    np.testing.assert_allclose(np.asarray(named["slope"]).mean(0), slope, atol=5 * JITTER / 50**0.5)
    np.testing.assert_allclose(np.asarray(found).std(0).mean(), JITTER, rtol=0.05)


def test_chains_run_side_by_side_where_devices_allow() -> None:
    assert chain_method(1) == chain_method(4) == "parallel"
    with pytest.warns(FitWarning, match=r"so 5 chains run in turn.*device_count=5 before Python starts"):
        assert chain_method(5) == "sequential"


def test_an_accelerator_vectorises_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chain_method(8) == "vectorized"


def test_a_users_device_count_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(sampling.numpyro, "set_host_device_count", asked.append)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    prepare(8)
    assert asked == []
    assert os.environ["XLA_FLAGS"] == "--xla_force_host_platform_device_count=2"
    monkeypatch.setenv("XLA_FLAGS", "")
    prepare(2)
    prepare(8)
    assert asked == [4, 8]
