"""Forecasts: draws of the expected score and of the score that would be observed, for any models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth import curve
from bayes_sloth.design import design_of
from bayes_sloth.effects import drawn_specific, inherit, unit_lower
from bayes_sloth.errors import InputError
from bayes_sloth.model import BenchmarkCurve, curve_of, scores_of
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, MODEL, PARAMS_B, TOKENS_T
from bayes_sloth.observation import score_law
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions, questions_of
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores
from bayes_sloth.spec import Priors

Values = Any
Draw = dict[str, Values]

# A point estimate is one draw; the rest of a forecast is still uncertain, and needs many.
REPEATS: Final = 2000
BATCH: Final = 50
SITES: Final = (
    *(
        "size_curvature",
        "token_curvature",
        "slope",
        "skill_mean",
        "family_scale",
        "family_correlation",
        "efficiency",
        "inheritance",
    ),
    *("tuning", "tuning_slope", "tuning_scale", "family_tuning", "deviation_scale", "deviation"),
    *("specific", "specific_scale"),
    *("log_size", "log_tokens", "moe_weight", "misfit", "tail", *BenchmarkCurve._fields),
)


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
        asked = f"{sizes[MODEL]} models, {sizes[BENCHMARK]} benchmarks"
        head = f"Prediction: {asked}, {sizes[CHAIN] * sizes[DRAW]} draws"
        columns = ["model", "benchmark", "median", "lower", "upper", "prob"]
        return f"{head}\n{table[columns].head(8).to_string(index=False, float_format='{:.3f}'.format)}"


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
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"predict: seed is {seed!r}: give a whole number from 0 to 2**32 - 1.")
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    scores = posterior.scores
    rows = models.metadata if isinstance(models, Scores) else read_models(models, known=scores.families)
    order = np.argsort(
        rows[MODEL].to_numpy(dtype=str), kind="stable"
    )  # draws do not depend on the rows' order
    asked = rows.iloc[order].reset_index(drop=True)
    design = design_of(scores, posterior.spec.anchors or ())
    draws, sizes = _draws(posterior)
    expected, score = _simulated(questions_of(design, scores.metadata, asked, scores), posterior, draws, seed)
    back = np.argsort(order)
    shape = (*sizes, len(rows), len(scores.benchmarks))
    dims = (CHAIN, DRAW, MODEL, BENCHMARK)
    data = xr.Dataset(
        {
            "expected": (dims, expected[:, back].reshape(shape)),
            "score": (dims, score[:, back].reshape(shape)),
        },
        coords={MODEL: list(rows[MODEL]), BENCHMARK: list(scores.benchmarks), **_flags(rows, scores)},
    )
    return Prediction(data)


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
    if not 0 < prob < 1:
        raise InputError(f"intervals: prob is {prob!r}: give a probability between 0 and 1, such as 0.9.")
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


def _draws(posterior: Posterior) -> tuple[Draw, tuple[int, int]]:
    """Return the draws that a forecast needs, one a row; a point estimate is repeated."""
    group = posterior.data["posterior"].dataset
    found = {name: group[name].values for name in SITES if name in group}
    if posterior.draws == 1:
        found = {name: np.repeat(value, REPEATS, axis=1) for name, value in found.items()}
    sizes = found["skill_mean"].shape[:2]
    return {name: jnp.asarray(value.reshape(-1, *value.shape[2:])) for name, value in found.items()}, sizes


def _flags(rows: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    table = scores.metadata
    outside = np.zeros(len(rows), dtype=bool)
    for name in (PARAMS_B, TOKENS_T):
        asked = rows[name].to_numpy(dtype=float)
        outside |= (asked < table[name].min()) | (asked > table[name].max())
    kept = {name: (MODEL, rows[name].to_numpy()) for name in (FAMILY, PARAMS_B, TOKENS_T)}
    known = rows[FAMILY].isin(scores.families).to_numpy(dtype=bool)
    return kept | {"known_family": (MODEL, known), "extrapolates": (MODEL, outside)}


def _simulated(
    questions: Questions, posterior: Posterior, draws: Draw, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    def one(item: tuple[Draw, jax.Array]) -> tuple[Values, Values]:
        return _forecast(questions, posterior, *item)

    keys = jax.random.split(jax.random.key(seed), draws["skill_mean"].shape[0])
    found = jax.jit(lambda items: jax.lax.map(one, items, batch_size=BATCH))((draws, keys))
    return np.asarray(found[0]), np.asarray(found[1])


def _forecast(
    questions: Questions, posterior: Posterior, draw: Draw, key: jax.Array
) -> tuple[Values, Values]:
    """Return one draw of the expected and of the observed scores of all models asked about."""
    keys = jax.random.split(key, 4)
    draw = _with_priors(draw, posterior.spec.priors, keys[2])
    benchmark = curve_of(draw)
    skill = _skill(questions, draw, keys[0])
    specific = jnp.zeros((questions.family.size, questions.pivot.size))
    if "specific" in draw:
        specific = drawn_specific(questions.lines, draw["specific"], draw["specific_scale"], keys[3])
    share, expected = scores_of(skill, specific, benchmark, jnp.asarray(questions.pivot), posterior.spec.link)
    expected = jnp.clip(expected, 0.0, 1.0)  # a floor of 0 is known to two points only, on either side
    parts = (share, expected, draw["misfit"], jnp.asarray(questions.items), draw.get("tail", 1.0))
    return expected, score_law(posterior.spec.likelihood, *parts).sample(keys[1])


def _with_priors(draw: Draw, priors: Priors, key: jax.Array) -> Draw:
    """Draw from its prior what the fitted table had no use for: no mixture of experts, no parent family."""
    shapes = {"moe_weight": priors.moe_shape, "inheritance": priors.inheritance_shape}
    keys = jax.random.split(key, len(shapes))
    absent = {
        n: jax.random.beta(k, s, s) for k, (n, s) in zip(keys, shapes.items(), strict=True) if n not in draw
    }
    return draw | absent


def _skill(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    size_key, token_key, family_key, tuning_key, deviation_key = jax.random.split(key, 5)
    log_size = questions.log_size.drawn(draw["log_size"], 0.0, size_key)
    moved = questions.log_tokens.size_effect * (log_size - questions.log_size.value)
    log_tokens = questions.log_tokens.drawn(draw["log_tokens"], moved, token_key)
    size = curve.effective_log_size(log_size, jnp.asarray(questions.log_active_share), draw["moe_weight"])
    bend = (draw["size_curvature"], draw["token_curvature"])
    x = curve.covariates(size, log_tokens, *bend)
    level = draw["skill_mean"] + _efficiency(questions, draw, family_key)[questions.family]
    effect = _tuning(questions, draw, tuning_key)[questions.family]
    tuning = curve.tuning(jnp.asarray(questions.instruct), effect, draw["tuning_slope"], size)
    return curve.skills(level, draw["slope"], x, tuning, _deviation(questions, draw, deviation_key))


def _efficiency(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    """Return the efficiencies of known families and, below them, of new ones."""
    known = draw["efficiency"]
    skills, new = known.shape[1], len(questions.new_families)
    lower = unit_lower(draw.get("family_correlation", jnp.zeros(0)), skills)
    own = (jax.random.normal(key, (new, skills)) @ lower.T) * draw["family_scale"]
    return inherit(jnp.concatenate([known, own]), jnp.asarray(questions.parent), draw["inheritance"])


def _tuning(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    noise = jax.random.normal(key, (len(questions.new_families), draw["tuning"].size))
    return jnp.concatenate([draw["family_tuning"], draw["tuning"] + draw["tuning_scale"] * noise])


def _deviation(questions: Questions, draw: Draw, key: jax.Array) -> Values:
    shape = (questions.family.size, draw["skill_mean"].size)
    if "deviation" not in draw:
        return jnp.zeros(shape)
    noise = jnp.asarray(questions.deviation_lower) @ jax.random.normal(key, shape)
    return jnp.asarray(questions.deviation_weights) @ draw["deviation"] + draw["deviation_scale"] * noise
