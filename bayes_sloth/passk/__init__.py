"""Test-time compute: how often one of k samples solves an item, for models that do not exist yet too.

From a table of samples (`model, item, n, successes`) and skills of the sampled models: `fit`, `predict` and
`match`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayes_sloth.passk.counts import Counts as Counts
    from bayes_sloth.passk.counts import observed as observed
    from bayes_sloth.passk.counts import read_counts as read_counts
    from bayes_sloth.passk.item_fits import ItemPosterior as ItemPosterior
    from bayes_sloth.passk.item_fits import fit as fit
    from bayes_sloth.passk.item_model import ItemPriors as ItemPriors
    from bayes_sloth.passk.made_up import ItemSimulation as ItemSimulation
    from bayes_sloth.passk.made_up import simulate as simulate
    from bayes_sloth.passk.matching import match as match
    from bayes_sloth.passk.published_form import published as published
    from bayes_sloth.passk.solving import PassCurves as PassCurves
    from bayes_sloth.passk.solving import predict as predict

# Public name -> module that holds it; loaded on first use, since some start JAX.
_HOMES = {
    "Counts": "counts",
    "ItemPosterior": "item_fits",
    "ItemPriors": "item_model",
    "ItemSimulation": "made_up",
    "PassCurves": "solving",
    "fit": "item_fits",
    "match": "matching",
    "observed": "counts",
    "predict": "solving",
    "published": "published_form",
    "read_counts": "counts",
    "simulate": "made_up",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
