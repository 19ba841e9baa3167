"""The answer to which size reaches a score, and the tables it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.compute import TRAINING
from bayes_sloth.names import BENCHMARK, PARAMS_B, TOKENS_T
from bayes_sloth.plan.budgets import Box
from bayes_sloth.plan.monte_carlo import probability_and_error
from bayes_sloth.prediction import Prediction

PROB: Final = 0.9  # of the intervals of scores
KINDS: Final = {"score": "the score that would be observed", "expected": "the expected score"}


@dataclass(frozen=True, eq=False)
class Target:
    """The smallest size that reaches a score, and how likely every size does.

    Parameters
    ----------
    family : str
        Which family, and whether its tuned line, in words.
    wanted : mapping of str to float
        Scores to reach, by benchmark; all of them by one model.
    prob : float
        How sure it has to be.
    kind : {"score", "expected"}
        The score that would be observed, or its expectation.
    tokens : str
        How tokens follow from the size, in words.
    box : Box
        Sizes and tokens that the fitted table has.
    size : float or None
        Billions of parameters; None where no size of the data's range reaches it.
    between : tuple of float or None
        The smallest sizes that reach it where the probability is two Monte Carlo errors more, and less.
    curve : DataFrame
        A row a size: params_b, tokens_t, flops (of training), prob (of reaching all), mcse (its Monte Carlo
        standard error), extrapolates (size or tokens outside the data's range).
    scores : DataFrame
        A row a size and benchmark: params_b, benchmark, wanted, prob (of reaching this one), mcse, median,
        lower, upper (90% interval).

    Examples
    --------
    >>> curve = pd.DataFrame({"params_b": [7.0], "tokens_t": 2.0, "flops": 8.4e22, "prob": 0.4, "mcse": 0.01})
    >>> box = Box((1.0, 7.0), (0.3, 2.0))
    >>> found = ("a (base)", {"MMLU": 0.7}, 0.9, "score", "2T tokens", box, None, (None, None))
    >>> Target(*found, curve.assign(extrapolates=False), pd.DataFrame()).verdict
    "not reachable within the data's range (1B to 7B parameters, 0.3T to 2T tokens): at most P = 0.400, at 7B"
    """

    family: str
    wanted: Mapping[str, float]
    prob: float
    kind: str
    tokens: str
    box: Box
    size: float | None
    between: tuple[float | None, float | None]
    curve: pd.DataFrame
    scores: pd.DataFrame

    @property
    def question(self) -> str:
        """What was asked, in words."""
        goals = ", ".join(f"{name} >= {score:g}" for name, score in self.wanted.items())
        return f"{self.family} to reach {goals} ({KINDS[self.kind]}) with probability {self.prob:g}"

    @property
    def verdict(self) -> str:
        """The answer, in words."""
        inside = self.curve[~self.curve["extrapolates"]]
        if self.size is not None:
            row = inside[inside[PARAMS_B] == self.size].iloc[0]
            cost = f"{row[TOKENS_T]:.3g}T tokens ({row['flops']:.2g} FLOPs)"
            return f"smallest size {self.size:.3g}B on {cost}, P = {row['prob']:.3f}"
        said = f"not reachable within the data's range ({self.box})"
        if inside.empty:
            said += ": no size asked about is inside it with its tokens"
        else:
            best = inside.loc[inside["prob"].idxmax()]
            said += f": at most P = {best['prob']:.3f}, at {best[PARAMS_B]:.3g}B"
        beyond = self.curve[self.curve["extrapolates"] & (self.curve["prob"] >= self.prob)]
        if beyond.empty:
            return said
        first = beyond.iloc[0]
        return f"{said}; extrapolated, {first[PARAMS_B]:.3g}B on {first[TOKENS_T]:.3g}T tokens would"

    def __repr__(self) -> str:
        """Say what was asked and what came out."""
        lines = [f"Target: {self.question}", f"  {self.verdict}", f"  {self.tokens}"]
        if self.size is not None:
            ends = ["none of the range" if end is None else f"{end:.3g}B" for end in self.between]
            lines.insert(2, f"  two Monte Carlo errors to either side: {ends[0]} to {ends[1]}")
        return "\n".join(lines)


def tables(
    prediction: Prediction, wanted: Mapping[str, float], kind: str, box: Box
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how likely models reach scores: all together, and each.

    Parameters
    ----------
    prediction : Prediction
        Of models of known sizes and tokens, by size.
    wanted : mapping of str to float
        Scores by benchmark.
    kind : {"score", "expected"}
        Which draws.
    box : Box
        The data's range.

    Returns
    -------
    curve, scores : DataFrame
        As `Target` has them.

    Examples
    --------
    >>> import xarray as xr
    >>> score = xr.DataArray(np.full((1, 9, 1, 1), 0.8), dims=("chain", "draw", "model", "benchmark"))
    >>> labels = {"benchmark": ["MMLU"], "params_b": ("model", [7.0]), "tokens_t": ("model", [2.0])}
    >>> drawn = score.to_dataset(name="score").assign_coords(labels)
    >>> tables(Prediction(drawn), {"MMLU": 0.7}, "score", Box((1.0, 9.0), (1.0, 2.0)))[0]["prob"].tolist()
    [1.0]
    """
    draws = prediction.data[kind].sel({BENCHMARK: list(wanted)}).values
    place = {name: prediction.data[name].values.astype(float) for name in (PARAMS_B, TOKENS_T)}
    reached: NDArray[np.bool_] = np.asarray(draws >= list(wanted.values()), dtype=bool)
    joint, joint_error = probability_and_error(np.asarray(reached.all(axis=3)))
    curve = pd.DataFrame(
        {
            **place,
            "flops": TRAINING * place[PARAMS_B] * place[TOKENS_T],
            "prob": joint,
            "mcse": joint_error,
            "extrapolates": ~box.holds(place[PARAMS_B], place[TOKENS_T]),
        }
    )
    each, error = probability_and_error(reached.reshape(*reached.shape[:2], -1))
    tails = [(1 - PROB) / 2, 0.5, (1 + PROB) / 2]
    lower, median, upper = np.quantile(draws.reshape(-1, *draws.shape[2:]), tails, axis=0)
    columns = {"prob": each, "mcse": error, "median": median, "lower": lower, "upper": upper}
    names = {
        PARAMS_B: np.repeat(place[PARAMS_B], len(wanted)),
        BENCHMARK: np.tile(list(wanted), len(curve)),
        "wanted": np.tile(list(wanted.values()), len(curve)),
    }
    return curve, pd.DataFrame(names | {name: np.ravel(column) for name, column in columns.items()})
