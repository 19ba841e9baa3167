"""Laws that forecast held-out scores: ours, ablations of it, and the rivals, behind one verb."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bayes_sloth.folds import Fold
from bayes_sloth.laws.forecast import Forecast as Forecast
from bayes_sloth.scores import Scores

if TYPE_CHECKING:
    from bayes_sloth.laws.dressing import Dressed as Dressed
    from bayes_sloth.laws.published import ComponentsLaw as ComponentsLaw
    from bayes_sloth.laws.published import FlopsLaw as FlopsLaw
    from bayes_sloth.laws.published import PublishedSloth as PublishedSloth
    from bayes_sloth.laws.published import SizeTokensLaw as SizeTokensLaw
    from bayes_sloth.laws.sloth import SlothLaw as SlothLaw

# Public name -> module that holds it; loaded on first use, since some start JAX.
_HOMES = {
    "ComponentsLaw": "published",
    "Dressed": "dressing",
    "FlopsLaw": "published",
    "PublishedSloth": "published",
    "SizeTokensLaw": "published",
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
