"""From a table of scores to a posterior: full sampling, a mode, or a normal approximation around it."""

from __future__ import annotations

import os
import time
import warnings
from typing import Final

import jax
import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from bayes_sloth.arguments import check_whole
from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.convergence import Convergence, ExpectedSummary, convergence, summarised
from bayes_sloth.distrust import distrust_in_words, distrusted
from bayes_sloth.errors import FitStatus, FitWarning, InputError, unknown_name
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.kernels import SAMPLED
from bayes_sloth.modes import Modes, around_mode
from bayes_sloth.names import (
    BENCHMARK,
    CHAIN,
    COVARIATE,
    COVARIATES,
    DRAW,
    FAMILY,
    LINE,
    MODEL,
    SITE_DIMS,
    SKILL,
)
from bayes_sloth.posterior import FitReport, Posterior, labelled, observed_groups
from bayes_sloth.resuming import identity, opened
from bayes_sloth.sampling import Chains, interruption, prepare, run_chains
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec
from bayes_sloth.starting import resolved, settled
from bayes_sloth.versions import versions_of_packages
from bayes_sloth.watching import watched

METHODS: Final = (*SAMPLED, "map", "laplace")
FEWEST_DRAWS: Final = 10
POINT: Final = (
    "point estimate: intervals miss the uncertainty of the parameters and are too narrow; "
    'fit with method="hmc" before you bet on it.'
)
NORMAL: Final = (
    "normal approximation around a mode with the group scales held: intervals are rough; "
    'fit with method="hmc" before you bet on it.'
)
SEVERAL: Final = (
    "no two starts ended at the best mode: another seed may give another answer; "
    'fit with method="hmc", which averages over modes.'
)


def fit(
    scores: Scores,
    spec: ModelSpec | None = None,
    *,
    method: str = "hmc",
    seed: int,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 500,
    progress: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Posterior:
    """Fit the skills law to a table of scores.

    Switches JAX to 64 bits. Chains run side by side, as many at a time as there are cores.

    Parameters
    ----------
    scores : Scores
        The table.
    spec : ModelSpec, optional
        The model; `ModelSpec()` where None.
    method : {"hmc", "nuts", "map", "laplace"}
        Full posterior by Hamiltonian Monte Carlo with trajectories of random length, or by the No-U-Turn
        sampler, which takes about three times as long; mode from several starts; normal approximation at
        that mode.
    seed : int
        The same seed on the same machine gives the same numbers.
    chains, draws, warmup : int
        Chains, kept draws of each and draws of adaptation; a mode is one draw.
    progress : bool
        Whether to show progress, where somebody watches: a terminal or a notebook.
    checkpoint : str or path, optional
        A folder, made where it does not exist, in which chains are kept every few seconds: killed at any
        moment, the same call goes on from there and ends with the same draws. Removed when the fit is done.
        Methods that do not sample take seconds and keep nothing.

    Returns
    -------
    Posterior
        Draws, model and report, whatever the method. Ctrl-C while chains are sampled gives those draws that
        all chains have, and the report says so; another Ctrl-C stops at once.

    Raises
    ------
    InputError
        If an argument is not valid, or the checkpoint is damaged, of another fit, or of another release.
    FitError
        If no start leads to a finite posterior density.
    KeyboardInterrupt
        If stopped before every chain has draws.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False).spec.anchors
    ('MMLU',)
    """
    begun = time.perf_counter()
    _check_arguments(method, seed=seed, chains=chains, draws=draws, warmup=warmup)
    _check_scores(scores)
    prepare()
    progress = progress and watched()
    asked = spec or ModelSpec()
    settings = {"chains": int(chains), "draws": int(draws), "warmup": int(warmup)}
    told = {"method": method, "seed": int(seed), **settings, "device": jax.default_backend()}
    with opened(checkpoint if method in SAMPLED else None, identity(scores.digest, asked, told)) as kept:
        found, modes = _found(scores, asked, method, settings, seed=seed, progress=progress, kept=kept)
        spec = modes.space.spec
        tree = _tree(found, scores, spec)
        expected = _expected(tree, spec, chains=method in SAMPLED, progress=progress)
        status, messages = _judged(tree, expected, modes, method, progress=progress)
        if found.interrupted:
            least = tree["posterior"].sizes[DRAW]
            messages = (interruption(least, draws, kept), *messages)
            settings |= {"draws": least, "draws_asked": int(draws)}
        report = FitReport(
            method=method,
            seed=int(seed),
            status=status,
            messages=messages,
            seconds=time.perf_counter() - begun,
            versions=versions_of_packages(),
            data_digest=scores.digest,
            settings=settings,
            findings=(_modes_in_words(modes), *distrust_in_words(distrusted(tree, spec, expected.mean))),
        )
        if not found.interrupted:
            kept.remove()
    return Posterior(tree, spec, report)


def _found(
    scores: Scores,
    asked: ModelSpec,
    method: str,
    settings: dict[str, int],
    *,
    seed: int,
    progress: bool,
    kept: Checkpoint,
) -> tuple[Chains, Modes]:
    """Return draws by a method, and the modes that it started at."""
    spec, sampled = resolved(asked, scores), method in SAMPLED
    modes = settled(
        scores,
        spec,
        choose=asked.anchors is None and method != "map",
        firmly=sampled,
        seed=seed,
        progress=progress,
        kept=kept,
    )
    if not sampled:
        chains, draws = settings["chains"], settings["draws"]
        return _without_sampling(modes, method, chains=chains, draws=draws, seed=seed), modes
    found = run_chains(modes, method=method, **settings, seed=seed, progress=progress, checkpoint=kept)
    return found, modes


def _check_arguments(method: str, draws: int, **numbers: int) -> None:
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    check_whole("fit", **numbers)
    check_whole("fit", FEWEST_DRAWS, draws=draws)


def _check_scores(scores: Scores) -> None:
    """Refuse a table from which scores were hidden until a benchmark had none."""
    for name, seen in zip(scores.benchmarks, np.any(scores.observed, axis=0), strict=True):
        if not seen:
            raise InputError(f"benchmark {name!r} has no score left: drop it with `select` or hide less.")


def _without_sampling(modes: Modes, method: str, *, chains: int, draws: int, seed: int) -> Chains:
    if method == "map":
        return Chains(modes.space, [modes.vectors[:1]])
    vectors = around_mode(modes, draws=chains * draws, seed=seed)
    return Chains(modes.space, np.split(np.asarray(vectors), chains))


def _tree(found: Chains, scores: Scores, spec: ModelSpec) -> xr.DataTree:
    values = found.named()
    coords = {
        CHAIN: np.arange(values["slope"].shape[0]),
        DRAW: np.arange(values["slope"].shape[1]),
        MODEL: list(scores.models),
        BENCHMARK: list(scores.benchmarks),
        FAMILY: list(scores.families),
        LINE: found.space.design.lines.names(scores.families),
        SKILL: list(spec.anchors or ()),
        COVARIATE: list(COVARIATES[: values["slope"].shape[-1]]),
    }
    groups = {
        "posterior": labelled(values, SITE_DIMS, coords),
        "sample_stats": labelled(found.statistics, {}, coords),
        **observed_groups(scores),
    }
    return xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})


