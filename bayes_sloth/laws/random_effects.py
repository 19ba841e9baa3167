"""Random family effects with beta scores: an ablation of our own law."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bayes_sloth.folds import Fold
from bayes_sloth.laws.fitted import Fitted
from bayes_sloth.laws.forecast import Forecast
from bayes_sloth.laws.sloth import SlothLaw
from bayes_sloth.refitting import Length
from bayes_sloth.scores import Scores
from bayes_sloth.spec import ModelSpec


@dataclass(frozen=True)
class RandomEffectsLaw:
    """Our own law as its authors' follow-up has it: random effects of families, beta scores, logistic links.

    Families keep to the shared slopes. What is left of our own law is tuning and diminishing returns.

    Parameters
    ----------
    skills : int
        How many.
    method : {"hmc", "map"}
        As in `SlothLaw`.
    length : Length
        Of the chains.

    References
    ----------
    Cai et al. (2025). A latent variable framework for scaling laws in large language models. arXiv
    2512.06553.

    Examples
    --------
    >>> RandomEffectsLaw(skills=3).law.spec.likelihood
    'beta'
    """

    skills: int = 4
    method: str = "hmc"
    length: Length = field(default_factory=Length)

    @property
    def law(self) -> SlothLaw:
        """The ablation."""
        spec = ModelSpec(self.skills, "logistic", "beta", deviation=False)
        return SlothLaw(spec, self.method, self.length, self.name)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "Random effects" + f" ({self.method})" * (self.method != "hmc")

    def fit(self, scores: Scores, *, seed: int = 0) -> Fitted:
        """Learn from every score of a table; see `SlothLaw.fit`."""
        return self.law.fit(scores, seed=seed)

    def forecasts(
        self, scores: Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold; see `SlothLaw.forecasts`."""
        return self.law.forecasts(scores, folds, seed=seed, jobs=jobs, progress=progress)
