"""PyTorch's random numbers from NumPy's Mersenne Twister: published starts without PyTorch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK: Final = 16  # normals that PyTorch makes at once; fewer are made one at a time, in another way
MANTISSA: Final = (
    24  # bits of a 32-bit float, of a word that also has 32; a 64-bit float takes 53 of two words
)


class Stream:
    """The stream of numbers that `torch.manual_seed(seed)` starts on a CPU.

    Both libraries seed the same Mersenne Twister in the same way; only what is made of its words differs.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Examples
    --------
    >>> [round(float(value), 4) for value in Stream(42).uniforms(3, low=0.0, high=1.0)]  # torch.rand(3)
    [0.8823, 0.915, 0.3829]
    """

    def __init__(self, seed: int) -> None:
        """Start the stream."""
        self._words = np.random.RandomState(seed)
        self._spare: float | None = None

    def uniforms(self, size: int, *, low: float, high: float) -> Floats:
        """Return uniform numbers, as `Tensor.uniform_` makes them.

        Parameters
        ----------
        size : int
            How many.
        low, high : float
            Ends.

        Returns
        -------
        array, dims (number)
            In [low, high).

        Examples
        --------
        >>> Stream(0).uniforms(2, low=-1.0, high=0.0).shape
        (2,)
        """
        kept = self._drawn(size) & np.uint32((1 << MANTISSA) - 1)
        unit = kept.astype(np.float32) * np.float32(2.0**-MANTISSA)
        return unit * np.float32(high - low) + np.float32(low)

    def normals(self, size: int) -> Floats:
        """Return standard normal numbers, as `torch.normal` makes them.

        Parameters
        ----------
        size : int
            How many.

        Returns
        -------
        array, dims (number)
            Standard normal.

        References
        ----------
        Box, G. E. P. and Muller, M. E. (1958). A note on the generation of random normal deviates.

        Examples
        --------
        >>> [round(float(value), 4) for value in Stream(42).normals(3)]  # torch.randn(3)
        [0.3367, 0.1288, 0.2345]
        """
        if size < BLOCK:
            return np.array([self._one() for _ in range(size)], dtype=np.float32)
        unit = self.uniforms(size, low=0.0, high=1.0)
        whole = size - size % BLOCK
        found = np.concatenate([_blocks(unit[:whole]), unit[whole:]])
        if whole < size:  # the last block is made anew, and reaches back over finished numbers
            found[-BLOCK:] = _blocks(self.uniforms(BLOCK, low=0.0, high=1.0))
        return found

    def _drawn(self, size: int) -> NDArray[np.uint32]:
        return self._words.randint(0, 2**32, size=size, dtype=np.uint32)

    def _one(self) -> float:
        """Return one normal number, and keep its pair for the next call."""
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value
        turn, depth = self._double(), self._double()
        radius = float(np.sqrt(-2 * np.log1p(-depth)))
        self._spare = radius * float(np.sin(2 * np.pi * turn))
        return radius * float(np.cos(2 * np.pi * turn))

    def _double(self) -> float:
        high, low = (int(word) for word in self._drawn(2))
        return float(((high << 32 | low) & ((1 << 53) - 1)) * 2.0**-53)


def _blocks(unit: Floats) -> Floats:
    """Turn uniform numbers into normal ones; half of a block gives radii, the other half angles."""
    depth, turn = unit.reshape(-1, 2, BLOCK // 2).transpose(1, 0, 2)
    radius, angle = np.sqrt(-2 * np.log(1 - depth)), np.float32(2 * np.pi) * turn
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
