"""Many small tables drawn from the model and all fitted by NUTS in one compiled program.

Simulation-based calibration (Talts et al. 2018; Modrák et al. 2023): where truth and scores come from the
model that is fitted, the rank of a true value among independent draws is uniform, whatever the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro import handlers
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy
from scipy import stats

from bayes_sloth.catalogue import Benchmark
from bayes_sloth.design import Design
from bayes_sloth.effects import specific_to
from bayes_sloth.model import BenchmarkCurve, scores_of
from bayes_sloth.reading import read_models
from bayes_sloth.sampling import TARGET_ACCEPTANCE
from bayes_sloth.simulation import blank_design, draws
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any
Tables = dict[str, Values]
Ranks = dict[str, NDArray[np.float64]]

# A floor well above 0: the model's scores are drawn within [0, 1], its density does not know the ends, so
# tables for calibration must stay away from them.
FLOOR: Final = 0.25
ITEMS: Final = 500
# What a drawn table holds besides the sites of the model that are not observed.
NO_SITES: Final = ("score", "observed", "expected")


@dataclass(frozen=True)
class Length:
    """How long the chains of a table are.

    Parameters
    ----------
    warmup, kept, thin : int
        Draws of adaptation, draws ranked against, and steps between these.
    depth : int
        Most doublings of a trajectory.
    """

    warmup: int
    kept: int
    thin: int
    depth: int


def small_design(spec: ModelSpec, families: int, models: int, benchmarks: int) -> tuple[Design, ModelSpec]:
    """Lay out a small table: base and tuned models, one descendant, one unknown token count."""
    family, place = np.divmod(np.arange(families * models), models)
    facts = {
        "model": [f"model {i}" for i in range(family.size)],
        "family": [f"family {f}" for f in family],
        "params_b": [(1 + f) * 4.0**p for f, p in zip(family, place, strict=True)],
        "tokens_t": [None if i == 1 else 0.5 * 3 ** (f % 3) for i, f in enumerate(family)],
        "instruct": [int(f < families // 2 and p % 2) for f, p in zip(family, place, strict=True)],
        "parent": ["family 0" if f == families - 1 else None for f in family],
    }
    named = [Benchmark(f"exam {j}", FLOOR, ITEMS) for j in range(benchmarks)]
    spec = replace(spec, anchors=tuple(b.name for b in named[: spec.skills]))
    design = blank_design(read_models(facts), named, spec, pivot=np.linspace(-0.5, 0.5, benchmarks))
    return design, spec


def simulated(design: Design, spec: ModelSpec, tables: int, seed: int, missing: float = 0.2) -> Tables:
    """Draw tables of scores with their truth; which scores are missing differs from table to table."""
    table_key, mask_key = jax.random.split(jax.random.key(seed))
    found = draws(design, spec, jax.random.split(table_key, tables))
    observed = jax.random.uniform(mask_key, found["score"].shape) >= missing
    # The cells that are looked at are one observed and one missing everywhere.
    return found | {"observed": observed.at[:, 0, -1].set(True).at[:, -1, -1].set(False)}


def identified(values: Tables) -> dict[str, Values]:
    """Return the identified quantities that are ranked, one number each, from one draw of everything."""
    expected = values["expected"]
    return {
        "loading": values["loading"][-1, 0],
        "slope on log size": values["slope"][0, 0],
        "slope on log tokens": values["slope"][0, 1],
        "skill mean": values["skill_mean"][0],
        "family scale": values["family_scale"][0],
        "efficiency": values["efficiency"][0, 0],
        "tuning": values["tuning"][0],
        "tuning on log size": values["tuning_slope"][0],
        "departure": values["deviation"][2, 0],
        "skill": values["model_skill"][-1, 0],
        "misfit": values["misfit"][0],
        "specific": values["specific"][0, -1],
        "specific scale": values["specific_scale"][0],
        "tail": values["tail"],
        "intercept": values["intercept"][-1],
        "lower asymptote": values["lower"][0],
        "upper asymptote": values["upper"][-1],
        "asymmetry": values["asymmetry"][-1],
        "unknown tokens": values["log_tokens"][1],
        "expected, observed": expected[0, -1],
        "expected, missing": expected[-1, -1],
        "expected, mean": expected.mean(),
        "log likelihood": values["log_likelihood"],
    }


def ranks(design: Design, spec: ModelSpec, tables: Tables, length: Length, seed: int) -> Ranks:
    """Fit every table and return where the truth stands among its draws: uniform on (0, 1) when all is right.

    The tables are shared out among JAX's devices; those of one device move in step.
    """
    count, devices = len(tables["score"]), jax.local_device_count()
    assert count % devices == 0, f"{count} tables cannot be shared out among {devices} devices"
    base = Space(design, spec)
    base.named(base.start())  # the layout of the flat vector is found here, once, outside the program

    def one(table: Tables, key: jax.Array) -> dict[str, Values]:
        score = jnp.where(table["observed"], table["score"], 0.5)
        space = Space(replace(design, score=score, observed=table["observed"]), spec)
        truth = {
            name: value for name, value in table.items() if name not in ("score", "observed", "expected")
        }

        def of(vector: Values) -> dict[str, Values]:
            return identified(_everything(space, constrain_fn(space.model, (), {}, base.named(vector))))

        found = jax.lax.map(of, _sampled(space, base, length, key))
        return {
            name: (found[name] < value).sum() for name, value in identified(_everything(space, truth)).items()
        }

    keys = jax.random.split(jax.random.key(seed), count)
    shared = jax.tree.map(lambda v: v.reshape(devices, count // devices, *v.shape[1:]), (tables, keys))
    below = jax.pmap(jax.vmap(one))(*shared)
    # A rank is one of kept + 1 numbers; spread evenly over its cell, it is uniform without steps.
    spread = np.random.default_rng(seed).random(count)
    return {name: (np.asarray(n).ravel() + spread) / (length.kept + 1) for name, n in below.items()}


def _sampled(space: Space, base: Space, length: Length, key: jax.Array) -> Values:
    """Return the flat draws that one table keeps."""
    kernel = NUTS(
        potential_fn=lambda vector: potential_energy(space.model, (), {}, base.named(vector)),
        max_tree_depth=length.depth,
        target_accept_prob=TARGET_ACCEPTANCE,
    )
    start_key, run_key = jax.random.split(key)
    center = base.start()
    start = center + 0.5 * jax.random.normal(start_key, center.shape)

    def steps(state: Values, count: int) -> Values:
        return jax.lax.fori_loop(0, count, lambda _, s: kernel.sample(s, (), {}), state)

    def keep(state: Values, _: None) -> tuple[Values, Values]:
        state = steps(state, length.thin)
        return state, state.z

    warm = steps(kernel.init(run_key, length.warmup, start, (), {}), length.warmup)
    return jax.lax.scan(keep, warm, None, length=length.kept)[1]


def _everything(space: Space, sites: Tables) -> Tables:
    """Return every quantity of the model at given sites, expected scores and the log likelihood too."""
    trace = handlers.trace(handlers.substitute(space.model, data=sites)).get_trace()
    values = {name: site["value"] for name, site in trace.items()}
    benchmark = BenchmarkCurve(*(values[name] for name in BenchmarkCurve._fields))
    design = space.design
    specific = specific_to(values, design.lines.model, design.floor.size)
    pivot = jnp.asarray(design.pivot)
    expected = scores_of(values["model_skill"], specific, benchmark, pivot, space.spec.link)[1]
    density = trace["score"]["fn"].log_prob(trace["score"]["value"])
    return values | {"expected": expected, "log_likelihood": density.sum()}


def p_values(found: Ranks) -> dict[str, float]:
    """Return, for every quantity and way to be wrong, the probability of ranks as uneven if all were right.

    Location: Kolmogorov-Smirnov on the ranks. Width: the same on their distance from the middle. Coverage:
    the exact binomial of how many 90% intervals hold the truth.
    """
    values = {}
    for name, rank in found.items():
        distance = np.abs(2 * rank - 1)
        inside = int((distance <= 0.9).sum())
        values[f"{name}: location"] = stats.kstest(rank, "uniform").pvalue
        values[f"{name}: width"] = stats.kstest(distance, "uniform").pvalue
        values[f"{name}: coverage {inside / rank.size:.0%}"] = stats.binomtest(inside, rank.size, 0.9).pvalue
    return {name: float(value) for name, value in values.items()}


def caught(found: Ranks, false_alarm: float) -> dict[str, float]:
    """Return the tests that fail when all of them together may fail by chance with the given probability."""
    values = p_values(found)
    return {name: value for name, value in values.items() if value < false_alarm / len(values)}


def coverage(found: Ranks) -> float:
    """Return the share of 90% intervals, over all quantities and tables, that hold the truth."""
    return float(np.mean([np.abs(2 * rank - 1) <= 0.9 for rank in found.values()]))
