"""The model's parameters as one flat, unconstrained vector, which is what optimisers and samplers move in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

from bayes_sloth.design import Design
from bayes_sloth.model import sloth
from bayes_sloth.spec import ModelSpec

Values = Any

# Draws turned into named quantities at a time: enough to keep the cores busy, few enough for memory.
BATCH: Final = 50
# Prior draws whose average starts an optimiser: their noise is far below the spread of the starts.
PRIOR_DRAWS: Final = 64


@dataclass(frozen=True, eq=False)
class Space:
    """The parameters of one model of one table.

    Parameters
    ----------
    design : Design
        The table.
    spec : ModelSpec
        The model.
    fixed : mapping of str to array
        Sites held at given values; they are no parameters then.
    """

    design: Design
    spec: ModelSpec
    fixed: Mapping[str, Values] = field(default_factory=dict)

    def model(self) -> None:
        """Run the model with the fixed sites in place."""
        with handlers.condition(data=dict(self.fixed)):
            sloth(self.design, self.spec)

    def _drawn(self, key: jax.Array) -> dict[str, Values]:
        """Return one prior draw of the unconstrained parameters."""
        trace = handlers.trace(handlers.seed(self.model, key)).get_trace()
        sites = {k: s["value"] for k, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
        free = {name: value for name, value in sites.items() if name not in self.fixed}
        return dict(unconstrain_fn(self.model, (), {}, free))

    @cached_property
    def _unravel(self) -> Callable[[Values], dict[str, Values]]:
        shapes = jax.eval_shape(self._drawn, jax.random.key(0))
        with jax.ensure_compile_time_eval():
            return ravel_pytree({name: jnp.zeros(s.shape, s.dtype) for name, s in shapes.items()})[1]

    @cached_property
    def size(self) -> int:
        """Number of parameters."""
        shapes = jax.eval_shape(self._drawn, jax.random.key(0))
        return sum(math.prod(s.shape) for s in shapes.values())

    def start(self) -> Values:
        """Return the average prior draw, flat."""
        drawn = jax.jit(jax.vmap(self._drawn))(jax.random.split(jax.random.key(0), PRIOR_DRAWS))
        return ravel_pytree({name: value.mean(0) for name, value in drawn.items()})[0]

    def flat(self, named: Mapping[str, Values]) -> Values:
        """Return named unconstrained parameters as a flat vector."""
        return ravel_pytree(dict(named))[0]

    def named(self, vector: Values) -> dict[str, Values]:
        """Return a flat vector as named unconstrained parameters."""
        return self._unravel(vector)

    def potential(self, vector: Values) -> Values:
        """Return minus the log posterior density of a flat vector, up to a constant."""
        return potential_energy(self.model, (), {}, self.named(vector))

    def quantities(self, vectors: Values) -> dict[str, Values]:
        """Return every sampled and derived quantity, and the log likelihood of every score, for each vector.

        Parameters
        ----------
        vectors : array, dims (draw, parameter)
            Flat draws.

        Returns
        -------
        dict of arrays, dims (draw, ...)
            By site name; `log_likelihood` is 0 where a score is not observed.
        """

        def one(vector: Values) -> dict[str, Values]:
            named = constrain_fn(self.model, (), {}, self.named(vector), return_deterministic=True)
            sites = {name: named[name] for name in named if name != "score"} | dict(self.fixed)
            trace = handlers.trace(handlers.substitute(self.model, data=sites)).get_trace()
            score = trace["score"]
            # In 32 bits: pointwise likelihoods are the largest part of a file and need few digits.
            density = score["fn"].log_prob(score["value"]).astype(jnp.float32)
            return sites | {"log_likelihood": density}

        found: dict[str, Values] = jax.jit(lambda rows: jax.lax.map(one, rows, batch_size=BATCH))(vectors)
        return found
