"""The likelihood of every observed score at every draw, computed when asked for."""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from numpyro import distributions as dist

from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, ITEMS, MODEL, SCORE
from bayes_sloth.observation import score_law
from bayes_sloth.posterior import Posterior, labelled
from bayes_sloth.sampling import prepare

Floats = NDArray[np.float64]
# Scores that were observed, one after the other: ArviZ's LOO has no place for others.
OBSERVATION: Final = "observation"


def log_likelihood(posterior: Posterior) -> xr.DataTree:
    r"""Return a fit's groups and the log likelihood of every score, as ArviZ's LOO and WAIC want it.

    .. math:: \log p(y_{ij} \mid \mu_{ij}^{(s)}, \sigma_j^{(s)}, \nu^{(s)}) \text{ at every draw } s

    A fit does not hold it: 3,000 models on 60 benchmarks would add 700 MB for every thousand draws.

    Parameters
    ----------
    posterior : Posterior
        A fit by any method.

    Returns
    -------
    DataTree
        The groups of `posterior.data`, and `log_likelihood`: variable `score`, dims (chain, draw,
        observation), natural log of a density on shares of items solved, in 32 bits; coordinates `model` and
        `benchmark` say whose score an observation is.

    References
    ----------
    Vehtari, Gelman, Gabry (2017). Practical Bayesian model evaluation using leave-one-out cross-validation.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = bs.log_likelihood(fit)["log_likelihood"]["score"]  # arviz_stats.loo takes the whole tree
    >>> found.dims, bool(found.sizes["observation"] == table.observed.sum())
    (('chain', 'draw', 'observation'), True)
    """
    prepare()
    draws = posterior.data["posterior"].dataset
    observed = np.asarray(posterior.data["observed_data"].dataset[SCORE].values, np.float64)
    models, benchmarks = np.nonzero(~np.isnan(observed))
    # In 32 bits: there are many of them, and few digits are needed.
    found = np.empty((draws.sizes[CHAIN], draws.sizes[DRAW], models.size), np.float32)
    for column, mean in enumerate(ExpectedByBenchmark(posterior.data, posterior.spec)):
        seen = models[benchmarks == column]
        law = law_of(posterior, mean, column, seen)
        density = np.asarray(law.log_prob(observed[seen, column][:, None]))
        found[:, :, benchmarks == column] = density.T.reshape(*mean.shape[:2], seen.size)
    labels = {dim: draws[dim].values for dim in (CHAIN, DRAW)}
    whose = {MODEL: draws[MODEL].values[models], BENCHMARK: draws[BENCHMARK].values[benchmarks]}
    group = labelled({SCORE: found}, {SCORE: (OBSERVATION,)}, labels)
    group = group.assign_coords({name: (OBSERVATION, values) for name, values in whose.items()})
    return xr.DataTree.from_dict({**posterior.data.to_dict(), "/log_likelihood": group})


def law_of(
    posterior: Posterior, mean: Floats, column: int, seen: NDArray[np.int64], step: int = 1
) -> dist.Distribution:
    """Return the law of the scores of some models on one benchmark.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    mean : array, dims (chain, draw, model)
        Expected scores on that benchmark.
    column : int
        Number of the benchmark.
    seen : array of int, dims (row)
        Numbers of the models.
    step : int
        Every so many draws only.

    Returns
    -------
    Distribution
        Of dims (row, draw), the draws of all chains one after the other.
    """
    draws = posterior.data["posterior"].dataset
    at = mean[:, :, seen].reshape(-1, seen.size)[::step].T
    lower, misfit = (draws[name].values[:, :, column].reshape(-1)[::step] for name in ("lower", "misfit"))
    tail = draws["tail"].values.reshape(-1)[::step] if "tail" in draws else np.ones(1)
    items = np.asarray(posterior.data["constant_data"].dataset[ITEMS].values[seen, column], np.float64)
    share = np.clip((at - lower) / (1 - lower), 0.0, 1.0)
    known = np.where(np.isnan(items), np.inf, items)[:, None]
    # Draws of one benchmark stand where the law has benchmarks.
    return score_law(posterior.spec.likelihood, share, at, jnp.asarray(misfit), known, tail)
