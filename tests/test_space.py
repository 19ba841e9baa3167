"""The flat parameters: there and back, and the same density with sites held."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fits import compiled_quickly
from numpyro.infer.util import log_density
from oracles import plain_table

from bayes_sloth import space as module
from bayes_sloth.design import design_of
from bayes_sloth.model import GROUP_SCALES, sloth
from bayes_sloth.modes import held
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

SPEC = ModelSpec(skills=1, anchors=("exam 0",))


@cache
def space() -> Space:
    return Space(design_of(plain_table(), ("exam 0",)), SPEC)


@cache
def narrow() -> Space:
    """Return the same with group scales and departures held."""
    return Space(space().design, SPEC, held(space().design, SPEC))


def density_of(of: Space, vector: jax.Array) -> float:
    """Return minus the log density, quickly: op by op every one of them would be compiled by itself."""
    with compiled_quickly():
        return float(jax.jit(of.potential)(vector))


def near_start(of: Space, seed: int) -> jax.Array:
    start = of.start()
    return start + 0.2 * jax.random.normal(jax.random.key(seed), start.shape)


def test_flat_and_named_are_inverse() -> None:
    vector = near_start(space(), 0)
    assert (space().flat(space().named(vector)) == vector).all()
    assert vector.ndim == 1 and vector.size == sum(v.size for v in space().named(vector).values())


def test_the_start_is_finite() -> None:
    assert np.isfinite(density_of(space(), space().start()))


def test_the_start_is_the_middle_of_every_prior() -> None:
    """Of families too, whose prior is around what slopes and sizes give."""
    with compiled_quickly():
        found = space().named(space().start())
    priors, design = SPEC.priors, space().design
    np.testing.assert_allclose(found["slope"][0, :2], priors.slope_mean)
    np.testing.assert_allclose(found["lower"], design.floor)
    np.testing.assert_allclose(found["loading_free"], priors.loading_mean)
    np.testing.assert_allclose(found["misfit"], priors.misfit_mean)
    vector = space().start()
    there = space().quantities(vector[None], ["efficiency", "deviation"])
    np.testing.assert_allclose(there["efficiency"], 0, atol=1e-12)
    np.testing.assert_array_equal(there["deviation"], 0)


def test_however_wide_a_scales_prior_is_the_start_is_its_median() -> None:
    """The mean of so wide a log-normal law is e to the 50th."""
    wide = replace(SPEC, priors=replace(SPEC.priors, asymmetry_sd=10.0))
    of = Space(space().design, wide)
    np.testing.assert_array_equal(of.named(of.start())["asymmetry"], 0)


def test_other_anchors_and_tables_of_one_shape_share_the_program_of_quantities() -> None:
    vector = space().start()[None]
    first = space().quantities(vector, ["loading"])["loading"][0]
    before = module._quantities._cache_size()
    other = Space(design_of(plain_table(), ("exam 1",)), replace(SPEC, anchors=("exam 1",)))
    second = other.quantities(vector, ["loading"])["loading"][0]
    assert module._quantities._cache_size() == before
    assert (first[0, 0], second[1, 0]) == (1, 1) and first[1, 0] == second[0, 0] == SPEC.priors.loading_mean


def test_a_design_may_be_an_argument_of_a_compiled_program() -> None:
    """As folds need it: the layout of the flat vector is found while the program is traced."""
    vector = near_start(space(), 4)

    def of(score: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside = Space(replace(space().design, score=score), SPEC)
        return inside.potential(vector), inside.start()

    with compiled_quickly():
        potential, start = jax.jit(of)(jnp.asarray(space().design.score))
    assert float(potential) == pytest.approx(density_of(space(), vector), abs=1e-9)
    np.testing.assert_allclose(start, space().start(), atol=1e-9)


def test_held_sites_are_no_parameters() -> None:
    free, fixed = set(space().named(space().start())), set(narrow().named(narrow().start()))
    assert free - fixed == {*GROUP_SCALES, "deviation_raw", "specific_raw"} and fixed < free


def test_holding_sites_takes_away_their_prior_and_no_more() -> None:
    """The potentials differ by a constant: the prior of what is held."""
    gaps = []
    for seed in (0, 1):
        inner = narrow().named(near_start(narrow(), seed))
        scales = {n: jnp.log(narrow().fixed[n]) for n in GROUP_SCALES}
        raw = {name: narrow().fixed[name] for name in ("deviation_raw", "specific_raw")}
        whole = space().flat(inner | scales | raw)
        gaps.append(density_of(space(), whole) - density_of(narrow(), narrow().flat(inner)))
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-8)


def test_the_potential_is_the_density_and_the_jacobian() -> None:
    """Against the model's own density: every positive site adds its log to the density of its logarithm."""
    vector = near_start(narrow(), 3)
    found = narrow().quantities(vector[None])
    names = narrow().named(vector)
    sites = {name: jnp.asarray(found[name][0]) for name in names} | dict(narrow().fixed)
    with compiled_quickly():
        density = float(jax.jit(lambda at: log_density(sloth, (space().design, SPEC), {}, at)[0])(sites))
    jacobian = 0.0
    for name in names:
        value = np.asarray(sites[name])
        if name in ("misfit", "asymmetry", "tail", "family_scale"):
            jacobian += np.log(value).sum()
    assert density_of(narrow(), vector) == pytest.approx(-density - jacobian, abs=1e-8)


