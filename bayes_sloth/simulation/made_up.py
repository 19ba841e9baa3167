"""Models and benchmarks that nobody has made, laid out as in published tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from bayes_sloth.catalogue import CATALOGUE, Benchmark, KnownBenchmarks
from bayes_sloth.names import ACTIVE_PARAMS_B, DATE, FAMILY, INSTRUCT, PARAMS_B, PARENT, TOKENS_T
from bayes_sloth.reading import read_models

# Floors of four choices, free answers and two choices; items as in a middling published benchmark.
FLOORS: Final = (0.25, 0.0, 0.5)
ITEMS: Final = 1000.0
# Billions of parameters in a family's smallest model, growth from size to size: log-uniform in between.
SMALLEST: Final = (0.5, 8.0)
GROWTH: Final = (2.0, 4.0)
# First year and number of years.
YEARS: Final = (2022.0, 3.0)
# Shares of families that descend from an earlier one, and that come as base and instruct.
DESCENDANTS: Final = 0.2
TWINS: Final = 0.5


def made_up_benchmarks(asked: int | Sequence[str | Benchmark]) -> list[Benchmark]:
    """Return so many benchmarks, packaged ones first and then made-up ones, or those named."""
    if not isinstance(asked, Sequence):
        more = [
            Benchmark(f"exam {i + 1}", FLOORS[i % len(FLOORS)], ITEMS) for i in range(asked - len(CATALOGUE))
        ]
        return [*CATALOGUE[:asked], *more]
    known = KnownBenchmarks()
    asked = [asked] if isinstance(asked, str) else asked
    return [b if isinstance(b, Benchmark) else known.find(b) or Benchmark(b) for b in asked]


def made_up_models(
    numbers: np.random.Generator, families: int, models_per_family: int, unknown_tokens: float
) -> pd.DataFrame:
    """Return models of log-spaced sizes, half of the families with twins, later ones on more tokens."""
    count = families * models_per_family
    family, place = np.divmod(np.arange(count), models_per_family)
    twins = (numbers.random(families) < TWINS)[family]
    step = np.where(twins, place // 2, place)
    smallest, growth = (low * (high / low) ** numbers.random(families) for low, high in (SMALLEST, GROWTH))
    date = np.sort(YEARS[0] + YEARS[1] * numbers.random(families))
    # From half a trillion tokens, tenfold over three years, and by a factor of two between families.
    tokens = 0.5 * 10 ** ((date - YEARS[0]) / YEARS[1]) * np.exp(0.7 * numbers.normal(size=families))
    digits = len(str(families))
    names = [f"family-{i + 1:0{digits}d}" for i in range(families)]
    parent = [""] + [
        names[numbers.integers(i)] if numbers.random() < DESCENDANTS else "" for i in range(1, families)
    ]
    facts = pd.DataFrame(
        {
            FAMILY: [names[f] for f in family],
            PARAMS_B: [float(f"{size:.3g}") for size in smallest[family] * growth[family] ** step],
            ACTIVE_PARAMS_B: np.nan,
            TOKENS_T: [float(f"{t:.3g}") for t in tokens[family]],
            INSTRUCT: np.where(twins, place % 2, 0),
            PARENT: [parent[f] for f in family],
            DATE: date[family].round(2),
        }
    )
    unknown = numbers.permutation(count) < round(unknown_tokens * count)
    facts[TOKENS_T] = facts[TOKENS_T].mask(unknown)
    return read_models(facts)
