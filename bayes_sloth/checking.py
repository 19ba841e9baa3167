"""Should this fit be trusted? Tables and one verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pandas as pd

from bayes_sloth.asking import check_fit
from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.checks.identification import check_identification
from bayes_sloth.checks.influence import check_influence
from bayes_sloth.checks.predictive import check_left_out, check_predictive
from bayes_sloth.checks.prior import check_prior
from bayes_sloth.checks.sensitivity import check_sensitivity
from bayes_sloth.errors import FitStatus, unknown_name
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.fitting import converged
from bayes_sloth.kernels import SAMPLED
from bayes_sloth.posterior import Posterior
from bayes_sloth.sampling import prepare

CONVERGENCE: Final = "convergence"
# In the order in which they are told.
CHECKS: Mapping[str, Callable[[Case], Finding]] = MappingProxyType(
    {
        "predictive": check_predictive,
        "leave-one-out": check_left_out,
        "identification": check_identification,
        "influence": check_influence,
        "prior predictive": check_prior,
        "prior sensitivity": check_sensitivity,
    }
)


@dataclass(frozen=True, eq=False)
class Check:
    """The verdict on a fit.

    Parameters
    ----------
    table : DataFrame
        Worst element of every quantity: columns quantity, where, r_hat, ess_bulk, ess_tail, mcse_q5,
        mcse_q95, verdict (`fine`; `caution`, above 1.01 where that is not what is bet on; `bad`; `see`, for
        quantities that do not count). Empty for a fit without chains.
    status : FitStatus
        FINE or NOT_TRUSTED, the worst of all findings.
    verdict : str
        One line.
    advice : tuple of str
        What to do, where something is wrong.
    findings : tuple of Finding
        Of each check; one with advice and a fine status is a caution.

    Examples
    --------
    >>> Check(pd.DataFrame(), FitStatus.FINE, "fine", ()).verdict
    'fine'
    """

    table: pd.DataFrame
    status: FitStatus
    verdict: str
    advice: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, name: str) -> Finding:
        """Return the finding of one check."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise unknown_name("finding", name, [finding.name for finding in self.findings])

    def __repr__(self) -> str:
        """Show the verdict, each finding and the table of convergence."""
        lines = [self.verdict, *self.advice, *map(repr, self.findings[1:])]
        if len(self.table):
            lines.append(self.table.to_string(index=False, float_format="{:.3f}".format))
        return "\n".join(lines)


def check(posterior: Posterior, *, only: Sequence[str] | None = None) -> Check:
    """Judge a fit: convergence first, then forecasts of scores left out, skills, single models, priors.

    Chains that do not agree are no posterior, and are judged no further unless asked for.

    Parameters
    ----------
    posterior : Posterior
        A fit by any method; one without chains is never fine.
    only : sequence of str, optional
        Which checks beside convergence: `predictive`, `leave-one-out`, `identification`, `influence`,
        `prior predictive`, `prior sensitivity`; all where None.

    Returns
    -------
    Check
        Table, status, verdict, advice, findings.

    Raises
    ------
    InputError
        If a check is not known.

    Examples
    --------
    >>> import xarray as xr
    >>> from bayes_sloth.posterior import FitReport
    >>> from bayes_sloth.spec import ModelSpec
    >>> report = FitReport("map", 0, FitStatus.NOT_TRUSTED, ("a point estimate",), 1.0, {}, "")
    >>> check(Posterior(xr.DataTree(), ModelSpec(), report)).verdict
    'not to be trusted as it stands: fitted by map, which has no chains'
    """
    for name in only or ():
        if name not in CHECKS:
            raise unknown_name("check", name, CHECKS)
    check_fit("check", posterior)
    if posterior.report.method not in SAMPLED:
        verdict = f"not to be trusted as it stands: fitted by {posterior.report.method}, which has no chains"
        return Check(pd.DataFrame(), FitStatus.NOT_TRUSTED, verdict, posterior.report.messages)
    prepare()
    case = Case(posterior, ExpectedByBenchmark(posterior.data, posterior.spec))
    first = _convergence(case)
    wanted = CHECKS if only is None and first.status is FitStatus.FINE else only or ()
    findings = (first, *(CHECKS[name](case) for name in CHECKS if name in wanted))
    advice = tuple(line for found in findings if found.status is not FitStatus.FINE for line in found.advice)
    status = max(found.status for found in findings)
    return Check(first.table, status, _verdict(status, first.verdict, len(advice)), advice, findings)


def _convergence(case: Case) -> Finding:
    found = converged(case.posterior.data, case.summary)
    worst = found.table.iloc[0]
    least = min(worst.ess_bulk, worst.ess_tail)
    seen = f"worst R-hat of an expected score {worst.r_hat:.3f}, least effective draws {least:.0f}"
    return Finding(CONVERGENCE, found.table, found.status, seen, found.messages)


def _verdict(status: FitStatus, seen: str, problems: int) -> str:
    if status is FitStatus.FINE:
        return f"to be trusted: {seen}, no divergences"
    return f"not to be trusted as it stands: {problems} problem{'s' if problems > 1 else ''}; {seen}"
