"""What sizes and tokens cost, and the range of both that a fit has seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.compute import INFERENCE, TRAINING
from bayes_sloth.errors import InputError
from bayes_sloth.names import PARAMS_B, TOKENS_T
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

# How far beyond the data's range is looked: half an order of magnitude, about one generation of models.
BEYOND: Final = math.sqrt(10.0)
OUTSIDE: Final = 6  # sizes on either side of the range, its end included
# Ends of a range are meant to be inside it, whatever rounding does to them.
ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Box:
    """A range of sizes and tokens.

    Parameters
    ----------
    sizes : tuple of float
        Smallest and largest, billions of parameters.
    tokens : tuple of float
        Fewest and most, trillions.

    Examples
    --------
    >>> bool(Box((1.0, 70.0), (0.3, 15.0)).holds(7.0, 20.0))
    False
    """

    sizes: tuple[float, float]
    tokens: tuple[float, float]

    def holds(self, params_b: Any, tokens_t: Any) -> Any:
        """Return whether sizes and tokens are inside, ends included."""
        inside = [
            (values >= low * (1 - ROUNDING)) & (values <= high * (1 + ROUNDING))
            for values, (low, high) in (
                (np.asarray(params_b), self.sizes),
                (np.asarray(tokens_t), self.tokens),
            )
        ]
        return inside[0] & inside[1]

    def wider(self, factor: float = BEYOND) -> Box:
        """Return the box that goes further by a factor at every end."""
        ends = ((low / factor, high * factor) for low, high in (self.sizes, self.tokens))
        return Box(*ends)

    def __str__(self) -> str:
        """Say it in words."""
        (small, large), (few, many) = self.sizes, self.tokens
        return f"{small:.3g}B to {large:.3g}B parameters, {few:.3g}T to {many:.3g}T tokens"


def box_of(scores: Scores) -> Box:
    """Return the range of sizes and of tokens in a table.

    Parameters
    ----------
    scores : Scores
        The table.

    Returns
    -------
    Box
        Of the known ones.

    Raises
    ------
    InputError
        If no size or no number of tokens is known.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> print(box_of(bs.load_leaderboard()))
    0.07B to 180B parameters, 0.15T to 18T tokens
    """
    known = {name: scores.metadata[name].dropna() for name in (PARAMS_B, TOKENS_T)}
    for name, values in known.items():
        if values.empty:
            raise InputError(f"the fitted table knows no {name}: nothing can be planned in it.")
    return Box(*((float(values.min()), float(values.max())) for values in known.values()))


def affordable_tokens(flops: float, params_b: Any, inference_tokens_t: float = 0.0) -> Any:
    r"""Return the training tokens that a budget leaves for a size.

    .. math:: D = \frac{C - 2 N I}{6 N}

    Parameters
    ----------
    flops : float
        The budget C.
    params_b : array
        Sizes N, billions of parameters.
    inference_tokens_t : float
        Tokens I that the model is to read and write in its life, trillions.

    Returns
    -------
    array
        Trillions; not above zero where the budget is too small for use alone.

    Examples
    --------
    >>> float(affordable_tokens(6e23, 10.0).round(6))
    10.0
    """
    return (flops / (TRAINING * np.asarray(params_b)) - inference_tokens_t * INFERENCE / TRAINING)[()]


def sizes_within(box: Box, flops: float, inference_tokens_t: float = 0.0) -> tuple[float, float] | None:
    """Return the smallest and largest size for which a budget buys tokens inside a box.

    Parameters
    ----------
    box : Box
        Of sizes and tokens.
    flops : float
        The budget.
    inference_tokens_t : float
        Tokens in use, trillions.

    Returns
    -------
    tuple of float
        Billions of parameters; None where no size does.

    Examples
    --------
    >>> sizes_within(Box((1.0, 70.0), (0.3, 15.0)), 6e23)
    (6.666666666666667, 70.0)
    """
    used = inference_tokens_t * INFERENCE
    by_tokens = (flops / (TRAINING * tokens + used) for tokens in reversed(box.tokens))
    low, high = (max(box.sizes[0], next(by_tokens)), min(box.sizes[1], next(by_tokens)))
    if low > high * (1 + ROUNDING):
        return None
    return min(low, high), high


def splits(box: Box, flops: float, inference_tokens_t: float, steps: int) -> pd.DataFrame:
    """Return ways to spend a budget: sizes evenly spaced in logs inside a box, and on beyond it.

    Parameters
    ----------
    box : Box
        The range that the data have.
    flops : float
        The budget.
    inference_tokens_t : float
        Tokens in use, trillions.
    steps : int
        Sizes inside the box, its ends among them.

    Returns
    -------
    DataFrame
        Columns params_b, tokens_t, tokens_per_param, training_flops, extrapolates; by size.

    Raises
    ------
    InputError
        If the budget buys nothing inside the box.

    Examples
    --------
    >>> splits(Box((1.0, 70.0), (0.3, 15.0)), 6e23, 0.0, 3)["params_b"].round(1)[5:8].tolist()
    [6.7, 21.6, 70.0]
    """
    inside = sizes_within(box, flops, inference_tokens_t)
    if inside is None:
        bounds = (
            sizes * (TRAINING * tokens + INFERENCE * inference_tokens_t)
            for sizes, tokens in zip(box.sizes, box.tokens, strict=True)
        )
        raise InputError(
            f"{flops:.3g} FLOPs buy no model inside the data's range ({box}): give a budget from "
            f"{next(bounds):.3g} to {next(bounds):.3g}."
        )
    beyond = sizes_within(box.wider(), flops, inference_tokens_t) or inside
    low, sizes, high = (
        _spaced(*ends)
        for ends in ((beyond[0], inside[0], OUTSIDE), (*inside, steps), (inside[1], beyond[1], OUTSIDE))
    )
    params_b = np.concatenate([low[:-1], sizes, high[1:]])
    tokens_t = affordable_tokens(flops, params_b, inference_tokens_t)
    columns = {PARAMS_B: params_b, TOKENS_T: tokens_t, "tokens_per_param": 1e3 * tokens_t / params_b}
    outside = (params_b < inside[0]) | (params_b > inside[1])
    return pd.DataFrame(columns | {"training_flops": TRAINING * params_b * tokens_t, "extrapolates": outside})


def _spaced(low: float, high: float, steps: int) -> Floats:
    """Return sizes evenly spaced in logs, or one where both ends are the same."""
    return np.geomspace(low, high, steps) if high > low * (1 + ROUNDING) else np.array([high])
