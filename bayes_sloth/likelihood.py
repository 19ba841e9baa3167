"""The likelihood of a whole table; of a large one part by part, each of which stays in a core's cache."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from numpyro import distributions as dist

from bayes_sloth.benchmark_curve import BenchmarkCurve, shares_of
from bayes_sloth.observation import StudentTScore, score_law

Values = Any

# Cells of a table from which on its slope is computed part by part: a few arrays of so many fill the cache of
# a core.
MANY_CELLS: Final = 2**16
# Cells of a part: few enough for the cache, so many that beginning a part costs little.
PART: Final = 2**13
# Numbers multiplied before one logarithm is taken of them all: in 64 bits eight of 1e-38 are still a number.
TOGETHER: Final = 8


class Form(NamedTuple):
    """What is chosen of a likelihood, by name.

    Parameters
    ----------
    link, likelihood : str
        As a `ModelSpec` has them.
    """

    link: str
    likelihood: str


class Shared(NamedTuple):
    """Parameters of benchmarks and of the noise; loadings and intercepts act through the predictors alone.

    Parameters
    ----------
    curve : BenchmarkCurve
        One draw.
    misfit : array, dims (benchmark)
        Standard deviation of the misfit at mid-range, on the score.
    tail : array
        Degrees of freedom above the least, one number for all benchmarks.
    """

    curve: BenchmarkCurve
    misfit: Values
    tail: Values


class Cells(NamedTuple):
    """What a table tells of its cells.

    Parameters
    ----------
    score, items : array, dims (model, benchmark)
        Shares of items solved, some number where not observed; item counts, infinite where unknown.
    observed : array of bool, dims (model, benchmark)
        Which scores count.
    pivot : array, dims (benchmark)
        Logit of the share that the curve is told at.
    """

    score: Values
    items: Values
    observed: Values
    pivot: Values


def law_of_cells(form: Form, shared: Shared, eta: Values, cells: Cells) -> dist.Distribution:
    """Return the law of the scores of a table, or of some models of it.

    Parameters
    ----------
    form : Form
        Names.
    shared : Shared
        Parameters of benchmarks.
    eta : array, dims (model, benchmark)
        Linear predictors, in logits.
    cells : Cells
        Of the same models.

    Returns
    -------
    Distribution
        Of batch shape (model, benchmark).
    """
    share, expected = shares_of(eta, shared.curve, cells.pivot, form.link)
    return score_law(form.likelihood, share, expected, shared.misfit, cells.items, shared.tail)


class TableScores(dist.Distribution):  # type: ignore[misc]
    """All scores of a table at once; the log density is one number, that of the observed ones.

    Parameters
    ----------
    form : Form
        Names.
    shared : Shared
        Parameters of benchmarks.
    eta : array, dims (model, benchmark)
        Linear predictors, in logits.
    cells : Cells
        The table; its scores are not looked at.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012
    support = dist.constraints.real_matrix

    def __init__(self, form: Form, shared: Shared, eta: Values, cells: Cells) -> None:
        self.form, self.shared, self.eta, self.cells = form, shared, eta, cells
        super().__init__(event_shape=jnp.shape(eta), validate_args=False)

    def log_prob(self, value: Values) -> Values:
        """Return the log density of the observed ones among scores."""
        return log_density(self.form, self.shared, self.eta, self.cells._replace(score=value))

    @property
    def by_cell(self) -> dist.Distribution:
        """The law of every score, of batch shape (model, benchmark)."""
        return law_of_cells(self.form, self.shared, self.eta, self.cells)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Values:
        """Draw scores of all cells, as the law of each has them."""
        return self.by_cell.sample(key, sample_shape)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_density(form: Form, shared: Shared, eta: Values, cells: Cells) -> Values:
    r"""Return the log density of a table's observed scores, :math:`\sum_{ij} \log p(y_{ij} \mid \eta_{ij})`.

    Slopes of a part of the table are computed along with its density, while all of it is in the processor's
    cache. They are slopes by parameters and predictors; the table is taken as given, whose slopes are 0.

    Parameters
    ----------
    form : Form
        Names.
    shared : Shared
        Parameters of benchmarks.
    eta : array, dims (model, benchmark)
        Linear predictors, in logits.
    cells : Cells
        The table.

    Returns
    -------
    array
        Natural log.

    Examples
    --------
    >>> half, one = jnp.full((1, 1), 0.5), jnp.ones(1)
    >>> curve = BenchmarkCurve(jnp.ones((1, 1)), 0 * one, one, one, 0 * one)
    >>> cells = Cells(half, jnp.inf * half, half > 0, 0 * one)
    >>> shared = Shared(curve, one / 10, jnp.array(1.0))
    >>> round(float(log_density(Form("richards", "normal"), shared, 0 * half, cells)), 3)
    1.374
    """

    def added(total: Values, part: tuple[Values, Cells]) -> tuple[Values, None]:
        return total + _of_part(form, shared, *part), None

    return jax.lax.scan(added, jnp.zeros(()), _parts(eta, cells))[0]


