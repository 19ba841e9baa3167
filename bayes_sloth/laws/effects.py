"""What the Bayesian rivals share: effects of families and models, and scores that scatter as in our law."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from numpyro import deterministic, sample
from numpyro.distributions import LogNormal, Normal
from numpyro.handlers import mask

from bayes_sloth import curve
from bayes_sloth.laws.tables import Table
from bayes_sloth.observation import score_law
from bayes_sloth.spec import Priors


def effects(name: str, mean: Any, sd: Any, told: Any) -> Any:
    """Declare effects of families or models, sampled as themselves where scores tell them.

    What no score tells is sampled as noise, for else such effects would follow one another too closely.

    Parameters
    ----------
    name : str
        Of the effects; the sampled site has `_raw` added.
    mean : array
        Prior means.
    sd : array
        Prior standard deviations, which broadcast to the means.
    told : array of bool
        Whether there are scores, of the shape of the means.

    Returns
    -------
    array
        Normal effects, whichever way they are sampled.
    """
    known = jnp.asarray(told)
    law = Normal(jnp.where(known, mean, 0.0), jnp.where(known, sd, 1.0))
    raw = sample(f"{name}_raw", law.to_event(known.ndim))
    return deterministic(name, jnp.where(known, raw, mean + sd * raw))


def observe(table: Table, share: Any, floor: Any, *, misfit: LogNormal) -> None:
    """Declare expected scores and, around them, Student-t scores, as in our own law.

    Parameters
    ----------
    table : Table
        What is seen.
    share : array, dims (model, benchmark)
        Of the range above the floor.
    floor : array, dims (benchmark)
        Lower asymptotes.
    misfit : LogNormal
        Prior of what is unexplained at mid-range, on the score.
    """
    expected = deterministic("expected", curve.expected_score(share, floor))
    scatter = sample("misfit", misfit.expand([table.floor.size]).to_event(1))
    tail = sample("tail", LogNormal(Priors().tail_mean, Priors().tail_sd))
    law = score_law("student_t", share, expected, scatter, jnp.asarray(table.items), tail)
    with mask(mask=jnp.asarray(table.observed)):
        sample("score", law, obs=jnp.asarray(table.score))
