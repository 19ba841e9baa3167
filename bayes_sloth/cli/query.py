"""The question of a forecast: one model, as its options describe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bayes_sloth.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from bayes_sloth.scores import Scores


@dataclass(frozen=True)
class Query:
    """The one model a forecast is about: sizes in billions, tokens in trillions, None = unknown."""

    family: str
    params_b: float
    tokens_t: float | None
    instruct: bool
    active_params_b: float | None
    name: str

    @property
    def row(self) -> dict[str, object]:
        """Return the model as a row that `read_models` takes; an unknown token count is NaN."""
        row: dict[str, object] = {
            "model": self.name,
            "family": self.family,
            "params_b": self.params_b,
            "tokens_t": math.nan if self.tokens_t is None else self.tokens_t,
            "instruct": int(self.instruct),
        }
        return row if self.active_params_b is None else {**row, "active_params_b": self.active_params_b}

    @property
    def frame(self) -> pd.DataFrame:
        """Return the model as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.row])


# A real model whose scores the packaged table does not hold; its size is the published 405 billion.
LLAMA_405B: Final = Query("llama-3.1", 405.0, 15.0, True, None, "Llama 3.1 405B Instruct")


def query_of(
    scores: Scores,
    *,
    packaged: bool,
    family: str | None,
    params_b: float | None,
    tokens_t: float | None,
    instruct: bool,
    active_params_b: float | None,
    name: str | None,
) -> Query:
    """Return the model to forecast: the one described, or the default one where nothing is said of it.

    Raises
    ------
    InputError
        No family or no size is given and the default model does not apply.
    """
    described = instruct or any(value is not None for value in (params_b, tokens_t, active_params_b, name))
    if family is None and packaged and not described:
        return LLAMA_405B
    if family is None:
        raise InputError(
            f"which model? give --family and --params-b; families in the table: {', '.join(scores.families)}."
        )
    if params_b is None:
        raise InputError("--params-b is missing: give the model's size in billions of parameters.")
    name = name or f"{family} {params_b:g}B{' instruct' if instruct else ''}"
    return Query(family, params_b, tokens_t, instruct, active_params_b, name)


def query_notes(query: Query, scores: Scores) -> list[str]:
    """Return what a reader should know about the question: a new family, unknown tokens."""
    notes = []
    if query.family not in scores.families:
        close = nearest(query.family, scores.families)
        hint = f"; did you mean {close!r}?" if close else ""
        notes.append(f"family {query.family!r} is not in the table: forecast as a new family, widely{hint}")
    if query.tokens_t is None:
        notes.append(
            "training tokens unknown: averaged over what is likely for such a model; --tokens-t sets them"
        )
    return notes
