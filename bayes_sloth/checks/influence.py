"""Whether a single model decides what the fit says of all."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.checks.leaving_out import smoothed
from bayes_sloth.errors import FitStatus
from bayes_sloth.names import FAMILY, MODEL

Floats = NDArray[np.float64]

# Squared shifts of all models sum to about one, so that one model of such a shift outweighs all the others.
LARGE: Final = 1.0
# What all forecasts share.
SHARED: Final = ("slope", "tuning", "family_scale", "loading", "misfit")
SHOWN: Final = 5


def check_influence(case: Case) -> Finding:
    r"""Find models without which slopes, loadings, tuning or scales would be others.

    To first order, leaving model :math:`i` out moves the mean of a quantity :math:`q` by

    .. math:: -\mathrm{Cov}(q, \log p(y_i \mid \theta)) / \mathrm{sd}(q)

    posterior standard deviations, which needs no importance weights and so holds for models that these fail.

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        Table of models, most influential first: columns model, family, scores, elpd (summed over its scores),
        k (Pareto's, for leaving out the whole model), quantity (the most moved), shift (posterior standard
        deviations).

    References
    ----------
    Giordano and Broderick (2023). The Bayesian infinitesimal jackknife for variance, section 2.
    """
    found = case.left_out
    shifts = {name: _shift(case, name) for name in SHARED if name in case.quantities}
    largest = pd.DataFrame(shifts)
    by_model = found.scores.groupby(MODEL)
    models = case.posterior.data["constant_data"].dataset
    names = models[MODEL].values.astype(str)
    table = pd.DataFrame(
        {
            MODEL: names,
            FAMILY: models[FAMILY].values.astype(str),
            "scores": by_model.size().reindex(names, fill_value=0).to_numpy(),
            "elpd": by_model["elpd"].sum().reindex(names).to_numpy(),
            "k": smoothed(found.log_likelihood.T)[1],
            "quantity": largest.idxmax(axis=1),
            "shift": largest.max(axis=1),
        }
    ).sort_values("shift", ascending=False, ignore_index=True)
    large = table[table["shift"] > LARGE]
    first = table.iloc[0]
    words = ", ".join(f"{row.model} ({row.quantity})" for row in large.head(SHOWN).itertuples())
    return Finding(
        "influence",
        table,
        FitStatus.FINE,
        f"{first[MODEL]} moves the fit most: a {first['quantity']} by {first['shift']:.1f} posterior sd",
        (f"much hangs on {words}: check their rows, and fit again without them to see.",)
        if len(large)
        else (),
    )


def _shift(case: Case, name: str) -> Floats:
    """Return by how many posterior standard deviations each model moves the quantity's most moved element."""
    values = case.flat(name)
    if not values.size:
        return np.zeros(case.left_out.log_likelihood.shape[1])
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    likelihood = case.left_out.log_likelihood - case.left_out.log_likelihood.mean(axis=0)
    return np.asarray(np.abs(scaled.T @ likelihood).max(axis=0) / len(values))
