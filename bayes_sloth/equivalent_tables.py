"""Tables of models' skills as the compute that a reference family would need, and of progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_prob
from bayes_sloth.errors import InputError
from bayes_sloth.names import DATE, FAMILY, INSTRUCT, MODEL

Floats = NDArray[np.float64]

LINE: Final = 25  # dates at which the trend is told
FEWEST: Final = 3  # families, and dates, that a trend is told from


@dataclass(frozen=True, eq=False)
class Equivalents:
    """Models' skills as the compute that a reference family would need.

    Parameters
    ----------
    data : Dataset
        `log10_flops`, dims (draw, model), infinite where the curve does not reach; `weight`, dims (draw,
        family), of families in the trend. On `model`: `model_family`, `instruct`, `date` (years) and
        `own_log10_flops`.
    family : str
        The reference family.
    of : str
        The skill or benchmark that is compared.
    reach : tuple of float
        log10 FLOPs between which the reference family's curve is known.
    measured : tuple of float
        log10 FLOPs of the reference family's smallest and largest models.
    """

    data: xr.Dataset
    family: str
    of: str
    reach: tuple[float, float]
    measured: tuple[float, float]

    def table(self, prob: float = 0.9) -> pd.DataFrame:
        """Return every model's equivalent compute, the largest first.

        Parameters
        ----------
        prob : float
            Probability inside the interval.

        Returns
        -------
        DataFrame
            Columns model, family, date, own_flops, median, lower, upper (FLOPs of the reference family; 0
            and infinity mean beyond its curve), gain, gain_lower, gain_upper (those over own FLOPs),
            prob, unreached (share of draws beyond the curve), extrapolates (the median is outside what the
            reference family has been trained with).

        Raises
        ------
        InputError
            If `prob` is not between 0 and 1.
        """
        check_prob(prob)
        logs = self.data["log10_flops"].values
        lower, median, upper = _quantiles(logs, prob)
        own = self.data["own_log10_flops"].values
        ends = {"median": median, "lower": lower, "upper": upper}
        gains = {"gain": median - own, "gain_lower": lower - own, "gain_upper": upper - own}
        facts = {name: self.data[source].values for name, source in ((FAMILY, "model_family"), (DATE, DATE))}
        columns = {
            MODEL: self.data[MODEL].values.astype(str),
            **facts,
            "own_flops": 10**own,
            **{name: 10**value for name, value in (ends | gains).items()},
            "prob": prob,
            "unreached": np.isinf(logs).mean(axis=0),
            "extrapolates": (median < self.measured[0]) | (median > self.measured[1]),
        }
        return pd.DataFrame(columns).sort_values("median", ascending=False, kind="stable", ignore_index=True)

    def progress(self, prob: float = 0.9, *, instruct: bool | None = None) -> pd.DataFrame:
        r"""Return how fast less compute gives the same skill.

        .. math:: \log_{10}(C^{eq}_i / C_i) = a + b\,(\mathrm{date}_i - \overline{\mathrm{date}})

        by least squares in every draw, with families weighted at random (the Bayesian bootstrap), so that
        intervals tell of the few families there are as well as of their skills.

        Parameters
        ----------
        prob : float
            Probability inside the interval.
        instruct : bool, optional
            Only tuned models, or only base models.

        Returns
        -------
        DataFrame
            Columns quantity (`orders of magnitude a year`, :math:`b`; `times a year`, :math:`10^b`), median,
            lower, upper, prob, direction (probability of the sign), models, families.

        Raises
        ------
        InputError
            If fewer than three families, or fewer than three dates, are known together with own compute.

        References
        ----------
        Rubin, D. B. (1981). The Bayesian bootstrap. Annals of Statistics 9, 130-134.
        """
        check_prob(prob)
        slope, _, _, kept = self._trend(instruct)
        ends = _quantiles(slope[:, None], prob)[:, 0]
        rows = []
        for quantity, (lower, median, upper) in (
            ("orders of magnitude a year", ends),
            ("times a year", 10**ends),
        ):
            rows.append({"quantity": quantity, "median": median, "lower": lower, "upper": upper})
        direction = max((slope > 0).mean(), (slope < 0).mean())
        families = len(set(self.data["model_family"].values[kept]))
        counts = {"models": int(kept.sum()), "families": families}
        return pd.DataFrame(rows).assign(prob=prob, direction=direction, **counts)

    def trend(self, prob: float = 0.9, *, instruct: bool | None = None) -> pd.DataFrame:
        """Return the line of `progress`: columns date, median, lower, upper (gains), prob.

        Parameters
        ----------
        prob : float
            Probability inside the interval.
        instruct : bool, optional
            Only tuned models, or only base models.

        Returns
        -------
        DataFrame
            A row a date, evenly spaced.

        Raises
        ------
        InputError
            As `progress`.
        """
        check_prob(prob)
        slope, level, centre, kept = self._trend(instruct)
        dates = self.data[DATE].values[kept]
        at = np.linspace(dates.min(), dates.max(), LINE)
        lines = level[:, None] + slope[:, None] * (at[None, :] - centre[:, None])
        lower, median, upper = 10 ** _quantiles(lines, prob)
        return pd.DataFrame({DATE: at, "median": median, "lower": lower, "upper": upper, "prob": prob})

    def _trend(self, instruct: bool | None) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Return slope, level and centre of the line in every draw, and which models it is of."""
        own, date = self.data["own_log10_flops"].values, self.data[DATE].values.astype(float)
        kept = np.isfinite(own) & np.isfinite(date)
        if instruct is not None:
            kept &= self.data[INSTRUCT].values.astype(bool) == instruct
        family = self.data["model_family"].values[kept]
        if min(len(set(family)), len(set(date[kept]))) < FEWEST:
            raise InputError(
                "progress: fewer than three families, or dates, are known: give models with dates and tokens."
            )
        # What is beyond the curve counts as at its end: a trend that is told too flat, not too steep.
        gain = np.clip(self.data["log10_flops"].values[:, kept], *self.reach) - own[kept]
        weight = self.data["weight"].sel({FAMILY: list(family)}).values
        return *_line(date[kept], gain, weight), kept

    def __repr__(self) -> str:
        """Show the largest."""
        head = f"Equivalents: {self.of} in FLOPs of {self.family}, {self.data.sizes[MODEL]} models"
        shown = self.table()[[MODEL, "own_flops", "median", "lower", "upper"]].head(8)
        return f"{head}\n{shown.to_string(index=False, float_format='{:.2e}'.format)}"


def _quantiles(values: Floats, prob: float) -> Floats:
    """Return ends and middle of central intervals, dims (3, ...), of values that may be infinite."""
    return np.asarray(
        np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0, method="inverted_cdf")
    )


def _line(date: Floats, gain: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return slope, level and centre of the weighted least-squares line, dims (draw)."""
    share = weight / weight.sum(axis=1, keepdims=True)
    centre, level = share @ date, (share * gain).sum(axis=1)
    apart = date[None, :] - centre[:, None]
    slope = (share * apart * gain).sum(axis=1) / (share * apart**2).sum(axis=1)
    return slope, level, centre
