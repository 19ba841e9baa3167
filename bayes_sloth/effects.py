"""Effects of families on skills, correlated and inherited, and of their lines on single benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from numpyro import distributions as dist

from bayes_sloth.lines import AskedLines

Values = Any


def inherit(innovation: Values, parent: Values, share: Values) -> Values:
    r"""Return family effects from what is each family's own.

    .. math:: a_f = w\,a_{p(f)} + \sqrt{1 - w^2}\,e_f, \quad a_f = e_f \text{ without a parent}

    Every effect keeps the variance of an innovation, however long the line of descent.

    Parameters
    ----------
    innovation : array, dims (family, skill)
        What is a family's own.
    parent : array of int, dims (family)
        Number of the parent family, -1 for none; lines of descent have no loops.
    share : scalar
        The share w that is handed down.

    Returns
    -------
    array, dims (family, skill)
        Effects.

    Examples
    --------
    >>> inherit(jnp.array([[1.0], [0.0]]), jnp.array([-1, 0]), 0.5).tolist()
    [[1.0], [0.5]]
    """
    has_parent = (parent >= 0)[:, None]
    own = jnp.where(has_parent, jnp.sqrt(1 - share**2), 1.0) * innovation
    return jax.lax.fori_loop(
        0, parent.shape[0], lambda _, effect: own + jnp.where(has_parent, share * effect[parent], 0.0), own
    )


def unit_lower(raw: Values, skills: int) -> Values:
    """Return the unit lower-triangular matrix with the given entries below its diagonal.

    Parameters
    ----------
    raw : array, dims (skill_pair)
        Entries, row by row.
    skills : int
        Size of the matrix.

    Returns
    -------
    array, dims (skill, skill)
        Identity plus the entries.

    Examples
    --------
    >>> unit_lower(jnp.array([2.0]), 2).tolist()
    [[1.0, 0.0], [2.0, 1.0]]
    """
    return jnp.eye(skills).at[jnp.tril_indices(skills, -1)].set(raw)


class FamilyEffects(dist.Distribution):  # type: ignore[misc]
    r"""Normal family effects around `loc`: :math:`a - m = w\,(a - m)_{parent} + \sqrt{1 - w^2}\,D L z`.

    Parameters
    ----------
    loc : array, dims (family, skill)
        Means.
    scale : array, dims (skill)
        Standard deviations D along the Cholesky rows.
    lower : array, dims (skill, skill)
        Unit lower-triangular factor L that correlates skills.
    parent : array of int, dims (family)
        Parent family, -1 for none.
    share : scalar
        Share w handed down; 0 where no family has a parent.
    """

    arg_constraints = {"loc": dist.constraints.real_matrix, "scale": dist.constraints.positive}  # noqa: RUF012
    support = dist.constraints.real_matrix

    def __init__(self, loc: Values, scale: Values, lower: Values, parent: Values, share: Values) -> None:
        self.loc, self.scale, self.lower, self.parent, self.share = loc, scale, lower, parent, share
        super().__init__(event_shape=jnp.shape(loc), validate_args=False)

    @property
    def mean(self) -> Values:
        """Average of every effect."""
        return self.loc

    def log_prob(self, value: Values) -> Values:
        """Return the joint log density of all family effects."""
        has_parent = (self.parent >= 0)[:, None]
        effect = value - self.loc
        spread = jnp.where(has_parent, jnp.sqrt(1 - self.share**2), 1.0)
        own = (effect - jnp.where(has_parent, self.share * effect[self.parent], 0.0)) / spread
        inverse = solve_triangular(self.lower, jnp.eye(self.scale.size), lower=True, unit_diagonal=True)
        white = (own / self.scale[None, :]) @ inverse.T
        families, skills = self.loc.shape
        constant = 0.5 * families * skills * jnp.log(2 * jnp.pi)
        logs = families * jnp.log(self.scale).sum() + skills * jnp.log(spread).sum()
        return -0.5 * (white**2).sum() - logs - constant

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw all family effects."""
        white = jax.random.normal(key, sample_shape + jnp.shape(self.loc))
        own = (white @ self.lower.T) * self.scale

        def one(innovation: Values) -> Values:
            return self.loc + inherit(innovation, self.parent, self.share)

        flat = jax.vmap(one)(own.reshape((-1, *self.loc.shape)))
        return flat.reshape(own.shape)


def handed_on(own: Values, base: Values) -> Values:
    r"""Return the effects of lines, a tuned one on top of its base: :math:`u_l = v_l + v_{b(l)}`.

    Parameters
    ----------
    own : array, dims (line, benchmark)
        What is a line's own.
    base : array of int, dims (line)
        Number of the base line, -1 for none.

    Returns
    -------
    array, dims (line, benchmark)
        Effects.

    Examples
    --------
    >>> handed_on(jnp.array([[1.0], [0.5]]), jnp.array([-1, 0])).tolist()
    [[1.0], [1.5]]
    """
    return own + _where(base, own)


def specific_to(draw: Mapping[str, Values], line: Values, benchmarks: int) -> Values:
    """Return what the lines of fitted models have of their own in one draw, 0 in a fit without such effects.

    Parameters
    ----------
    draw : mapping of str to array
        Named quantities of one draw.
    line : array of int, dims (model)
        Line number of every model.
    benchmarks : int
        How many.

    Returns
    -------
    array, dims (model, benchmark)
        In logits.

    Examples
    --------
    >>> specific_to({"specific": jnp.array([[0.5], [0.1]])}, jnp.array([1, 0, 1]), 1)[:, 0].tolist()
    [0.1, 0.5, 0.1]
    """
    effect = draw.get("specific")
    return jnp.zeros((line.size, benchmarks)) if effect is None else effect[line]


def drawn_specific(lines: AskedLines, effect: Values, scale: Values, noise: Values) -> Values:
    """Return the specific effects of models asked about, drawn for lines that were not fitted.

    Parameters
    ----------
    lines : AskedLines
        Of the models.
    effect : array, dims (line of the fit, benchmark)
        One draw of the fitted lines' effects.
    scale : array, dims (benchmark)
        Of the effects.
    noise : array, dims (line, benchmark)
        Standard normal variables; models of one line share them.

    Returns
    -------
    array, dims (model, benchmark)
        In logits.
    """
    new = scale * noise + _where(lines.beside, effect)
    own = jnp.where((lines.fitted >= 0)[:, None], effect[lines.fitted], new)
    return handed_on(own, lines.base)[lines.model]


def _where(number: Values, effect: Values) -> Values:
    """Return the effects of numbered lines, 0 for none."""
    return jnp.where((number >= 0)[:, None], effect[number], 0.0)
