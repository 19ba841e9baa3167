"""What can be planned on: skills and scores that models not yet trained are expected to have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import jax
import numpy as np
import xarray as xr

from bayes_sloth.design import design_of
from bayes_sloth.deviations import NUGGET
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, MODEL, SKILL
from bayes_sloth.outlooks import Draw, draws_of, outlook_of
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions, questions_of
from bayes_sloth.reading import read_models

BATCH: Final = 50


def prospects(posterior: Posterior, models: object, *, seed: int) -> xr.Dataset:
    """Return the expected skills and scores of any models, without luck of any single model's own.

    A model departs from its family in part as its size and tokens say and in part by chance; nobody can plan
    on the second, so it is left out here. `bayes_sloth.predict` has both.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : DataFrame, mapping or path
        Rows as `bayes_sloth.predict` takes them, of known size and tokens; all rows share each draw of what
        is uncertain of their family.
    seed : int
        Of the draws.

    Returns
    -------
    Dataset
        Variables `skill` (chain, draw, model, skill), in logits of the fit's anchors, and `expected` (chain,
        draw, model, benchmark), shares of items solved.

    Raises
    ------
    InputError
        If a row is not valid.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> new = {"model": "new", "family": "llama-3", "params_b": 30, "tokens_t": 15}
    >>> prospects(fit, new, seed=0)["skill"].dims
    ('chain', 'draw', 'model', 'skill')
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    scores = posterior.scores
    rows = read_models(models, known=scores.families)
    design = design_of(scores, posterior.spec.anchors or ())
    questions = without_luck(questions_of(design, scores.metadata, rows, scores))
    draws, sizes = draws_of(posterior)

    def one(item: tuple[Draw, jax.Array]) -> tuple[Any, Any]:
        for_skills, for_priors, for_specific = jax.random.split(item[1], 3)
        seen = outlook_of(questions, posterior.spec, item[0], (for_skills, for_priors, for_specific))
        return seen.skill, seen.expected

    keys = jax.random.split(jax.random.key(seed), draws["skill_mean"].shape[0])
    found = jax.jit(lambda items: jax.lax.map(one, items, batch_size=BATCH))((draws, keys))
    skill, expected = (np.asarray(part).reshape(*sizes, *part.shape[1:]) for part in found)
    variables = {
        "skill": ((CHAIN, DRAW, MODEL, SKILL), skill),
        "expected": ((CHAIN, DRAW, MODEL, BENCHMARK), expected),
    }
    return xr.Dataset(variables, {MODEL: list(rows[MODEL]), BENCHMARK: list(scores.benchmarks)})


def without_luck(questions: Questions) -> Questions:
    """Return the models asked about without what two of equal size and tokens would differ by.

    Parameters
    ----------
    questions : Questions
        The models.

    Returns
    -------
    Questions
        With departures that are a function of size and tokens; see `deviations.NUGGET`.
    """
    lower = questions.deviation_lower
    values, vectors = np.linalg.eigh(lower @ lower.T - NUGGET * np.eye(len(lower)))
    return replace(questions, deviation_lower=vectors * np.sqrt(np.maximum(values, 0.0)))
