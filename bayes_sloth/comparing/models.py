"""Which of two models is better, and how sure; and forecasts beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
import xarray as xr

from bayes_sloth.arguments import check_kind
from bayes_sloth.comparing.draws import chance_ahead, draws_of
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import BENCHMARK, FAMILY, MODEL, SCORE
from bayes_sloth.prediction import Prediction, intervals
from bayes_sloth.scores import Scores
from bayes_sloth.summaries import summary_table

AVERAGE: Final = "average"
ABOVE_CHANCE: Final = "average above chance"


def compare_models(
    prediction: Prediction,
    model: str,
    other: str,
    *,
    kind: str = "score",
    floors: Mapping[str, float] | None = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    r"""Return by how much one model beats another on every benchmark and on average, and how likely.

    Forecasts are of a new run, also for models of the fitted table: their own scores count by what the fit
    made of them. Both are of the same draws, so what is uncertain for both alike (a benchmark's ceiling, a
    family's efficiency) does not blur the difference.

    Parameters
    ----------
    prediction : Prediction
        Forecasts that hold both models.
    model, other : str
        Names.
    kind : {"score", "expected"}
        Scores that would be observed, ties counted half; or their expectations.
    floors : mapping of str to float, optional
        Scores of a guesser. With them a last row compares :math:`\frac1J\sum_j (y_j - l_j)/(1 - l_j)`.
    prob : float
        Probability inside the interval.

    Returns
    -------
    DataFrame
        Columns benchmark (the last rows are averages), model, other, median, lower, upper (of the difference,
        shares of items), prob, better (probability that `model` is better).

    Raises
    ------
    InputError
        If a name is unknown, or the floors leave a benchmark out or are no shares.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[0.6, 0.5], [0.7, 0.5]]).reshape(1, 2, 2, 1)
    >>> draws = xr.DataArray(values, dims=("chain", "draw", MODEL, BENCHMARK))
    >>> data = draws.assign_coords({MODEL: ["a", "b"], BENCHMARK: ["MMLU"]}).to_dataset(name="score")
    >>> compare_models(Prediction(data), "a", "b")["better"].tolist()
    [1.0, 1.0]
    """
    if kind not in ("score", "expected"):
        raise unknown_name("kind", kind, ("score", "expected"))
    check_kind(prediction, Prediction, "bs.predict")
    draws = prediction.data[kind]
    first, second = (draws_of(draws, MODEL, name) for name in (model, other))
    gap = first - second
    averages = {AVERAGE: gap.mean(BENCHMARK)}
    if floors is not None:
        room = 1 - _floors(floors, draws)
        averages[ABOVE_CHANCE] = (gap / room).mean(BENCHMARK)
    rows = [average.expand_dims({BENCHMARK: [name]}, axis=2) for name, average in averages.items()]
    every = xr.concat([gap, *rows], BENCHMARK)
    table = summary_table(every, prob).drop(columns="direction")
    table.insert(1, "model", model)
    table.insert(2, "other", other)
    return table.assign(better=chance_ahead(every))


def compare_with_truth(
    prediction: Prediction, scores: Scores, *, probs: Sequence[float] = (0.5, 0.9)
) -> pd.DataFrame:
    """Return the intervals of forecasts beside the scores that were observed.

    Parameters
    ----------
    prediction : Prediction
        From `bs.predict`.
    scores : Scores
        Holds the models asked about, and what they scored; a score that it lacks is passed over.
    probs : sequence of float
        Probabilities inside.

    Returns
    -------
    DataFrame
        A row a model, benchmark and probability: columns model, family, benchmark, truth, median, lower,
        upper (shares of items solved), prob.

    Raises
    ------
    InputError
        If no score of these models on these benchmarks was observed.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> few = table.select(models=["llama-2-7b", "llama-2-13b"])
    >>> compare_with_truth(bs.predict(fit, few, seed=0), few)["prob"].tolist()
    [0.5, 0.5, 0.9, 0.9]
    """
    check_kind(prediction, Prediction, "bs.predict")
    check_kind(scores, Scores, "bs.read_scores")
    truth = scores.data[SCORE].to_series().rename("truth").dropna().reset_index()
    families = prediction.data[FAMILY].to_series().rename(FAMILY)
    parts = [intervals(prediction, prob) for prob in probs]
    table = pd.concat(parts).merge(truth, on=[MODEL, BENCHMARK]).join(families, on=MODEL)
    if table.empty:
        raise InputError("the table holds no score of the models asked about: pass the one that does.")
    return table[[MODEL, FAMILY, BENCHMARK, "truth", "median", "lower", "upper", "prob"]]


def _floors(floors: Mapping[str, float], draws: xr.DataArray) -> xr.DataArray:
    if not isinstance(floors, Mapping):
        raise InputError(f"floors is {floors!r}: give one for every benchmark, such as {{'MMLU': 0.25}}.")
    names = [str(name) for name in draws[BENCHMARK].values]
    missing = [name for name in names if name not in floors]
    if missing:
        raise InputError(f"floors has none for {missing[0]!r}: give one for every benchmark.")
    for name in names:
        if not 0 <= floors[name] < 1:
            raise InputError(f"the floor of {name!r} is {floors[name]}: give shares of items, 0.25 for 25%.")
    return xr.DataArray([float(floors[name]) for name in names], {BENCHMARK: names}, BENCHMARK)
