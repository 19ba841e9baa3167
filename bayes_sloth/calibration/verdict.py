"""Are ranks even? Tests of every quantity at one false-alarm rate, coverage, words and a plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from bayes_sloth.errors import FitStatus, unknown_name
from bayes_sloth.names import CHAIN, DRAW

Floats = NDArray[np.float64]

FALSE_ALARM: Final = 0.01
PROBS: Final = (0.5, 0.8, 0.9, 0.95)
# One fit in ten that has not converged is the sampler's trouble, whatever the others' ranks say.
MOST_POOR: Final = 0.1
PANELS: Final = 12
SHOWN: Final = 6
FINE: Final = "fine"


@dataclass(frozen=True, eq=False)
class Calibration:
    """Where the truth of drawn tables stands among the draws of their fits.

    Parameters
    ----------
    data : DataTree
        Group `prior_sbc`, as ArviZ has it: ranks, uniform on (0, 1) where all is right, dims (chain, draw,
        ...) with one chain and a draw for each table; NaN where a quantity is known by construction. Group
        `sample_stats`: `r_hat`, `ess`, `diverging` and whether the fit has `converged`.
    table : DataFrame
        A row a quantity: columns quantity, elements (how many), where (the least even one), p (of that one,
        times the number of tests), cover_50 to cover_95 (share of central intervals that hold the truth),
        verdict.
    false_alarm : float
        Probability that one quantity or more is not fine by chance.
    status : FitStatus
        FINE or NOT_TRUSTED.
    verdict : str
        In words.

    Examples
    --------
    >>> rank = np.random.default_rng(0).random((1, 200))
    >>> ranks = xr.Dataset({"tail": (("chain", "draw"), rank)})
    >>> print(judged(ranks, np.ones(200, dtype=bool)).verdict)
    calibrated: 200 tables, all 1 elements of 1 quantities rank evenly ...
    """

    data: xr.DataTree
    table: pd.DataFrame
    false_alarm: float
    status: FitStatus
    verdict: str

    def __repr__(self) -> str:
        """Show the verdict and the least even quantities."""
        rows = self.table.sort_values("p", kind="stable").head(SHOWN)
        return f"{self.verdict}\n{rows.to_string(index=False, float_format='{:.3f}'.format)}"

    def plot(self, quantity: str | None = None, *, coverage: bool = False, **options: Any) -> Any:
        """Draw the difference between the ranks' distribution and the uniform one, with a band.

        Parameters
        ----------
        quantity : str, optional
            Whose elements to draw, the least even ones first; those of all quantities where None. Twelve
            panels at most.
        coverage : bool
            Whether to draw what share of central intervals of every width holds the truth, instead.
        **options
            Of `arviz_plots.plot_ecdf_pit`: `ci_prob` (of the band, simultaneous within a panel), `backend`.

        Returns
        -------
        PlotCollection
            ArviZ's.

        Raises
        ------
        InputError
            If there is no such quantity.

        References
        ----------
        Säilynoja et al. (2022). Graphical test for discrete uniformity. Statistics and Computing 32.
        """
        from arviz_plots import plot_ecdf_pit  # costs seconds, and only plots need it

        known = list(self.table["quantity"])
        if quantity is not None and quantity not in known:
            raise unknown_name("quantity", quantity, known)
        good = self.data["sample_stats"].dataset["converged"].values[0]
        tests = _tests(self.data["prior_sbc"].dataset, good)
        if quantity is not None:
            tests = tests[tests["quantity"] == quantity]
        panels = tests.sort_values("p", kind="stable").head(PANELS)
        ranks = {_label(row): ((CHAIN, DRAW), row.rank[None]) for row in panels.itertuples()}
        tree = xr.DataTree.from_dict({"/prior_sbc": xr.Dataset(ranks)})
        return plot_ecdf_pit(tree, coverage=coverage, **options)


def judged(
    ranks: xr.Dataset,
    converged: NDArray[np.bool_],
    *,
    statistics: xr.Dataset | None = None,
    false_alarm: float = FALSE_ALARM,
) -> Calibration:
    r"""Test whether ranks are even.

    Two Kolmogorov-Smirnov tests an element, of ranks :math:`u` (location) and of :math:`|2u - 1|` (width),
    each at the false-alarm rate over the number of tests (Bonferroni). Fits that have not converged are left
    out: convergence is seen from the draws alone, so that the ranks of the others stay uniform.

    Parameters
    ----------
    ranks : Dataset, dims (chain, draw, ...)
        A draw for each table.
    converged : array of bool, dims (table)
        Which fits count.
    statistics : Dataset, optional
        Of the fits.
    false_alarm : float
        Of all tests together.

    Returns
    -------
    Calibration
        The verdict.
    """
    tests = _tests(ranks, converged)
    rows = [
        _row(name, part, 2 * len(tests), false_alarm) for name, part in tests.groupby("quantity", sort=False)
    ]
    columns = ["quantity", "elements", "where", "p", *(f"cover_{p:.0%}"[:-1] for p in PROBS), "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    fine, verdict = _in_words(table, converged, false_alarm)
    statistics = xr.Dataset() if statistics is None else statistics
    statistics = statistics.assign(converged=((CHAIN, DRAW), converged[None]))
    tree = xr.DataTree.from_dict({"/prior_sbc": ranks, "/sample_stats": statistics})
    return Calibration(tree, table, false_alarm, FitStatus.FINE if fine else FitStatus.NOT_TRUSTED, verdict)


def _tests(ranks: xr.Dataset, converged: NDArray[np.bool_]) -> pd.DataFrame:
    """Return a row an element: its ranks in converged fits, and how unlikely they are if all is right."""
    rows = []
    for name, variable in ranks.data_vars.items():
        values = np.asarray(variable.values)[0][converged]
        for place in np.ndindex(values.shape[1:]):
            rank = values[(slice(None), *place)]
            rank = rank[~np.isnan(rank)]
            if rank.size:
                rows.append(_tested(str(name), _where(ranks, variable, place), rank))
    columns = ["quantity", "where", "rank", "location", "width", "p"]
    return pd.DataFrame(rows, columns=columns)


def _tested(name: str, where: str, rank: Floats) -> dict[str, Any]:
    location, width = _even(rank), _even(np.abs(2 * rank - 1))
    return {
        "quantity": name,
        "where": where,
        "rank": rank,
        "location": location,
        "width": width,
        "p": min(location, width),
    }


def _even(values: Floats) -> float:
    """Return the p-value of a Kolmogorov-Smirnov test of uniformity, without scipy's price of checks."""
    steps = np.arange(values.size + 1) / values.size
    ordered = np.sort(values)
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    return float(stats.kstwo.sf(distance, values.size))


