"""The monotone network that the published Sloth puts between a linear predictor and a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from bayes_sloth.laws.generator import Stream

HIDDEN: Final = 10  # units in each of the two hidden layers, as published
WEIGHTS: Final = ("weight_in", "weight_hidden", "weight_out")
BIASES: Final = ("bias_in", "bias_hidden", "bias_out")

Parameters = dict[str, Any]


def share_reached(
    parameters: Mapping[str, Any], predictor: Float[Array, "model benchmark"]
) -> Float[Array, "model benchmark"]:
    r"""Return the share of the range above the floor, by a network of its own for every benchmark.

    .. math:: h(\eta) = \sigma\big(w_3' \tanh(W_2 \tanh(w_1 \tanh\eta + b_1) + b_2) + b_3\big),
        \quad w_1, W_2, w_3 \ge 0

    Parameters
    ----------
    parameters : mapping of arrays
        `weight_in`, `bias_in`, `bias_hidden` and `weight_out`, dims (benchmark, unit); `weight_hidden`, dims
        (benchmark, unit, unit before); `bias_out`, dims (benchmark).
    predictor : array, dims (model, benchmark)
        Linear predictor, unit-free.

    Returns
    -------
    array, dims (model, benchmark)
        Share in (0, 1), which never falls as the predictor rises.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 3.2.

    Examples
    --------
    >>> layers = started(Stream(42), 1)
    >>> share_reached(layers, jnp.zeros((5, 1), jnp.float32)).shape
    (5, 1)
    """
    layers = {name: parameters[name] for name in (*WEIGHTS, *BIASES)}
    if predictor.shape[1] == 1:  # XLA is four times quicker without a batch of one
        return _share({name: value[0] for name, value in layers.items()}, predictor[:, 0])[:, None]
    return jax.vmap(_share, in_axes=(0, 1), out_axes=1)(layers, predictor)


def nonnegative(parameters: Parameters) -> Parameters:
    """Return the parameters with the network's negative weights set to 0, which keeps it monotone.

    Parameters
    ----------
    parameters : dict of arrays
        Of a network, and any others, which are returned as they are.

    Returns
    -------
    dict of arrays
        The same names.

    Examples
    --------
    >>> nonnegative({"weight_in": jnp.array([-1.0, 2.0])})["weight_in"].tolist()
    [0.0, 2.0]
    """
    return parameters | {name: jnp.maximum(parameters[name], 0.0) for name in WEIGHTS if name in parameters}


def started(stream: Stream, benchmarks: int) -> dict[str, NDArray[np.float32]]:
    """Draw where the networks start: PyTorch's default for linear layers, weights without their signs.

    Parameters
    ----------
    stream : Stream
        Of random numbers.
    benchmarks : int
        How many networks.

    Returns
    -------
    dict of arrays
        As `share_reached` takes them.

    Examples
    --------
    >>> started(Stream(42), 2)["weight_hidden"].shape
    (2, 10, 10)
    """
    drawn = [_layers(stream) for _ in range(benchmarks)]
    return {name: np.stack([layers[name] for layers in drawn]) for name in (*WEIGHTS, *BIASES)}


def _share(layers: Mapping[str, Any], predictor: Float[Array, " model"]) -> Float[Array, " model"]:
    """Return what one network makes of one benchmark's predictor; models stand last, for speed."""
    hidden = layers["weight_in"][:, None] * jnp.tanh(predictor)[None, :] + layers["bias_in"][:, None]
    hidden = layers["weight_hidden"] @ jnp.tanh(hidden) + layers["bias_hidden"][:, None]
    return jax.nn.sigmoid((layers["weight_out"][:, None] * jnp.tanh(hidden)).sum(axis=0) + layers["bias_out"])


def _layers(stream: Stream) -> dict[str, NDArray[np.float32]]:
    """Draw one network, layer by layer; a layer's numbers lie within one over the root of its inputs."""
    shapes = ((HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,))
    layers = {}
    for weight, bias, shape, inputs in zip(WEIGHTS, BIASES, shapes, (1, HIDDEN, HIDDEN), strict=True):
        ends = {"low": -(inputs**-0.5), "high": inputs**-0.5}
        layers[weight] = np.abs(stream.uniforms(int(np.prod(shape)), **ends)).reshape(shape)
        layers[bias] = stream.uniforms(1 if weight == WEIGHTS[-1] else HIDDEN, **ends)
    layers[BIASES[-1]] = layers[BIASES[-1]][0]
    return layers
