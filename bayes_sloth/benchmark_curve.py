"""What turns skills into the scores of every benchmark, in one draw of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bayes_sloth import curve
from bayes_sloth.effects import specific_to

Values = Any


class BenchmarkCurve(NamedTuple):
    """What turns skills into the scores of each benchmark.

    Parameters
    ----------
    loading : array, dims (benchmark, skill)
        How much a benchmark asks of each skill.
    intercept, reach, asymmetry, lower : array, dims (benchmark)
        Intercept in logits, upper asymptote of the share, asymmetry of the link, lower asymptote of
        the score.
    bend : array, dims (benchmark, knot), optional
        Bends of the spline link.
    """

    loading: Values
    intercept: Values
    reach: Values
    asymmetry: Values
    lower: Values
    bend: Values = None


def scores_of(
    skill: Values, specific: Values, benchmark: BenchmarkCurve, pivot: Values, link: str
) -> tuple[Values, Values]:
    """Return the share of the range reached and the expected score of every model on every benchmark.

    Parameters
    ----------
    skill : array, dims (model, skill)
        Skills.
    specific : array, dims (model, benchmark)
        What the models' lines have of their own, in logits.
    benchmark : BenchmarkCurve
        One draw of the benchmarks' parameters.
    pivot : array, dims (benchmark)
        Logit of the share that the curve is told at.
    link : str
        Name of the link.

    Returns
    -------
    share, expected : array, dims (model, benchmark)
        Shares of the range above the floor; shares of items solved.
    """
    eta = curve.predictor(skill, benchmark.loading, benchmark.intercept, specific)
    return shares_of(eta, benchmark, pivot, link)


def shares_of(eta: Values, benchmark: BenchmarkCurve, pivot: Values, link: str) -> tuple[Values, Values]:
    """Return the share of the range reached and the expected score at linear predictors.

    Parameters
    ----------
    eta : array, dims (model, benchmark)
        In logits.
    benchmark : BenchmarkCurve
        One draw of the benchmarks' parameters.
    pivot : array, dims (benchmark)
        Logit of the share that the curve is told at.
    link : str
        Name of the link.

    Returns
    -------
    share, expected : array, dims (model, benchmark)
        Shares of the range above the floor; shares of items solved.
    """
    shape = benchmark.asymmetry if benchmark.bend is None else benchmark.bend
    share = curve.share_reached(eta, pivot, benchmark.reach, shape, link=link)
    return share, curve.expected_score(share, benchmark.lower)


def curve_of(draw: Mapping[str, Values]) -> BenchmarkCurve:
    """Return the benchmarks' parameters in one draw.

    Parameters
    ----------
    draw : mapping of str to array
        Named quantities of one draw.

    Returns
    -------
    BenchmarkCurve
        Of every benchmark.
    """
    return BenchmarkCurve(**{name: draw[name] for name in BenchmarkCurve._fields if name in draw})


def scores_at(draw: Mapping[str, Values], line: Values, pivot: Values, link: str) -> tuple[Values, Values]:
    """Return `scores_of` every fitted model in one draw.

    Parameters
    ----------
    draw : mapping of str to array
        Named quantities of one draw.
    line : array of int, dims (model)
        Line number of every model.
    pivot : array, dims (benchmark)
        Logit of the share that the curve is told at.
    link : str
        Name of the link.

    Returns
    -------
    share, expected : array, dims (model, benchmark)
        Shares of the range above the floor; shares of items solved.
    """
    specific = specific_to(draw, line, pivot.size)
    return scores_of(draw["model_skill"], specific, curve_of(draw), pivot, link)
