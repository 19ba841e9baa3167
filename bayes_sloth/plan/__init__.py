"""Decisions: which size reaches a target, how to spend a budget, what to measure next."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayes_sloth.plan.allocating import allocate as allocate
    from bayes_sloth.plan.allocations import Allocation as Allocation
    from bayes_sloth.plan.measuring import measure as measure
    from bayes_sloth.plan.reaching import target as target
    from bayes_sloth.plan.targets import Target as Target

# Public name -> module that holds it; loaded on first use, since they start JAX.
_HOMES = {
    "Allocation": "allocations",
    "Target": "targets",
    "allocate": "allocating",
    "measure": "measuring",
    "target": "reaching",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
