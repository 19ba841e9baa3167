"""The model's parameters as one flat, unconstrained vector, which is what optimisers and samplers move in."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray
from numpyro import handlers
from numpyro.distributions import ExpandedDistribution, Independent, LogNormal
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

from bayes_sloth.design import Design
from bayes_sloth.model import sloth
from bayes_sloth.names import SITE_DIMS
from bayes_sloth.pytree import argument
from bayes_sloth.spec import ModelSpec

Values = Any

# Draws turned into quantities at a time, each chain's from its own beginning: where a run was interrupted and
# resumed changes no draw's place among them, and so not its last digits.
BATCH: Final = 25
# Draws of a quantity that take more than half a gigabyte are kept in 32 bits: what 3,000 models have of their
# own on 60 benchmarks is most of a fit, and its Monte Carlo error shows in the second digit.
MOST_BYTES: Final = 2**29


def without_anchors(spec: ModelSpec) -> ModelSpec:
    """Return a model as programs are told apart by: which benchmarks are anchors is data of a design.

    Parameters
    ----------
    spec : ModelSpec
        The model.

    Returns
    -------
    ModelSpec
        With no anchors named.
    """
    return replace(spec, anchors=None)


def prior_middles(model: Callable[..., None], *arguments: Any) -> dict[str, Values]:
    """Return the middles of a model's priors, each given those of what it depends on, unconstrained.

    No prior is drawn from: compiling that takes longer than to climb from here to a mode.

    Parameters
    ----------
    model : callable
        A NumPyro model whose priors have a mean.
    *arguments
        Of the model.

    Returns
    -------
    dict of arrays
        By the names of the sampled sites.
    """
    trace = handlers.trace(handlers.substitute(model, substitute_fn=_middle)).get_trace(*arguments)
    sites = {k: s["value"] for k, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
    return dict(unconstrain_fn(model, arguments, {}, sites))


def _middle(site: Mapping[str, Any]) -> Values | None:
    """Return a prior's mean, of a log-normal one its median: the mean of a wide one is far out."""
    if site["type"] != "sample" or site["is_observed"]:
        return None
    one = site["fn"]
    while isinstance(one, (Independent, ExpandedDistribution)):
        one = one.base_dist
    if isinstance(one, LogNormal):
        return jnp.broadcast_to(jnp.exp(one.loc), site["fn"].shape())
    return 1.0 * site["fn"].mean  # of floats, though the law may have been given an integer


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

    def _middles(self) -> dict[str, Values]:
        """Return the middles of the priors, unconstrained."""
        return prior_middles(self.model)

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters in the order of a flat vector, which is that of their names."""
        return {name: site.shape for name, site in sorted(jax.eval_shape(self._middles).items())}

    @cached_property
    def size(self) -> int:
        """Number of parameters."""
        return sum(map(math.prod, self._shapes.values()))

    def start(self) -> Values:
        """Return the middles of the priors, flat: what optimisers start around."""
        return ravel_pytree(jax.jit(self._middles)())[0]

    def flat(self, named: Mapping[str, Values]) -> Values:
        """Return named unconstrained parameters as a flat vector."""
        return ravel_pytree(dict(named))[0]

    def named(self, vector: Values) -> dict[str, Values]:
        """Return a flat vector as named unconstrained parameters."""
        lengths = [math.prod(shape) for shape in self._shapes.values()]
        parts = jnp.split(vector, np.cumsum(lengths)[:-1])
        return {
            name: part.reshape(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }

    def potential(self, vector: Values) -> Values:
        """Return minus the log posterior density of a flat vector, up to a constant."""
        return potential_energy(self.model, (), {}, self.named(vector))

    def _sites(self, vector: Values) -> dict[str, Values]:
        """Return every sampled and derived quantity of one flat vector."""
        named = constrain_fn(self.model, (), {}, self.named(vector), return_deterministic=True)
        return {name: named[name] for name in named if name != "score"} | dict(self.fixed)

    @property
    def reported(self) -> tuple[str, ...]:
        """Names of the quantities that a posterior has."""
        shapes = jax.eval_shape(self._sites, jnp.zeros(self.size))
        return tuple(name for name, shape in shapes.items() if name in SITE_DIMS or not shape.ndim)

    def quantities(self, vectors: Values, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
        """Return sampled and derived quantities for each vector, a few vectors at a time.

        Parameters
        ----------
        vectors : array, dims (draw, parameter)
            Flat draws.
        names : collection of str, optional
            Which quantities; all where None.

        Returns
        -------
        dict of arrays, dims (draw, ...)
            By site name.
        """
        rows = np.asarray(vectors)
        return self.quantities_of([rows], len(rows), names)

    def quantities_of(
        self, blocks: Iterable[Values], count: int, names: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return sampled and derived quantities of vectors that come in blocks, none of which is kept.

        Parameters
        ----------
        blocks : iterable of arrays, dims (draw, parameter)
            Flat draws.
        count : int
            How many there are in all.
        names : collection of str, optional
            Which quantities; all where None.

        Returns
        -------
        dict of arrays, dims (draw, ...)
            By site name; those of more than half a gigabyte in 32 bits.

        Raises
        ------
        ValueError
            If there are not as many.
        """
        wanted = None if names is None else frozenset(names)
        program = partial(_quantities, argument(self.design), without_anchors(self.spec), self.fixed, wanted)
        step = min(BATCH, count)
        shapes = jax.eval_shape(program, jnp.zeros((1, self.size)))
        found = {name: _room(count, s.shape[1:], s.dtype) for name, s in shapes.items()}
        done = 0
        for block in blocks:
            for first in range(0, len(block), step):
                rows = block[first : first + step]
                # The last vector again where there are too few: one program serves all.
                filled = np.pad(rows, ((0, step - len(rows)), (0, 0)), mode="edge")
                for name, value in program(filled).items():
                    found[name][done : done + len(rows)] = value[: len(rows)]
                done += len(rows)
        if done != count:
            raise ValueError(f"{done} of {count} draws came.")
        return found


def _room(count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return room for draws of a quantity; the system hands out its memory as it is filled."""
    large = dtype == np.float64 and count * math.prod(shape) * dtype.itemsize > MOST_BYTES
    return np.empty((count, *shape), np.float32 if large else dtype)


@partial(jax.jit, static_argnums=(1, 3))
def _quantities(
    design: Design, spec: ModelSpec, fixed: Mapping[str, Values], names: frozenset[str] | None, rows: Values
) -> dict[str, Values]:
    """Return quantities of flat vectors, dims (draw, parameter): tables of one shape share the program."""
    found = jax.vmap(Space(design, spec, fixed)._sites)(rows)
    return {name: value for name, value in found.items() if names is None or name in names}
