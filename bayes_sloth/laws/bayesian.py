"""Bayesian rivals: a NumPyro model of a table, its chains for folds or a whole table, and its forecasts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import jax
import numpy as np
import pandas as pd
from jax.flatten_util import ravel_pytree
from joblib import Parallel, delayed
from numpy.typing import NDArray
from numpyro import handlers
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy

from bayes_sloth.convergence import RHAT_PARAMETER, diagnose
from bayes_sloth.errors import FitWarning
from bayes_sloth.folds import Fold
from bayes_sloth.kernels import DEPTHS
from bayes_sloth.laws.fitted import Fitted, check_seen
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.laws.tables import Table, asked_table, compute_scale, seen_table
from bayes_sloth.names import MODEL
from bayes_sloth.refitting import Length, walked
from bayes_sloth.sampling import prepare
from bayes_sloth.scores import Scores
from bayes_sloth.space import prior_middles

Values = Any
Model = Callable[[Table], None]
Draw = dict[str, Values]

ACCEPTANCE: Final = 0.8  # NumPyro's default: these posteriors need some 15 steps a draw, not hundreds
JITTER: Final = 0.1  # of the chains' starts around the middles of the priors, in unconstrained units
BATCH: Final = 50  # draws turned into scores at a time


class SampledLaw(Protocol):
    """A rival that is a NumPyro model of a table.

    Its effects of families and of models are declared by `effects`; families or models are their first dim.
    """

    @property
    def name(self) -> str:
        """Short label for tables."""
        ...

    @property
    def length(self) -> Length:
        """How long it samples."""
        ...

    @property
    def model(self) -> Model:
        """The model: a function of a module, so that it is compiled once."""
        ...

    @property
    def local(self) -> Mapping[str, str]:
        """Names of its effects, in the order in which they are drawn, and whose they are: family or model."""
        ...

    @property
    def needs_compute(self) -> bool:
        """Whether models without size or tokens say nothing."""
        ...


class Verbs:
    """The verbs of a sampled law."""

    def fit(self: SampledLaw, scores: Scores, *, seed: int = 0) -> Fitted:
        """Learn from every score of a table; a model of it keeps its effects when asked about by name."""
        return fit(self, scores, seed=seed)

    def forecasts(
        self: SampledLaw, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, each as soon as it is done; see `bayesian.forecasts`."""
        return forecasts(self, scores, folds, seed=seed, jobs=jobs)


class Chains(NamedTuple):
    """What sampling brings home.

    Parameters
    ----------
    values : dict of arrays, dims (chain, draw, ...)
        Named quantities.
    expected, score : array, dims (chain, draw, model, benchmark)
        Expected scores, and scores that would be observed, of every model of the table.
    steps, diverging : array, dims (chain, draw)
        Leapfrog steps; whether the trajectory diverged.
    """

    values: Draw
    expected: Values
    score: Values
    steps: Values
    diverging: Values


@partial(jax.jit, static_argnames=("model", "length"))
def sampled(model: Model, table: Table, key: jax.Array, length: Length) -> Chains:
    """Sample a model of a table with NUTS, chains side by side in one program.

    Parameters
    ----------
    model : callable
        From a table to NumPyro's sites, `expected` and `score` among them.
    table : Table
        What is seen: data to the program, which serves every table of its shape.
    key : random key
        Of the chains.
    length : Length
        How long to sample.

    Returns
    -------
    Chains
        Draws of every site and score.
    """
    start, unravel = _space(model, table)

    def potential(vector: Values) -> Values:
        return potential_energy(model, (table,), {}, unravel(vector))

    kernel = NUTS(potential_fn=potential, target_accept_prob=ACCEPTANCE, max_tree_depth=DEPTHS)

    def chain(key: jax.Array) -> Chains:
        start_key, run_key, score_key = jax.random.split(key, 3)
        begun = start + JITTER * jax.random.normal(start_key, start.shape)
        vectors, steps, diverging = walked(kernel, begun, run_key, length)

        def one(item: tuple[Values, jax.Array]) -> tuple[Values, Values, Values]:
            values = dict(constrain_fn(model, (table,), {}, unravel(item[0]), return_deterministic=True))
            score = _traced(model, table, values, item[1])["score"]
            expected = values.pop("expected")
            return {n: v for n, v in values.items() if not n.endswith("_raw")}, expected, score

        keys = jax.random.split(score_key, length.draws)
        values, expected, score = jax.lax.map(one, (vectors, keys), batch_size=BATCH)
        return Chains(values, expected, score, steps, diverging)

    chains: Chains = jax.vmap(chain)(jax.random.split(key, length.chains))
    return chains


