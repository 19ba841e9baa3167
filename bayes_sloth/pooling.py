"""The covariance of rows that share families and a few features, solved for without being written out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class PooledCovariance(NamedTuple):
    r"""The covariance :math:`C = \sigma^2 I + \tau^2 Z Z' + X X'` of rows in families (Z) with features (X).

    Solving takes time and memory in proportion to the rows, by Woodbury's identity and the matrix determinant
    lemma, for the families and then for the features.

    Parameters
    ----------
    family : array of int, dims (row)
        Family number.
    noise : float
        Variance of rows within a family, :math:`\sigma^2`.
    shrink : array, dims (family)
        :math:`\tau^2 / (\sigma^2 + n_f \tau^2)` for a family of :math:`n_f` rows.
    linear : array, dims (row, feature)
        X.
    apart : array, dims (row, feature)
        :math:`A^{-1} X`, with :math:`A = \sigma^2 I + \tau^2 Z Z'`.
    middle : array, dims (feature, feature)
        :math:`I + X' A^{-1} X`.

    References
    ----------
    Petersen and Pedersen (2012). The matrix cookbook, eq. 24 and 156.

    Examples
    --------
    >>> found = PooledCovariance.of(np.array(["a", "a"]), np.zeros((2, 1)), 1.0, 1.0)
    >>> found.solved(np.array([[3.0], [0.0]])).round(6).ravel().tolist()  # of [[2, 1], [1, 2]]
    [2.0, -1.0]
    """

    family: NDArray[np.int64]
    noise: float
    shrink: Floats
    linear: Floats
    apart: Floats
    middle: Floats

    @classmethod
    def of(
        cls, family: NDArray[np.object_], linear: Floats, family_sd: float, noise_sd: float
    ) -> PooledCovariance:
        """Return the covariance of some rows.

        Parameters
        ----------
        family : array of str, dims (row)
            Family names.
        linear : array, dims (row, feature)
            Features, times the standard deviations of their coefficients.
        family_sd, noise_sd : float
            Standard deviations of families, and of rows within a family.

        Returns
        -------
        PooledCovariance
            Ready to solve.
        """
        number = np.unique(family.astype(str), return_inverse=True)[1]
        shrink = family_sd**2 / (noise_sd**2 + np.bincount(number) * family_sd**2)
        bare = cls(number, noise_sd**2, np.asarray(shrink, float), linear, linear, np.eye(linear.shape[1]))
        apart = bare._without_features(linear)
        return bare._replace(apart=apart, middle=bare.middle + linear.T @ apart)

    def _without_features(self, values: Floats) -> Floats:
        """Return A^-1 times columns."""
        sums = np.zeros((self.shrink.size, values.shape[1]))
        np.add.at(sums, self.family, values)
        return np.asarray((values - (self.shrink[:, None] * sums)[self.family]) / self.noise)

    def solved(self, values: Floats) -> Floats:
        """Return C^-1 times columns, dims (row, column)."""
        bare = self._without_features(values)
        return np.asarray(bare - self.apart @ np.linalg.solve(self.middle, self.linear.T @ bare))

    @property
    def log_determinant(self) -> float:
        """Natural log of the determinant of C."""
        count = np.bincount(self.family)
        # Noise in all directions of a family's rows but that of their mean.
        means = -np.log1p(-self.shrink * count).sum()
        return float(self.family.size * np.log(self.noise) + means + np.linalg.slogdet(self.middle)[1])