def test_quantities_are_those_of_each_draw() -> None:
    rows = jnp.stack([near_start(narrow(), seed) for seed in range(3)])
    together, alone = narrow().quantities(rows), narrow().quantities(rows[1:2])
    assert set(together) >= {"model_skill", "loading", "family_scale", "deviation"}
    for name, value in together.items():
        if name not in narrow().fixed:
            np.testing.assert_allclose(value[1], alone[name][0], rtol=1e-6, atol=1e-10)


def test_quantities_of_many_draws_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that do not divide the draws change nothing, nor does asking for some quantities only."""
    rows = jnp.stack([near_start(narrow(), seed) for seed in range(5)])
    together = narrow().quantities(rows)
    monkeypatch.setattr("bayes_sloth.space.BATCH", 2)
    apart = narrow().quantities(rows, narrow().reported)
    assert set(apart) == set(narrow().reported) < set(together)
    assert {"model_skill", "tail", "specific"} <= set(apart) and "loading_free" not in apart
    for name, value in apart.items():
        np.testing.assert_allclose(value, together[name], rtol=1e-9, atol=1e-12)


def test_large_quantities_are_kept_in_half_as_many_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that are no larger than the limit are not, nor are numbers that are no floats."""
    rows = jnp.stack([near_start(narrow(), seed) for seed in range(3)])
    whole = narrow().quantities(rows, ("model_skill", "loading"))
    assert {value.dtype for value in whole.values()} == {np.dtype("float64")}
    monkeypatch.setattr("bayes_sloth.space.MOST_BYTES", whole["loading"].nbytes)
    found = narrow().quantities(rows, ("model_skill", "loading"))
    assert found["model_skill"].dtype == np.float32 and found["loading"].dtype == np.float64
    np.testing.assert_allclose(found["model_skill"], whole["model_skill"], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(found["loading"], whole["loading"])
    assert module._room(2, (3,), np.dtype("int64")).dtype == np.int64


def test_quantities_of_blocks_are_those_of_all_draws_at_once() -> None:
    """Whatever their lengths: longer than what is computed at a time, shorter, empty."""
    rows = jnp.stack([near_start(narrow(), seed) for seed in range(3)])[jnp.arange(60) % 3]
    cuts = (0, 7, 7, 40, 59, 60)
    blocks = (rows[first:last] for first, last in pairwise(cuts))
    found = narrow().quantities_of(blocks, 60, ("model_skill", "loading"))
    assert set(found) == {"model_skill", "loading"}
    for name, value in narrow().quantities(rows).items():
        if name in found:
            np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12)
            assert (np.diff(found[name][:3], axis=0) != 0).any()