def forecasts(
    law: SampledLaw, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int
) -> Iterator[Forecast]:
    """Yield a forecast for every fold, each as soon as it is done; see `Law.forecasts`.

    The same seed gives a fold the same numbers, whatever other folds there are. Models that the law cannot
    forecast, for want of size or tokens, are NaN.
    """
    prepare()
    tasks = (
        delayed(_forecast)(law, place, fold.models, *seen_table(fold.seen(scores), law.needs_compute), key)
        for place, fold in enumerate(folds)
        # By what a fold hides, not by its place: the rest of an interrupted run has other places.
        for key in [(seed, int(fold.digest[:8], 16))]
    )
    yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def fit(law: SampledLaw, scores: Scores, *, seed: int) -> Fitted:
    """Learn from every score of a table.

    Parameters
    ----------
    law : SampledLaw
        Which law.
    scores : Scores
        The table.
    seed : int
        Of the chains.

    Returns
    -------
    Fitted
        With draws of every sampled site, dims (draw, ...).

    Raises
    ------
    InputError
        If a benchmark has no score that the law can learn from.

    Warns
    -----
    FitWarning
        If the chains do not agree.
    """
    prepare()
    table, usable = seen_table(scores, law.needs_compute)
    check_seen(law.name, scores, table.observed)
    chains = sampled(law.model, table, _key((seed, 0)), law.length)
    notes = _notes(chains, usable)
    if not (notes["r_hat"] <= RHAT_PARAMETER and notes["divergences"] == 0):
        warnings.warn(
            f"{law.name}: the chains do not agree (R-hat {notes['r_hat']:.3f}, {notes['divergences']:.0f} "
            "steps diverged): fit again with a longer `length`.",
            FitWarning,
            stacklevel=3,
        )
    values = {n: np.asarray(v).reshape(-1, *v.shape[2:]) for n, v in chains.values.items()}
    return Fitted(law.name, scores, partial(_drawn, law, scores, table.center, values), values, notes)


def _forecast(
    law: SampledLaw,
    place: int,
    models: NDArray[np.int64],
    table: Table,
    usable: NDArray[np.bool_],
    seeds: tuple[int, int],
) -> Forecast:
    """Sample one fold, in whatever process this runs."""
    prepare()
    begun = time.perf_counter()
    chains = sampled(law.model, table, _key(seeds), law.length)
    score = np.asarray(chains.score).reshape(-1, *table.score.shape)
    draws = np.where(usable[models, None], score[:, models], np.nan)
    asked = np.isin(np.arange(usable.size), models) & usable
    return Forecast(place, draws, time.perf_counter() - begun, _notes(chains, asked))


def _key(seeds: tuple[int, int]) -> jax.Array:
    return jax.random.fold_in(jax.random.key(seeds[0]), seeds[1])


def _notes(chains: Chains, models: NDArray[np.bool_]) -> dict[str, float]:
    """Return the worst convergence of the expected scores of some models, and what the sampler did."""
    expected = np.asarray(chains.expected)[:, :, models]
    agreed = diagnose(expected.reshape(*expected.shape[:2], -1))
    return {
        "r_hat": float(np.max(agreed["r_hat"], initial=1.0)),
        "ess_bulk": float(np.min(agreed["ess_bulk"], initial=float(np.size(chains.steps)))),
        "divergences": float(np.sum(chains.diverging)),
        "steps": float(np.mean(chains.steps)),
    }


def _space(model: Model, table: Table) -> tuple[Values, Callable[[Values], Draw]]:
    """Return the middles of the priors as a flat vector, and the way back from such vectors."""
    start, unravel = ravel_pytree(prior_middles(model, table))
    return start, unravel


def _traced(model: Model, table: Table, values: Draw, key: jax.Array) -> Draw:
    """Draw all that is not given."""
    free = handlers.substitute(handlers.uncondition(model), data=values)
    trace = handlers.trace(handlers.seed(free, key)).get_trace(table)
    return {name: site["value"] for name, site in trace.items()}


def _drawn(
    law: SampledLaw, scores: Scores, center: NDArray[Any], values: Draw, models: pd.DataFrame, seed: int
) -> NDArray[Any]:
    """Return draws of the scores of any models: what the fit does not know of them comes from the prior."""
    scale = compute_scale(scores, scores.observed) if law.needs_compute else None
    table = asked_table(models, scores, scale, center, law.name)
    row = {name: i for i, name in enumerate(scores.models)}
    same = [(i, row[name]) for i, name in enumerate(models[MODEL]) if name in row]
    count = len(scores.families)
    places = {"family": (np.arange(count),) * 2, "model": tuple(np.array(same, dtype=int).reshape(-1, 2).T)}
    known = {site: places[kind] for site, kind in law.local.items()}

    def one(item: tuple[Draw, jax.Array]) -> Values:
        given, key = item
        told = {name: value for name, value in given.items() if name not in known}
        for site, (here, there) in known.items():
            fresh_key, key = jax.random.split(key)
            fresh = _traced(law.model, table, told, fresh_key)[site]
            told[f"{site}_raw"] = fresh.at[here].set(given[site][there])
        return _traced(law.model, table, told, key)["score"]

    keys = jax.random.split(jax.random.key(seed), len(next(iter(values.values()))))
    return np.asarray(jax.jit(lambda items: jax.lax.map(one, items, batch_size=BATCH))((values, keys)))
