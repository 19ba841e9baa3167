"""Tables drawn from the model on a given layout, and every quantity of the model at given sites."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
from numpyro import handlers
from numpyro.distributions import Distribution, MaskedDistribution

from bayes_sloth.benchmark_curve import scores_at
from bayes_sloth.design import Design
from bayes_sloth.likelihood import TableScores
from bayes_sloth.model import sloth
from bayes_sloth.names import SITE_DIMS
from bayes_sloth.observation import MARGIN, BetaScore, NormalScore, StudentTScore
from bayes_sloth.spec import ModelSpec

Values = Any
Sites = dict[str, Values]

# What follows from others one to one, or stands for nothing by itself.
NOT_RANKED: Final = ("family_skill", "reach")
EXPECTED: Final = "expected"
PREDICTED: Final = "predicted"
LIKELIHOOD: Final = "log_likelihood"


def drawn_sites(design: Design, spec: ModelSpec, key: jax.Array) -> Sites:
    """Draw every sampled site but the scores from its prior.

    Parameters
    ----------
    design : Design
        Models, benchmarks and holes.
    spec : ModelSpec
        The model.
    key : random key
        Of the draw.

    Returns
    -------
    dict of arrays
        By site name.
    """
    model = handlers.seed(handlers.uncondition(sloth), key)
    trace = handlers.trace(model).get_trace(design, spec)
    sampled = (name for name, site in trace.items() if site["type"] == "sample")
    return {name: trace[name]["value"] for name in sampled if name != "score"}


def drawn_scores(design: Design, spec: ModelSpec, sites: Sites, key: jax.Array) -> Values:
    """Draw every score given the sites, not censored to [0, 1].

    The model's density knows no ends, so that tables which it fits without error must have none.

    Parameters
    ----------
    design : Design
        Models and benchmarks.
    spec : ModelSpec
        The model.
    sites : dict of arrays
        From `drawn_sites`.
    key : random key
        Of the noise.

    Returns
    -------
    array, dims (model, benchmark)
        Scores, those of the holes too.
    """
    return uncensored(_law(_trace(design, spec, sites)), key)


@partial(jax.jit, static_argnames="spec")
def from_the_model(design: Design, spec: ModelSpec, keys: jax.Array) -> Sites:
    """Draw tables from the model: truth from the prior, scores given the truth.

    Parameters
    ----------
    design : Design
        Models, benchmarks and holes, the same for all tables.
    spec : ModelSpec
        The model.
    keys : random keys, dims (table)
        One a table.

    Returns
    -------
    dict of arrays, dims (table, ...)
        Sampled sites, and `score`.
    """

    def one(key: jax.Array) -> Sites:
        site_key, score_key = jax.random.split(key)
        sites = drawn_sites(design, spec, site_key)
        return sites | {"score": drawn_scores(design, spec, sites, score_key)}

    found: Sites = jax.vmap(one)(keys)
    return found


def uncensored(law: Distribution, key: jax.Array) -> Values:
    """Draw scores as the density of an observation law has them, outside [0, 1] too.

    Parameters
    ----------
    law : Distribution
        From `score_law`.
    key : random key
        Of the noise.

    Returns
    -------
    array, dims (model, benchmark)
        Scores.

    Examples
    --------
    >>> law = NormalScore(jnp.ones(1000), 0.01)
    >>> bool((uncensored(law, jax.random.key(0)) > 1).any()), bool((law.sample(jax.random.key(0)) > 1).any())
    (True, False)
    """
    shape = law.batch_shape
    match law:
        case StudentTScore():
            noise = jax.random.t(key, law.freedom, shape)
            return law.mean_score + noise * jnp.sqrt(law.variance_score)
        case NormalScore():
            return law.mean_score + jax.random.normal(key, shape) * jnp.sqrt(law.variance_score)
        case BetaScore():
            inside = jax.random.beta(key, law.concentration1, law.concentration0, shape)
            return inside * (1 + 2 * MARGIN) - MARGIN
        case _:  # counts have no ends to be cut at
            return law.sample(key)


def quantities(design: Design, spec: ModelSpec, sites: Sites, key: jax.Array) -> Sites:
    """Return every quantity that is ranked, at given values of the sites.

    Parameters
    ----------
    design : Design
        The table, scores in place.
    spec : ModelSpec
        The model.
    sites : dict of arrays
        Values of every sampled site.
    key : random key
        Of the predicted scores.

    Returns
    -------
    dict of arrays
        Quantities of a posterior by name; `expected` and `predicted` scores, dims (model, benchmark); the
        log likelihood of the table.
    """
    trace = _trace(design, spec, sites)
    values = {name: site["value"] for name, site in trace.items() if name != "score"}
    found = {n: v for n, v in values.items() if (n in SITE_DIMS or not jnp.ndim(v)) and n not in NOT_RANKED}
    law = _law(trace)
    density = jnp.where(design.observed, law.log_prob(jnp.asarray(design.score)), 0.0)
    return found | {
        EXPECTED: _expected(design, spec, values),
        PREDICTED: uncensored(law, key),
        LIKELIHOOD: density.sum(),
    }


def _trace(design: Design, spec: ModelSpec, sites: Sites) -> dict[str, dict[str, Any]]:
    return dict(handlers.trace(handlers.substitute(sloth, data=sites)).get_trace(design, spec))


def _expected(design: Design, spec: ModelSpec, values: Sites) -> Values:
    return scores_at(values, jnp.asarray(design.lines.model), jnp.asarray(design.pivot), spec.link)[1]


def _law(trace: dict[str, dict[str, Any]]) -> Distribution:
    """Return the law of every score, dims (model, benchmark)."""
    law = trace["score"]["fn"]
    if isinstance(law, TableScores):
        return law.by_cell
    return law.base_dist if isinstance(law, MaskedDistribution) else law
