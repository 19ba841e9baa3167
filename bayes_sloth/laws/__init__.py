"""Laws that forecast scores: ours, an ablation of it, and the rivals, behind the same verbs.

`bayes_sloth.evaluate` asks a law for `forecasts` of folds. Every law here has `fit` too, from a table to a
`Fitted` that forecasts any models by `predict`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bayes_sloth.folds import Fold
from bayes_sloth.laws.forecast import Forecast as Forecast
from bayes_sloth.scores import Scores

if TYPE_CHECKING:
    from bayes_sloth.laws.capability import CapabilityLaw as CapabilityLaw
    from bayes_sloth.laws.components import ComponentsLaw as ComponentsLaw
    from bayes_sloth.laws.fitted import Fitted as Fitted
    from bayes_sloth.laws.flops import FlopsLaw as FlopsLaw
    from bayes_sloth.laws.hierarchical_flops import HierarchicalFlopsLaw as HierarchicalFlopsLaw
    from bayes_sloth.laws.published_sloth import PublishedSloth as PublishedSloth
    from bayes_sloth.laws.random_effects import RandomEffectsLaw as RandomEffectsLaw
    from bayes_sloth.laws.size_tokens import SizeTokensLaw as SizeTokensLaw
    from bayes_sloth.laws.sloth import SlothLaw as SlothLaw

# Public name -> module that holds it; loaded on first use, since some start JAX.
_HOMES = {
    "CapabilityLaw": "capability",
    "ComponentsLaw": "components",
    "Fitted": "fitted",
    "FlopsLaw": "flops",
    "HierarchicalFlopsLaw": "hierarchical_flops",
    "PublishedSloth": "published_sloth",
    "RandomEffectsLaw": "random_effects",
    "SizeTokensLaw": "size_tokens",
    "SlothLaw": "sloth",
}


@runtime_checkable
class Law(Protocol):
    """What `evaluate` asks of a law: a label, and draws of what each fold asks for."""

    @property
    def name(self) -> str:
        """Short label for tables."""
        ...

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, in any order, each as soon as it is done.

        Parameters
        ----------
        scores : Scores
            The whole table.
        folds : sequence of Fold
            What is hidden and what is asked.
        seed : int
            Of everything random.
        jobs : int
            Processes to share folds out to.
        progress : bool
            Whether to show progress.

        Yields
        ------
        Forecast
            With the fold's place in `folds`.
        """
        ...


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
