"""Whether chains agree: R-hat, effective draws, Monte Carlo errors, divergences, energy, tree depth."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bayes_sloth.diagnostics import diagnose as diagnose
from bayes_sloth.diagnostics import rank_normalised as rank_normalised
from bayes_sloth.errors import FitStatus
from bayes_sloth.names import BENCHMARK, MODEL

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


class ExpectedSummary(NamedTuple):
    """What is kept of expected scores when their draws are gone.

    Parameters
    ----------
    mean : array, dims (model, benchmark)
        Over chains and draws.
    average : array, dims (chain, draw, benchmark)
        Over models.
    diagnoses : dict of arrays, dims (model, benchmark)
        As `diagnose` names them; empty where the draws are no chains.
    """

    mean: Floats
    average: Floats
    diagnoses: dict[str, Floats]


def summarised(expected: Iterable[Floats], *, chains: bool = True) -> ExpectedSummary:
    """Summarise expected scores in one pass, one benchmark after the other.

    Parameters
    ----------
    expected : iterable of arrays, dims (chain, draw, model)
        Expected scores on each benchmark.
    chains : bool
        Whether the draws are of chains, which are to be diagnosed.

    Returns
    -------
    ExpectedSummary
        Means and diagnostics.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(2, 4, 100, 3))
    >>> summarised(draws).diagnoses["r_hat"].shape
    (3, 2)
    """
    means, averages, diagnoses = [], [], []
    for block in expected:
        means.append(block.mean(axis=(0, 1)))
        averages.append(block.mean(axis=2))
        diagnoses.append(diagnose(block) if chains else {})
    found = {name: np.stack([part[name] for part in diagnoses], axis=-1) for name in diagnoses[0]}
    return ExpectedSummary(np.stack(means, axis=-1), np.stack(averages, axis=-1), found)


def convergence(
    posterior: xr.Dataset, expected: ExpectedSummary, statistics: xr.Dataset, *, progress: bool = False
) -> Convergence:
    """Judge the chains of a fit.

    Parameters
    ----------
    posterior : Dataset
        Draws of the named quantities.
    expected : ExpectedSummary
        Of expected scores, diagnosed.
    statistics : Dataset
        Of the sampler: `diverging`, `energy` where it is kept, `tree_depth` where trees are built.
    progress : bool
        Whether to show a bar over the quantities; large fits have millions of draws of some.

    Returns
    -------
    Convergence
        FINE where every expected score, loading and slope agrees and no step diverged.
    """
    rows = [_row("expected_score", (MODEL, BENCHMARK), expected.diagnoses, posterior)]
    quantities = tqdm(
        posterior.data_vars.items(), "judging", disable=not progress, unit="quantity", leave=False
    )
    rows += [_row(str(name), value.dims[2:], _diagnosed(value), posterior) for name, value in quantities]
    least = ESS_PER_CHAIN * posterior.sizes["chain"]
    table = pd.DataFrame(rows)
    table["verdict"] = [_verdict(row, least) for row in rows]
    problems = [*_problems(table, least), *_sampler_problems(statistics)]
    status = FitStatus.NOT_TRUSTED if problems else FitStatus.FINE
    return Convergence(table, status, tuple(problems))


def _diagnosed(values: xr.DataArray) -> dict[str, Floats]:
    """Return the diagnostics of every element of a quantity, in the quantity's shape."""
    found = diagnose(values.values.reshape(*values.shape[:2], -1))  # which cuts it up before it copies
    return {name: value.reshape(values.shape[2:]) for name, value in found.items()}


def _row(
    name: str, dims: tuple[Hashable, ...], found: dict[str, Floats], labels: xr.Dataset
) -> dict[str, Any]:
    """Return the worst of a quantity's diagnostics, and where it is."""
    worst = np.unravel_index(int(np.argmax(found["r_hat"])), found["r_hat"].shape) if dims else ()
    place = [
        str(labels[dim].values[i]) if dim in labels.coords else str(i)
        for dim, i in zip(dims, worst, strict=True)
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
