"""How a budget is best split between size and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import as_number, check_flag, check_prob, check_whole
from bayes_sloth.asking import check_fit
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import BENCHMARK, FAMILY, INSTRUCT, MODEL, PARAMS_B, TOKENS_T
from bayes_sloth.plan.allocations import Allocation, judged
from bayes_sloth.plan.budgets import box_of, splits
from bayes_sloth.plan.prospects import prospects
from bayes_sloth.posterior import Posterior
from bayes_sloth.skill_draws import skills as skills_of
from bayes_sloth.skill_tables import Skills

Floats = NDArray[np.float64]

STEPS: Final = 25  # splits inside the data's range: a factor of at most 1.4 in size apart


def allocate(
    posterior: Posterior,
    family: str,
    flops: float,
    objective: str | Mapping[str, float],
    *,
    inference_tokens_t: float | None = None,
    instruct: bool = False,
    skills: Skills | None = None,
    prob: float = 0.9,
    seed: int,
) -> Allocation:
    r"""Return how to split a budget between size and tokens, and the expected regret of every split.

    .. math:: \max_{N, D} o(N, D) \quad \text{with} \quad 6 N D + 2 N I = C

    Each draw has its own best split, so the optimum has a posterior; the split of least expected regret is
    the one to choose. What any single model has by luck is left out: nobody can plan on it. Sizes are of
    dense models.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    family : str
        A family of the table, or a new one.
    flops : float
        The budget C.
    objective : str or mapping of str to float
        A benchmark, whose expected score is to be as high as possible; a skill, by its name in `bs.skills`;
        or weights by benchmark, which are made to add up to one. A name that both have is the benchmark's,
        unless `skills` is given.
    inference_tokens_t : float, optional
        Tokens I that the model is to read and write in its life, trillions, paid from the budget too.
    instruct : bool
        Whether the model is instruction-tuned.
    skills : Skills, optional
        Of this fit, where skills have another rotation or other names than those of `bs.skills(posterior)`.
    prob : float
        Probability inside the intervals.
    seed : int
        Of the draws.

    Returns
    -------
    Allocation
        The split, its posterior, the regret of all others, and what leaving the data's range is worth.

    Raises
    ------
    InputError
        If a name is unknown, a number makes no sense, or the budget buys nothing inside the data's range.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section on compute-optimal skills.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = bs.plan.allocate(fit, "llama-3", 1e24, "MMLU", seed=0)
    >>> round(6e21 * found.params_b * found.tokens_t / 1e24, 6)
    1.0
    """
    check_fit("allocate", posterior)
    check_whole("allocate", seed=seed)
    check_prob(prob)
    check_flag("instruct", instruct)
    flops = as_number("flops", flops, "the budget as a number above zero, such as 1e24", above=0.0)
    used = 0.0 if inference_tokens_t is None else inference_tokens_t
    used = as_number("inference_tokens_t", used, "trillions of tokens, 0 or more", least=0.0)
    box = box_of(posterior.scores)
    ways = splits(box, flops, used, STEPS)
    aim = _aim(posterior, objective, skills)
    values = aim.values(prospects(posterior, _rows(ways, family, instruct), seed=seed))
    line = f"{family} ({'tuned' if instruct else 'base'})"
    return Allocation(line, aim.words, flops, used, prob, box, **judged(values, ways, prob))


def _rows(ways: pd.DataFrame, family: str, instruct: bool) -> pd.DataFrame:
    """Return the splits as models to ask about."""
    named = {MODEL: [f"split {place:03d}" for place in range(len(ways))], FAMILY: family}
    return ways[[PARAMS_B, TOKENS_T]].assign(**named, **{INSTRUCT: int(instruct)})


@dataclass(frozen=True, eq=False)
class _SkillAim:
    """A skill is to be as large as possible."""

    skills: Skills
    name: str

    @property
    def words(self) -> str:
        return f"skill {self.name} (sd over models)"

    def values(self, seen: xr.Dataset) -> Floats:
        """Return the skill of every split, dims (chain, draw, split): z = (theta - mean) M."""
        fitted = self.skills.posterior.data["posterior"].dataset["model_skill"].values
        turn = self.skills.data["to_skills"].values[..., [self.skills.names.index(self.name)]]
        average = fitted.mean(axis=2, dtype=float, keepdims=True)
        return np.asarray(((seen["skill"].values - average) @ turn)[..., 0])


@dataclass(frozen=True)
class _ScoreAim:
    """A weighted mean of expected scores is to be as large as possible."""

    weights: dict[str, float]

    @property
    def words(self) -> str:
        if len(self.weights) == 1:
            return f"{next(iter(self.weights))} (expected score)"
        return f"{' + '.join(f'{w:.2g} {name}' for name, w in self.weights.items())} (expected scores)"

    def values(self, seen: xr.Dataset) -> Floats:
        """Return the mean score of every split, dims (chain, draw, split)."""
        scores = seen["expected"].sel({BENCHMARK: list(self.weights)}).values
        return np.asarray(scores @ np.array(list(self.weights.values())))


def _aim(
    posterior: Posterior, objective: str | Mapping[str, float], skills: Skills | None
) -> _SkillAim | _ScoreAim:
    """Return what is to be as large as possible, after checking its names and weights."""
    known = posterior.scores.benchmarks
    given: object = objective
    if not isinstance(given, str | Mapping):
        kind = type(given).__name__
        raise InputError(f"the objective is a {kind}: give a benchmark, a skill, or weights by benchmark.")
    if not isinstance(objective, str):
        return _ScoreAim(_weights(objective, known))
    if skills is not None and skills.posterior is not posterior:
        raise InputError("skills are of another fit: pass bs.skills of the fit that is planned with.")
    if skills is None and objective in known:
        return _ScoreAim({objective: 1.0})
    found = skills if skills is not None else skills_of(posterior)
    if objective in found.names:
        return _SkillAim(found, objective)
    if objective in known:
        return _ScoreAim({objective: 1.0})
    raise unknown_name("objective", objective, (*found.names, *known))


def _weights(objective: Mapping[str, float], known: tuple[str, ...]) -> dict[str, float]:
    """Return weights of benchmarks that add up to one."""
    for name, weight in objective.items():
        if name not in known:
            raise unknown_name("benchmark", str(name), known)
        as_number(f"the weight of {name!r}", weight, "numbers that are not below zero", least=0.0)
    total = float(sum(objective.values()))
    if not total > 0:
        raise InputError("the objective has no weight above zero: name a benchmark and its weight.")
    return {name: float(weight) / total for name, weight in objective.items()}
