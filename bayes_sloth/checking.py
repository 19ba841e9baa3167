"""Should this fit be trusted? Tables and one verdict."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bayes_sloth.errors import FitStatus
from bayes_sloth.expectation import expected_scores
from bayes_sloth.fitting import converged
from bayes_sloth.kernels import SAMPLED
from bayes_sloth.posterior import Posterior


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict on a fit.

    Parameters
    ----------
    table : DataFrame
        Worst element of every quantity: columns quantity, where, r_hat, ess_bulk, ess_tail, verdict (`fine`;
        `caution`, above 1.01 where that is not what is bet on; `bad`; `see`, for quantities that do not
        count). Empty for a fit without chains.
    status : FitStatus
        FINE or NOT_TRUSTED.
    verdict : str
        One line.
    advice : tuple of str
        What to do, where something is wrong.

    Examples
    --------
    >>> Check(pd.DataFrame(), FitStatus.FINE, "fine", ()).verdict
    'fine'
    """

    table: pd.DataFrame
    status: FitStatus
    verdict: str
    advice: tuple[str, ...]

    def __repr__(self) -> str:
        """Show the verdict and the table."""
        lines = [self.verdict, *self.advice]
        if len(self.table):
            lines.append(self.table.to_string(index=False, float_format="{:.3f}".format))
        return "\n".join(lines)


def check(posterior: Posterior) -> Check:
    """Judge a fit: convergence of every reported quantity, divergences, tree depth.

    Parameters
    ----------
    posterior : Posterior
        A fit by any method; one without chains is never fine.

    Returns
    -------
    Check
        Table, status, verdict, advice.

    Examples
    --------
    >>> import xarray as xr
    >>> from bayes_sloth.posterior import FitReport
    >>> from bayes_sloth.spec import ModelSpec
    >>> report = FitReport("map", 0, FitStatus.NOT_TRUSTED, ("a point estimate",), 1.0, {}, "")
    >>> check(Posterior(xr.DataTree(), ModelSpec(), report)).verdict
    'not to be trusted as it stands: fitted by map, which has no chains'
    """
    if posterior.report.method not in SAMPLED:
        verdict = f"not to be trusted as it stands: fitted by {posterior.report.method}, which has no chains"
        return Check(pd.DataFrame(), FitStatus.NOT_TRUSTED, verdict, posterior.report.messages)
    found = converged(posterior.data, expected_scores(posterior.data, posterior.spec))
    worst = found.table.iloc[0]
    least = min(worst.ess_bulk, worst.ess_tail)
    seen = f"worst R-hat of an expected score {worst.r_hat:.3f}, least effective draws {least:.0f}"
    if found.status is FitStatus.FINE:
        return Check(found.table, found.status, f"to be trusted: {seen}, no divergences", ())
    count = len(found.messages)
    verdict = f"not to be trusted as it stands: {count} problem{'s' if count > 1 else ''}; {seen}"
    return Check(found.table, found.status, verdict, found.messages)
