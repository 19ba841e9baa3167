"""What is known about each benchmark: chance floor, number of items, spellings, sources."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from bayes_sloth.errors import InputError, nearest


def key(name: str) -> str:
    """Return `name` without case, spaces, dashes, underscores and colons, to compare spellings."""
    return re.sub(r"[\s\-_:]+", "", name).casefold()


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its name, the score of a guesser and the number of items behind a score.

    Parameters
    ----------
    name : str
        The spelling used in every table.
    floor : float
        Score of a guesser, a share in [0, 1).
    items : float or None
        Number of test items, which sets the sampling noise `p (1 - p) / items`; None where unknown.
    aliases : tuple of str
        Other spellings, compared without case, spaces, dashes, underscores and colons.
    source : str
        Where the figures come from.

    Raises
    ------
    InputError
        If the floor is outside [0, 1) or the number of items is not positive.

    Examples
    --------
    >>> Benchmark("my exam", floor=0.25, items=200).floor
    0.25
    """

    name: str
    floor: float = 0.0
    items: float | None = None
    aliases: tuple[str, ...] = ()
    source: str = "given by the user"

    def __post_init__(self) -> None:
        """Refuse figures that cannot be a floor or a count."""
        if not 0 <= self.floor < 1:
            raise InputError(
                f"benchmark {self.name!r}: floor is {self.floor}; give a share from 0 to below 1."
            )
        if self.items is not None and not (math.isfinite(self.items) and self.items > 0):
            raise InputError(
                f"benchmark {self.name!r}: items is {self.items}; give a positive count, or None if unknown."
            )

    @property
    def keys(self) -> frozenset[str]:
        """All spellings of this benchmark, normalised."""
        return frozenset(key(name) for name in (self.name, *self.aliases))


_FOUR_CHOICES = "four choices each: chance 1/4"

CATALOGUE: Final[tuple[Benchmark, ...]] = (
    Benchmark(
        "MMLU",
        0.25,
        14042,
        ("hendrycksTest", "hendrycks_test"),
        f"arXiv 2009.03300, test split; {_FOUR_CHOICES}",
    ),
    Benchmark(
        "ARC",
        0.25,
        1172,
        ("arc_challenge", "arc_c", "ai2_arc"),
        f"arXiv 1803.05457, challenge test split; nearly all {_FOUR_CHOICES}",
    ),
    Benchmark(
        "HellaSwag", 0.25, 10042, ("hella_swag",), f"arXiv 1905.07830, validation split; {_FOUR_CHOICES}"
    ),
    Benchmark(
        "Winogrande",
        0.5,
        1267,
        ("wino_grande",),
        "arXiv 1907.10641, validation split; two choices: chance 1/2",
    ),
    Benchmark(
        "TruthfulQA",
        0.31,
        817,
        ("truthful_qa", "truthfulqa_mc", "truthfulqa_mc2", "truthfulqa_gen_mc2"),
        "arXiv 2109.07958; MC2 has no exact chance level, so the floor is the 1st percentile of the Open LLM "
        "Leaderboard as used in arXiv 2412.06540",
    ),
    Benchmark("GSM8K", 0.0, 1319, ("gsm_8k",), "arXiv 2110.14168, test split; free answers"),
    Benchmark(
        "IFEval",
        0.0,
        541,
        ("leaderboard_ifeval", "if_eval"),
        "arXiv 2311.07911; 541 prompts, checked by rules",
    ),
    Benchmark(
        "BBH",
        0.2885,
        5761,
        ("leaderboard_bbh", "big_bench_hard", "bbh_mc"),
        "arXiv 2210.09261; the 24 multiple-choice subtasks of the Open LLM Leaderboard v2 hold 5761 of the "
        "6511 questions; the floor is their item-weighted chance",
    ),
    Benchmark(
        "MATH Lvl 5",
        0.0,
        1324,
        ("MATH", "math_level_5", "math_l5", "math_hard", "leaderboard_math_hard"),
        "arXiv 2103.03874, level 5 of the test split; free answers",
    ),
    Benchmark(
        "GPQA",
        0.25,
        1192,
        ("leaderboard_gpqa",),
        f"arXiv 2311.12022; diamond 198, main 448 and extended 546, which overlap; {_FOUR_CHOICES}",
    ),
    Benchmark(
        "MUSR",
        0.3433,
        756,
        ("leaderboard_musr",),
        "arXiv 2310.16049; 250 items with 2 choices, 256 with 5, 250 with 3; floor: their weighted chance",
    ),
    Benchmark(
        "MMLU-PRO",
        0.1,
        12032,
        ("leaderboard_mmlu_pro",),
        "arXiv 2406.01574, test split; ten choices: chance 1/10",
    ),
)

