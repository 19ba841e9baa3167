"""Forecasts of models some of whose scores are known already, without fitting again."""

from __future__ import annotations

import warnings
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp
from tqdm.auto import tqdm

from bayes_sloth.arguments import check_whole
from bayes_sloth.asking import Draw, check_fit, draws_of, placed
from bayes_sloth.errors import FitError, FitWarning
from bayes_sloth.local_effects import with_priors
from bayes_sloth.names import BENCHMARK, MODEL
from bayes_sloth.partial_scores import KnownScores, read_partial
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import Prediction, forecast_data, predict
from bayes_sloth.questions import Questions
from bayes_sloth.scores import Scores
from bayes_sloth.tables.files import Source
from bayes_sloth.watching import watched
from bayes_sloth.weighting import Known, Weights, forecast_with, propose, resampled, weights_of

Floats = NDArray[np.float64]

# Above this an importance-sampling average does not settle, however many the draws.
LARGEST_K: Final = 0.7
# Draws between two steps of the progress bar.
BLOCK: Final = 500
# Below this the ends of a 90% interval rest on a handful of draws.
FEWEST_DRAWS: Final = 100


def condition(
    posterior: Posterior, new_rows: Source | Scores, *, seed: int, percent: bool = False
) -> Prediction:
    r"""Forecast models given the scores that are known of them, or of their siblings, without fitting again.

    .. math:: p(\tilde y \mid y_{new}, y) = \int p(\tilde y \mid z, \theta)\,
        p(z \mid y_{new}, \theta)\, p(\theta \mid y_{new}, y)\, dz\, d\theta

    In every draw :math:`\theta` of the fit, what the models have of their own (:math:`z`: a new family's
    efficiency and tuning, departures from the shared slopes, what a new line has of its own on single
    benchmarks, sizes and tokens not known) is drawn given the known scores by importance sampling around its
    mode; the draws themselves are weighted by how well they expected the scores, with Pareto-smoothed
    weights, and resampled. All rows are conditioned on together: a small model's scores inform its larger
    sibling.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    new_rows : path, DataFrame, mapping or Scores
        Rows as for `predict`, with columns of scores (shares) as for `read_scores`, empty where not known; a
        row without any score is forecast from the others.
    seed : int
        Of the draws; the same named rows in another order get the same numbers.
    percent : bool
        Whether the known scores are in percent.

    Returns
    -------
    Prediction
        As `predict` returns it. Known scores stand as they are, in every draw; `known`, dims (model,
        benchmark), says which these are. `pareto_k` and `effective_draws` tell how far to trust it.

    Raises
    ------
    InputError
        If a row or the seed is not valid, or a row's model is in the fit already.
    FitError
        If no draw of the fit makes the scores possible.

    Warns
    -----
    FitWarning
        If the known scores say so much that few draws of the fit agree: then refit with the rows.

    References
    ----------
    Vehtari et al. (2024). Pareto smoothed importance sampling. JMLR 25.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> pilot = {"model": "pilot", "family": "new", "params_b": 7, "tokens_t": 5, "MMLU": 0.7}
    >>> large = {"model": "large", "family": "new", "params_b": 70, "tokens_t": 5, "MMLU": None}
    >>> rows = {name: [pilot[name], large[name]] for name in pilot}
    >>> alone, beside = bs.predict(fit, large, seed=0), bs.condition(fit, rows, seed=0)
    >>> bool(beside.data["score"].sel(model="large").std() < alone.data["score"].std())
    True
    """
    check_fit("condition", posterior)
    check_whole("condition", seed=seed)
    return conditioned(posterior, read_partial(new_rows, posterior.scores, percent=percent), seed=seed)


