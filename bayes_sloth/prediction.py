"""Forecasts: draws of the expected score and of the score that would be observed, for any models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_kind, check_prob, check_whole
from bayes_sloth.asking import BATCH, Draw, asked_of, check_fit, draws_of
from bayes_sloth.compiling import LITTLE_EFFORT
from bayes_sloth.errors import InputError
from bayes_sloth.local_effects import drawn_effects, score_law_of, skills_and_specifics, with_priors
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, MODEL, PARAMS_B, TOKENS_T
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec

Values = Any


SHOWN: Final = 12  # rows of a forecast that are printed


@dataclass(frozen=True, eq=False)
class Prediction:
    """Forecasts of scores.

    Parameters
    ----------
    data : Dataset
        Variables `expected` and `score` (what would be observed), dims (chain, draw, model, benchmark),
        shares of items solved; on `model` the flags `known_family` and `extrapolates` (size or tokens
        outside the fitted table's range) and what was asked (`family`, `params_b`, `tokens_t`).

    Examples
    --------
    >>> dims = (CHAIN, DRAW, MODEL, BENCHMARK)
    >>> draws = xr.Dataset({"score": (dims, np.full((1, 2, 1, 1), 0.7))}, {MODEL: ["new"]})
    >>> float(Prediction(draws).data["score"].mean())
    0.7
    """

    data: xr.Dataset

    def __repr__(self) -> str:
        """Show the first forecasts."""
        table = intervals(self)
        sizes = self.data.sizes
        asked = " and ".join(f"{sizes[dim]} {dim}{'s' * (sizes[dim] != 1)}" for dim in (MODEL, BENCHMARK))
        head = f"Prediction: {asked}, {sizes[CHAIN] * sizes[DRAW]} draws"
        columns = ["model", "benchmark", "median", "lower", "upper", "prob"]
        shown = table[columns].head(SHOWN).to_string(index=False, float_format="{:.3f}".format)
        left = len(table) - SHOWN
        return f"{head}\n{shown}" + (f"\n... and {left} more: bs.intervals has them all" if left > 0 else "")


def predict(posterior: Posterior, models: object, *, seed: int) -> Prediction:
    """Forecast the scores of any models: larger ones of a known family, of a new family, of unknown tokens.

    The efficiency of a family never seen is drawn from the population of families (or around its parent,
    where that is known), one draw for all its models asked about together, whose mean size and tokens
    are then its centre; unknown sizes and tokens are drawn from their regression on family, size and date.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : DataFrame, mapping, path or Scores
        Rows with `family`, `params_b`, `tokens_t` and, where it applies, `model`, `instruct`,
        `active_params_b`, `parent`, `date`.
    seed : int
        Of the draws; the same named rows in another order get the same numbers.

    Returns
    -------
    Prediction
        Draws of the expected score and of the score that would be observed.

    Raises
    ------
    InputError
        If a row or the seed is not valid.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> new = {"model": "new", "family": "llama-3", "params_b": 30, "tokens_t": 15}
    >>> bs.predict(fit, new, seed=0).data["score"].dims
    ('chain', 'draw', 'model', 'benchmark')
    """
    check_fit("predict", posterior)
    check_whole("predict", seed=seed)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    asked = asked_of(posterior, models)
    draws, sizes = draws_of(posterior)
    keys = jax.random.split(jax.random.key(seed), draws["skill_mean"].shape[0])
    found = _forecasts(asked.questions.argument, draws, keys, spec=posterior.spec)
    expected, score = (np.asarray(values)[:, asked.back] for values in found)
    return Prediction(forecast_data(expected, score, asked.rows, posterior.scores, sizes))


def intervals(prediction: Prediction, prob: float = 0.9, *, kind: str = "score") -> pd.DataFrame:
    """Return central credible intervals of a forecast, one row a model and benchmark.

    Parameters
    ----------
    prediction : Prediction
        From `predict`.
    prob : float
        Probability inside, between 0 and 1.
    kind : {"score", "expected"}
        The score that would be observed, or its expectation.

    Returns
    -------
    DataFrame
        Columns model, benchmark, mean, median, sd, lower, upper, prob, known_family, extrapolates.

    Raises
    ------
    InputError
        If `prob` is not between 0 and 1 or `kind` is unknown.

    Examples
    --------
    >>> dims = (CHAIN, DRAW, MODEL, BENCHMARK)
    >>> flags = {"known_family": (MODEL, [True]), "extrapolates": (MODEL, [False])}
    >>> labels = {MODEL: ["new"], BENCHMARK: ["MMLU"], **flags}
    >>> draws = xr.Dataset({"score": (dims, np.linspace(0, 1, 101).reshape(1, 101, 1, 1))}, labels)
    >>> intervals(Prediction(draws), 0.5)[["lower", "upper"]].values.tolist()
    [[0.25, 0.75]]
    """
    check_kind(prediction, Prediction, "bs.predict")
    check_prob(prob)
    if kind not in ("score", "expected"):
        raise InputError(f"intervals: kind is {kind!r}: choose 'score' or 'expected'.")
    values = prediction.data[kind]
    over = values.values.reshape(-1, *values.shape[2:])
    lower, median, upper = np.quantile(over, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0)
    models, benchmarks = values.shape[2:]
    columns = {"mean": over.mean(0), "median": median, "sd": over.std(0), "lower": lower, "upper": upper}
    flags = {
        name: np.repeat(prediction.data[name].values, benchmarks) for name in ("known_family", "extrapolates")
    }
    return pd.DataFrame(
        {
            MODEL: np.repeat(values[MODEL].values.astype(str), benchmarks),
            BENCHMARK: np.tile(values[BENCHMARK].values.astype(str), models),
            **{name: column.ravel() for name, column in columns.items()},
            "prob": prob,
            **flags,
        }
    )


def forecast_data(
    expected: NDArray[np.float64],
    score: NDArray[np.float64],
    rows: pd.DataFrame,
    scores: Scores,
    sizes: tuple[int, int],
) -> xr.Dataset:
    """Return draws of forecasts with names and flags.

    Parameters
    ----------
    expected, score : array, dims (draw, model, benchmark)
        Draws of all chains.
    rows : DataFrame
        The models asked about, as `read_models` returns them.
    scores : Scores
        The fitted table.
    sizes : tuple of int
        Chains, and draws of each.

    Returns
    -------
    Dataset
        As a `Prediction` holds it.
    """
    shape, dims = (*sizes, *expected.shape[1:]), (CHAIN, DRAW, MODEL, BENCHMARK)
    return xr.Dataset(
        {"expected": (dims, expected.reshape(shape)), "score": (dims, score.reshape(shape))},
        coords={MODEL: list(rows[MODEL]), BENCHMARK: list(scores.benchmarks), **flags_of(rows, scores)},
    )


def flags_of(rows: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """Return what was asked of each model, whether its family is known and whether it extrapolates."""
    table = scores.metadata
    outside = np.zeros(len(rows), dtype=bool)
    for name in (PARAMS_B, TOKENS_T):
        asked = rows[name].to_numpy(dtype=float)
        outside |= (asked < table[name].min()) | (asked > table[name].max())
    kept = {name: (MODEL, rows[name].to_numpy()) for name in (FAMILY, PARAMS_B, TOKENS_T)}
    known = rows[FAMILY].isin(scores.families).to_numpy(dtype=bool)
    return kept | {"known_family": (MODEL, known), "extrapolates": (MODEL, outside)}


@partial(jax.jit, static_argnames="spec", compiler_options=LITTLE_EFFORT)
def _forecasts(questions: Questions, draws: Draw, keys: jax.Array, spec: ModelSpec) -> tuple[Values, Values]:
    """Forecast by every draw; other models of as many families, lines and gaps find the program compiled."""

    def one(item: tuple[Draw, jax.Array]) -> tuple[Values, Values]:
        return _forecast(questions, *item, spec)

    found: tuple[Values, Values] = jax.lax.map(one, (draws, keys), batch_size=BATCH)
    return found


def _forecast(questions: Questions, draw: Draw, key: jax.Array, spec: ModelSpec) -> tuple[Values, Values]:
    """Return one draw of the expected and of the observed scores of all models asked about."""
    keys = jax.random.split(key, 4)
    draw = with_priors(draw, spec.priors, keys[2])
    effects = drawn_effects(questions, draw["skill_mean"].size, keys[0], keys[3])
    found = skills_and_specifics(questions, draw, effects)
    expected, law = score_law_of(questions, draw, *found, spec)
    return expected, law.sample(keys[1])
