"""How many tokens a model of some size is to be trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_sloth.arguments import as_number
from bayes_sloth.errors import InputError, nearest
from bayes_sloth.names import FAMILY, PARAMS_B, TOKENS_T
from bayes_sloth.plan.budgets import affordable_tokens
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TokenRule:
    """How many tokens a size is trained on: a fixed number, so many a parameter, or what a budget buys.

    Parameters
    ----------
    tokens_t : float or None
        Trillions.
    tokens_per_param : float or None
        Tokens for each parameter.
    budget_flops : float or None
        Training compute.
    words : str
        The rule in words.

    Examples
    --------
    >>> TokenRule(None, 20.0, None, "20 tokens for each parameter").tokens(np.array([70.0])).tolist()
    [1.4]
    """

    tokens_t: float | None
    tokens_per_param: float | None
    budget_flops: float | None
    words: str

    def tokens(self, sizes: Floats) -> Floats:
        """Return trillions of tokens for sizes in billions."""
        if self.budget_flops is not None:
            return np.asarray(affordable_tokens(self.budget_flops, sizes))
        if self.tokens_per_param is not None:
            return self.tokens_per_param * sizes / 1e3
        return np.full(sizes.shape, self.tokens_t)


def token_rule(
    scores: Scores,
    family: str,
    *,
    tokens_t: float | None = None,
    tokens_per_param: float | None = None,
    budget_flops: float | None = None,
) -> TokenRule:
    """Return the rule that the user gave, or the tokens that the family has.

    Parameters
    ----------
    scores : Scores
        The fitted table.
    family : str
        Which one.
    tokens_t, tokens_per_param, budget_flops : float, optional
        One of them, or none; see `TokenRule`.

    Returns
    -------
    TokenRule
        From sizes to tokens.

    Raises
    ------
    InputError
        If several are given, one is no number above zero, or none is and the family's tokens are not known.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> token_rule(bs.load_leaderboard(), "llama-3").words
    '15T tokens, as the largest model of llama-3 has'
    """
    given = {"tokens_t": tokens_t, "tokens_per_param": tokens_per_param, "budget_flops": budget_flops}
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other: give one of them.")
    for name, value in named.items():
        as_number(name, value, "a number above zero", above=0.0)
    if not named:
        own = tokens_of_family(scores, family)
        return TokenRule(own, None, None, f"{own:g}T tokens, as the largest model of {family} has")
    words = {
        "tokens_t": f"{tokens_t or 0:g}T tokens at every size",
        "tokens_per_param": f"{tokens_per_param or 0:g} tokens for each parameter",
        "budget_flops": f"{budget_flops or 0:.3g} FLOPs at every size",
    }
    return TokenRule(tokens_t, tokens_per_param, budget_flops, words[next(iter(named))])


def tokens_of_family(scores: Scores, family: str) -> float:
    """Return the tokens of a family's largest model whose tokens are known.

    Parameters
    ----------
    scores : Scores
        The fitted table.
    family : str
        Which one.

    Returns
    -------
    float
        Trillions.

    Raises
    ------
    InputError
        If none is known.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> tokens_of_family(bs.load_leaderboard(), "llama-3")
    15.0
    """
    table = scores.metadata
    own = table[table[FAMILY] == family].dropna(subset=[PARAMS_B, TOKENS_T])
    if own.empty:
        close = None if family in scores.families else nearest(family, scores.families)
        hint = f" Did you mean {close!r}?" if close else ""
        raise InputError(
            f"the tokens of family {family!r} are not known: give tokens_t, tokens_per_param or budget_flops."
            f"{hint}"
        )
    return float(own.sort_values(PARAMS_B)[TOKENS_T].iloc[-1])
