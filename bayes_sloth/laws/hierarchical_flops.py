"""The law of one curve in compute for every benchmark, as a hierarchical Bayesian model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax.numpy as jnp
from jax.nn import sigmoid
from numpyro import sample
from numpyro.distributions import LogNormal, Normal

from bayes_sloth.laws import bayesian
from bayes_sloth.laws.effects import effects, observe
from bayes_sloth.laws.tables import Table
from bayes_sloth.refitting import Length
from bayes_sloth.spec import Priors


@dataclass(frozen=True)
class HierarchicalFlopsLaw(bayesian.Verbs):
    """A logistic curve in log compute for every benchmark, families' intercepts partially pooled.

    The Bayesian form of `FlopsLaw(family=True)`; models without size or tokens are neither learnt from nor
    forecast.

    Parameters
    ----------
    length : Length
        Of the chains.

    References
    ----------
    Owen, D. (2024). How predictable is language model benchmark performance? arXiv 2401.04757.

    Examples
    --------
    >>> HierarchicalFlopsLaw().name
    'Hierarchical FLOPs'
    """

    length: Length = field(default_factory=Length)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "Hierarchical FLOPs"

    @property
    def model(self) -> bayesian.Model:
        """The model; see `curves_in_compute`."""
        return curves_in_compute

    @property
    def local(self) -> Mapping[str, str]:
        """Sites of families and of models."""
        return {"family": "family"}

    @property
    def needs_compute(self) -> bool:
        """Models without size or tokens say nothing."""
        return True


def curves_in_compute(table: Table) -> None:
    r"""Declare the model of one curve for every benchmark.

    .. math:: \mu_{ij} = l_j + (1 - l_j)\,\sigma(a_{f(i)j} + s_j c_i), \quad
        a_{fj} \sim N(b_j, \tau_j^2), \quad l_j \sim N(\text{chance}, 0.02^2)

    with :math:`c_i` the log of size times tokens, centred and scaled. Sampled is each family's level at its
    own mean of :math:`c_i`, which its scores tell best and which barely depends on the slope.

    Parameters
    ----------
    table : Table
        What is seen.
    """
    benchmarks, p = table.floor.size, Priors()
    lower = sample("lower", Normal(jnp.asarray(table.floor), p.lower_sd).to_event(1))
    # The average model of a table is within a logit or two of the middle of a benchmark's range.
    intercept = sample("intercept", Normal(0.0, 1.5).expand([benchmarks]).to_event(1))
    # A standard deviation of log compute holds one of log size and one of log tokens, in part.
    slope = sample("slope", Normal(1.0, 1.0).expand([benchmarks]).to_event(1))
    spread = LogNormal(p.family_scale_mean, p.family_scale_sd)
    scale = sample("family_scale", spread.expand([benchmarks]).to_event(1))
    center, own = jnp.asarray(table.center), jnp.asarray(table.family)
    level = intercept[None, :] + slope[None, :] * center[:, None]
    family = effects("family", level, scale[None, :], table.told_family)
    eta = own @ family + slope[None, :] * (jnp.asarray(table.log_compute) - own @ center)[:, None]
    # A curve for every benchmark leaves about five points unexplained at mid-range.
    observe(table, sigmoid(eta), lower, misfit=LogNormal(-3.0, 0.5))
