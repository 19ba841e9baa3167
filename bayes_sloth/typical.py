"""Where a benchmark's scores lie on its range, in logits: every score, the typical one, the curve's pivot."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Scores at the floor or the ceiling have no finite logit; their distance from it is taken as a fiftieth.
EDGE: Final = 0.02
# Few benchmarks let anybody reach more than this.
CEILING: Final = 0.97
# A curve ends above its pivot. Where most models stand at the end, their typical share is the end, and the
# pivot has to be lower: at most this part of the share that one model in ten exceeds.
BELOW_BEST: Final = 0.8
BEST: Final = 0.9


def logits(score: Floats, floor: Floats) -> Floats:
    """Return the logit of the share of each benchmark's range, away from its ends.

    Parameters
    ----------
    score : array, dims (model, benchmark)
        NaN where not observed.
    floor : array, dims (benchmark)
        Chance floor.

    Returns
    -------
    array, dims (model, benchmark)
        NaN where not observed.

    Examples
    --------
    >>> logits(np.array([[0.61]]), np.array([0.25])).round(6).tolist()
    [[0.0]]
    """
    share = np.clip((score - floor) / (CEILING - floor), EDGE, 1 - EDGE)
    return np.log(share) - np.log1p(-share)


def typical_logits(values: Floats) -> Floats:
    """Return the mean logit of each benchmark, 0 for one that nobody was measured on.

    Parameters
    ----------
    values : array, dims (model, benchmark)
        From `logits`.

    Returns
    -------
    array, dims (benchmark)
        Finite.

    Examples
    --------
    >>> typical_logits(np.array([[1.0, np.nan], [2.0, np.nan]])).tolist()
    [1.5, 0.0]
    """
    count = (~np.isnan(values)).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.maximum(count, 1))


def curve_pivots(values: Floats) -> Floats:
    """Return the logit of the share at which each benchmark's curve is told.

    Parameters
    ----------
    values : array, dims (model, benchmark)
        From `logits`.

    Returns
    -------
    array, dims (benchmark)
        Of the typical share, or of four fifths of what the best tenth exceeds where that is less.

    Examples
    --------
    >>> half_solved, all_solved = np.linspace(-2.0, 2.0, 11), np.full(11, 2.0)
    >>> curve_pivots(np.stack([half_solved, all_solved], axis=1)).round(2).tolist()
    [0.0, 0.87]
    """
    typical = typical_logits(values)
    best = np.nanquantile(np.where(np.isnan(values).all(axis=0), 0.0, values), BEST, axis=0)
    share = BELOW_BEST / (1 + np.exp(-best))
    return np.asarray(np.minimum(typical, np.log(share) - np.log1p(-share)))