@log_density.defjvp
def _with_slope(
    form: Form, at: tuple[Shared, Values, Cells], change: tuple[Shared, Values, Cells]
) -> tuple[Values, Values]:
    """Return the log density and its change with the parameters; the table does not change."""
    shared, eta, cells = at

    def added(totals: Values, part: tuple[Values, Cells]) -> tuple[Values, Values]:
        found, (slopes, own) = jax.value_and_grad(partial(_of_part, form), argnums=(0, 1))(shared, *part)
        return jax.tree.map(operator.add, totals, (found, slopes)), own

    zero = jnp.zeros(()), jax.tree.map(jnp.zeros_like, shared)
    (total, slopes), own = jax.lax.scan(added, zero, _parts(eta, cells))
    own = own.reshape(-1, eta.shape[1])[: len(eta)]
    each = jax.tree.map(jnp.vdot, (slopes, own), change[:2])
    return total, jax.tree.reduce(operator.add, each)


def _of_part(form: Form, shared: Shared, eta: Values, cells: Cells) -> Values:
    """Return the log density of some models' scores."""
    law = law_of_cells(form, shared, eta, cells)
    if isinstance(law, StudentTScore):
        return total_of(law, cells.score, cells.observed)
    return jnp.where(cells.observed, law.log_prob(cells.score), 0.0).sum()


def total_of(law: StudentTScore, score: Values, observed: Values) -> Values:
    """Return the log density of all observed scores, for which fewer logarithms are taken than for each.

    Parameters
    ----------
    law : StudentTScore
        Of batch shape (model, benchmark), with one number of degrees of freedom.
    score : array, dims (model, benchmark)
        Finite; models are a multiple of `TOGETHER`.
    observed : array of bool, dims (model, benchmark)
        Which scores count.

    Returns
    -------
    array
        Natural log.
    """
    spread, count = law.spread(score), observed.astype(law.mean_score.dtype).sum(0)
    of_variance, of_spread = 0.5 * law.freedom, -0.5 * (law.freedom + 1)
    logs = of_variance * sum_of_logs(jnp.where(observed, law.variance_score, 1.0))
    logs = logs + of_spread * sum_of_logs(jnp.where(observed, spread, 1.0))
    return (law.constant * count + logs).sum()


@jax.custom_jvp
def sum_of_logs(values: Values) -> Values:
    """Return sums of logs over models, for which few logs are taken.

    Parameters
    ----------
    values : array, dims (model, benchmark)
        Positive, 1e-38 to 1e38, in 64 bits; models are a multiple of `TOGETHER`.

    Returns
    -------
    array, dims (benchmark)
        Natural logs.

    Examples
    --------
    >>> sum_of_logs(jnp.full((16, 1), 4.0)) / jnp.log(2.0)
    Array([32.], dtype=float64)
    """
    return jnp.log(values.reshape(-1, TOGETHER, values.shape[-1]).prod(1)).sum(0)


@sum_of_logs.defjvp
def _change_of_logs(values: tuple[Values], change: tuple[Values]) -> tuple[Values, Values]:
    """Return the sum of logs, and its change: each number's in units of itself."""
    return sum_of_logs(*values), (change[0] / values[0]).sum(0)


def _parts(eta: Values, cells: Cells) -> tuple[Values, Cells]:
    """Return predictors and cells cut into parts, dims (part, model, benchmark), pivots (part, benchmark).

    The last model is repeated, not observed, to fill the last part. An accelerator has one part.
    """
    models, benchmarks = eta.shape
    most = max(1, PART // benchmarks) if jax.default_backend() == "cpu" else models
    count = -(-models // (-(-most // TOGETHER) * TOGETHER))
    size = -(-models // (count * TOGETHER)) * TOGETHER
    missing = -models % size

    def laid(values: Values, mode: str) -> Values:
        whole = jnp.broadcast_to(values, (models, benchmarks))
        return jnp.pad(whole, ((0, missing), (0, 0)), mode=mode).reshape(-1, size, benchmarks)

    return laid(eta, "edge"), Cells(
        laid(cells.score, "edge"),
        laid(cells.items, "edge"),
        laid(cells.observed, "constant"),
        jnp.broadcast_to(cells.pivot, ((models + missing) // size, benchmarks)),
    )
