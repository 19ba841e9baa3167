"""Sizes and tokens: their scale, and the prior of those not known, regressed on family, size and date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from bayes_sloth.names import DATE, FAMILY, PARAMS_B, TOKENS_T
from bayes_sloth.pooling import PooledCovariance

Floats = NDArray[np.float64]

# Regression coefficients of scaled logs on scaled features: a standard deviation of one is wide.
COEFFICIENT_SD: Final = 1.0
# Standard deviations of families and of models within a family are searched for between these.
SD_RANGE: Final = (0.05, 2.0)


@dataclass(frozen=True)
class Scale:
    """Centre and spread of one covariate and the range it was seen in.

    Parameters
    ----------
    mean, sd : float
        Of the natural log (dates: of the year) over the known rows.
    low, high : float
        Smallest and largest known value, on the same scale.
    """

    mean: float
    sd: float
    low: float
    high: float

    def scaled(self, values: Floats) -> Floats:
        """Return values with mean 0 and standard deviation 1 over the rows they came from."""
        return (values - self.mean) / self.sd


def scale_of(values: Floats) -> Scale:
    """Return the scale of a covariate from its known values.

    Parameters
    ----------
    values : array
        NaN where not known.

    Returns
    -------
    Scale
        With mean 0 and spread 1 where nothing, or one value only, is known.

    Examples
    --------
    >>> scale_of(np.array([1.0, 3.0, np.nan])).sd
    1.0
    """
    known = values[~np.isnan(values)]
    if known.size == 0:
        return Scale(0.0, 1.0, -np.inf, np.inf)
    spread = float(known.std())
    return Scale(
        float(known.mean()), spread if spread > 1e-6 else 1.0, float(known.min()), float(known.max())
    )


@dataclass(frozen=True)
class Scaling:
    """Scales of log size, log tokens and date over the fitted table.

    Parameters
    ----------
    size, tokens, date : Scale
        Of log billions of parameters, log trillions of tokens, decimal years.
    """

    size: Scale
    tokens: Scale
    date: Scale

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Scaling:
        """Return the scaling that `to_dict` wrote."""
        return cls(**{name: Scale(**values) for name, values in plain.items()})


def scaling_of(models: pd.DataFrame) -> Scaling:
    """Return the scaling of a table of models.

    Parameters
    ----------
    models : DataFrame
        With `params_b` (billions), `tokens_t` (trillions) and `date` (years), NaN where not known.

    Returns
    -------
    Scaling
        Means and standard deviations over the known rows.

    Examples
    --------
    >>> table = pd.DataFrame({"params_b": [1.0, 10.0], "tokens_t": [1.0, 1.0], "date": [2023.0, 2024.0]})
    >>> round(scaling_of(table).size.mean, 3)
    1.151
    """
    size, tokens = (np.log(models[name].to_numpy(dtype=float)) for name in (PARAMS_B, TOKENS_T))
    return Scaling(scale_of(size), scale_of(tokens), scale_of(models[DATE].to_numpy(dtype=float)))


@dataclass(frozen=True)
class Unknown:
    """A Gaussian over covariates that are not known, given those that are.

    Parameters
    ----------
    mean : array, dims (row)
        Expected value, with log size (where it is a feature) at its own expectation.
    lower : array, dims (row, row)
        Cholesky factor of the covariance.
    weights : array, dims (row, known row)
        How the mean moves with each known value.
    size_effect : float
        How the mean moves with log size.
    sds : array, two entries
        Standard deviations of families and of models within a family.
    """

    mean: Floats
    lower: Floats
    weights: Floats
    size_effect: float
    sds: Floats


@dataclass(frozen=True)
class Features:
    """What a covariate is regressed on.

    Parameters
    ----------
    linear : array, dims (row, feature)
        Constant, date, whether the date is missing, and log size where it is known to come first.
    family : array of str, dims (row)
        Family names.
    """

    linear: Floats
    family: NDArray[np.object_]

    def rows(self, chosen: NDArray[np.bool_]) -> Features:
        """Return some of the rows."""
        return Features(self.linear[chosen], self.family[chosen])


def features_of(models: pd.DataFrame, scaling: Scaling, log_size: Floats | None = None) -> Features:
    """Return the features of every row; a missing date gets an effect of its own, not a value.

    Parameters
    ----------
    models : DataFrame
        With `date` and `family`.
    scaling : Scaling
        Of the fitted table.
    log_size : array, dims (row), optional
        Scaled log size, to be a feature too.

    Returns
    -------
    Features
        One row a model.

    Examples
    --------
    >>> table = pd.DataFrame({"params_b": [1.0], "tokens_t": [1.0], "date": [np.nan], "family": ["a"]})
    >>> features_of(table, scaling_of(table)).linear.tolist()
    [[1.0, 0.0, 1.0]]
    """
    date = scaling.date.scaled(models[DATE].to_numpy(dtype=float))
    missing = np.isnan(date)
    columns = [np.ones(len(models)), np.where(missing, 0.0, date), missing.astype(float)]
    columns += [] if log_size is None else [log_size]
    return Features(np.stack(columns, axis=-1), models[FAMILY].to_numpy(dtype=object))


def unknown_given(known: Features, values: Floats, wanted: Features, *, sds: Floats | None = None) -> Unknown:
    r"""Return the Gaussian of unknown covariates under a regression with family effects.

    .. math:: y = X c + a_f + e, \quad c \sim N(0, I),\; a_f \sim N(0, \tau^2),\; e \sim N(0, \sigma^2)

    Where not given, the two standard deviations maximise the marginal likelihood of the known rows.

    Parameters
    ----------
    known : Features
        Rows whose covariate is known.
    values : array, dims (known row)
        Their covariate, scaled.
    wanted : Features
        Rows whose covariate is not known.
    sds : array, two entries, optional
        Standard deviations of families and of models within a family, where already known.

    Returns
    -------
    Unknown
        Their joint distribution.

    Examples
    --------
    >>> a = Features(np.ones((3, 1)), np.array(["a", "a", "b"], dtype=object))
    >>> b = Features(np.ones((1, 1)), np.array(["a"], dtype=object))
    >>> bool(abs(unknown_given(a, np.array([1.0, 1.0, -1.0]), b).mean[0] - 1) < 0.2)
    True
    """
    if sds is None:
        sds = _fitted_sds(known, values) if values.size > 2 else np.array([1.0, 0.5])
    inside = PooledCovariance.of(known.family, COEFFICIENT_SD * known.linear, *sds)
    across = _covariance(wanted, known, sds[0])
    weights = inside.solved(across.T).T
    left = _covariance(wanted, wanted, sds[0]) + sds[1] ** 2 * np.eye(len(wanted.family)) - weights @ across.T
    coefficient = COEFFICIENT_SD**2 * known.linear.T @ inside.solved(values[:, None])
    effect = float(coefficient[3, 0]) if known.linear.shape[1] == 4 else 0.0
    return Unknown(weights @ values, np.linalg.cholesky(left), weights, effect, sds)


def _covariance(a: Features, b: Features, family_sd: float) -> Floats:
    same = a.family[:, None] == b.family[None, :]
    return COEFFICIENT_SD**2 * a.linear @ b.linear.T + np.where(same, family_sd**2, 0.0)


def _fitted_sds(known: Features, values: Floats) -> Floats:
    """Maximise the marginal likelihood over the two log standard deviations."""

    def loss(log_sds: Sequence[float]) -> float:
        inside = PooledCovariance.of(known.family, COEFFICIENT_SD * known.linear, *np.exp(log_sds))
        return float(0.5 * (values @ inside.solved(values[:, None])[:, 0] + inside.log_determinant))

    bounds = [np.log(SD_RANGE)] * 2
    start = np.log([0.5, 0.5])
    found = optimize.minimize(loss, start, bounds=bounds, method="L-BFGS-B")
    return np.asarray(np.exp(found.x), dtype=np.float64)
