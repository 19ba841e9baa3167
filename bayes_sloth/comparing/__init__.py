"""Which is better, and how sure: two models, two families, two fits, several numbers of skills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bayes_sloth.comparing.models import compare_models as compare_models
from bayes_sloth.comparing.models import compare_with_truth as compare_with_truth
from bayes_sloth.comparing.skills import compare_families as compare_families
from bayes_sloth.comparing.skills import compare_loadings as compare_loadings
from bayes_sloth.errors import InputError
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import Prediction
from bayes_sloth.skill_counts import compare_skill_counts
from bayes_sloth.skill_draws import skills
from bayes_sloth.skill_tables import Skills

WANTED = (
    "give two fits or two results of bs.skills, a result of bs.predict and two models, "
    "one of bs.skills and two families, or a dict of fits"
)


def compare(first: Any, *others: Any, **settings: Any) -> pd.DataFrame:
    """Return by how much the one is better than the other, and how likely.

    What is compared goes by what is given:

    ================================================ ===================================================
    `compare(prediction, "a model", "another")`      forecasts of two models: `compare_models`
    `compare(skills, "a family", "another")`         efficiency of two families: `compare_families`
    `compare(fit, other_fit)`                        loadings of two fits, the skills of the second
                                                     turned towards those of the first: `compare_loadings`
    `compare(skills, other_skills)`                  the same, of skills rotated before
    `compare({"2 skills": fit, "3 skills": other})`  fits of one table: `compare_skill_counts`
    ================================================ ===================================================

    Parameters
    ----------
    first : Prediction, Skills, Posterior or mapping of str to Posterior
        See above.
    *others : str, Skills or Posterior
        See above.
    **settings
        Of the function that does it, such as `prob`.

    Returns
    -------
    DataFrame
        Of the function that does it.

    Raises
    ------
    InputError
        If what is given is no pair, or as the function that does it.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> bs.compare(bs.skills(fit, rotation="none"), "phi-3", "bloom")["better"].tolist()
    [1.0]
    """
    if isinstance(first, Mapping) and not others:
        return compare_skill_counts(first, **settings)
    names = len(others) == 2 and all(isinstance(other, str) for other in others)
    if names and isinstance(first, Prediction):
        return compare_models(first, *others, **settings)
    if names and isinstance(first, Skills):
        return compare_families(first, *others, **settings)
    if len(others) == 1 and isinstance(first, Posterior) and isinstance(others[0], Posterior):
        return compare_loadings(*_alike(first, others[0]), **settings)
    if len(others) == 1 and isinstance(first, Skills) and isinstance(others[0], Skills):
        return compare_loadings(first, others[0], **settings)
    given = ", ".join(type(each).__name__ for each in (first, *others))
    raise InputError(f"compare: got {given}: {WANTED}.")


def _alike(fit: Posterior, other: Posterior) -> tuple[Skills, Skills]:
    """Return the skills of two fits, the second's as near to the first's as draws can be turned."""
    found = skills(fit)
    shared = [name for name in found.reference.index if name in other.scores.benchmarks]
    if len(found.names) != len(other.data["posterior"]["skill"]) or len(shared) <= len(found.names):
        return found, skills(other)  # which cannot be compared, and `compare_loadings` says why
    return found, skills(other, rotation="target", target=found.reference.loc[shared])
