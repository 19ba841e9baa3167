"""Whether the table tells the skills apart, and size from tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.errors import FitStatus
from bayes_sloth.names import BENCHMARK, COVARIATES, FAMILY, SKILL

Floats = NDArray[np.float64]

# A loading of a fifth moves a benchmark by a fifth of a logit where its anchor moves by one.
VISIBLE: Final = 0.2
# More likely than not, no other benchmark asks for the skill.
LIKELY: Final = 0.5
# One skill tells nine tenths of the variance of the other.
ALIKE: Final = 0.95
# The data took less than a tenth off the prior's width.
AS_PRIOR: Final = 0.9
# A hundred draws say what a correlation over models is.
THINNED: Final = 100


def check_identification(case: Case) -> Finding:
    """Judge whether d is too large, and whether size and tokens have slopes of their own.

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        Table with columns question, where, value, limit, verdict. Questions: `others ask for it` (largest
        probability, over benchmarks that are no anchor, of a loading above 0.2), `skills alike` (correlation
        over models), `loadings as their prior` (narrowest posterior over prior width), `slopes traded`
        (posterior correlation of the slopes on size and tokens), `slope as its prior`, `size with tokens`
        (correlation over models, and within families).
    """
    table = pd.DataFrame([*_skills(case), *_pairs(case), *_slopes(case), *_covariates(case)])
    seen = table[table["verdict"] != "fine"]
    advice = tuple(dict.fromkeys(_advice(row, case.posterior.spec.skills) for row in seen.itertuples()))
    verdict = (
        f"{len(seen)} of {len(table)} answers in doubt"
        if len(seen)
        else "skills, and size and tokens, are told apart"
    )
    return Finding("identification", table, FitStatus.FINE, verdict, advice)


def _answer(question: str, where: str, value: float, limit: float, *, low: bool = False) -> dict[str, Any]:
    """Return a row; values beyond the limit are in doubt, above it or, where `low`, below it."""
    fine = value >= limit if low else value <= limit
    return {
        "question": question,
        "where": where,
        "value": value,
        "limit": limit,
        "verdict": "fine" if fine else "doubt",
    }


def _skills(case: Case) -> Iterator[dict[str, Any]]:
    loading, anchors = case.quantities["loading"], case.posterior.spec.anchors or ()
    others = [name for name in loading[BENCHMARK].values.astype(str) if name not in anchors]
    if not others:
        return
    free = loading.sel({BENCHMARK: others}).values.reshape(case.draws, len(others), -1)
    asked = (np.abs(free) > VISIBLE).mean(axis=0).max(axis=0)
    width = free.std(axis=0).min(axis=0) / case.posterior.spec.priors.loading_sd
    for place, skill in enumerate(anchors):
        if len(anchors) > 1:
            yield _answer("others ask for it", skill, float(asked[place]), LIKELY, low=True)
        yield _answer("loadings as their prior", skill, float(width[place]), AS_PRIOR)


def _pairs(case: Case) -> Iterator[dict[str, Any]]:
    skill = case.quantities["model_skill"]
    names = skill[SKILL].values.astype(str)
    draws = skill.values.reshape(case.draws, -1, names.size)[:: max(case.draws // THINNED, 1)]
    found = np.median([np.corrcoef(draw.T).reshape(names.size, -1) for draw in draws], axis=0)
    for a, b in combinations(range(names.size), 2):
        yield _answer("skills alike", f"{names[a]}, {names[b]}", abs(float(found[a, b])), ALIKE)


def _slopes(case: Case) -> Iterator[dict[str, Any]]:
    slope = case.quantities["slope"]
    draws = slope.values.reshape(case.draws, *slope.shape[2:])
    wide = draws.std(axis=0) / case.posterior.spec.priors.slope_sd
    for place, skill in enumerate(slope[SKILL].values.astype(str)):
        traded = np.corrcoef(draws[:, place, 0], draws[:, place, 1])[0, 1]
        yield _answer("slopes traded", skill, abs(float(traded)), ALIKE)
        for column in (0, 1):
            where = f"{skill}, {COVARIATES[column]}"
            yield _answer("slope as its prior", where, float(wide[place, column]), AS_PRIOR)


def _covariates(case: Case) -> Iterator[dict[str, Any]]:
    size, tokens = (case.quantities[name].values.mean(axis=(0, 1)) for name in COVARIATES[:2])
    family = pd.Series(case.posterior.data["constant_data"].dataset[FAMILY].values.astype(str))
    within = [
        values - pd.Series(values).groupby(family).transform("mean").to_numpy() for values in (size, tokens)
    ]
    for where, pair in (("all models", (size, tokens)), ("within families", within)):
        if min(np.ptp(pair[0]), np.ptp(pair[1])) > 0:
            yield _answer("size with tokens", where, abs(float(np.corrcoef(*pair)[0, 1])), ALIKE)


def _advice(row: Any, skills: int) -> str:
    if row.question in ("others ask for it", "skills alike", "loadings as their prior"):
        fewer = f", or fit with skills={skills - 1}" if skills > 1 else ""
        return (
            f"{skills} skill(s) are more than the table tells apart ({row.where}): read forecasts, not "
            f"skills{fewer}."
        )
    return (
        f"size and tokens are hardly told apart ({row.where}): do not read their slopes one by one, and add "
        "models that vary one of them."
    )
