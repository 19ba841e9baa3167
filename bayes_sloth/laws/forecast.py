"""What a law says about one fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What intervals claim to hold, where nobody asks for others.
LEVELS: Final = (0.5, 0.8, 0.9, 0.95)
# Quantiles of a mirrored residual distribution at this many evenly spaced probabilities.
DRESSING: Final = 400


@dataclass(frozen=True, eq=False)
class Forecast:
    """Draws of the scores of the models that a fold asks for.

    Parameters
    ----------
    fold : int
        Place of the fold in the list that was asked for.
    draws : array, dims (draw, model, benchmark)
        Scores that would be observed, shares of items solved; models in the order of `Fold.models`.
    seconds : float
        What the fold took.
    notes : dict of str to float
        What the law reports of its fit, such as `r_hat`, the worst, from which `Evaluation.unsettled` tells.
    """

    fold: int
    draws: Floats
    seconds: float
    notes: dict[str, float] = field(default_factory=dict)


def dressed(point: Floats, errors: Floats) -> Floats:
    r"""Return draws around a point forecast: past absolute errors with either sign, within [0, 1].

    .. math:: y^{(s)}_{ij} = \mathrm{clip}(\hat y_{ij} \pm q_j(s), 0, 1)

    with :math:`q_j` the quantiles of the benchmark's absolute errors.

    Parameters
    ----------
    point : array, dims (model, benchmark)
        Point forecasts.
    errors : array, dims (case, benchmark)
        Absolute errors made elsewhere; NaN where there is none.

    Returns
    -------
    array, dims (draw, model, benchmark)
        An even number of draws.

    Examples
    --------
    >>> dressed(np.array([[0.5]]), np.array([[0.1]]))[[0, -1], 0, 0].round(3).tolist()
    [0.4, 0.6]
    """
    probabilities = (np.arange(DRESSING) + 0.5) / DRESSING
    spread = np.nanquantile(errors, probabilities, axis=0)[:, None, :]
    return np.asarray(np.clip(np.concatenate([point - spread[::-1], point + spread]), 0.0, 1.0))