def _where(ranks: xr.Dataset, variable: xr.DataArray, place: tuple[int, ...]) -> str:
    labels = zip(variable.dims[2:], place, strict=True)
    return ", ".join(str(ranks[dim].values[i]) if dim in ranks.coords else str(i) for dim, i in labels)


def _row(name: Any, part: pd.DataFrame, tests: int, false_alarm: float) -> list[Any]:
    worst = part.loc[part["p"].idxmin()]
    p = min(1.0, float(worst["p"]) * tests)
    distance = np.abs(2 * np.concatenate(list(part["rank"])) - 1)
    covers = [float((distance <= prob).mean()) for prob in PROBS]
    return [name, len(part), worst["where"], p, *covers, _wrong(worst) if p < false_alarm else FINE]


def _wrong(worst: pd.Series) -> str:
    rank = worst["rank"]
    if worst["location"] < worst["width"]:
        return "draws too low" if rank.mean() > 0.5 else "draws too high"
    return "intervals too narrow" if np.abs(2 * rank - 1).mean() > 0.5 else "intervals too wide"


def _in_words(table: pd.DataFrame, converged: NDArray[np.bool_], false_alarm: float) -> tuple[bool, str]:
    """Return whether all is fine, and a verdict."""
    poor, count = int((~converged).sum()), int(converged.sum())
    if not len(table):
        return False, f"not calibrated: none of {converged.size} fits has converged; fit longer."
    seen = f"{count} tables" + (f" ({poor} more left out, their fits have not converged)" if poor else "")
    bad = table[table["verdict"] != FINE]
    if len(bad):
        named = (f"{row.quantity} ({row.where or 'its value'}): {row.verdict}" for row in bad.itertuples())
        return False, (
            f"not calibrated: {seen}, {len(bad)} of {len(table)} quantities rank unevenly: "
            f"{'; '.join(named)}. The code that draws tables and the code that fits them do not describe the "
            "same model, or chains are too short."
        )
    if poor > MOST_POOR * converged.size:
        return False, f"not to be trusted: {seen}; the others rank evenly. Fit longer."
    elements = int(table["elements"].sum())
    return True, (
        f"calibrated: {seen}, all {elements} elements of {len(table)} quantities rank evenly "
        f"(one false alarm in {1 / false_alarm:.0f} such runs); a distribution of ranks off by "
        f"{_visible(count, 2 * elements, false_alarm):.2f} or more would most likely have shown."
    )


def _visible(count: int, tests: int, false_alarm: float) -> float:
    """Return the distance of a distribution of ranks from the uniform one that a test sees at even odds."""
    return float(stats.kstwo.isf(false_alarm / tests, count))


def _label(row: Any) -> str:
    return f"{row.quantity}[{row.where}]" if row.where else str(row.quantity)
