"""Expected scores of the fitted models, draw by draw, computed when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.benchmark_curve import BenchmarkCurve, scores_at
from bayes_sloth.lines import lines_in
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, FLOOR, INSTRUCT, MODEL, SCORE
from bayes_sloth.spec import ModelSpec
from bayes_sloth.typical import curve_pivots, logits

Floats = NDArray[np.float64]

# At a time: JAX copies the skills that it is given, a hundred megabytes for 3,000 models.
MOST_DRAWS: Final = 1000


def pivots(tree: xr.DataTree) -> Floats:
    """Return the logit of the share that each benchmark's curve is told at, dims (benchmark).

    Parameters
    ----------
    tree : DataTree
        With groups `observed_data` and `constant_data`.

    Returns
    -------
    array, dims (benchmark)
        As the model saw it.
    """
    score = np.asarray(tree["observed_data"][SCORE].values, dtype=float)
    floor = np.asarray(tree["constant_data"][FLOOR].values, dtype=float)
    return curve_pivots(logits(score, floor))


@dataclass(frozen=True, eq=False)
class ExpectedByBenchmark:
    """Expected scores of every fitted model, computed one benchmark at a time while one goes through them.

    What is gone through, as often as wanted, are arrays of dims (chain, draw, model), shares of items solved,
    in the order of the benchmarks. No more than one of them is alive at a time, if none is kept.

    Parameters
    ----------
    tree : DataTree
        Of a posterior.
    spec : ModelSpec
        Its model.
    """

    tree: xr.DataTree
    spec: ModelSpec

    def __iter__(self) -> Iterator[Floats]:
        """Go through the benchmarks."""
        posterior = self.tree["posterior"].dataset
        pivot, line = pivots(self.tree), line_of_models(self.tree)
        names = [n for n in ("model_skill", "specific", *BenchmarkCurve._fields) if n in posterior]
        skill = {"model_skill": _flat(posterior["model_skill"])}
        shape = posterior.sizes[CHAIN], posterior.sizes[DRAW], posterior.sizes[MODEL]
        for j in range(pivot.size):
            own = {n: _flat(posterior[n].isel({BENCHMARK: [j]})) for n in names if n not in skill}
            yield _column(skill | own, line, pivot[[j]], self.spec.link).reshape(shape)


def expected_scores(tree: xr.DataTree, spec: ModelSpec) -> Floats:
    """Return the expected score of every fitted model on every benchmark.

    Parameters
    ----------
    tree : DataTree
        Of a posterior.
    spec : ModelSpec
        Its model.

    Returns
    -------
    array, dims (chain, draw, model, benchmark)
        Shares of items solved.
    """
    sizes = tree["posterior"].dataset.sizes
    found = np.empty([sizes[dim] for dim in (CHAIN, DRAW, MODEL, BENCHMARK)])
    for column, values in enumerate(ExpectedByBenchmark(tree, spec)):
        found[..., column] = values
    return found


def _column(draws: dict[str, Floats], line: NDArray[np.int64], pivot: Floats, link: str) -> Floats:
    """Return the expected scores on a single benchmark, dims (draw, model)."""
    count, models = draws["model_skill"].shape[:2]
    found, step = np.empty((count, models)), min(MOST_DRAWS, count)
    # The last draws once more where there are too few left: one program serves all.
    for start in (min(first, count - step) for first in range(0, count, step)):
        some = {name: np.asarray(value[start : start + step], float) for name, value in draws.items()}
        found[start : start + step] = _some_of_column(some, line, pivot, link)
    return found


@partial(jax.jit, static_argnames="link")
def _some_of_column(draws: dict[str, jax.Array], line: jax.Array, pivot: jax.Array, link: str) -> jax.Array:
    """Return the expected scores on a single benchmark in some draws, dims (draw, model)."""

    def one(draw: dict[str, jax.Array]) -> jax.Array:
        expected: jax.Array = scores_at(draw, line, pivot, link)[1]
        return expected[:, 0]

    found: jax.Array = jax.lax.map(one, draws, batch_size=50)
    return found


def _flat(values: xr.DataArray) -> Floats:
    """Return the draws of all chains, one after the other."""
    return np.asarray(values.values).reshape(-1, *values.shape[2:])


def line_of_models(tree: xr.DataTree) -> NDArray[np.int64]:
    """Return the number of every fitted model's line, dims (model).

    Parameters
    ----------
    tree : DataTree
        Of a posterior.

    Returns
    -------
    array of int, dims (model)
        As `specific` counts lines.
    """
    known = tree["constant_data"].dataset
    numbers = {name: number for number, name in enumerate(tree["posterior"].dataset[FAMILY].values)}
    family = np.array([numbers[name] for name in known[FAMILY].values])
    return lines_in(family, np.asarray(known[INSTRUCT].values, dtype=float)).model
