"""The score law in pure JAX, from a model's size and tokens to its expected scores; no random numbers."""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_sloth.links import LINKS

Models = Float[Array, " model"]
Skills = Float[Array, "model skill"]
Scores = Float[Array, "model benchmark"]
Benchmarks = Float[Array, " benchmark"]
Shapes = Float[Array, "benchmark ..."]

# Below this bend exp(-k x) - 1 loses digits, and two terms of its series are exact to 2e-9.
STRAIGHT: Final = 1e-4


def diminishing(log_scaled: Float[Array, ...], curvature: Float[Array, ...]) -> Float[Array, ...]:
    r"""Return a log covariate with diminishing returns, :math:`g_k(x) = (1 - e^{-kx})/k`, x itself at k = 0.

    As a power law: :math:`1 - s^{-k}` up to constants. Losses fall as such powers of size and of tokens.

    Parameters
    ----------
    log_scaled : array
        Natural log, centred and scaled.
    curvature : array
        The exponent k; 0 gives the published law, negative values growing returns.

    Returns
    -------
    array
        Increasing in x, with slope 1 at its centre.

    References
    ----------
    Hoffmann et al. (2022). Training compute-optimal large language models. arXiv 2203.15556, eq. 2.

    Examples
    --------
    >>> diminishing(jnp.array([1.0]), jnp.array(0.5)).round(4).tolist()
    [0.7869]
    >>> diminishing(jnp.array([1.0]), jnp.array(0.0)).tolist()
    [1.0]
    """
    bend = -curvature * log_scaled
    straight = jnp.abs(bend) < STRAIGHT
    safe = jnp.where(straight, 1.0, bend)
    # exp(.) - 1 rather than expm1: several times quicker on a CPU, and exact to 1e-12 where it is used.
    return log_scaled * jnp.where(straight, 1 + bend / 2, (jnp.exp(safe) - 1) / safe)


def covariates(
    log_size: Models,
    log_tokens: Models,
    size_curvature: Float[Array, " skill"],
    token_curvature: Float[Array, " skill"],
) -> Float[Array, "model skill covariate"]:
    r"""Return the skill law's design, :math:`x_k = (g_k(\log s), g_k(\log t), g_k(\log s)\,g_k(\log t))`.

    Parameters
    ----------
    log_size, log_tokens : array, dims (model)
        Natural logs of parameters and tokens, centred and scaled.
    size_curvature, token_curvature : array, dims (skill)
        Exponents of `diminishing`; all 0 in the published law.

    Returns
    -------
    array, dims (model, skill, covariate)
        Unit-free.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, eq. 3.1.

    Examples
    --------
    >>> covariates(jnp.array([2.0]), jnp.array([3.0]), jnp.zeros(1), jnp.zeros(1)).tolist()
    [[[2.0, 3.0, 6.0]]]
    """
    size = diminishing(log_size[:, None], size_curvature[None, :])
    tokens = diminishing(log_tokens[:, None], token_curvature[None, :])
    return jnp.stack([size, tokens, size * tokens], axis=-1)


def effective_log_size(log_size: Models, log_active_share: Models, weight: Float[Array, ""]) -> Models:
    r"""Return the log size of a mixture of experts, :math:`\log(s_{active}^w\, s_{total}^{1-w})`.

    Parameters
    ----------
    log_size : array, dims (model)
        Log of total parameters, centred and scaled.
    log_active_share : array, dims (model)
        Log of active over total parameters on the same scale; 0 for a dense model.
    weight : scalar
        The weight w of the active parameters, in [0, 1].

    Returns
    -------
    array, dims (model)
        Log effective size, centred and scaled.

    Examples
    --------
    >>> effective_log_size(jnp.array([2.0]), jnp.array([-1.0]), jnp.array(0.5)).tolist()
    [1.5]
    """
    return log_size + weight * log_active_share


def growth(slope: Float[Array, "skill term"], design: Float[Array, "model skill covariate"]) -> Skills:
    r"""Return what size and tokens add to the skills, :math:`\beta_k' x_{ik}`, the same in every family.

    Parameters
    ----------
    slope : array, dims (skill, covariate)
        One column fewer than the design has where the law goes without the interaction.
    design : array, dims (model, skill, covariate)
        From `covariates`.

    Returns
    -------
    array, dims (model, skill)
        In the skills' units.

    Examples
    --------
    >>> growth(jnp.array([[1.0, 0.5, 0.0]]), jnp.array([[[2.0, 2.0, 4.0]]])).tolist()
    [[3.0]]
    """
    # A sum of products, not a matrix product: XLA fuses it with what follows.
    return jnp.asarray(sum(design[:, :, c] * slope[None, :, c] for c in range(slope.shape[1])))


