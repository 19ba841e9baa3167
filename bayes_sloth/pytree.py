"""Tables as arguments of compiled programs, so that tables of one shape share a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final

import jax
import numpy as np

from bayes_sloth.covariates import Scale, Scaling, Unknown
from bayes_sloth.design import Covariate, Design
from bayes_sloth.deviations import Places
from bayes_sloth.lines import Lines

# Names and flags shape a program; all else of a design is data, and may differ from fit to fit.
_SHAPE: Final = ("families", "has_parents", "has_experts")

for _kind in (Scale, Scaling, Unknown, Covariate, Lines, Places, Design):
    _names = [entry.name for entry in fields(_kind)]
    jax.tree_util.register_dataclass(
        _kind, [n for n in _names if n not in _SHAPE], [n for n in _names if n in _SHAPE]
    )


def argument(design: Design) -> Design:
    """Return a design without names, which compiled programs neither need nor may differ by.

    Parameters
    ----------
    design : Design
        A table as the model sees it.

    Returns
    -------
    Design
        Whose arrays JAX traces.
    """
    return replace(design, families=())


def stacked(designs: Sequence[Design]) -> Design:
    """Return designs of equal shape as one, with a leading axis.

    Parameters
    ----------
    designs : sequence of Design
        Of one table, differing in what is seen.

    Returns
    -------
    Design
        Every array with an axis in front.
    """
    together: Design = jax.tree.map(lambda *parts: np.stack([np.asarray(p) for p in parts]), *designs)
    return together
