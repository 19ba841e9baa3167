"""The model's log density: whatever has no meaning must not move it, and whatever has must."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from oracles import plain_table, small_table
from scipy import stats

from bayes_sloth.design import Design, design_of
from bayes_sloth.model import sloth
from bayes_sloth.names import SITE_DIMS
from bayes_sloth.observation import LEAST_TAIL
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec

ANCHORS = ("exam 2", "exam 0")
SPEC = ModelSpec(skills=2, specific=True, anchors=ANCHORS)
Sites = dict[str, Any]


@cache
def scores() -> Scores:
    return small_table()


@cache
def design() -> Design:
    return design_of(scores(), ANCHORS)


def trace_of(where: Design, values: Sites, spec: ModelSpec = SPEC) -> Sites:
    seeded = handlers.seed(handlers.substitute(sloth, data=values), 0)
    found: Sites = handlers.trace(seeded).get_trace(where, spec)
    return found


def draw(where: Design, seed: int, spec: ModelSpec = SPEC) -> Sites:
    trace = handlers.trace(handlers.seed(sloth, seed)).get_trace(where, spec)
    return {n: s["value"] for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}


def density(where: Design, values: Sites, spec: ModelSpec = SPEC) -> float:
    return float(log_density(sloth, (where, spec), {}, values)[0])


@cache
def values() -> Sites:
    return draw(design(), 1)


def whitened(where: Design, departure: np.ndarray) -> np.ndarray:
    """Return the standard normals that give these departures at unit scale."""
    rows, columns, entries = where.root
    lower = np.zeros((where.family.size, where.family.size))
    lower[rows, columns] = entries
    return np.linalg.solve(lower, departure)


def moved(values: Sites, old: Design, new: Design, models: Any, families: Any, exams: Any) -> Sites:
    """Return the same parameters for a table whose models, families and benchmarks have been reordered."""
    out = dict(values)
    for name in ("family_skill", "family_tuning_raw"):
        out[name] = values[name][families]
    for name in ("lower", "reach_logit", "asymmetry", "misfit"):
        out[name] = values[name][exams]
    lines = [2 * families[f] + t for f, t in zip(new.lines.family, new.lines.tuned, strict=True)]
    places = {2 * f + t: n for n, (f, t) in enumerate(zip(old.lines.family, old.lines.tuned, strict=True))}
    of_free = [int(j) for j in old.free]
    free = np.array([of_free.index(exams[j]) for j in new.free])
    for name in ("loading_free", "predictor_free", "specific_scale_free"):
        out[name] = values[name][free]
    out["specific_raw"] = values["specific_raw"][jnp.array([places[line] for line in lines])][:, free]
    rows, columns, entries = old.root
    root = np.zeros((old.family.size,) * 2)
    root[rows, columns] = entries
    out["deviation_raw"] = jnp.asarray(whitened(new, (root @ values["deviation_raw"])[models]))
    for name in ("log_size", "log_tokens"):
        before, after = getattr(old, name), getattr(new, name)
        noise = np.zeros(old.family.size)
        noise[before.missing] = before.unknown.lower @ values[f"{name}_raw"]
        there = noise[models][after.missing]
        out[f"{name}_raw"] = jnp.asarray(np.linalg.solve(after.unknown.lower, there))
    return out


def with_the_same_skills(old: Design, new: Design, values: Sites) -> Sites:
    """Return parameters that give every family the same skills though other scores of it are observed."""
    before, after = (trace_of(where, values)["efficiency"]["value"] for where in (old, new))
    return values | {"family_skill": values["family_skill"] + before - after}


def same_spreads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the two regressions' spreads: their searches stop a rounding apart when rows change places."""
    monkeypatch.setattr("bayes_sloth.covariates._fitted_sds", lambda *_: np.array([0.6, 0.4]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reordering_the_table_leaves_the_density(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, columns and thereby families in another order, parameters along with them."""
    same_spreads(monkeypatch)
    table, rng = scores(), np.random.default_rng(seed)
    models, exams = rng.permutation(len(table.models)), rng.permutation(len(table.benchmarks))
    other = table.select(
        models=[table.models[i] for i in models], benchmarks=[table.benchmarks[j] for j in exams]
    )
    families = np.array([table.families.index(name) for name in other.families])
    old, new = design_of(table, ANCHORS), design_of(other, ANCHORS)
    start = draw(old, seed)
    there = moved(start, old, new, models, families, exams)
    assert density(new, there) == pytest.approx(density(old, start), abs=1e-8)
    before, after = trace_of(old, start), trace_of(new, there)
    mean = before["score"]["fn"].base_dist.mean_score[models][:, exams]
    np.testing.assert_allclose(after["score"]["fn"].base_dist.mean_score, mean, atol=1e-9)
    wrong = there | {"family_skill": jnp.roll(there["family_skill"], 1, axis=0)}
    assert density(new, wrong) != pytest.approx(density(old, start), abs=1e-3)


def test_a_missing_scores_value_is_never_seen() -> None:
    changed = replace(design(), score=np.where(design().observed, design().score, 0.123))
    assert density(changed, values()) == density(design(), values())

    def slope(where: Design) -> Any:
        return jax.grad(lambda m: log_density(sloth, (where, SPEC), {}, values() | {"misfit": m})[0])(
            values()["misfit"]
        )

    np.testing.assert_array_equal(slope(changed), slope(design()))
    assert np.isfinite(slope(design())).all()


def test_an_observed_scores_value_is_seen() -> None:
    changed = replace(design(), score=np.where(design().observed, design().score - 0.05, 0.5))
    assert density(changed, values()) != pytest.approx(density(design(), values()), abs=1e-3)


@pytest.mark.parametrize("row", [0, 8])
def test_hiding_scores_takes_away_their_own_density_and_no_more(row: int) -> None:
    """One cell, then a model's whole row; constants of the priors, which the data set, held."""
    trace = trace_of(design(), values())
    law = trace["score"]["fn"].base_dist
    cells = np.asarray(law.log_prob(jnp.asarray(design().score))) * design().observed
    for gone in (np.arange(4) == 2, np.ones(4, dtype=bool)):
        observed = design().observed.copy()
        observed[row, gone] = False
        less = replace(design(), observed=observed)
        found = density(less, with_the_same_skills(design(), less, values()))
        assert found == pytest.approx(density(design(), values()) - cells[row, gone].sum(), abs=1e-9)


def test_without_scores_the_prior_is_left() -> None:
    none = replace(design(), observed=np.zeros_like(design().observed))
    trace = trace_of(none, values())
    sites = [s for s in trace.values() if s["type"] == "sample" and not s["is_observed"]]
    prior = sum(float(jnp.sum(s["fn"].log_prob(s["value"]))) for s in sites)
    assert density(none, values()) == pytest.approx(prior, abs=1e-9)


def test_the_density_of_scores_is_scipys_student_t() -> None:
    trace = trace_of(design(), values())
    mean = np.asarray(trace["score"]["fn"].base_dist.mean_score)
    lower, reach = np.asarray(values()["lower"]), np.asarray(trace["reach"]["value"])
    share = (mean - lower) / (1 - lower)
    assert (share < reach).all()
    inside = np.clip(mean, 0.004, 0.996)
    variance = np.asarray(values()["misfit"]) ** 2 * (4 * share * (1 - share) + 0.02)
    scale = np.sqrt(variance + inside * (1 - inside) / 500)
    cells = stats.t.logpdf(design().score, LEAST_TAIL + values()["tail"], mean, scale)
    none = replace(design(), observed=np.zeros_like(design().observed))
    found = density(design(), values()) - density(none, with_the_same_skills(design(), none, values()))
    assert found == pytest.approx(cells[design().observed].sum(), abs=1e-8)


def test_named_quantities_have_the_shapes_of_their_labels() -> None:
    sizes = {"model": 11, "benchmark": 4, "skill": 2, "family": 6, "covariate": 3, "skill_pair": 1}
    sizes["line"] = design().lines.base.size
    trace = trace_of(design(), values())
    for name, dims in SITE_DIMS.items():
        if name != "bend":
            assert np.shape(trace[name]["value"]) == tuple(sizes[d] for d in dims), name


def test_anchors_read_their_own_skill() -> None:
    trace = trace_of(design(), values())
    loading, intercept = (np.asarray(trace[n]["value"]) for n in ("loading", "intercept"))
    assert loading[design().anchors].tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(intercept[design().anchors], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "gone"),
    [
        ({"deviation": False}, {"deviation_scale", "deviation_raw"}),
        ({"specific": False}, {"specific_scale_free", "specific_raw"}),
        ({"likelihood": "normal"}, {"tail"}),
        ({"likelihood": "beta_binomial", "link": "logistic"}, {"tail", "asymmetry"}),
    ],
)
def test_settings_drop_their_parameters(settings: dict[str, Any], gone: set[str]) -> None:
    spec = replace(SPEC, **settings)
    start = draw(design(), 2, spec)
    assert set(values()) - set(start) == gone
    assert np.isfinite(density(design(), start, spec))


def test_plain_tables_drop_what_they_have_no_use_for() -> None:
    anchors = ("exam 0", "exam 1")
    start = draw(design_of(plain_table(), anchors), 3, replace(SPEC, anchors=anchors))
    covariates = {"inheritance", "moe_weight", "log_size_raw", "log_tokens_raw"}
    specific = {"specific_scale_free", "specific_raw"}  # every benchmark is an anchor
    assert set(values()) - set(start) == covariates | specific
    assert set(start) < set(values())


def averages(values: Any) -> np.ndarray:
    """Return for every model the average of its family, each score counted once."""
    weight, family = design().observed.sum(axis=1), design().family
    found = [np.average(np.asarray(values)[family == k], weights=weight[family == k]) for k in range(6)]
    return np.array(found)[family]


def test_a_familys_skill_is_the_average_of_its_models() -> None:
    """By their numbers of scores, which differ within families here; a plain average is not it."""
    trace = trace_of(design(), values())
    for k in range(design().parent.size):
        own = design().family == k
        skill, weight = trace["model_skill"]["value"][own], design().observed[own].sum(axis=1)
        np.testing.assert_allclose(values()["family_skill"][k], np.average(skill, axis=0, weights=weight))
        assert np.ptp(weight) == 0 or not np.allclose(values()["family_skill"][k], skill.mean(axis=0))
    assert any(np.ptp(design().observed.sum(1)[design().family == k]) for k in range(6))


def test_a_family_without_scores_has_its_level_as_its_skill() -> None:
    hidden = replace(design(), observed=design().observed & (design().family != 0)[:, None])
    trace = trace_of(hidden, values())
    level = trace["efficiency"]["value"] + values()["skill_mean"]
    np.testing.assert_allclose(level[0], values()["family_skill"][0], atol=1e-12)
    assert (np.abs(level[1:] - values()["family_skill"][1:]).max(axis=1) > 1e-6).all()


def test_what_is_specific_leaves_anchors_alone() -> None:
    trace = trace_of(design(), values())
    scale, effect = (np.asarray(trace[name]["value"]) for name in ("specific_scale", "specific"))
    anchors, free = design().anchors, design().free
    assert (scale[anchors] == 0).all() and (effect[:, anchors] == 0).all()
    np.testing.assert_array_equal(scale[free], values()["specific_scale_free"])
    assert (effect[:, free] != 0).all()
    base = design().lines.base
    own = np.asarray(values()["specific_raw"]) * scale[free]
    np.testing.assert_allclose(effect[:, free], own + np.where(base >= 0, 1, 0)[:, None] * own[base])


def test_tuning_does_more_for_larger_models_and_nothing_for_base_ones() -> None:
    """A unit more of the slope moves tuned models by their scaled log size, beside their family's average."""
    changed = values() | {"tuning_slope": values()["tuning_slope"] + jnp.array([1.0, 0.0])}
    before, after = trace_of(design(), values()), trace_of(design(), changed)
    moved = after["model_skill"]["value"] - before["model_skill"]["value"]
    dense_and_tuned = design().instruct * before["log_size"]["value"]  # no mixture of the table is tuned
    np.testing.assert_allclose(moved[:, 0], dense_and_tuned - averages(dense_and_tuned), atol=1e-12)
    efficiency = after["efficiency"]["value"] - before["efficiency"]["value"]
    np.testing.assert_allclose(efficiency[design().family, 0], -averages(dense_and_tuned), atol=1e-12)
    assert (moved[:, 1] == 0).all() and (design().log_active_share[design().instruct > 0] == 0).all()


def test_unknown_sizes_move_their_own_model_only() -> None:
    changed = values() | {"log_size_raw": values()["log_size_raw"] + 1.0}
    gap = trace_of(design(), changed)["log_size"]["value"] - trace_of(design(), values())["log_size"]["value"]
    assert (np.abs(gap[design().log_size.missing]) > 0.01).all()
    assert (gap[~design().log_size.missing] == 0).all()
