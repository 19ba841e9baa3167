"""How families depart from the shared slopes: a Gaussian process within each family, pinned at its centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A steady departure (another slope) and a wandering one (Brownian motion) are about equally likely one
# standard deviation of log size away: with half the variance each they leave the scale its meaning.
LINEAR: Final = 0.5
# What two models of equal size and tokens still differ by: about two fifths of a full departure.
NUGGET: Final = 0.2
# Base and tuned models of one family depart together in part: half of the variance is each line's own.
SHARED: Final = 0.5


@dataclass(frozen=True)
class Places:
    """Where models stand for the process.

    Parameters
    ----------
    family : array of int, dims (model)
        Family number.
    instruct : array, dims (model)
        1 = instruction-tuned.
    log_size, log_tokens : array, dims (model)
        Centred and scaled logs.
    center : array, dims (family, 2)
        Log size and log tokens at which a family's departure is nothing by definition.
    """

    family: Ints
    instruct: Floats
    log_size: Floats
    log_tokens: Floats
    center: Floats

    def rows(self, chosen: Ints) -> Places:
        """Return some of the models; centres stay."""
        size, tokens = self.log_size[chosen], self.log_tokens[chosen]
        return Places(self.family[chosen], self.instruct[chosen], size, tokens, self.center)

    @property
    def offsets(self) -> Floats:
        """Distance from the family's centre, shape (model, 2)."""
        return np.stack([self.log_size, self.log_tokens], axis=-1) - self.center[self.family]


def covariance(a: Places, b: Places) -> Floats:
    r"""Return the prior covariance of departures at unit scale, apart from the nugget.

    .. math:: k(x, x') = [f = f']\,\frac{1 + [d = d']}{2}\,\{ c\,u u' + B(u, u') + B(v, v') \}

    with u, v the distances of log size and log tokens from the family's centre, c = 1/2 and B the covariance
    of Brownian motion started at the centre, :math:`\min(|u|, |u'|)` on one side of it and 0 across. Base and
    tuned models (d) of a family share half of it.

    Parameters
    ----------
    a, b : Places
        Two sets of models with the same family numbering.

    Returns
    -------
    array, dims (a's model, b's model)
        In squared units of the deviation scale.

    Examples
    --------
    >>> one = Places(np.array([0]), np.zeros(1), np.array([2.0]), np.array([0.0]), np.zeros((1, 2)))
    >>> covariance(one, one).tolist()
    [[4.0]]
    """
    left, right = a.offsets[:, None, :], b.offsets[None, :, :]
    brownian = np.where(left * right > 0, np.minimum(np.abs(left), np.abs(right)), 0.0)
    linear = LINEAR * left[..., 0] * right[..., 0]
    same = a.family[:, None] == b.family[None, :]
    alike = np.where(a.instruct[:, None] == b.instruct[None, :], 1.0, SHARED)
    return np.where(same, alike * (linear + brownian.sum(-1)), 0.0)


def factor(places: Places) -> tuple[Ints, Ints, Floats]:
    """Return the Cholesky factor of the departures' covariance at unit scale, as its non-zero entries.

    Families do not mix, so the factor is sparse: a few entries a model.

    Parameters
    ----------
    places : Places
        The models.

    Returns
    -------
    rows, columns : array of int, dims (entry)
        Where the entries stand.
    values : array, dims (entry)
        The entries.

    Examples
    --------
    >>> one = Places(np.array([0]), np.zeros(1), np.array([0.0]), np.array([0.0]), np.zeros((1, 2)))
    >>> factor(one)[2].round(3).tolist()
    [0.447]
    """
    order = np.argsort(places.family, kind="stable")
    families = np.split(order, np.flatnonzero(np.diff(places.family[order])) + 1)
    parts = [_family_factor(places, members) for members in families]
    rows, columns, values = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    by_row = np.lexsort((columns, rows))
    return rows[by_row], columns[by_row], values[by_row]


def _family_factor(places: Places, members: Ints) -> tuple[Ints, Ints, Floats]:
    own = places.rows(members)
    lower = np.linalg.cholesky(covariance(own, own) + NUGGET * np.eye(members.size))
    # Every entry of the triangle, zeros too: the pattern depends on the families alone.
    rows, columns = np.tril_indices(members.size)
    return members[rows], members[columns], np.asarray(lower[rows, columns], dtype=np.float64)


def conditional(seen: Places, new: Places) -> tuple[Floats, Floats]:
    """Return how departures of new models follow from those of the seen ones, at unit scale.

    Parameters
    ----------
    seen, new : Places
        Models fitted, and models to forecast, with the same family numbering and centres.

    Returns
    -------
    weights : array, dims (new model, seen model)
        The mean of the new departures is this times the seen ones.
    lower : array, dims (new model, new model)
        Cholesky factor of what stays unknown, nugget included.

    Examples
    --------
    >>> seen = Places(np.array([0]), np.zeros(1), np.array([1.0]), np.array([0.0]), np.zeros((1, 2)))
    >>> new = Places(np.array([0]), np.zeros(1), np.array([2.0]), np.array([0.0]), np.zeros((1, 2)))
    >>> conditional(seen, new)[0].round(2).tolist()
    [[1.18]]
    """
    known = covariance(seen, seen) + NUGGET * np.eye(seen.family.size)
    cross = covariance(new, seen)
    weights = np.linalg.solve(known, cross.T).T
    left = covariance(new, new) + NUGGET * np.eye(new.family.size) - weights @ cross.T
    return np.asarray(weights, dtype=np.float64), np.asarray(np.linalg.cholesky(left), dtype=np.float64)
