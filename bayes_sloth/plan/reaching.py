"""Which size reaches a score, and how likely every other one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.arguments import as_number, check_flag, check_prob, check_whole
from bayes_sloth.asking import check_fit
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import FAMILY, INSTRUCT, MODEL, PARAMS_B, TOKENS_T
from bayes_sloth.plan.budgets import Box, box_of
from bayes_sloth.plan.targets import KINDS, Target, tables
from bayes_sloth.plan.token_rules import TokenRule, token_rule
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import predict

Floats = NDArray[np.float64]

COARSE: Final = 21  # sizes over the data's range, a factor of about 1.5 apart in the packaged table
FINE: Final = 7  # more of them between the last that misses and the first that reaches: 5% apart there
EDGES: Final = 2001  # sizes that the ends of the tokens' range are looked for among


def target(
    posterior: Posterior,
    family: str,
    benchmark: str | Mapping[str, float],
    score: float | None = None,
    *,
    prob: float = 0.9,
    tokens_t: float | None = None,
    tokens_per_param: float | None = None,
    budget_flops: float | None = None,
    instruct: bool = False,
    kind: str = "score",
    seed: int,
) -> Target:
    r"""Return the smallest size of a family that reaches a score with some probability.

    .. math:: \min\{N : P(y_j(N, D) \ge c_j \text{ for all } j \mid \text{data}) \ge p\}

    Several benchmarks are reached together or not: in each draw all scores are of one model, with the same
    skills, so the probability is not the product of theirs. Sizes are of dense models.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    family : str
        A family of the table, or a new one, of which nothing is known but that it is a family.
    benchmark : str or mapping of str to float
        A benchmark, or scores to reach by benchmark.
    score : float, optional
        To reach on the one benchmark, share of items solved.
    prob : float
        How sure it has to be.
    tokens_t : float, optional
        Trillions of training tokens, whatever the size. Where neither these nor the next two are given, as
        many as the family's largest model has.
    tokens_per_param : float, optional
        Training tokens for each parameter.
    budget_flops : float, optional
        Training compute C of every size: tokens are D = C / 6N.
    instruct : bool
        Whether the model is instruction-tuned.
    kind : {"score", "expected"}
        The score that would be observed, with all that one test run has of noise; or its expectation.
    seed : int
        Of the draws.

    Returns
    -------
    Target
        The size, or None, and the probability for every size.

    Raises
    ------
    InputError
        If a name is unknown or a number makes no sense.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> found = bs.plan.target(fit, "llama-3", "MMLU", 0.7, prob=0.8, seed=0)
    >>> 8 < found.size < 70
    True
    """
    check_fit("target", posterior)
    check_whole("target", seed=seed)
    wanted = _wanted(benchmark, score, posterior.scores.benchmarks)
    check_prob(prob)
    check_flag("instruct", instruct)
    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    box = box_of(posterior.scores)
    given = {"tokens_t": tokens_t, "tokens_per_param": tokens_per_param, "budget_flops": budget_flops}
    rule = token_rule(posterior.scores, family, **given)
    asked = _Asked(posterior, family, wanted, kind, instruct, seed)
    sizes = _sizes(box, rule)
    rough = asked.curve(sizes, rule, box)[0]
    curve, scores = asked.curve(refined(sizes, rough["prob"].to_numpy() >= prob), rule, box)
    line = f"{family} ({'tuned' if instruct else 'base'})"
    size, between = _smallest(curve, prob, 0.0), (_smallest(curve, prob, 2.0), _smallest(curve, prob, -2.0))
    return Target(line, wanted, prob, kind, rule.words, box, size, between, curve, scores)


def refined(sizes: Floats, reached: NDArray[np.bool_]) -> Floats:
    """Return sizes with more of them between the first that reaches and the one below it.

    Parameters
    ----------
    sizes : array
        Billions of parameters, increasing.
    reached : array of bool
        Whether each reaches.

    Returns
    -------
    array
        The same sizes and a few more; the same alone where none or the first reaches.

    Examples
    --------
    >>> refined(np.array([1.0, 256.0]), np.array([False, True])).round().tolist()
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
    """
    first = int(np.argmax(reached))
    if not reached.any() or first == 0:
        return sizes
    between = np.geomspace(sizes[first - 1], sizes[first], FINE + 2)[1:-1]
    return np.sort(np.concatenate([sizes, between]))


def _sizes(box: Box, rule: TokenRule) -> Floats:
    """Return sizes of the data's range whose tokens are near it too, and where these enter and leave it."""
    dense = np.geomspace(*box.sizes, EDGES)
    tokens = rule.tokens(dense)
    near, inside = (dense[each.holds(dense, tokens)] for each in (box.wider(), box))
    near = near if near.size else dense
    return np.unique(np.concatenate([np.geomspace(near[0], near[-1], COARSE), inside[:1], inside[-1:]]))


def _smallest(curve: pd.DataFrame, prob: float, errors: float) -> float | None:
    """Return the smallest size inside the data's range that reaches, some Monte Carlo errors moved."""
    reached = (curve["prob"] + errors * curve["mcse"] >= prob) & ~curve["extrapolates"]
    return float(curve[PARAMS_B][reached].iloc[0]) if reached.any() else None


def _wanted(
    benchmark: str | Mapping[str, float], score: float | None, known: tuple[str, ...]
) -> dict[str, float]:
    """Return the scores to reach after checking them."""
    if isinstance(benchmark, str) == (score is None):
        raise InputError("give a benchmark and a score, or several in a mapping such as {'MMLU': 0.7}.")
    several: Any = {benchmark: score} if isinstance(benchmark, str) else benchmark
    if not isinstance(several, Mapping):
        kind = type(several).__name__
        raise InputError(f"goals are a {kind}: give a benchmark and a score, or a mapping: {{'MMLU': 0.7}}.")
    if not several:
        raise InputError("no benchmark is given: name at least one, with the score to reach.")
    for name in several:
        if name not in known:
            raise unknown_name("benchmark", str(name), known)
    give = "a share of items, 0.7 for 70%"
    return {
        name: as_number(f"the score of {name!r}", value, give, above=0.0, below=1.0)
        for name, value in several.items()
    }


@dataclass(frozen=True, eq=False)
class _Asked:
    """A question of which only the sizes are left open."""

    posterior: Posterior
    family: str
    wanted: Mapping[str, float]
    kind: str
    instruct: bool
    seed: int

    def curve(self, sizes: Floats, rule: TokenRule, box: Box) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the probability for every size, of all scores together and of each."""
        rows = pd.DataFrame(
            {
                MODEL: [f"size {place:03d}" for place in range(len(sizes))],
                FAMILY: self.family,
                PARAMS_B: sizes,
                TOKENS_T: rule.tokens(sizes),
                INSTRUCT: int(self.instruct),
            }
        )
        return tables(predict(self.posterior, rows, seed=self.seed), self.wanted, self.kind, box)
