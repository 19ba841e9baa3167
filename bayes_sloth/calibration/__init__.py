"""Simulation-based calibration: fits of tables drawn from the model hold the truth as often as they say."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from bayes_sloth.arguments import check_whole
from bayes_sloth.calibration.batches import Plan, Simulator, all_ranked
from bayes_sloth.calibration.fits import Ranked
from bayes_sloth.calibration.simulate import EXPECTED, LIKELIHOOD, PREDICTED, from_the_model
from bayes_sloth.calibration.verdict import FALSE_ALARM, Calibration, judged
from bayes_sloth.design import design_of
from bayes_sloth.errors import InputError
from bayes_sloth.identify import anchors_of, check_anchors
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
from bayes_sloth.pytree import argument
from bayes_sloth.refitting import Length
from bayes_sloth.sampling import prepare
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec
from bayes_sloth.watching import watched

LENGTH: Final = Length(chains=2, warmup=300, draws=200)
# Of the largest of hundreds of R-hats over a few hundred draws: chance alone passes 1.05 now and then.
RHAT: Final = 1.1
# Ranks among fewer independent draws than this are coarse; they stay uniform.
LEAST_ESS: Final = 20
FEWEST: Final = 20  # tables; of fewer ranks nothing can be said
DIMS: Final = SITE_DIMS | {EXPECTED: (MODEL, BENCHMARK), PREDICTED: (MODEL, BENCHMARK), LIKELIHOOD: ()}


def calibrate(
    spec: ModelSpec | None,
    table: Scores,
    *,
    n: int = 500,
    seed: int,
    length: Length = LENGTH,
    false_alarm: float = FALSE_ALARM,
    simulator: Simulator = from_the_model,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Calibration:
    r"""Fit tables drawn from the model, and see how often fits hold the truth (simulation-based calibration).

    Truth from the prior, scores given the truth, a fit of the scores; the rank of a true value among the
    draws of the posterior,

    .. math:: \phi \sim p(\phi), \quad y \sim p(y \mid \phi), \quad \phi_1, \dots, \phi_L \sim
        p(\phi \mid y), \quad u = \#\{\phi_l < \phi\} / L

    is then uniform for every quantity, if the code that fits and the code that draws describe one model and
    chains reach its posterior. Scores are drawn outside [0, 1] too, as the model's density has them. Every
    table has the same shape, so that one compiled program fits all. Switches JAX to 64 bits.

    Parameters
    ----------
    spec : ModelSpec or None
        The model; `ModelSpec()` where None. Anchors are chosen from the table where it names none.
    table : Scores
        The layout: models, benchmarks, item counts, and which scores are missing. Typical shares of
        benchmarks are read off its scores, which are not looked at otherwise.
    n : int
        How many tables, from 20 up.
    seed : int
        The same seed on the same machine gives the same numbers; more tables with it go on where fewer ended.
    length : Length
        Chains, draws of adaptation and kept draws of every fit.
    false_alarm : float
        Probability that any quantity fails by chance.
    simulator : callable
        Where tables come from: given the design, the model and a key for each table, returns the true values
        of every sampled site, and `score`, tables in front. One that is not the model shows what is caught.
    folder : str or path, optional
        Where every batch of tables is kept as it ends: the same call goes on where it stopped.
    progress : bool
        Whether to show progress, where somebody watches: a terminal or a notebook.

    Returns
    -------
    Calibration
        Ranks, table, verdict, plot.

    Raises
    ------
    InputError
        If an argument is not valid.

    References
    ----------
    Talts et al. (2018), arXiv 1804.06788; Modrák et al. (2023), Bayesian Analysis, on ranking the likelihood.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> layout = bs.load_leaderboard().select(benchmarks=["MMLU", "ARC"])
    >>> bs.calibrate(bs.ModelSpec(skills=1), layout, n=5, seed=0)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: calibrate: n is 5: give a whole number from 20 up.
    """
    if not 0 < false_alarm < 1:
        raise InputError(f"calibrate: false_alarm is {false_alarm!r}: give a probability, such as 0.01.")
    check_whole("calibrate", FEWEST, n=n)
    check_whole("calibrate", seed=seed, **length._asdict())
    spec = _resolved(spec or ModelSpec(), table)
    prepare()
    # A program knows a design by its shapes; names of families would only make it compile again.
    design = argument(design_of(table, spec.anchors or ()))
    plan = Plan(design, spec, simulator, length, seed)
    place = None if folder is None else Path(folder)
    with tqdm(total=n, desc="fitting drawn tables", disable=not (progress and watched()), leave=False) as bar:
        found = [one for batch in all_ranked(plan, n, place, bar.update) for one in batch]
    good = np.array([one.r_hat <= RHAT and one.ess >= LEAST_ESS for one in found])
    labels = _coordinates(plan, table)
    return judged(_labelled(found, labels), good, statistics=_statistics(found), false_alarm=false_alarm)


def _resolved(spec: ModelSpec, table: Scores) -> ModelSpec:
    """Return the model with its anchors named, after checking that the table is one."""
    if not isinstance(table, Scores):
        raise InputError(
            f"calibrate: the layout is a {type(table).__name__}: give Scores, from `read_scores` or "
            "`simulate(...).scores`."
        )
    for name, seen in zip(table.benchmarks, np.any(table.observed, axis=0), strict=True):
        if not seen:
            raise InputError(f"benchmark {name!r} has no score: drop it with `select` or hide less.")
    if spec.skills > len(table.benchmarks):
        raise InputError(
            f"calibrate: {spec.skills} skills cannot be told apart by {len(table.benchmarks)} benchmark(s): "
            "ask for fewer skills."
        )
    anchors = check_anchors(table, spec.anchors) if spec.anchors else anchors_of(table, spec.skills)
    return replace(spec, anchors=anchors)


def _coordinates(plan: Plan, table: Scores) -> dict[str, Any]:
    return {
        MODEL: list(table.models),
        BENCHMARK: list(table.benchmarks),
        FAMILY: list(table.families),
        LINE: plan.design.lines.names(table.families),
        SKILL: list(plan.spec.anchors or ()),
        COVARIATE: list(COVARIATES if plan.spec.interaction else COVARIATES[:2]),
    }


def _labelled(found: list[Ranked], labels: dict[str, Any]) -> xr.Dataset:
    ranks = {
        name: ((CHAIN, DRAW, *DIMS.get(name, ())), np.stack([one.rank[name] for one in found])[None])
        for name in found[0].rank
    }
    used = {dim for dims, _ in ranks.values() for dim in dims}
    sizes = {CHAIN: range(1), DRAW: range(len(found))}
    return xr.Dataset(ranks, coords=sizes | {dim: names for dim, names in labels.items() if dim in used})


def _statistics(found: list[Ranked]) -> xr.Dataset:
    names = ("r_hat", "ess", "diverging")
    return xr.Dataset(
        {name: ((CHAIN, DRAW), np.array([[getattr(one, name) for one in found]])) for name in names}
    )