BenchmarksArgument = Mapping[str, object] | Sequence["str | Benchmark"] | str | None


@dataclass(frozen=True)
class KnownBenchmarks:
    """The benchmarks a table may hold, in order of precedence, and whether columns beside them may count too.

    Parameters
    ----------
    entries : tuple of Benchmark
        Known benchmarks; the first whose spellings match wins.
    only : frozenset of str or None
        Where not None, the normalised names that alone count as benchmarks.
    """

    entries: tuple[Benchmark, ...] = CATALOGUE
    only: frozenset[str] | None = None

    def find(self, name: str) -> Benchmark | None:
        """Return the benchmark spelled `name` (case, spaces, dashes and underscores aside), or None."""
        wanted = key(name)
        return next((entry for entry in self.entries if wanted in entry.keys), None)

    def nearest(self, name: str, others: Iterable[str] = ()) -> str | None:
        """Return the known spelling most like `name`, looking also among `others`, or None."""
        spellings = {alias: e.name for e in self.entries for alias in (*e.aliases, e.name)}
        spellings.update({other: other for other in others})
        close = nearest(name, spellings)
        return None if close is None else spellings[close]


def known_benchmarks(benchmarks: BenchmarksArgument = None) -> KnownBenchmarks:
    """Combine the packaged catalogue with what the user says about benchmarks.

    Parameters
    ----------
    benchmarks : mapping, sequence of str or Benchmark, or None
        A mapping from name to `(floor, items)`, a floor, `{"floor": ..., "items": ...}` or a `Benchmark` adds
        to or overrides the catalogue; a sequence of names says which columns are benchmarks at all.

    Returns
    -------
    KnownBenchmarks
        The user's entries first, then the catalogue.

    Raises
    ------
    InputError
        If an entry has none of these shapes.

    Examples
    --------
    >>> known_benchmarks({"mmlu": (0.3, 500)}).find("MMLU").floor
    0.3
    """
    if benchmarks is None:
        return KnownBenchmarks()
    if isinstance(benchmarks, Mapping):
        return KnownBenchmarks(
            tuple(_override(name, value) for name, value in benchmarks.items()) + CATALOGUE
        )
    named = (benchmarks,) if isinstance(benchmarks, str) else benchmarks
    entries = tuple(e if isinstance(e, Benchmark) else _named(e) for e in named)
    return KnownBenchmarks(entries + CATALOGUE, frozenset(key(e.name) for e in entries))


def _named(name: object) -> Benchmark:
    """Return the catalogue's entry for `name`, or one without figures."""
    if not isinstance(name, str):
        raise InputError(f"benchmarks holds {name!r}; give names, or a mapping from name to (floor, items).")
    return KnownBenchmarks().find(name) or Benchmark(name)


def _override(name: str, value: object) -> Benchmark:
    """Return the entry for `name` with the user's figures in place of the catalogue's."""
    base = _named(name)
    if isinstance(value, Benchmark):
        return replace(value, name=base.name, aliases=(*base.aliases, *value.aliases, value.name))
    figures = _figures(name, value)
    return replace(base, **figures, source=Benchmark.source)  # type: ignore[arg-type]


def _figures(name: str, value: object) -> dict[str, float | None]:
    """Return floor and items from any of the accepted shapes."""
    if isinstance(value, Mapping) and set(value) <= {"floor", "items"}:
        pairs = dict(value)
    elif isinstance(value, int | float):
        pairs = {"floor": value}
    elif isinstance(value, tuple | list) and len(value) == 2:
        pairs = {"floor": value[0], "items": value[1]}
    else:
        pairs = {"floor": None}
    if not all(_is_number(v) or (k == "items" and v is None) for k, v in pairs.items()):
        raise InputError(f"benchmarks[{name!r}] is {value!r}; give (floor, items), for example (0.25, 1000).")
    return {
        k: None if v is None or math.isnan(v) else float(v)
        for k, v in cast("dict[str, float]", pairs).items()
    }


def _is_number(value: object) -> bool:
    """Say whether `value` is a plain number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
