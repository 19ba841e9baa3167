"""Scores as curves with the data beside them: over size, family by family, and over what a link takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth import curve
from bayes_sloth.arguments import check_prob
from bayes_sloth.benchmark_curve import BenchmarkCurve, curve_of
from bayes_sloth.effects import specific_to
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.expectation import line_of_models, pivots
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, INSTRUCT, MODEL, PARAMS_B, SCORE, TOKENS_T
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import intervals, predict
from bayes_sloth.sampling import prepare
from bayes_sloth.scores import Scores
from bayes_sloth.summaries import HELD_OUT, PREDICTOR, ScoreCurves, summary_table

Floats = NDArray[np.float64]

STEPS: Final = 25  # points of a curve
BEYOND: Final = 2.0  # times larger, and smaller, than a family's models: how far its curve goes
MARGIN: Final = 0.5  # logits that a link's curve goes beyond the models


def family_curves(
    posterior: Posterior,
    families: Sequence[str],
    benchmark: str,
    *,
    seed: int,
    instruct: bool = False,
    tokens_t: float | None = None,
    params_b: Sequence[float] | Floats | None = None,
    held_out: Scores | None = None,
    kind: str = "expected",
    prob: float = 0.9,
) -> ScoreCurves:
    """Return the score of a benchmark over size, family by family, for dense models.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    families : sequence of str
        Families of the fitted table.
    benchmark : str
        Of the fitted table.
    seed : int
        Of the forecasts.
    instruct : bool
        Tuned models rather than base models, curves and points alike.
    tokens_t : float, optional
        Trillions of tokens along all curves; where not given each family keeps its own, the geometric mean
        over its models, and one whose tokens nobody knows has them drawn.
    params_b : array, dims (point), optional
        Billions of parameters; where not given, from half a family's smallest model to twice its largest.
    held_out : Scores, optional
        A table whose scores the fit did not see.
    kind : {"expected", "score"}
        The expectation of a score, or the score that would be observed.
    prob : float
        Probability inside the band.

    Returns
    -------
    ScoreCurves
        `curves`: columns family, benchmark, instruct, params_b, tokens_t, median, lower, upper, prob;
        `points`: family, model, params_b, tokens_t, score, held_out. Points have tokens of their own.

    Raises
    ------
    InputError
        If a family or benchmark is unknown, or no size of a family's models is known.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = family_curves(fit, ["llama-2"], "MMLU", params_b=[7.0, 70.0], seed=0)
    >>> bool(found.curves["median"].is_monotonic_increasing)
    True
    """
    table = posterior.scores
    _known("benchmark", [benchmark], table.benchmarks)
    _known("family", families, table.families)
    points = _points(table, families, benchmark, instruct).assign(**{HELD_OUT: False})
    if held_out is not None:
        _known("benchmark", [benchmark], held_out.benchmarks)
        later = _points(held_out, families, benchmark, instruct).assign(**{HELD_OUT: True})
        later = later[~later[MODEL].isin(points[MODEL])]
        points = pd.concat([points, later], ignore_index=True)
    facts = table.metadata
    asked = [
        _along(family, facts[facts[FAMILY] == family], points[points[FAMILY] == family], params_b, tokens_t)
        for family in dict.fromkeys(families)
    ]
    rows = pd.concat(asked, ignore_index=True)
    rows = rows.assign(**{INSTRUCT: int(instruct), MODEL: [f"point {i:05d}" for i in range(len(rows))]})
    told = intervals(predict(posterior, rows, seed=seed), prob, kind=kind)
    told = told[told[BENCHMARK] == benchmark]
    curves = rows.merge(told[[MODEL, BENCHMARK, "median", "lower", "upper", "prob"]], on=MODEL)
    places = [FAMILY, BENCHMARK, INSTRUCT, PARAMS_B, TOKENS_T]
    return ScoreCurves(curves[[*places, "median", "lower", "upper", "prob"]], points)


def link_curves(
    posterior: Posterior, benchmarks: Sequence[str] | None = None, *, prob: float = 0.9, steps: int = STEPS
) -> ScoreCurves:
    r"""Return the fitted link of each benchmark, and where the models lie on it.

    .. math:: l_j + (1 - l_j)\,h_j(\eta) \quad\text{over}\quad \eta = \lambda_j'\theta_i + b_j + u_{l(i)j}

    Parameters
    ----------
    posterior : Posterior
        A fit.
    benchmarks : sequence of str, optional
        All where not given.
    prob : float
        Probability inside the bands and intervals.
    steps : int
        Points of a curve.

    Returns
    -------
    ScoreCurves
        `curves`: columns benchmark, predictor (logits), median, lower, upper, prob; `points`: benchmark,
        model, family, score, median, lower, upper (of the model's predictor, logits), prob.

    Raises
    ------
    InputError
        If a benchmark is unknown, or the probability or the number of steps makes no curve.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, eq. 2.1.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> link_curves(fit, steps=10)
    ScoreCurves: 10 points of curves, 160 observed scores
    """
    check_prob(prob)
    if steps < 2:
        raise InputError(f"steps is {steps}: a curve has at least two points.")
    known = posterior.scores.benchmarks
    chosen = known if benchmarks is None else tuple(dict.fromkeys(benchmarks))
    _known("benchmark", chosen, known)
    prepare()
    found = [_link(posterior, known.index(name), prob, steps) for name in chosen]
    curves, points = (pd.concat([pair[i] for pair in found], ignore_index=True) for i in range(2))
    return ScoreCurves(curves, points)


def _known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    if not names or isinstance(names, str):
        raise InputError(f"name at least one {kind}, in a list.")
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known)


def _points(scores: Scores, families: Sequence[str], benchmark: str, instruct: bool) -> pd.DataFrame:
    """Return the observed scores of the families' base or tuned models."""
    table = scores.metadata
    score = scores.data[SCORE].sel({BENCHMARK: benchmark}).values
    table = table.assign(**{SCORE: score})[[FAMILY, MODEL, PARAMS_B, TOKENS_T, SCORE, INSTRUCT]]
    own = table[FAMILY].isin(families) & (table[INSTRUCT] == int(instruct)) & table[SCORE].notna()
    return table[own].drop(columns=INSTRUCT).reset_index(drop=True)


def _along(
    family: str,
    facts: pd.DataFrame,
    points: pd.DataFrame,
    params_b: Sequence[float] | Floats | None,
    tokens_t: float | None,
) -> pd.DataFrame:
    """Return what to ask along one family's curve."""
    if params_b is None:
        sizes = pd.concat([facts[PARAMS_B], points[PARAMS_B]]).dropna()
        if sizes.empty:
            raise InputError(f"no size of a model of {family!r} is known: give params_b.")
        params_b = np.geomspace(sizes.min() / BEYOND, sizes.max() * BEYOND, STEPS)
    if tokens_t is None:
        tokens_t = float(np.exp(np.log(facts[TOKENS_T]).mean()))  # passes over what is not known
    return pd.DataFrame({FAMILY: family, PARAMS_B: np.asarray(params_b, dtype=float), TOKENS_T: tokens_t})


def _link(posterior: Posterior, column: int, prob: float, steps: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curve of one benchmark's link, and the models on it."""
    tree = posterior.data
    group = tree["posterior"].dataset
    benchmark = str(group[BENCHMARK].values[column])
    draws, pivot = _one_benchmark(group, column), jnp.asarray(pivots(tree)[[column]])
    facts = tree["constant_data"].dataset
    score = np.asarray(tree["observed_data"].dataset[SCORE].values[:, column], float)
    seen = np.flatnonzero(~np.isnan(score))
    eta = np.asarray(_predictors(draws, jnp.asarray(line_of_models(tree)), pivot))[:, seen]
    whose = {MODEL: facts[MODEL].values[seen].astype(str)}
    points = _summarised(eta, whose, prob)
    points.insert(0, BENCHMARK, benchmark)
    points.insert(2, FAMILY, facts[FAMILY].values[seen].astype(str))
    points.insert(3, SCORE, score[seen])
    grid = np.linspace(points["median"].min() - MARGIN, points["median"].max() + MARGIN, steps)
    reached = np.asarray(_reached(draws, jnp.asarray(grid), pivot, posterior.spec.link))
    curves = _summarised(reached, {PREDICTOR: grid}, prob)
    curves.insert(0, BENCHMARK, benchmark)
    return curves, points


def _one_benchmark(group: xr.Dataset, column: int) -> dict[str, Any]:
    """Return the draws of all chains, one after the other, with one benchmark where several stood."""
    names = [n for n in ("model_skill", "specific", *BenchmarkCurve._fields) if n in group]
    chosen = group[names].isel({BENCHMARK: [column]})
    return {n: jnp.asarray(chosen[n].values.reshape(-1, *chosen[n].shape[2:]), dtype=float) for n in names}


def _summarised(draws: Floats, labels: dict[str, Any], prob: float) -> pd.DataFrame:
    """Return the summary of draws, dims (draw, element)."""
    (dim, values) = next(iter(labels.items()))
    array = xr.DataArray(draws[None], dims=(CHAIN, DRAW, dim), coords={dim: values})
    return summary_table(array, prob).drop(columns="direction")


@jax.jit
def _predictors(draws: dict[str, Any], line: Any, pivot: Any) -> Any:
    """Return what the link takes of every fitted model in every draw, dims (draw, model)."""

    def one(draw: dict[str, Any]) -> Any:
        specific = specific_to(draw, line, pivot.size)
        return curve.predictor(draw["model_skill"], draw["loading"], draw["intercept"], specific)[:, 0]

    return jax.vmap(one)(draws)


@partial(jax.jit, static_argnames="link")
def _reached(draws: dict[str, Any], grid: Any, pivot: Any, link: str) -> Any:
    """Return the expected score along a grid of predictors in every draw, dims (draw, point)."""

    def one(draw: dict[str, Any]) -> Any:
        own = curve_of(draw)
        shape = own.asymmetry if own.bend is None else own.bend
        share = curve.share_reached(grid[:, None], pivot, own.reach, shape, link=link)
        return curve.expected_score(share, own.lower)[:, 0]

    return jax.vmap(one)(draws)
