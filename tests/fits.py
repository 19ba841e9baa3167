"""Fits of one tiny table, made once however many tests ask for them, and stand-ins for fits."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, wraps
from inspect import signature
from pathlib import Path
from typing import Final, TypeVar

import jax
import numpy as np
import pandas as pd
import xarray as xr
from jax.experimental.compilation_cache import compilation_cache

import bayes_sloth as bs
from bayes_sloth.errors import FitStatus
from bayes_sloth.files import whole_file

Made = TypeVar("Made")

FAMILIES: Final = ("llama-2", "llama-3", "mistral", "mixtral", "yi", "falcon")
BENCHMARKS: Final = ("MMLU", "ARC", "GSM8K")
SPEC: Final = bs.ModelSpec(skills=2)
CHAINS: Final = 2
DRAWS: Final = 20  # far too few for the posterior, which its report has to say
WARMUP: Final = 20

# Compiling takes most of the time of a small fit: a second fit of the same shape finds its programs here.
jax.config.update("jax_compilation_cache_dir", os.environ["BAYES_SLOTH_TEST_PROGRAMS"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
compilation_cache.reset_cache()  # JAX looks for the folder only once, perhaps before this line


@contextmanager
def compiled_quickly() -> Iterator[None]:
    """Compile without most optimisations: a tiny table's programs take longer to compile than to run."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def made_once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Make it, unless this process has it, or another one of the same run has left it in a file."""

    @cache
    def found(*arguments: object) -> Made:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        if run is None:
            return make(*arguments)
        name = "-".join([run, make.__name__, *map(str, arguments)])
        file = Path(os.environ["BAYES_SLOTH_TEST_PROGRAMS"]) / f"{name}.pickle"
        if file.exists():
            kept: Made = pickle.loads(file.read_bytes())
            return kept
        made = make(*arguments)
        with whole_file(file) as part:
            part.write_bytes(pickle.dumps(made, protocol=5))  # the first in which what is read-only stays so
        return made

    @wraps(make)
    def asked(*arguments: object, **named: object) -> Made:
        bound = signature(make).bind(*arguments, **named)
        bound.apply_defaults()
        return found(*bound.arguments.values())

    return asked


@cache
def table() -> bs.Scores:
    """Read 25 real models of 6 families: some of unknown tokens or size, mixtures, a parent, holes."""
    frame = bs.load_leaderboard().select(benchmarks=BENCHMARKS).to_frame()
    frame = frame[frame["family"].isin(FAMILIES) & frame[list(BENCHMARKS)].notna().any(axis=1)]
    frame = frame.reset_index(drop=True)
    frame.loc[frame["family"] == "llama-3", "parent"] = "llama-2"
    frame.loc[frame["model"] == "yi-34b-chat", "params_b"] = np.nan
    frame.loc[frame["model"] == "falcon-7b", "GSM8K"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", bs.InputWarning
        )  # real tables hold doubtful scores; not the point here
        return bs.read_scores(frame)


@made_once
def map_fit(seed: int = 0) -> bs.Posterior:
    with compiled_quickly():
        return bs.fit(table(), SPEC, method="map", seed=seed, progress=False)


@made_once
def laplace_fit() -> bs.Posterior:
    with compiled_quickly():
        return bs.fit(table(), SPEC, method="laplace", seed=0, chains=CHAINS, draws=DRAWS, progress=False)


@made_once
def warned_fit(method: str = "hmc") -> tuple[bs.Posterior, tuple[str, ...]]:
    """Sample for real but not for long; return the warnings it gave too."""
    with warnings.catch_warnings(record=True) as seen, compiled_quickly():
        warnings.simplefilter("always")
        fit = bs.fit(
            table(), SPEC, method=method, seed=0, chains=CHAINS, draws=DRAWS, warmup=WARMUP, progress=False
        )
    return fit, tuple(str(w.message) for w in seen if issubclass(w.category, bs.FitWarning))


def hmc_fit() -> bs.Posterior:
    return warned_fit()[0]


def nuts_fit() -> bs.Posterior:
    return warned_fit("nuts")[0]


@cache
def ideal_fit() -> bs.Posterior:
    """Stand in for a converged fit by HMC with independent draws close to the mode."""
    rng, mode = np.random.default_rng(0), map_fit()
    chains, draws = 4, 400
    posterior = mode.data["posterior"].dataset.squeeze(("chain", "draw"), drop=True)
    variables = {
        str(name): (
            ("chain", "draw", *value.dims),
            value.values + 0.003 * rng.standard_normal((chains, draws, *value.shape)),
        )
        for name, value in posterior.data_vars.items()
    }
    statistics = {"diverging": (("chain", "draw"), np.zeros((chains, draws), bool))}
    labels = {name: posterior[name] for name in posterior.coords}
    return with_groups(
        replace(mode, report=replace(mode.report, method="hmc", status=FitStatus.FINE, messages=())),
        posterior=xr.Dataset(variables, coords=labels),
        sample_stats=xr.Dataset(statistics),
    )


def with_groups(fit: bs.Posterior, **groups: xr.Dataset) -> bs.Posterior:
    """Return the fit with some groups replaced."""
    held = {name: node.dataset for name, node in fit.data.children.items()} | groups
    return replace(fit, data=xr.DataTree.from_dict({f"/{name}": group for name, group in held.items()}))


# What forecasts are asked for; names say what is special.
ASKED: Final = (
    {"model": "inside", "family": "llama-2", "params_b": 30.0, "tokens_t": 2.0},
    {"model": "tuned", "family": "llama-2", "params_b": 30.0, "tokens_t": 2.0, "instruct": 1},
    {"model": "larger", "family": "llama-2", "params_b": 400.0, "tokens_t": 2.0},
    {"model": "longer", "family": "llama-2", "params_b": 30.0, "tokens_t": 40.0},
    {"model": "no tokens", "family": "llama-2", "params_b": 30.0},
    {"model": "no size", "family": "llama-2", "tokens_t": 2.0},
    {"model": "new family", "family": "novel", "params_b": 30.0, "tokens_t": 2.0},
    {"model": "strong parent", "family": "son", "params_b": 30.0, "tokens_t": 2.0, "parent": "llama-3"},
    {"model": "weak parent", "family": "cousin", "params_b": 30.0, "tokens_t": 2.0, "parent": "falcon"},
    {"model": "mixture", "family": "mixtral", "params_b": 100.0, "active_params_b": 25.0},
    {"model": "dense", "family": "mixtral", "params_b": 100.0},
    {"model": "llama-2-13b", "family": "llama-2", "params_b": 13.016, "tokens_t": 2.0},
    {"model": "falcon-40b", "family": "falcon", "params_b": 40.0, "tokens_t": 1.0},
)


def asked() -> pd.DataFrame:
    return pd.DataFrame(list(ASKED))


@made_once
def forecast(seed: int = 0) -> bs.Prediction:
    """Return what the mode says of all models asked about."""
    with compiled_quickly():
        return bs.predict(map_fit(), asked(), seed=seed)
