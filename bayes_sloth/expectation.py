"""Expected scores of the fitted models, draw by draw."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.design import logits, typical_logits
from bayes_sloth.lines import lines_in
from bayes_sloth.model import BenchmarkCurve, scores_at
from bayes_sloth.names import FAMILY, FLOOR, INSTRUCT, SCORE
from bayes_sloth.spec import ModelSpec


def pivots(tree: xr.DataTree) -> NDArray[np.float64]:
    """Return the logit of each benchmark's typical share in a fitted table, dims (benchmark).

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
    return typical_logits(logits(score, floor))


def expected_scores(tree: xr.DataTree, spec: ModelSpec) -> NDArray[np.float64]:
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
    posterior = tree["posterior"].dataset
    pivot, line = jnp.asarray(pivots(tree)), _line_of_models(tree)
    names = [n for n in ("model_skill", "specific", *BenchmarkCurve._fields) if n in posterior]
    flat = {
        name: jnp.asarray(posterior[name].values.reshape(-1, *posterior[name].shape[2:])) for name in names
    }

    def one(draw: dict[str, jax.Array]) -> jax.Array:
        expected: jax.Array = scores_at(draw, line, pivot, spec.link)[1]
        return expected

    found = jax.jit(lambda draws: jax.lax.map(one, draws, batch_size=50))(flat)
    sizes = posterior.sizes
    return np.asarray(found).reshape(sizes["chain"], sizes["draw"], *found.shape[1:])


def _line_of_models(tree: xr.DataTree) -> NDArray[np.int64]:
    known = tree["constant_data"].dataset
    numbers = {name: number for number, name in enumerate(tree["posterior"].dataset[FAMILY].values)}
    family = np.array([numbers[name] for name in known[FAMILY].values])
    return lines_in(family, np.asarray(known[INSTRUCT].values, dtype=float)).model