def conditioned(posterior: Posterior, partial: KnownScores, *, seed: int) -> Prediction:
    """Forecast models given the scores that are known of them, as `condition` does, from rows already read.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    partial : KnownScores
        Models and known scores.
    seed : int
        Of the draws.

    Returns
    -------
    Prediction
        As `condition` returns it.
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    scores, known = posterior.scores, ~np.isnan(partial.score)
    if not known.any():
        return _labelled(predict(posterior, partial.models, seed=seed).data, known, None)
    asked, (draws, sizes) = placed(posterior, partial.models), draws_of(posterior)
    items = partial.items[asked.order]  # the known scores' own
    questions = asked.questions.argument
    questions = questions.with_items(np.where(np.isnan(items), questions.items, items))
    found, weights = _given_scores(questions, posterior, draws, partial.score[asked.order], seed)
    expected, score = (values[:, asked.back] for values in found)
    score = np.where(known, partial.score, score)
    return _labelled(forecast_data(expected, score, partial.models, scores, sizes), known, weights)


def _given_scores(
    questions: Questions, posterior: Posterior, draws: Draw, score: Floats, seed: int
) -> tuple[tuple[Floats, Floats], Weights]:
    """Return draws of expected and observed scores given the known ones, and the weights of the draws."""
    prior_key, *keys = jax.random.split(jax.random.key(seed), 3)
    each = [jax.random.split(key, draws["skill_mean"].shape[0]) for key in (prior_key, *keys)]
    draws = jax.vmap(lambda draw, key: with_priors(draw, posterior.spec.priors, key))(draws, each[0])
    model, benchmark = np.nonzero(~np.isnan(score))
    known = Known(jnp.asarray(model), jnp.asarray(benchmark), jnp.asarray(score[model, benchmark]))
    effects, found = _proposals(questions, posterior, draws, known, each[1])
    log_weights = np.nan_to_num(found, nan=-np.inf)
    if not np.isfinite(log_weights).any(axis=1).all():
        raise FitError("some known scores are impossible in the fit: check that they are shares in [0, 1].")
    weights = weights_of(logsumexp(log_weights, axis=1))
    draw, proposal = resampled(weights.weight, log_weights, np.random.default_rng(seed))
    kept = {name: value[draw] for name, value in draws.items()}
    values = forecast_with(questions, kept, effects[draw, proposal], each[2], spec=posterior.spec)
    return (np.asarray(values[0]), np.asarray(values[1])), weights


def _proposals(
    questions: Questions, posterior: Posterior, draws: Draw, known: Known, keys: jax.Array
) -> tuple[Floats, Floats]:
    """Return what `propose` returns, a block of draws at a time, so that progress can be seen."""
    count = keys.shape[0]
    size = min(BLOCK, count)
    whole, parts = {name: np.asarray(value) for name, value in draws.items()}, []
    for start in tqdm(range(0, count, size), desc="conditioning", disable=not watched(), leave=False):
        block = np.arange(start, start + size) % count  # the last one is filled with the first draws
        chosen = {name: value[block] for name, value in whole.items()}
        parts.append(propose(questions, chosen, known, keys[block], spec=posterior.spec))
    effects, found = (
        np.concatenate([np.asarray(p) for p in each])[:count] for each in zip(*parts, strict=True)
    )
    return effects, found


def trusted(prediction: Prediction) -> bool:
    """Return whether enough draws of the fit agree with the known scores.

    Parameters
    ----------
    prediction : Prediction
        From `condition`.

    Returns
    -------
    bool
        False where `condition` warned.

    Examples
    --------
    >>> trusted(Prediction(xr.Dataset({"pareto_k": 0.9, "effective_draws": 400.0})))
    False
    """
    data = prediction.data
    return bool(data["pareto_k"] <= LARGEST_K and data["effective_draws"] >= FEWEST_DRAWS)


def _labelled(data: xr.Dataset, known: NDArray[np.bool_], weights: Weights | None) -> Prediction:
    draws = data["score"].size / known.size
    k, effective = (-np.inf, draws) if weights is None else (weights.pareto_k, weights.effective_draws)
    found = data.assign(known=((MODEL, BENCHMARK), known), pareto_k=k, effective_draws=effective)
    prediction = Prediction(found)
    if weights is not None and not trusted(prediction):
        worth = f"{effective:.0f} effective draws (Pareto k {k:.2f}, should be at most {LARGEST_K})"
        warnings.warn(
            f"few draws of the fit expected the known scores: {worth}. Refit with these rows in the table, "
            "or condition on fewer rows at a time.",
            FitWarning,
            stacklevel=4,
        )
    return prediction
