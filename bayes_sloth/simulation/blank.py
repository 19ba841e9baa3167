"""Models and benchmarks as the model sees them before there are scores, and draws of all it describes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from numpyro import handlers

from bayes_sloth.benchmark_curve import scores_at
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.compiling import LITTLE_EFFORT
from bayes_sloth.covariates import Scaling, scaling_of
from bayes_sloth.design import (
    HALF,
    Covariate,
    Design,
    active_share,
    known_or_not,
    parents,
    places_of,
)
from bayes_sloth.deviations import factor
from bayes_sloth.lines import lines_in, tuned_both_ways
from bayes_sloth.model import sloth
from bayes_sloth.names import FAMILY, INSTRUCT, PARAMS_B, TOKENS_T
from bayes_sloth.pytree import argument
from bayes_sloth.spec import ModelSpec

Values = Any
Floats = NDArray[np.float64]

# Known rows that the regression of unknown sizes and tokens learns from: its cost grows with their cube.
ENOUGH: Final = 200


def blank_design(
    facts: pd.DataFrame, benchmarks: Sequence[Benchmark], spec: ModelSpec, *, pivot: Floats
) -> Design:
    """Return models and benchmarks as the model sees them, every score still to come.

    Parameters
    ----------
    facts : DataFrame
        As `read_models` returns it.
    benchmarks : sequence of Benchmark
        Floors and item counts.
    spec : ModelSpec
        The model, anchors named.
    pivot : array, dims (benchmark)
        Logits of the typical shares; curves are told there, however high.

    Returns
    -------
    Design
        With scores of 0.5, all observed.

    Examples
    --------
    >>> from bayes_sloth.reading import read_models
    >>> facts = read_models({"family": ["f", "g"], "params_b": [1, 7], "tokens_t": [1, 2]})
    >>> spec = ModelSpec(skills=1, anchors=("exam",))
    >>> blank_design(facts, [Benchmark("exam")], spec, pivot=np.zeros(1)).score.shape
    (2, 1)
    """
    names = [b.name for b in benchmarks]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(facts[FAMILY]))}
    family = facts[FAMILY].map(numbers).to_numpy(dtype=np.int64)
    instruct = facts[INSTRUCT].to_numpy(dtype=float)
    scaling = scaling_of(facts)
    log_size = _covariate(facts, PARAMS_B, scaling, None)
    log_tokens = _covariate(facts, TOKENS_T, scaling, log_size.value)
    share = active_share(facts, scaling)
    places = places_of(family, instruct, log_size.value + HALF * share, log_tokens.value)
    parent = parents(facts, numbers)
    items = [np.inf if b.items is None else b.items for b in benchmarks]
    shape = (len(facts), len(names))
    return Design(
        families=tuple(numbers),
        family=family,
        parent=parent,
        instruct=instruct,
        log_size=log_size,
        log_tokens=log_tokens,
        log_active_share=share,
        tuned_both_ways=tuned_both_ways(family, instruct, len(numbers)),
        lines=lines_in(family, instruct),
        places=places,
        root=factor(places),
        score=np.full(shape, 0.5),
        items=np.broadcast_to(np.array(items, dtype=float), shape).copy(),
        observed=np.ones(shape, dtype=bool),
        floor=np.array([b.floor for b in benchmarks]),
        typical=pivot,
        pivot=pivot,
        anchors=np.array([names.index(name) for name in spec.anchors or ()], dtype=np.int64),
        scaling=scaling,
        has_parents=bool((parent >= 0).any()),
        has_experts=bool(share.any()),
    )


def draws(design: Design, spec: ModelSpec, keys: jax.Array) -> dict[str, Values]:
    """Draw every quantity of the model, scores and expected scores among them, one table a key.

    Parameters
    ----------
    design : Design
        Models and benchmarks; its scores are not looked at.
    spec : ModelSpec
        The model.
    keys : array of random keys, dims (table)
        One a table.

    Returns
    -------
    dict of arrays, dims (table, ...)
        By site name, and `expected`.
    """
    return dict(_draws(argument(design), spec, keys))


@partial(jax.jit, static_argnames="spec", compiler_options=LITTLE_EFFORT)
def _draws(design: Design, spec: ModelSpec, keys: jax.Array) -> dict[str, Values]:
    """Draw by one program for all tables of one shape."""

    def one(key: jax.Array) -> dict[str, Values]:
        model = handlers.seed(handlers.uncondition(sloth), key)
        trace = handlers.trace(model).get_trace(design, spec)
        values = {name: site["value"] for name, site in trace.items()}
        lines, pivot = jnp.asarray(design.lines.model), jnp.asarray(design.pivot)
        return values | {"expected": scores_at(values, lines, pivot, spec.link)[1]}

    return dict(jax.vmap(one)(keys))


def _covariate(facts: pd.DataFrame, name: str, scaling: Scaling, log_size: Floats | None) -> Covariate:
    """Return a log covariate as `known_or_not` does, learning its law from no more rows than needed."""
    logs = np.log(facts[name].to_numpy(dtype=float))
    missing = np.isnan(logs)
    # Siblings of the unknown ones tell most, so they come first.
    kin = facts[FAMILY].isin(set(facts[FAMILY][missing])).to_numpy(dtype=bool)
    known = np.flatnonzero(~missing)
    chosen = known[np.argsort(~kin[known], kind="stable")][:ENOUGH]
    rows = np.union1d(chosen, np.flatnonzero(missing))
    part = known_or_not(
        facts.iloc[rows].reset_index(drop=True), name, scaling, None if log_size is None else log_size[rows]
    )
    scale = scaling.size if name == PARAMS_B else scaling.tokens
    value, slot = scale.scaled(logs), np.full(logs.size, -1)
    value[rows], slot[rows] = part.value, part.slot
    return Covariate(value, slot, part.unknown)