def skills(
    level: Skills,
    slope: Float[Array, "skill term"],
    design: Float[Array, "model skill covariate"],
    tuning: Skills,
    deviation: Skills,
) -> Skills:
    r"""Return the skills of all models.

    .. math:: \theta_{ik} = m_k + \alpha_{f(i)k} + \beta_k' x_{ik} + \tau_{ik} + \delta_{ik}

    Parameters
    ----------
    level : array, dims (model, skill)
        Mean of the skill plus the efficiency of the model's family.
    slope : array, dims (skill, covariate)
        Slopes shared by all families.
    design : array, dims (model, skill, covariate)
        From `covariates`.
    tuning, deviation : array, dims (model, skill)
        Effect of instruction tuning, 0 for a base model; departure of the family from the shared slopes.

    Returns
    -------
    array, dims (model, skill)
        Skills, in logits of their anchor benchmark.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, eq. 3.1; tuning and deviation are ours.

    Examples
    --------
    >>> zero = jnp.zeros((1, 1))
    >>> skills(zero, jnp.array([[1.0, 0.5, 0.0]]), jnp.array([[[2.0, 2.0, 4.0]]]), zero, zero).tolist()
    [[3.0]]
    """
    return level + growth(slope, design) + tuning + deviation


def tuning(
    instruct: Models, effect: Skills, slope: Float[Array, " skill"], log_size: Models
) -> Float[Array, "model skill"]:
    r"""Return what instruction tuning adds to the skills, :math:`\tau_{ik} = d_i(a_{f(i)k} + g_k\log s_i)`.

    Parameters
    ----------
    instruct : array, dims (model)
        1 = instruction-tuned, 0 = base.
    effect : array, dims (model, skill)
        Effect in the model's family at average size.
    slope : array, dims (skill)
        How the effect grows with log size: large models gain more from tuning.
    log_size : array, dims (model)
        Centred and scaled.

    Returns
    -------
    array, dims (model, skill)
        0 for a base model.

    Examples
    --------
    >>> one = jnp.ones(1)
    >>> tuning(one, jnp.array([[0.5]]), 0.25 * one, 2 * one).tolist()
    [[1.0]]
    """
    return instruct[:, None] * (effect + slope[None, :] * log_size[:, None])


def predictor(
    skill: Skills, loading: Float[Array, "benchmark skill"], intercept: Benchmarks, specific: Scores
) -> Scores:
    r"""Return the linear predictor of every score, :math:`\eta_{ij} = \lambda_j'\theta_i + b_j + u_{l(i)j}`.

    Parameters
    ----------
    skill : array, dims (model, skill)
        From `skills`.
    loading : array, dims (benchmark, skill)
        How much each benchmark asks of each skill.
    intercept : array, dims (benchmark)
        In logits.
    specific : array, dims (model, benchmark)
        What the model's line has of its own on single benchmarks, in logits; see `lines`.

    Returns
    -------
    array, dims (model, benchmark)
        In logits.

    Examples
    --------
    >>> predictor(jnp.array([[2.0]]), jnp.array([[0.5]]), jnp.array([1.0]), jnp.zeros((1, 1))).tolist()
    [[2.0]]
    """
    return skill @ loading.T + intercept[None, :] + specific


def share_reached(
    eta: Scores,
    pivot: Benchmarks,
    reach: Benchmarks,
    shape: Shapes,
    *,
    link: str = "richards",
) -> Scores:
    r"""Return the share of the range above the floor, :math:`h_j(\eta_{ij})`, by a link of `links`.

    Parameters
    ----------
    eta : array, dims (model, benchmark)
        From `predictor`.
    pivot, reach : array, dims (benchmark)
        The link's constants; see `links.richards`.
    shape : array, dims (benchmark) or (benchmark, knot)
        Asymmetry of `links.richards`; bends of `links.spline`.
    link : str
        Name of the link.

    Returns
    -------
    array, dims (model, benchmark)
        Share in (0, reach).

    Examples
    --------
    >>> one = jnp.ones(1)
    >>> share_reached(jnp.zeros((1, 1)), 0 * one, one, one).tolist()
    [[0.5]]
    """
    return LINKS[link](eta, pivot[None, :], reach[None, :], shape[None, :])


def expected_score(share: Scores, lower: Benchmarks) -> Scores:
    r"""Return the expected score, :math:`\mu_{ij} = l_j + (1 - l_j)\,h_j(\eta_{ij})`.

    The upper asymptote is :math:`l_j + (1 - l_j)u_j` with the reach :math:`u_j` of the link.

    Parameters
    ----------
    share : array, dims (model, benchmark)
        From `share_reached`.
    lower : array, dims (benchmark)
        Score of a model without skill.

    Returns
    -------
    array, dims (model, benchmark)
        Share of items solved.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, eq. 2.1.

    Examples
    --------
    >>> expected_score(jnp.array([[0.5]]), jnp.array([0.25])).tolist()
    [[0.625]]
    """
    return lower[None, :] + (1 - lower[None, :]) * share
