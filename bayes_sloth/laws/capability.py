"""The law of one capability without covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax.numpy as jnp
from jax.nn import sigmoid
from numpyro import sample
from numpyro.distributions import LogNormal, Normal, ZeroSumNormal

from bayes_sloth.laws import bayesian
from bayes_sloth.laws.effects import effects, observe
from bayes_sloth.laws.tables import Table
from bayes_sloth.refitting import Length


@dataclass(frozen=True)
class CapabilityLaw(bayesian.Verbs):
    """One capability a model, whatever its size: an index such as that of Epoch, with families.

    Of a model of which no score is seen it knows the family alone.

    Parameters
    ----------
    length : Length
        Of the chains.

    Examples
    --------
    >>> CapabilityLaw().name
    'Capability'
    """

    length: Length = field(default_factory=Length)

    @property
    def name(self) -> str:
        """Short label for tables."""
        return "Capability"

    @property
    def model(self) -> bayesian.Model:
        """The model; see `one_capability`."""
        return one_capability

    @property
    def local(self) -> Mapping[str, str]:
        """Sites of families and of models."""
        return {"family": "family", "capability": "model"}

    @property
    def needs_compute(self) -> bool:
        """Models without size or tokens serve as well as others."""
        return False


def one_capability(table: Table) -> None:
    r"""Declare the model of one capability.

    .. math:: \mu_{ij} = l_j + (1 - l_j)\,\sigma\{a_j (C_i - D_j)\}, \quad
        C_i \sim N(c_{f(i)}, \omega^2), \quad c_f \sim N(m, \tau^2)

    The unit of capability is a logit of a benchmark of average slope, its zero the average difficulty. The
    benchmarks fix both: models that could move all together would keep the sampler busy.

    Parameters
    ----------
    table : Table
        What is seen.
    """
    benchmarks, told = table.floor.size, jnp.asarray(table.told_family).any(axis=1)
    # Models of a family, from 1B to 70B, differ about as much as families do: by half a logit to two.
    mean, between = sample("mean", Normal(0.0, 1.5)), sample("between", LogNormal(0.0, 0.5))
    within = sample("within", LogNormal(0.0, 0.5))
    family = effects("family", jnp.broadcast_to(mean, told.shape), between, told)
    capability = effects("capability", jnp.asarray(table.family) @ family, within, table.told)
    # Some benchmarks tell models apart twice as well as others do.
    slope = jnp.exp(sample("log_slope", ZeroSumNormal(0.5, (benchmarks,))))
    # The hardest and the easiest benchmarks lie about as far out as the best and the worst models.
    difficulty = sample("difficulty", ZeroSumNormal(1.5, (benchmarks,)))
    share = sigmoid(slope[None, :] * (capability[:, None] - difficulty[None, :]))
    # One capability leaves more unexplained than several skills do: some eight points at mid-range.
    observe(table, share, jnp.asarray(table.floor), misfit=LogNormal(-2.5, 0.5))
