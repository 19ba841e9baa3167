"""Models asked about, as a fit sees them: places in known families, new families, covariates to draw."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.covariates import features_of, unknown_given
from bayes_sloth.design import HALF, Covariate, Design, active_share, parents
from bayes_sloth.deviations import Places, conditional
from bayes_sloth.lines import AskedLines, asked_lines
from bayes_sloth.names import FAMILY, INSTRUCT, ITEMS, PARAMS_B, TOKENS_T
from bayes_sloth.scores import Scores

Values = Any
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drawable:
    """A log covariate of the models asked about, drawn where it is not known.

    Parameters
    ----------
    value : array, dims (model)
        Known values, and expectations of the others.
    missing : array of int, dims (missing model)
        Which are not known.
    weights : array, dims (missing model, fitted model)
        How their means follow from the fitted models' covariates.
    lower : array, dims (missing model, missing model)
        Cholesky factor of what stays unknown.
    size_effect : float
        How the mean moves with log size.
    """

    value: Floats
    missing: Ints
    weights: Floats
    lower: Floats
    size_effect: float

    def filled(self, fitted: Values, moved: Values, noise: Values) -> Values:
        """Return the covariate, unknown entries made from white noise, given a draw of the fitted ones."""
        if self.missing.size == 0:
            return jnp.asarray(self.value)
        own = jnp.asarray(self.lower) @ noise
        filled = jnp.asarray(self.value).at[self.missing].set(jnp.asarray(self.weights) @ fitted + own)
        return filled + jnp.where(jnp.zeros(self.value.size).at[self.missing].set(1.0) > 0, moved, 0.0)


@dataclass(frozen=True, eq=False)
class Questions:
    """Models asked about.

    Parameters
    ----------
    family : array of int, dims (model)
        Number among the known families and, after them, the new ones.
    new_families : tuple of str
        Names not in the fitted table.
    parent : array of int, dims (known and new family)
        Number of the parent; -1 for none, and for every known family.
    instruct : array, dims (model)
        1 = instruction-tuned.
    lines : AskedLines
        Base and tuned models of a family apart.
    log_size, log_tokens : Drawable
        Scaled logs.
    log_active_share : array, dims (model)
        Log of active over total parameters, scaled.
    deviation_weights, deviation_lower : array
        How departures follow from the fitted models'; see `deviations.conditional`.
    items : array, dims (1, benchmark)
        Item counts, infinite where unknown.
    pivot : array, dims (benchmark)
        Logit of the share that the curve is told at.
    """

    family: Ints
    new_families: tuple[str, ...]
    parent: Ints
    instruct: Floats
    lines: AskedLines
    log_size: Drawable
    log_tokens: Drawable
    log_active_share: Floats
    deviation_weights: Floats
    deviation_lower: Floats
    items: Floats
    pivot: Floats

    @property
    def argument(self) -> Questions:
        """Return the same without names, which compiled programs neither need nor may differ by."""
        return replace(self, new_families=("",) * len(self.new_families))

    def with_items(self, items: Floats) -> Questions:
        """Return the same with other item counts, dims (model or 1, benchmark)."""
        return replace(self, items=items)


# Questions are arguments of compiled programs: those of one shape share a program.
for _kind in (AskedLines, Drawable, Questions):
    _names = [entry.name for entry in fields(_kind)]
    jax.tree_util.register_dataclass(
        _kind, [n for n in _names if n != "new_families"], [n for n in _names if n == "new_families"]
    )


def questions_of(design: Design, fitted: pd.DataFrame, asked: pd.DataFrame, scores: Scores) -> Questions:
    """Return the models asked about as a fit sees them.

    Parameters
    ----------
    design : Design
        Of the fitted table.
    fitted, asked : DataFrame
        Metadata of the fitted models and of those asked about.
    scores : Scores
        The fitted table.

    Returns
    -------
    Questions
        Arrays only.
    """
    new = tuple(dict.fromkeys(name for name in asked[FAMILY] if name not in design.families))
    numbers = {name: number for number, name in enumerate((*design.families, *new))}
    family = asked[FAMILY].map(numbers).to_numpy(dtype=np.int64)
    log_size = _drawable(design.log_size, design, fitted, asked, PARAMS_B)
    log_tokens = _drawable(design.log_tokens, design, fitted, asked, TOKENS_T, log_size.value)
    share = active_share(asked, design.scaling)
    instruct = asked[INSTRUCT].to_numpy(dtype=float)
    place = Places(family, instruct, log_size.value + HALF * share, log_tokens.value, design.places.center)
    weights, lower = conditional(*_centred(design.places, place, len(new)))
    items = np.asarray(scores.data[ITEMS].values, dtype=float)
    typical = np.array([np.nanmedian(c) if np.isfinite(c).any() else np.inf for c in items.T])
    return Questions(
        family=family,
        new_families=new,
        parent=parents(asked[asked[FAMILY].isin(new)], numbers),  # known families' effects hold theirs
        instruct=instruct,
        lines=asked_lines(design.lines, family, instruct),
        log_size=log_size,
        log_tokens=log_tokens,
        log_active_share=share,
        deviation_weights=weights,
        deviation_lower=lower,
        items=typical[None, :],
        pivot=design.pivot,
    )


def _drawable(
    known: Covariate,
    design: Design,
    fitted: pd.DataFrame,
    asked: pd.DataFrame,
    name: str,
    log_size: Floats | None = None,
) -> Drawable:
    scale = design.scaling.size if name == PARAMS_B else design.scaling.tokens
    value = scale.scaled(np.log(asked[name].to_numpy(dtype=float)))
    missing = np.isnan(value)
    sizes = (None, None) if log_size is None else (design.log_size.value, log_size)
    seen = features_of(fitted, design.scaling, sizes[0])
    wanted = features_of(asked, design.scaling, sizes[1]).rows(missing)
    # All fitted rows count as known here, since their draws are; what they scatter by was learned in the fit.
    unknown = unknown_given(seen, known.value, wanted, sds=known.unknown.sds)
    value[missing] = unknown.mean
    return Drawable(value, np.flatnonzero(missing), unknown.weights, unknown.lower, known.unknown.size_effect)


def _centred(seen: Places, asked: Places, new: int) -> tuple[Places, Places]:
    """Give new families centres: the mean of the models asked about."""
    known = seen.center.shape[0]
    center = np.concatenate([seen.center, np.zeros((new, 2))])
    for number in range(known, known + new):
        own = asked.family == number
        center[number] = asked.log_size[own].mean(), asked.log_tokens[own].mean()
    return replace(seen, center=center), replace(asked, center=center)
