"""What the model expects before it sees a score, and whether that is sensible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import jax
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_whole
from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitStatus
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
    SCORE,
    SITE_DIMS,
    SKILL,
)
from bayes_sloth.posterior import labelled, observed_groups
from bayes_sloth.scores import Scores
from bayes_sloth.simulation.blank import draws as prior_draws
from bayes_sloth.spec import ModelSpec

Floats = NDArray[np.float64]

# The outermost of them stand for 99% intervals: cell by cell, no more is needed to see a surprise.
DRAWS: Final = 200
# A prior that puts a fifth of all scores at exactly 0 or 1 expects benchmarks that nobody would publish.
MOST_AT_ENDS: Final = 0.2
# Of the scores of one benchmark, drawn from the prior itself, one in ten outside its 99% intervals is rare.
SURPRISING: Final = 0.1
CENTRAL: Final = (0.005, 0.995)


def prior_predictive(
    scores: Scores, spec: ModelSpec | None = None, *, seed: int, draws: int = 500
) -> xr.DataTree:
    """Draw parameters and scores from the prior, for the models and benchmarks of a table.

    Parameters
    ----------
    scores : Scores
        The table: its models, benchmarks, item counts; of its scores, only each benchmark's typical one is
        used.
    spec : ModelSpec, optional
        The model; `ModelSpec()` where None.
    seed : int
        The same seed gives the same draws.
    draws : int
        How many.

    Returns
    -------
    DataTree
        Groups `prior` (every quantity, and `expected`, dims chain, draw, model, benchmark),
        `prior_predictive` (`score`, shares of items solved), `observed_data`, `constant_data`, as ArviZ
        expects them.

    Raises
    ------
    InputError
        If the seed or the number of draws is not valid.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> drawn = bs.prior_predictive(table, bs.ModelSpec(skills=1), seed=0, draws=20)
    >>> drawn["prior_predictive"]["score"].dims
    ('chain', 'draw', 'model', 'benchmark')
    """
    check_whole("prior_predictive", seed=seed, draws=draws)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    spec = spec or ModelSpec()
    skills = min(spec.skills, len(scores.benchmarks))
    anchors = check_anchors(scores, spec.anchors) if spec.anchors else anchors_of(scores, skills)
    spec = replace(spec, skills=len(anchors), anchors=anchors)
    design = design_of(scores, anchors)
    found = prior_draws(design, spec, jax.random.split(jax.random.key(seed), draws))
    values = {name: np.asarray(value)[None] for name, value in found.items()}
    dims = SITE_DIMS | {"expected": (MODEL, BENCHMARK), SCORE: (MODEL, BENCHMARK)}
    coords = {
        CHAIN: [0],
        DRAW: np.arange(draws),
        MODEL: list(scores.models),
        BENCHMARK: list(scores.benchmarks),
        FAMILY: list(scores.families),
        LINE: design.lines.names(scores.families),
        SKILL: list(anchors),
        COVARIATE: list(COVARIATES[: values["slope"].shape[-1]]),
    }
    score = {SCORE: values.pop(SCORE)}
    named = {name: value for name, value in values.items() if name in dims or value.ndim == 2}
    groups = {"prior": labelled(named, dims, coords), "prior_predictive": labelled(score, dims, coords)}
    return xr.DataTree.from_dict(
        {f"/{name}": group for name, group in (groups | observed_groups(scores)).items()}
    )


def check_prior(case: Case) -> Finding:
    """Judge the prior by the scores it expects.

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        As `judge_prior` says.
    """
    spec = case.posterior.spec
    return judge_prior(prior_predictive(case.posterior.scores, spec, seed=0, draws=DRAWS))


def judge_prior(tree: xr.DataTree) -> Finding:
    """Compare scores drawn from the prior with what scores can be, and with those observed.

    Parameters
    ----------
    tree : DataTree
        From `prior_predictive`.

    Returns
    -------
    Finding
        Table with columns benchmark, impossible (share of expected scores outside 0 to 1), at_ends (share of
        scores at exactly 0 or 1), q5, q95 (of a score), observed_low, observed_high, surprising (share of
        observed scores outside the prior's 99% intervals), verdict.
    """
    expected, score = (
        tree["prior"].dataset["expected"].values[0],
        tree["prior_predictive"].dataset[SCORE].values[0],
    )
    observed = np.asarray(tree["observed_data"].dataset[SCORE].values, dtype=float)
    names = tree["prior_predictive"].dataset[BENCHMARK].values.astype(str)
    rows = [_row(name, expected[..., j], score[..., j], observed[:, j]) for j, name in enumerate(names)]
    table = pd.DataFrame(rows)
    advice = []
    if len(part := table[table["verdict"] == "too wide"]):
        advice.append(
            f"the prior puts many scores at exactly 0 or 1 on {', '.join(part[BENCHMARK])}: narrow slopes, "
            "scales or floors in `Priors`."
        )
    if len(part := table[table["verdict"] == "surprised"]):
        advice.append(
            f"the prior hardly allows what was observed on {', '.join(part[BENCHMARK])}: check these "
            "columns, or widen `Priors`."
        )
    verdict = (
        f"{table['impossible'].mean():.1%} of the prior's expected scores lie outside 0 to 1, "
        f"{table['at_ends'].mean():.1%} of its scores at 0 or 1; {table['surprising'].mean():.1%} of those "
        "observed outside its 99% intervals"
    )
    return Finding("prior predictive", table, FitStatus.FINE, verdict, tuple(advice))


def _row(name: str, expected: Floats, score: Floats, observed: Floats) -> dict[str, Any]:
    seen = ~np.isnan(observed)
    low, high = np.quantile(score[:, seen], CENTRAL, axis=0)
    at_ends = float(((score <= 0) | (score >= 1)).mean())
    surprising = float(((observed[seen] < low) | (observed[seen] > high)).mean())
    q5, q95 = np.quantile(score, (0.05, 0.95))
    wrong = "too wide" if at_ends > MOST_AT_ENDS else "surprised" if surprising > SURPRISING else "fine"
    return {
        BENCHMARK: name,
        "impossible": float(((expected < 0) | (expected > 1)).mean()),
        "at_ends": at_ends,
        "q5": float(q5),
        "q95": float(q95),
        "observed_low": float(observed[seen].min()),
        "observed_high": float(observed[seen].max()),
        "surprising": surprising,
        "verdict": wrong,
    }
