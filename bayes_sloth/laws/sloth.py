"""Our own law and its ablations, all folds by one program."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from bayes_sloth.convergence import diagnose
from bayes_sloth.design import Design, design_of
from bayes_sloth.errors import unknown_name
from bayes_sloth.fitting import fit
from bayes_sloth.folds import Fold
from bayes_sloth.identify import anchors_of, check_anchors
from bayes_sloth.laws.fitted import Fitted
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.modes import firm
from bayes_sloth.names import SCORE
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import predict
from bayes_sloth.pytree import argument, stacked
from bayes_sloth.refitting import Length, all_modes, sampled, scores_at_modes
from bayes_sloth.sampling import prepare
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec

METHODS: Final = ("hmc", "map")
# Draws of a point estimate: noise alone.
DRAWS: Final = 1000
# Folds that climb side by side, never more nor fewer: the last digits of a mode depend on how many do, and a
# fold has to end the same whether all folds are fitted or the rest of an interrupted run.
WIDTH: Final = 8


@dataclass(frozen=True)
class SlothLaw:
    """The skills law as a hierarchical Bayesian model.

    Parameters
    ----------
    spec : ModelSpec
        Settings and priors; ablations differ in these.
    method : {"hmc", "map"}
        Full posterior, or a mode from several starts.
    length : Length
        Of the chains.
    label : str
        Name in tables.

    Raises
    ------
    InputError
        If the method is unknown.

    Examples
    --------
    >>> SlothLaw(method="map").name
    'sloth (map)'
    """

    spec: ModelSpec = field(default_factory=ModelSpec)
    method: str = "hmc"
    length: Length = field(default_factory=Length)
    label: str = ""

    def __post_init__(self) -> None:
        """Check the method."""
        if self.method not in METHODS:
            raise unknown_name("method", self.method, METHODS)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return self.label or ("sloth" if self.method == "hmc" else f"sloth ({self.method})")

    def fit(self, scores: Scores, *, seed: int = 0) -> Fitted:
        """Learn from every score of a table, as `bayes_sloth.fit` does.

        Parameters
        ----------
        scores : Scores
            The table.
        seed : int
            Of starts and chains.

        Returns
        -------
        Fitted
            Which forecasts as `bayes_sloth.predict` does; draws of named quantities, dims (chain, draw, ...).
        """
        found = fit(scores, self.spec, method=self.method, seed=seed, **self.length._asdict())
        learnt = found.data["posterior"].dataset.data_vars
        parameters = {str(name): value.values for name, value in learnt.items()}
        return Fitted(self.name, scores, partial(_predicted, found), parameters)

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, each as soon as it is done; see `Law.forecasts`.

        The same seed gives a fold the same numbers, whatever other folds there are. Anchors are told by the
        scores alone, where `fit` also looks at modes: name them in the spec to have the same in both.
        """
        prepare()
        designs = [self._design(fold.seen(scores)) for fold in folds]
        # By what a fold hides, not by its place: the rest of an interrupted run has other places.
        own = [jax.random.fold_in(jax.random.key(seed), int(fold.digest[:8], 16)) for fold in folds]
        keys = jax.vmap(jax.random.split)(jnp.stack(own))
        if self.method == "map":
            yield from self._at_modes(folds, designs, keys)
        else:
            # By the whole table: a fold's start depends on no other fold, and one program serves all.
            yield from self._sampled(folds, designs, keys, firm(scores.observed, self.spec), jobs)

    def _at_modes(self, folds: Sequence[Fold], designs: list[Design], keys: jax.Array) -> Iterator[Forecast]:
        for places, together in _batches(designs):
            begun = time.perf_counter()
            modes = all_modes(together, self.spec, keys[places, 0])[0][:, 0]
            drawn = np.asarray(scores_at_modes(together, self.spec, modes, keys[places, 1], DRAWS)[1])
            found = dict(zip(places.tolist(), drawn, strict=True))
            share = (time.perf_counter() - begun) / len(found)
            for place, score in found.items():
                yield Forecast(place, score[:, folds[place].models], share)

    def _sampled(
        self, folds: Sequence[Fold], designs: list[Design], keys: jax.Array, start: ModelSpec, jobs: int
    ) -> Iterator[Forecast]:
        begun = time.perf_counter()
        modes: dict[int, NDArray[np.float64]] = {}
        for places, together in _batches(designs):
            best = np.asarray(all_modes(together, start, keys[places, 0])[0][:, 0])
            modes |= dict(zip(places.tolist(), best, strict=True))
        share = (time.perf_counter() - begun) / len(folds)
        bare = np.asarray(jax.random.key_data(keys[:, 1]))
        # The folds with most to forecast first would be no quicker: all take about as long.
        tasks = (
            delayed(_forecast)(
                place, fold.models, designs[place], self.spec, modes[place], bare[place], self.length
            )
            for place, fold in enumerate(folds)
        )
        for found in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
            yield replace(found, seconds=found.seconds + share)

    def _design(self, seen: Scores) -> Design:
        chosen = self.spec.anchors
        anchors = check_anchors(seen, chosen) if chosen else anchors_of(seen, self.spec.skills)
        return argument(design_of(seen, anchors))


def _predicted(posterior: Posterior, models: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Return draws of the scores that would be observed, dims (draw, model, benchmark)."""
    score = predict(posterior, models, seed=seed).data[SCORE].values
    return np.asarray(score.reshape(-1, *score.shape[2:]))


def _batches(designs: list[Design]) -> Iterator[tuple[NDArray[np.int64], Design]]:
    """Yield the places of `WIDTH` designs and these as one; the last stands in for those that are wanting."""
    for first in range(0, len(designs), WIDTH):
        places = np.minimum(np.arange(first, first + WIDTH), len(designs) - 1)
        yield places, stacked([designs[place] for place in places])


def _forecast(
    place: int,
    models: NDArray[np.int64],
    design: Design,
    spec: ModelSpec,
    mode: NDArray[np.float64],
    key: NDArray[Any],
    length: Length,
) -> Forecast:
    """Sample one fold, in whatever process this runs."""
    prepare()
    begun = time.perf_counter()
    found = sampled(design, spec, mode, jax.random.wrap_key_data(jnp.asarray(key)), length)
    score, expected = (np.asarray(values)[:, :, models] for values in (found.score, found.expected))
    agreed = diagnose(expected.reshape(*expected.shape[:2], -1))
    notes = {
        "r_hat": float(np.max(agreed["r_hat"])),
        "ess_bulk": float(np.min(agreed["ess_bulk"])),
        "divergences": float(np.sum(found.diverging)),
        "steps": float(np.mean(found.steps)),
    }
    draws = score.reshape(-1, *score.shape[2:])
    return Forecast(place, draws, time.perf_counter() - begun, notes)
