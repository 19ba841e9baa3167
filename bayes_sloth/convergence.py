"""Whether chains agree: R-hat, effective draws, Monte Carlo errors, divergences, energy, tree depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from bayes_sloth.diagnostics import diagnose as diagnose
from bayes_sloth.diagnostics import rank_normalised as rank_normalised
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
# Betancourt (2016): below it, fresh momenta do not reach all energies of the posterior between two draws.
LEAST_BFMI: Final = 0.3


@dataclass(frozen=True)
class Convergence:
    """Convergence of every reported quantity, worst element of each.

    Parameters
    ----------
    table : DataFrame
        Columns quantity, where (the worst R-hat is), r_hat, ess_bulk, ess_tail, mcse_q5, mcse_q95 (largest
        Monte Carlo standard errors of the ends of 90% intervals, in the quantity's units), verdict.
    status : FitStatus
        FINE or NOT_TRUSTED.
    messages : tuple of str
        What is wrong, in words, with what to do; empty when nothing is.
    """

    table: pd.DataFrame
    status: FitStatus
    messages: tuple[str, ...]


def convergence(posterior: xr.Dataset, expected: Floats, statistics: xr.Dataset) -> Convergence:
    """Judge a fit by NUTS.

    Parameters
    ----------
    posterior : Dataset
        Draws of the named quantities.
    expected : array, dims (chain, draw, model, benchmark)
        Expected scores.
    statistics : Dataset
        Of the sampler: `diverging`, `energy` where it is kept, `tree_depth` where trees are built.

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
        "mcse_q5": float(found["mcse_q5"].max()),
        "mcse_q95": float(found["mcse_q95"].max()),
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
    return [*problems, *_energy_problems(statistics), *_tree_problems(statistics)]


def _energy_problems(statistics: xr.Dataset) -> list[str]:
    if "energy" not in statistics:
        return []
    library: Any = array_stats  # untyped
    found = np.atleast_1d(library.bfmi(statistics["energy"].values))
    low = np.flatnonzero(found < LEAST_BFMI)
    if not low.size:
        return []
    return [
        f"energies of {low.size} chain{'s' if low.size > 1 else ''} mix slowly (E-BFMI "
        f"{found[low].min():.2f}, {LEAST_BFMI} wanted), so tails may be missing: "
        "fit again with more warmup or tighter priors."
    ]


def _tree_problems(statistics: xr.Dataset) -> list[str]:
    if "tree_depth" not in statistics:
        return []
    deepest = float((statistics["tree_depth"] >= DEEPEST).mean())
    if deepest <= 0.05:  # one in twenty costs time, not truth
        return []
    return [f"{deepest:.0%} of the draws hit the largest tree depth: fit again with more warmup."]
