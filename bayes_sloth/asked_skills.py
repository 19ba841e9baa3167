"""Skills of any models under draws of a fit: of those it has seen, and of those that exist on paper only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.asking import BATCH, Draw, Ints, Values, asked_of, draws_of, without_luck
from bayes_sloth.compiling import LITTLE_EFFORT
from bayes_sloth.design import design_of
from bayes_sloth.errors import InputError, nearest
from bayes_sloth.local_effects import drawn_effects, skills_and_specifics, with_priors
from bayes_sloth.names import BENCHMARK, DRAW, MODEL, SKILL
from bayes_sloth.posterior import Posterior
from bayes_sloth.questions import Questions
from bayes_sloth.spec import ModelSpec

Floats = NDArray[np.float64]


def chosen_draws(posterior: Posterior, count: int) -> Ints:
    """Return which draws of a fit to take, evenly spaced, all chains one after the other.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    count : int
        How many; those of a fit that has fewer come more than once.

    Returns
    -------
    array of int, dims (draw)
        Numbers of draws.
    """
    if posterior.draws < count:
        return np.arange(count, dtype=np.int64) % posterior.draws
    return np.linspace(0, posterior.draws - 1, count).astype(np.int64)


def drawn_skills(
    posterior: Posterior, models: object, *, seed: int, chosen: Ints, typical: bool = False
) -> tuple[pd.DataFrame, xr.Dataset]:
    r"""Draw the skills of any models, known families or new, under some draws of a fit.

    .. math:: \theta_{ik} = m_k + \alpha_{f(i)k} + \beta_k' x_{ik} + \tau_{ik} + \delta_{ik}

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : DataFrame, mapping, path or Scores
        As `bs.predict` takes them.
    seed : int
        Of what the fit does not know: new families, departures, unknown sizes and tokens.
    chosen : array of int, dims (draw)
        Which draws of the fit, from `chosen_draws`.
    typical : bool
        Whether to leave out what two models of equal size and tokens would still differ by.

    Returns
    -------
    rows : DataFrame
        What is known of each model.
    skills : Dataset
        `model_skill`, dims (draw, model, skill), in logits of the anchors; `specific`, dims (draw, model,
        benchmark), what the models' lines have of their own.

    Raises
    ------
    InputError
        If a row is not valid.
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    asked, draws = asked_of(posterior, models), draws_of(posterior)[0]
    draws = {name: value[jnp.asarray(chosen)] for name, value in draws.items()}
    questions = without_luck(asked.questions) if typical else asked.questions

    keys = jax.random.split(jax.random.key(seed), len(chosen))
    skill, specific = _skills(questions.argument, draws, keys, spec=posterior.spec)
    skill, specific = (np.asarray(values)[:, asked.back] for values in (skill, specific))
    return asked.rows, _labelled(posterior, skill, specific, list(asked.rows[MODEL]))


@partial(jax.jit, static_argnames="spec", compiler_options=LITTLE_EFFORT)
def _skills(questions: Questions, draws: Draw, keys: jax.Array, spec: ModelSpec) -> tuple[Values, Values]:
    """Draw skills and specifics, a draw a key; other models of the same shape find the program compiled."""

    def one(item: tuple[Draw, jax.Array]) -> tuple[Values, Values]:
        keys = jax.random.split(item[1], 3)
        draw = with_priors(item[0], spec.priors, keys[0])
        effects = drawn_effects(questions, draw["skill_mean"].size, keys[1], keys[2])
        return skills_and_specifics(questions, draw, effects)

    found: tuple[Values, Values] = jax.lax.map(one, (draws, keys), batch_size=BATCH)
    return found


def fitted_skills(posterior: Posterior, names: Sequence[str], *, chosen: Ints) -> xr.Dataset:
    """Return the skills of models that a fit has seen, under some of its draws.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    names : sequence of str
        Models of the fitted table.
    chosen : array of int, dims (draw)
        Which draws of the fit, from `chosen_draws`.

    Returns
    -------
    Dataset
        As `drawn_skills`.

    Raises
    ------
    InputError
        If a model is not in the fitted table.
    """
    scores, draws = posterior.scores, posterior.data["posterior"].dataset
    place = {name: number for number, name in enumerate(scores.models)}
    for name in names:
        if name not in place:
            raise _unknown_model(name, place)
    rows = np.array([place[name] for name in names], dtype=np.int64)
    skill = draws["model_skill"].values.reshape(posterior.draws, *draws["model_skill"].shape[2:])
    skill = skill[chosen][:, rows]
    specific = np.zeros((len(chosen), len(rows), len(scores.benchmarks)))
    if "specific" in draws:
        own = draws["specific"].values.reshape(posterior.draws, *draws["specific"].shape[2:])
        specific = own[chosen][:, design_of(scores, posterior.spec.anchors or ()).lines.model[rows]]
    return _labelled(posterior, skill, specific, list(names))


def known_or_drawn(
    posterior: Posterior, models: object, *, seed: int, chosen: Ints
) -> tuple[pd.DataFrame, xr.Dataset]:
    """Return the skills of models of the fit, asked for by name, or of any others, described by rows.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : sequence of str, or DataFrame, mapping, path or Scores; None for every model of the fit
        Names of fitted models; else rows as `bs.predict` takes them.
    seed : int
        Of what the fit does not know.
    chosen : array of int, dims (draw)
        Which draws of the fit.

    Returns
    -------
    rows : DataFrame
        What is known of each model.
    skills : Dataset
        As `drawn_skills`.

    Raises
    ------
    InputError
        If a name or row is not valid.
    """
    facts = posterior.scores.metadata
    if models is None:
        models = list(facts[MODEL])
    if isinstance(models, list | tuple) and models and all(isinstance(name, str) for name in models):
        found = fitted_skills(posterior, models, chosen=chosen)
        return facts.set_index(MODEL).loc[list(models)].reset_index(), found
    return drawn_skills(posterior, models, seed=seed, chosen=chosen)


def _labelled(posterior: Posterior, skill: Floats, specific: Floats, names: list[str]) -> xr.Dataset:
    labels = posterior.data["posterior"].dataset
    variables = {
        "model_skill": ((DRAW, MODEL, SKILL), skill),
        "specific": ((DRAW, MODEL, BENCHMARK), specific),
    }
    return xr.Dataset(
        variables, {MODEL: names, SKILL: labels[SKILL].values, BENCHMARK: labels[BENCHMARK].values}
    )


def _unknown_model(name: str, known: Iterable[str]) -> InputError:
    close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else "give a row with its family, size and tokens instead."
    return InputError(f"model {name!r} is not in the fitted table: {hint}")