def _expected(tree: xr.DataTree, spec: ModelSpec, *, chains: bool, progress: bool) -> ExpectedSummary:
    """Summarise expected scores; thousands of models take as long as a small table's chains."""
    columns = ExpectedByBenchmark(tree, spec)
    count = tree["posterior"].dataset.sizes[BENCHMARK]
    bar = tqdm(columns, "judging", count, disable=not progress, unit="benchmark", leave=False)
    return summarised(bar, chains=chains)


def _judged(
    tree: xr.DataTree, expected: ExpectedSummary, modes: Modes, method: str, *, progress: bool
) -> tuple[FitStatus, tuple[str, ...]]:
    if method in SAMPLED:
        found = converged(tree, expected, progress=progress)
        if found.status is FitStatus.FINE:
            return found.status, (
                "chains agree on every expected score, loading and slope; no step diverged.",
            )
        for message in found.messages:
            warnings.warn(message, FitWarning, stacklevel=3)
        return found.status, found.messages
    words = POINT if method == "map" else NORMAL
    return FitStatus.NOT_TRUSTED, (words,) if modes.agree else (words, SEVERAL)


def _modes_in_words(modes: Modes) -> str:
    starts = modes.losses.size
    if modes.count == 1:
        return f"one mode was found: all {starts} starts ended there."
    return f"several modes were found before sampling: {starts} starts ended at {modes.count} of them."


def converged(tree: xr.DataTree, expected: ExpectedSummary, *, progress: bool = False) -> Convergence:
    """Judge the chains of a fit.

    Parameters
    ----------
    tree : DataTree
        With groups `posterior` and `sample_stats`.
    expected : ExpectedSummary
        Of expected scores, diagnosed.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Convergence
        Table, status, messages.
    """
    group, statistics = tree["posterior"].dataset, tree["sample_stats"].dataset
    return convergence(group, expected, statistics, progress=progress)
