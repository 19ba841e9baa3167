"""What every check takes and gives: a case to judge, and a finding with its table, verdict and advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.checks.leaving_out import LeftOut, leave_out
from bayes_sloth.convergence import ExpectedSummary, summarised
from bayes_sloth.errors import FitStatus
from bayes_sloth.posterior import Posterior

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Finding:
    """What one check found.

    Parameters
    ----------
    name : str
        Of the check.
    table : DataFrame
        What the verdict rests on.
    status : FitStatus
        NOT_TRUSTED where forecasts would mislead.
    verdict : str
        One finished clause.
    advice : tuple of str
        What to do; a fine status with advice is a caution.
    drawn : mapping of str to DataFrame
        What the plot shows beside the table.

    Examples
    --------
    >>> Finding("influence", pd.DataFrame(), FitStatus.FINE, "no model stands out", ())
    influence: fine: no model stands out
    """

    name: str
    table: pd.DataFrame
    status: FitStatus
    verdict: str
    advice: tuple[str, ...]
    drawn: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """`fine`, `caution` (something to know, which spoils no forecast) or `bad`."""
        if self.status is not FitStatus.FINE:
            return "bad"
        return "caution" if self.advice else "fine"

    @property
    def facts(self) -> dict[str, object]:
        """Plain values: name, level, verdict, advice, rows of the table."""
        told = {"name": self.name, "level": self.level, "verdict": self.verdict}
        return {**told, "advice": list(self.advice), "table": self.table.to_dict("records")}

    def __repr__(self) -> str:
        """Say it in a line, and what to do in the next ones."""
        return "\n".join([f"{self.name}: {self.level}: {self.verdict}", *(f"  {a}" for a in self.advice)])


@dataclass(frozen=True, eq=False)
class Case:
    """A fit with what several checks need of it, computed once.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    expected : iterable of arrays, dims (chain, draw, model)
        Expected scores on each benchmark; can be gone through more than once.

    Examples
    --------
    >>> from bayes_sloth.posterior import FitReport
    >>> from bayes_sloth.spec import ModelSpec
    >>> report = FitReport("hmc", 0, FitStatus.FINE, (), 1.0, {}, "")
    >>> draws = xr.Dataset(coords={"chain": range(4), "draw": range(10)})
    >>> fit = Posterior(xr.DataTree.from_dict({"/posterior": draws}), ModelSpec(), report)
    >>> Case(fit, np.zeros((2, 4, 10, 3))).summary.mean.shape
    (3, 2)
    """

    posterior: Posterior
    expected: Iterable[Floats]

    @property
    def draws(self) -> int:
        """Number of draws over all chains."""
        return self.posterior.draws

    @property
    def quantities(self) -> xr.Dataset:
        """Draws of the named quantities."""
        return self.posterior.data["posterior"].dataset

    def flat(self, name: str) -> Floats:
        """Return the draws of a quantity that move, dims (draw, element)."""
        values = np.asarray(self.quantities[name].values, dtype=float).reshape(self.draws, -1)
        return values[:, np.ptp(values, axis=0) > 0]

    @cached_property
    def summary(self) -> ExpectedSummary:
        """Means and diagnostics of the expected scores."""
        return summarised(self.expected)

    @cached_property
    def left_out(self) -> LeftOut:
        """Every observed score as forecast without it."""
        return leave_out(self.posterior, self.expected)
