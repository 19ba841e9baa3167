"""The answer to how a budget is best split, and the tables it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.names import PARAMS_B, TOKENS_T
from bayes_sloth.plan.budgets import Box
from bayes_sloth.plan.monte_carlo import mean_and_error

Floats = NDArray[np.float64]

PLACE: Final = (PARAMS_B, TOKENS_T, "tokens_per_param")


@dataclass(frozen=True, eq=False)
class Allocation:
    """How to split a budget between size and tokens, and what every other split would cost.

    Parameters
    ----------
    family : str
        Which family, and whether its tuned line, in words.
    objective : str
        What is to be as large as possible, and its unit, in words.
    flops : float
        The budget.
    inference_tokens_t : float
        Trillions of tokens in use that the budget has to pay for too.
    prob : float
        Probability inside the intervals.
    box : Box
        Sizes and tokens that the fitted table has.
    choices : DataFrame
        A row a split: params_b, tokens_t, tokens_per_param, training_flops, extrapolates (outside the data's
        range), median, lower, upper (of the objective), regret (expected), mcse (its Monte Carlo standard
        error), regret_upper (quantile `prob`), best (probability of being the best inside the range).
    optimum : DataFrame
        Where the best split inside the range is: quantity, median, lower, upper, prob.
    beyond : DataFrame
        The best split outside the range: params_b, tokens_t, gain (expected, over the chosen split), mcse,
        lower, upper, better (probability of a gain). Extrapolated.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> sorted(Allocation.__dataclass_fields__)[:3]
    ['beyond', 'box', 'choices']
    """

    family: str
    objective: str
    flops: float
    inference_tokens_t: float
    prob: float
    box: Box
    choices: pd.DataFrame
    optimum: pd.DataFrame
    beyond: pd.DataFrame

    @property
    def chosen(self) -> pd.Series:
        """The split inside the data's range whose expected regret is least."""
        inside = self.choices[~self.choices["extrapolates"]]
        return inside.loc[inside["regret"].idxmin()]

    @property
    def params_b(self) -> float:
        """Size of the chosen split, billions of parameters."""
        return float(self.chosen[PARAMS_B])

    @property
    def tokens_t(self) -> float:
        """Training tokens of the chosen split, trillions."""
        return float(self.chosen[TOKENS_T])

    @property
    def question(self) -> str:
        """What was asked, in words."""
        used = f", {self.inference_tokens_t:g}T tokens of use among it" if self.inference_tokens_t else ""
        return f"{self.flops:.3g} FLOPs{used} for {self.family}, for the most {self.objective}"

    def __repr__(self) -> str:
        """Say what was asked and what came out."""
        row = self.chosen
        lines = [
            f"Allocation: {self.question}",
            f"  least expected regret  {row[PARAMS_B]:.3g}B on {row[TOKENS_T]:.3g}T tokens: "
            f"{row['regret']:.2g} (+- {row['mcse']:.1g})",
        ]
        for place in self.optimum.itertuples():
            ends = f"{place.lower:.3g} to {place.upper:.3g}"
            lines.append(f"  optimum's {place.quantity:<17} {place.median:.3g} ({self.prob:.0%}: {ends})")
        for out in self.beyond.itertuples():
            where = f"{out.params_b:.3g}B on {out.tokens_t:.3g}T"
            change = f"{'gains' if out.gain > 0 else 'loses'} {abs(out.gain):.2g}"
            lines.append(f"  outside the data's range, {where} {change}; P of a gain = {out.better:.2f}")
        return "\n".join(lines)


def regrets(values: Floats, allowed: NDArray[np.bool_]) -> Floats:
    r"""Return by how much every choice falls short of the best allowed one, draw by draw.

    .. math:: r_a = \max_{a' \in A} o_{a'} - o_a

    Parameters
    ----------
    values : array, dims (..., choice)
        The objective o.
    allowed : array of bool, dims (choice)
        Choices A that the best is looked for among.

    Returns
    -------
    array, dims (..., choice)
        0 at the best allowed choice; below 0 where one that is not allowed is better.

    Examples
    --------
    >>> regrets(np.array([[1.0, 3.0, 4.0]]), np.array([True, True, False])).tolist()
    [[2.0, 0.0, -1.0]]
    """
    return np.asarray(values[..., allowed].max(axis=-1, keepdims=True) - values)


def judged(values: Floats, ways: pd.DataFrame, prob: float) -> dict[str, pd.DataFrame]:
    """Return what draws of an objective say of every way to spend a budget.

    Parameters
    ----------
    values : array, dims (chain, draw, split)
        The objective.
    ways : DataFrame
        From `budgets.splits`.
    prob : float
        Probability inside the intervals.

    Returns
    -------
    dict of DataFrame
        `choices`, `optimum` and `beyond` as `Allocation` has them.

    Examples
    --------
    >>> from bayes_sloth.plan.budgets import splits
    >>> ways = splits(Box((1.0, 70.0), (0.3, 15.0)), 6e23, 0.0, 5)
    >>> values = -np.abs(np.log(ways["params_b"].to_numpy()) - np.log(20.0))[None, None]
    >>> judged(values, ways, 0.9)["optimum"]["median"].round(1).tolist()
    [21.6, 4.6, 214.3]
    """
    inside = ~ways["extrapolates"].to_numpy()
    short = regrets(values, inside)
    regret, error = mean_and_error(short)
    winner = np.argmax(np.where(inside, values, -np.inf), axis=2)
    lower, median, upper = _interval(values, prob)
    choices = ways.assign(
        median=median,
        lower=lower,
        upper=upper,
        regret=regret,
        mcse=error,
        regret_upper=np.quantile(short, prob, axis=(0, 1)),
        best=np.bincount(winner.ravel(), minlength=len(ways)) / winner.size,
    )
    place = {name: _interval(ways[name].to_numpy()[winner], prob) for name in PLACE}
    rows = [
        {"quantity": name, "median": middle, "lower": low, "upper": high, "prob": prob}
        for name, (low, middle, high) in place.items()
    ]
    chosen = np.flatnonzero(inside)[np.argmin(regret[inside])]
    beyond = _beyond(values - values[..., [chosen]], ways, prob)
    return {"choices": choices, "optimum": pd.DataFrame(rows), "beyond": beyond}


def _beyond(gain: Floats, ways: pd.DataFrame, prob: float) -> pd.DataFrame:
    """Return the split outside the data's range that gains most, or no row where there is none."""
    mean, error = mean_and_error(gain)
    outside = np.flatnonzero(ways["extrapolates"].to_numpy())
    place = outside[np.argmax(mean[outside])][None] if outside.size else outside
    lower, _, upper = _interval(gain[..., place], prob)
    columns: dict[str, Any] = {name: ways[name].to_numpy()[place] for name in (PARAMS_B, TOKENS_T)}
    columns |= {"gain": mean[place], "mcse": error[place], "lower": lower, "upper": upper, "prob": prob}
    return pd.DataFrame(columns | {"better": (gain[..., place] > 0).mean(axis=(0, 1))})


def _interval(values: Floats, prob: float) -> Floats:
    """Return the ends and the median of draws, dims (end, ...)."""
    return np.asarray(np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=(0, 1)))
