"""Whether chains agree: rank-normalised R-hat, effective sample sizes, divergences, tree depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from scipy import stats

from bayes_sloth.errors import FitStatus

Floats = NDArray[np.float64]

# Vehtari et al. (2021), section 4: below 1.01, with a hundred effective draws a chain.
RHAT: Final = 1.01
RHAT_PARAMETER: Final = 1.02  # loadings and slopes are not what is bet on: above 1.01 is a caution only
ESS_PER_CHAIN: Final = 100
CAUTIOUS: Final = (
    "loading",
    "slope",
    "skill_mean",
    "family_scale",
    "tuning",
    "tuning_scale",
    "deviation_scale",
    "specific_scale",
)
DEEPEST: Final = 10  # NumPyro's limit on doublings
TAILS: Final = (0.05, 0.95)


@dataclass(frozen=True)
class Convergence:
    """Convergence of every reported quantity, worst element of each.

    Parameters
    ----------
    table : DataFrame
        Columns quantity, where, r_hat, ess_bulk, ess_tail, verdict.
    status : FitStatus
        FINE or NOT_TRUSTED.
    messages : tuple of str
        What is wrong, in words, with what to do; empty when nothing is.
    """

    table: pd.DataFrame
    status: FitStatus
    messages: tuple[str, ...]


def rank_normalised(values: Floats) -> Floats:
    """Return the normal scores of the ranks over chains and draws, for each element.

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws.

    Returns
    -------
    array, dims (chain, draw, element)
        Standard normal when the chains agree.

    References
    ----------
    Vehtari et al. (2021). Rank-normalization, folding, and localization. Bayesian Analysis 16, eq. 14.
    """
    chains, draws, size = values.shape
    ranks = stats.rankdata(values.reshape(-1, size), axis=0)
    return np.asarray(stats.norm.ppf((ranks - 0.375) / (chains * draws + 0.25)).reshape(values.shape))


def diagnose(values: Floats) -> dict[str, Floats]:
    """Return R-hat and the effective sample sizes of every element.

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws; an element that never moves gets R-hat 1 and as many effective draws as there are draws.

    Returns
    -------
    dict of arrays, dims (element)
        `r_hat` (larger of bulk and folded), `ess_bulk`, `ess_tail` (smaller of the two tails).

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 200, 1))
    >>> bool(diagnose(draws)["r_hat"][0] < 1.02)
    True
    """
    moving = ~(np.ptp(values, axis=(0, 1)) == 0)  # NaN counts as moving, and never as converged
    chosen = values[..., moving]
    size = values.shape[0] * values.shape[1]
    found = {"r_hat": np.ones(moving.size), "ess_bulk": np.full(moving.size, float(size))}
    found["ess_tail"] = found["ess_bulk"].copy()
    if moving.any():
        bulk = rank_normalised(chosen)
        folded = rank_normalised(np.abs(chosen - np.median(chosen, axis=(0, 1))))
        found["r_hat"][moving] = np.maximum(split_gelman_rubin(bulk), split_gelman_rubin(folded))
        found["ess_bulk"][moving] = _ess(bulk)
        tails = [_ess((chosen <= np.quantile(chosen, q, axis=(0, 1))).astype(float)) for q in TAILS]
        found["ess_tail"][moving] = np.minimum(*tails)
    return found


def _ess(values: Floats) -> Floats:
    """Return the effective sample size with chains split in half, so that a drift counts against it."""
    half = values.shape[1] // 2
    return np.asarray(effective_sample_size(np.concatenate([values[:, :half], values[:, -half:]])))


def convergence(posterior: xr.Dataset, expected: Floats, statistics: xr.Dataset) -> Convergence:
    """Judge a fit by NUTS.

    Parameters
    ----------
    posterior : Dataset
        Draws of the named quantities.
    expected : array, dims (chain, draw, model, benchmark)
        Expected scores.
    statistics : Dataset
        Of the sampler: `diverging`, and `tree_depth` where it builds trees.

    Returns
    -------
    Convergence
        FINE where every expected score, loading and slope agrees and no step diverged.
    """
    expected_row = _row(
        "expected_score", xr.DataArray(expected, dims=("chain", "draw", "model", "benchmark")), posterior
    )
    rows = [expected_row, *(_row(str(name), value, posterior) for name, value in posterior.data_vars.items())]
    least = ESS_PER_CHAIN * posterior.sizes["chain"]
    table = pd.DataFrame(rows)
    table["verdict"] = [_verdict(row, least) for row in rows]
    problems = [*_problems(table, least), *_sampler_problems(statistics)]
    status = FitStatus.NOT_TRUSTED if problems else FitStatus.FINE
    return Convergence(table, status, tuple(problems))


def _row(name: str, values: xr.DataArray, labels: xr.Dataset) -> dict[str, Any]:
    shape = values.shape[2:]
    found = diagnose(np.asarray(values.values, dtype=float).reshape(*values.shape[:2], -1))
    worst = np.unravel_index(int(np.argmax(found["r_hat"])), shape) if shape else ()
    place = [
        str(labels[dim].values[i]) if dim in labels.coords else str(i)
        for dim, i in zip(values.dims[2:], worst, strict=True)
    ]
    return {
        "quantity": name,
        "where": ", ".join(place),
        "r_hat": float(found["r_hat"].max()),
        "ess_bulk": float(found["ess_bulk"].min()),
        "ess_tail": float(found["ess_tail"].min()),
    }


def _verdict(row: dict[str, Any], least: int) -> str:
    limit = RHAT_PARAMETER if row["quantity"] in CAUTIOUS else RHAT
    if row["quantity"] != "expected_score" and row["quantity"] not in CAUTIOUS:
        return "fine" if row["r_hat"] <= RHAT else "see"
    enough = row["ess_bulk"] >= least and row["ess_tail"] >= least  # false for NaN, unlike a test for too few
    if not (row["r_hat"] <= limit and enough):
        return "bad"
    return "fine" if row["r_hat"] <= RHAT else "caution"


def _problems(table: pd.DataFrame, least: int) -> list[str]:
    return [
        f"{row.quantity} has not converged (R-hat {row.r_hat:.3f} at {row.where or 'its value'}, "
        f"{min(row.ess_bulk, row.ess_tail):.0f} effective draws of the {least} wanted): "
        "fit again with twice the draws and warmup."
        for row in table[table["verdict"] == "bad"].itertuples()
    ]


def _sampler_problems(statistics: xr.Dataset) -> list[str]:
    problems = []
    diverged = int(statistics["diverging"].sum())
    if diverged:
        problems.append(
            f"{diverged} step{'s' if diverged > 1 else ''} diverged, so a corner of the posterior may be "
            "missing: fit again with more warmup or fewer skills."
        )
    if "tree_depth" not in statistics:
        return problems
    deepest = float((statistics["tree_depth"] >= DEEPEST).mean())
    if deepest > 0.05:  # one in twenty costs time, not truth
        problems.append(f"{deepest:.0%} of the draws hit the largest tree depth: fit again with more warmup.")
    return problems
