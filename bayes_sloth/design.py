"""What the model needs of a table, as arrays: numbers for names, scaled logs, constants of the priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.covariates import Scaling, Unknown, features_of, scaling_of, unknown_given
from bayes_sloth.deviations import Places, factor
from bayes_sloth.lines import Lines, lines_in, tuned_both_ways
from bayes_sloth.names import (
    ACTIVE_PARAMS_B,
    FAMILY,
    FLOOR,
    INSTRUCT,
    ITEMS,
    PARAMS_B,
    PARENT,
    SCORE,
    TOKENS_T,
)
from bayes_sloth.scores import Scores
from bayes_sloth.typical import curve_pivots, logits, typical_logits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Of the weight of active parameters, where only a single place in the table is needed.
HALF: Final = 0.5


@dataclass(frozen=True)
class Covariate:
    """A log covariate of every model, scaled; where not known, how it follows from standard normals.

    Parameters
    ----------
    value : array, dims (model)
        Known values, and expectations of the others.
    slot : array of int, dims (model)
        Number of the unknown, -1 where known.
    unknown : Unknown
        The Gaussian of the unknown ones, in order of their slots.
    """

    value: Floats
    slot: Ints
    unknown: Unknown

    @property
    def missing(self) -> Bools:
        """Which models lack this covariate."""
        return self.slot >= 0


@dataclass(frozen=True)
class Design:
    """A table as the model sees it.

    Parameters
    ----------
    families : tuple of str
        Names, in the order of their numbers.
    family : array of int, dims (model)
        Family number.
    parent : array of int, dims (family)
        Number of the parent family, -1 for none in the table.
    instruct : array, dims (model)
        1 = instruction-tuned.
    log_size, log_tokens : Covariate
        Scaled logs.
    log_active_share : array, dims (model)
        Log of active over total parameters, on the scale of log size; 0 for a dense model.
    tuned_both_ways : array of bool, dims (family)
        Families with base and tuned models.
    lines : Lines
        Base and tuned models of a family apart.
    places : Places
        Where models stand for the process of departures.
    root : tuple of arrays
        Cholesky factor of that process: rows, columns, values.
    score, items : array, dims (model, benchmark)
        Scores (0.5 where not observed) and item counts (infinite where unknown).
    observed : array of bool, dims (model, benchmark)
        Which scores count.
    floor, typical, pivot : array, dims (benchmark)
        Chance floor; logit of the typical share of the range above it; logit of the share at which the
        curve is told, the typical one or less.
    anchors : array of int, dims (skill)
        Benchmarks whose logits are the skills' units.
    scaling : Scaling
        Of size, tokens and date.
    has_parents, has_experts : bool
        Whether a family has a parent in the table; whether a model is a mixture of experts.
    """

    families: tuple[str, ...]
    family: Ints
    parent: Ints
    instruct: Floats
    log_size: Covariate
    log_tokens: Covariate
    log_active_share: Floats
    tuned_both_ways: Bools
    lines: Lines
    places: Places
    root: tuple[Ints, Ints, Floats]
    score: Floats
    items: Floats
    observed: Bools
    floor: Floats
    typical: Floats
    pivot: Floats
    anchors: Ints
    scaling: Scaling
    has_parents: bool
    has_experts: bool

    @property
    def free(self) -> Ints:
        """Benchmarks that are no anchor."""
        return np.setdiff1d(np.arange(self.floor.size), self.anchors)


def design_of(scores: Scores, anchors: tuple[str, ...]) -> Design:
    """Return a table as the model sees it.

    A model without any observed score says nothing: not about scales, nor about where its family stands.

    Parameters
    ----------
    scores : Scores
        The table.
    anchors : tuple of str
        One benchmark a skill.

    Returns
    -------
    Design
        Arrays only.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> design = design_of(load_leaderboard(), ("MMLU",))
    >>> design.family.shape, len(design.families)
    ((265,), 70)
    """
    models = scores.metadata
    numbers = {name: number for number, name in enumerate(scores.families)}
    family = models[FAMILY].map(numbers).to_numpy(dtype=np.int64)
    instruct = models[INSTRUCT].to_numpy(dtype=float)
    seen = np.asarray(scores.observed.any(axis=1))
    scaling = scaling_of(models[seen] if seen.any() else models)
    log_size = known_or_not(models, PARAMS_B, scaling, None)
    log_tokens = known_or_not(models, TOKENS_T, scaling, log_size.value)
    share = active_share(models, scaling)
    parent = parents(models, numbers)
    logs = (log_size.value + HALF * share, log_tokens.value)
    places = places_of(family, instruct, *logs, seen)
    score, floor, items = (np.asarray(scores.data[n].values, dtype=float) for n in (SCORE, FLOOR, ITEMS))
    values = logits(score, floor)
    return Design(
        families=scores.families,
        family=family,
        parent=parent,
        instruct=instruct,
        log_size=log_size,
        log_tokens=log_tokens,
        log_active_share=share,
        tuned_both_ways=tuned_both_ways(family[seen], instruct[seen], len(numbers)),
        lines=lines_in(family, instruct),
        places=places,
        root=factor(places),
        score=np.where(scores.observed, score, 0.5),
        items=np.where(np.isnan(items), np.inf, items),
        observed=scores.observed,
        floor=floor,
        typical=typical_logits(values),
        pivot=curve_pivots(values),
        anchors=np.array([scores.benchmarks.index(name) for name in anchors], dtype=np.int64),
        scaling=scaling,
        has_parents=bool((parent >= 0).any()),
        has_experts=bool(share.any()),
    )


def known_or_not(models: pd.DataFrame, name: str, scaling: Scaling, log_size: Floats | None) -> Covariate:
    """Return a covariate of a table, with the Gaussian of what is missing.

    Parameters
    ----------
    models : DataFrame
        The table's metadata.
    name : str
        `params_b` or `tokens_t`.
    scaling : Scaling
        Of the fitted table.
    log_size : array, dims (model), optional
        Scaled log size, where it helps to tell the covariate.

    Returns
    -------
    Covariate
        Of every model.
    """
    scale = scaling.size if name == PARAMS_B else scaling.tokens
    value = scale.scaled(np.log(models[name].to_numpy(dtype=float)))
    missing = np.isnan(value)
    features = features_of(models, scaling, log_size)
    unknown = unknown_given(features.rows(~missing), value[~missing], features.rows(missing))
    value[missing] = unknown.mean
    slot = np.where(missing, np.cumsum(missing) - 1, -1)
    return Covariate(value, slot, unknown)


def active_share(models: pd.DataFrame, scaling: Scaling) -> Floats:
    """Return log active over total parameters, scaled as log size is; 0 where dense or of unknown size."""
    ratio = models[ACTIVE_PARAMS_B].to_numpy(dtype=float) / models[PARAMS_B].to_numpy(dtype=float)
    return np.where(np.isnan(ratio), 0.0, np.log(np.where(np.isnan(ratio), 1.0, ratio)) / scaling.size.sd)


def places_of(
    family: Ints, instruct: Floats, log_size: Floats, log_tokens: Floats, seen: Bools | None = None
) -> Places:
    """Return where models stand; a family's centre is the mean of its models with scores, or of all."""
    weight = np.ones(family.size) if seen is None else seen.astype(float)
    none = np.bincount(family, weights=weight) == 0
    weight[none[family]] = 1.0
    count = np.bincount(family, weights=weight)
    sums = [np.bincount(family, weights=weight * values) for values in (log_size, log_tokens)]
    return Places(family, instruct, log_size, log_tokens, np.stack(sums, axis=-1) / count[:, None])


def parents(models: pd.DataFrame, numbers: dict[str, int]) -> Ints:
    """Return the number of every family's parent, -1 where none is given or the parent is not in the table.

    Loops (a family that descends from itself) are cut: the family that closes one counts as having no parent.
    """
    parent = np.full(len(numbers), -1, dtype=np.int64)
    for child, name in zip(models[FAMILY], models[PARENT], strict=True):
        line = above = numbers.get(name, -1)
        while line not in (-1, numbers[child]):
            line = int(parent[line])
        if line == -1 and above != -1:  # an empty parent says nothing against one that another row names
            parent[numbers[child]] = above
    return parent
