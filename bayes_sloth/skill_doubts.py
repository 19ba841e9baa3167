"""Which skills of a fit are not to be read, and why."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, SKILL

OFTEN: Final = 0.9  # share of the draws that have to be alike
RHAT: Final = 1.02
# Skills that tell nine tenths of each other's variance are one.
SAME: Final = 0.95


def doubts(alignment: pd.DataFrame, data: xr.Dataset, draws: int) -> list[str]:
    """Return in words which skills are not to be read, and why.

    Parameters
    ----------
    alignment : DataFrame
        As `skill_tables.Skills` has it.
    data : Dataset
        Draws of the skills.
    draws : int
        How many there are.

    Returns
    -------
    list of str
        Empty where every skill is identified.
    """
    if draws == 1:
        return ["a point estimate: intervals of skills are missing; fit with method='hmc' to have them."]
    fewer = max(len(alignment) - 1, 1)
    loose, apart = alignment["alike"] < OFTEN, alignment["r_hat"] > RHAT
    found = [
        f"skill {row.skill!r} is not identified (its loadings are alike in {row.alike:.0%} of draws, "
        f"{OFTEN:.0%} wanted): do not read it. There may be a skill too many: fit with skills={fewer}, or "
        "fix what skills mean with rotation='target'."
        for row in alignment[loose].itertuples()
    ]
    found += [
        f"skill {row.skill!r} is one of several readings (another rotation is simpler in "
        f"{1 - row.simplest:.0%} of draws): its intervals take this one as given; rotation='target' fixes it."
        for row in alignment[~loose & (alignment["simplest"] < OFTEN)].itertuples()
    ]
    found += [
        f"chains disagree on skill {row.skill!r} (R-hat {row.r_hat:.3f} after alignment): fit again with "
        "twice the draws and warmup before reading it."
        for row in alignment[apart].itertuples()
    ]
    return [*found, *_empty(data), *_same(data)]


def _empty(data: xr.Dataset) -> list[str]:
    """Say which skills no benchmark asks for, or one alone."""
    fewer = f"fit with skills={data.sizes[SKILL] - 1}" if data.sizes[SKILL] > 1 else "do not read it"
    found = []
    for name in map(str, data[SKILL].values):
        ends = data["loading"].sel({SKILL: name}).quantile([0.05, 0.95], (CHAIN, DRAW)).values
        asked = data[BENCHMARK].values[(ends[0] > 0) | (ends[1] < 0)].astype(str)
        if data.sizes[BENCHMARK] > 1 and len(asked) < 2:
            who = (
                f"one benchmark alone asks for ({asked[0]})" if len(asked) else "no benchmark surely asks for"
            )
            found.append(f"skill {name!r} is one that {who}: there may be a skill too many; {fewer}.")
    return found


def _same(data: xr.Dataset) -> list[str]:
    """Say which skills are one and the same."""
    median = np.abs(data["correlation"].median((CHAIN, DRAW)).values)
    names = [str(name) for name in data[SKILL].values]
    return [
        f"skills {names[a]!r} and {names[b]!r} are one (correlation {median[a, b]:.2f} over models): "
        f"there is a skill too many; fit with skills={len(names) - 1}."
        for a, b in np.argwhere(np.triu(median > SAME, 1))
    ]
