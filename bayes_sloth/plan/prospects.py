"""What can be planned on: skills and scores that models not yet trained are expected to have."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from bayes_sloth.arguments import check_whole
from bayes_sloth.asking import BATCH, Draw, asked_of, draws_of, without_luck
from bayes_sloth.compiling import LITTLE_EFFORT
from bayes_sloth.local_effects import drawn_effects, score_law_of, skills_and_specifics, with_priors
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, MODEL, SKILL
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions
from bayes_sloth.spec import ModelSpec


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
    check_whole("prospects", seed=seed)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    asked, spec = asked_of(posterior, models), posterior.spec
    questions = without_luck(asked.questions)
    draws, sizes = draws_of(posterior)

    keys = jax.random.split(jax.random.key(seed), draws["skill_mean"].shape[0])
    found = _expected(questions.argument, draws, keys, spec=spec)
    skill, expected = (np.asarray(part)[:, asked.back].reshape(*sizes, *part.shape[1:]) for part in found)
    variables = {
        "skill": ((CHAIN, DRAW, MODEL, SKILL), skill),
        "expected": ((CHAIN, DRAW, MODEL, BENCHMARK), expected),
    }
    return xr.Dataset(
        variables, {MODEL: list(asked.rows[MODEL]), BENCHMARK: list(posterior.scores.benchmarks)}
    )


@partial(jax.jit, static_argnames="spec", compiler_options=LITTLE_EFFORT)
def _expected(questions: Questions, draws: Draw, keys: jax.Array, spec: ModelSpec) -> tuple[Any, Any]:
    """Return skills and expected scores, a draw a key; another grid of the same shape compiles nothing."""

    def one(item: tuple[Draw, jax.Array]) -> tuple[Any, Any]:
        for_skills, for_priors, for_specific = jax.random.split(item[1], 3)
        draw = with_priors(item[0], spec.priors, for_priors)
        effects = drawn_effects(questions, draw["skill_mean"].size, for_skills, for_specific)
        skill, specific = skills_and_specifics(questions, draw, effects)
        return skill, score_law_of(questions, draw, skill, specific, spec)[0]

    found: tuple[Any, Any] = jax.lax.map(one, (draws, keys), batch_size=BATCH)
    return found
