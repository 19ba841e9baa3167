"""States of chains, and modes, as plain arrays and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from bayes_sloth.design import design_of
from bayes_sloth.modes import Modes, held
from bayes_sloth.scores import Scores
from bayes_sloth.space import Space
from bayes_sloth.spec import ModelSpec

Values = Any
Plain = NDArray[Any]


def frozen(state: Values) -> list[Plain]:
    """Return the leaves of a state as plain arrays.

    Parameters
    ----------
    state : pytree of arrays
        Random keys may be among them.

    Returns
    -------
    list of arrays
        In JAX's order of leaves; of a random key, its words.

    Examples
    --------
    >>> [leaf.shape for leaf in frozen({"draw": jnp.zeros(3), "key": jax.random.key(0)})]
    [(3,), (2,)]
    """
    return [
        np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf) for leaf in jax.tree.leaves(state)
    ]


def thawed(arrays: list[Plain], template: Values) -> Values:
    """Return a state from its leaves.

    Parameters
    ----------
    arrays : list of arrays
        From `frozen`.
    template : pytree of arrays or of their shapes and types
        What the state has to look like.

    Raises
    ------
    ValueError
        The leaves are of another state.

    Examples
    --------
    >>> state = {"draw": jnp.zeros(3), "key": jax.random.key(0)}
    >>> bool(thawed(frozen(state), state)["key"] == state["key"])
    True
    """
    leaves, structure = jax.tree.flatten(template)
    found = [_leaf(array, wanted) for array, wanted in zip(arrays, leaves, strict=True)]
    return jax.tree.unflatten(structure, found)


def _is_key(leaf: Values) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _leaf(array: Plain, wanted: Values) -> jax.Array:
    leaf = jnp.asarray(array)
    if _is_key(wanted):
        leaf = jax.random.wrap_key_data(leaf)
    if leaf.shape != wanted.shape or leaf.dtype != wanted.dtype:
        raise ValueError(f"a leaf is {leaf.dtype}{leaf.shape}, not {wanted.dtype}{wanted.shape}")
    return leaf


def frozen_modes(modes: Modes) -> dict[str, Plain]:
    """Return modes as plain arrays by name, with the anchors that their space was built on.

    Parameters
    ----------
    modes : Modes
        Of a model whose anchors are named.

    Returns
    -------
    dict of arrays
        `vectors`, `losses`, `anchors`.
    """
    anchors = np.array(modes.space.spec.anchors)
    return {"vectors": np.asarray(modes.vectors), "losses": np.asarray(modes.losses), "anchors": anchors}


def thawed_modes(arrays: dict[str, Plain], scores: Scores, spec: ModelSpec) -> Modes:
    """Return modes from their arrays.

    Parameters
    ----------
    arrays : dict of arrays
        From `frozen_modes`.
    scores : Scores
        The table they are modes of.
    spec : ModelSpec
        The model; its anchors give way to those of the modes.

    Returns
    -------
    Modes
        As they were.
    """
    anchors = tuple(str(name) for name in arrays["anchors"])
    spec = replace(spec, anchors=anchors)
    design = design_of(scores, anchors)
    return Modes(Space(design, spec, held(design, spec)), jnp.asarray(arrays["vectors"]), arrays["losses"])
