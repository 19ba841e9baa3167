"""The published factor law in 32 bits, as the authors' code computes it: its mean, its start and its fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from bayes_sloth.errors import unknown_name
from bayes_sloth.laws.generator import Stream
from bayes_sloth.laws.huber import Parameters, Training
from bayes_sloth.laws.lanes import trained
from bayes_sloth.laws.network import nonnegative, share_reached, started
from bayes_sloth.laws.rows import with_average

Design = Float[Array, "model covariate"]
Table = Float[Array, "model benchmark"]
Cells = NDArray[np.float32]

LINKS: Final = ("logistic", "network")
EDGE: Final = 1e-5  # keeps the logit of a floor of 0 finite, as published


@dataclass(frozen=True, eq=False)
class Problem:
    """Fits of one law that differ in what they see.

    Parameters
    ----------
    covariates : array, dims (model, covariate)
        With slopes that all skills have, drawn positive.
    groups : array, dims (model, group)
        With intercepts.
    targets, weights : array, dims (fit, model, benchmark)
        Scores; 1 where one is seen, 0 where not.
    floors : array, dims (fit, benchmark)
        Chance floors.
    seed : int
        Of the start, the same for every fit.
    training : Training
        Settings.
    pooled : bool
        Whether families share slopes; else each covariate is one family's.
    """

    covariates: NDArray[np.float64]
    groups: NDArray[np.float64]
    targets: Cells
    weights: Cells
    floors: NDArray[np.float64]
    seed: int
    training: Training
    pooled: bool = True

    @property
    def design(self) -> Cells:
        """Covariates and groups side by side; dims (model, covariate)."""
        return side_by_side(self.covariates, self.groups)

    @property
    def benchmarks(self) -> int:
        """How many benchmarks one fit has."""
        return int(self.targets.shape[2])


def side_by_side(covariates: NDArray[np.float64], groups: NDArray[np.float64]) -> Cells:
    """Return covariates and groups as one design in 32 bits; dims (model, covariate)."""
    return np.concatenate([covariates, groups], axis=1, dtype=np.float32)


def check_link(link: str) -> None:
    """Refuse a link that is none of `LINKS`.

    Raises
    ------
    InputError
        If it is unknown.
    """
    if link not in LINKS:
        raise unknown_name("link", link, LINKS)


def held_logistic(parameters: Parameters, design: Design) -> Table:
    """Return the expected scores under a logistic link, floors held; see `free_network` for the rest."""
    return free_logistic(parameters | {"floor": jax.lax.stop_gradient(parameters["floor"])}, design)


def free_logistic(parameters: Parameters, design: Design) -> Table:
    """Return the expected scores under a logistic link, floors free; see `free_network` for the rest."""
    return _above(parameters["floor"], jax.nn.sigmoid(_predictor(parameters, design)))


def free_network(parameters: Parameters, design: Design) -> Table:
    r"""Return the expected scores under a monotone network, floors free.

    .. math:: \mu_{ij} = \gamma_j + (1 - \gamma_j)\, h_j(\lambda_j' W' x_i + b_j)

    Parameters
    ----------
    parameters : dict of arrays
        `skill`, dims (covariate, skill): slopes, then intercepts of the groups; `loading`, dims (skill,
        benchmark); `intercept` and `floor` (logits), dims (benchmark); those of `network`.
    design : array, dims (model, covariate)
        Covariates and groups.

    Returns
    -------
    array, dims (model, benchmark)
        Shares of items solved.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, eqs. 2.1 and 3.1.

    Examples
    --------
    >>> one = jax.numpy.ones((1, 1), "float32")
    >>> layers = started(Stream(0), 1)
    >>> values = {"skill": one, "loading": one, "intercept": one[0], "floor": one[0]} | layers
    >>> free_network(values, one).shape
    (1, 1)
    """
    return _above(parameters["floor"], share_reached(parameters, _predictor(parameters, design)))


def fitted_logistic(problem: Problem, skills: int, *, free: bool) -> Parameters:
    """Fit the law with a logistic link from the published start.

    Parameters
    ----------
    problem : Problem
        What to fit.
    skills : int
        How many.
    free : bool
        Whether floors are fitted too.

    Returns
    -------
    dict of arrays, dims (fit, ...)
        As in `free_network`, without the network.
    """
    fits = problem.targets.shape[0]
    starts = {n: np.repeat(v[None], fits, axis=0) for n, v in _drawn(problem, skills).items()}
    starts["floor"] = _logit(problem.floors)
    return _trained(free_logistic if free else held_logistic, starts, problem)


def fitted_network(problem: Problem, basic: Parameters) -> Parameters:
    """Fit the law with a monotone network and free floors, from a fit with a logistic link.

    Parameters
    ----------
    problem : Problem
        What to fit.
    basic : dict of arrays, dims (fit, ...)
        From `fitted_logistic`.

    Returns
    -------
    dict of arrays, dims (fit, ...)
        As in `free_network`.
    """
    layers = started(Stream(problem.seed), problem.benchmarks)
    fits = problem.targets.shape[0]
    starts = basic | {n: np.repeat(v[None], fits, axis=0) for n, v in layers.items()}
    starts["floor"] = _logit(1 / (1 + np.exp(-basic["floor"])))
    if problem.benchmarks == 1:  # the published code forgets the loading of a law with one benchmark
        starts["loading"] = np.ones_like(basic["loading"])
    return _trained(free_network, starts, problem)


def fitted(problem: Problem, skills: int, link: str) -> Parameters:
    """Fit the law as published: a logistic link on held floors, then perhaps a network on free ones.

    Parameters
    ----------
    problem : Problem
        What to fit.
    skills : int
        How many.
    link : {"logistic", "network"}
        From predictor to score.

    Returns
    -------
    dict of arrays, dims (fit, ...)
        As in `free_network`; families of which a fit sees nothing are as the average of the others.
    """
    found = fitted_logistic(problem, skills, free=False)
    return settled(fitted_network(problem, found) if link == "network" else found, problem)


def settled(found: Parameters, problem: Problem) -> Parameters:
    """Give families of which a fit sees nothing the average of the others, for training left them at random.

    Parameters
    ----------
    found : dict of arrays, dims (fit, ...)
        From `fitted_logistic` or `fitted_network`.
    problem : Problem
        What was fitted.

    Returns
    -------
    dict of arrays, dims (fit, ...)
        The same, but for `skill`.
    """
    told = np.einsum("fij,ic->fc", problem.weights, problem.design != 0) > 0
    skill, first = np.array(found["skill"]), problem.covariates.shape[1]
    skill[:, first:] = with_average(skill[:, first:], told[:, first:])
    if not problem.pooled:
        skill[:, :first] = with_average(skill[:, :first], told[:, :first])
    return found | {"skill": skill}


def forecast(parameters: Parameters, design: Cells) -> NDArray[np.float64]:
    """Return the expected scores of every fit, by a network where the parameters hold one.

    Parameters
    ----------
    parameters : dict of arrays, dims (fit, ...)
        From `fitted_logistic` or `fitted_network`.
    design : array, dims (model, covariate)
        Covariates and groups.

    Returns
    -------
    array, dims (fit, model, benchmark)
        Shares of items solved.
    """
    curve = free_network if "weight_in" in parameters else free_logistic
    return np.asarray(_curves(curve, parameters, design), dtype=np.float64)


@partial(jax.jit, static_argnums=0)
def _curves(curve: Any, parameters: Parameters, design: Any) -> Any:
    return jax.vmap(curve, in_axes=(0, None))(parameters, design)


def _predictor(parameters: Parameters, design: Design) -> Table:
    skill = design @ parameters["skill"]
    predictor: Table = skill @ parameters["loading"] + parameters["intercept"][None, :]
    return predictor


def _above(floor: Float[Array, " benchmark"], share: Table) -> Table:
    lower = jax.nn.sigmoid(floor)[None, :]
    return lower + (1 - lower) * share


def _drawn(problem: Problem, skills: int) -> Parameters:
    """Draw the published start: standard normal, slopes and loadings positive."""
    stream = Stream(problem.seed)
    shapes = {
        "slope": (problem.covariates.shape[1], skills),
        "level": (problem.groups.shape[1], skills),
        "intercept": (problem.benchmarks,),
        "loading": (skills, problem.benchmarks),
    }
    drawn = {name: stream.normals(int(np.prod(shape))).reshape(shape) for name, shape in shapes.items()}
    if problem.benchmarks == 1:  # the published code draws no loading for a law with one benchmark
        drawn["loading"] = np.ones(shapes["loading"], np.float32)
    skill = np.concatenate([np.abs(drawn.pop("slope")), drawn.pop("level")])
    return drawn | {"skill": skill, "loading": np.abs(drawn["loading"])}


def _logit(share: Any) -> Cells:
    return np.asarray(np.log((share + EDGE) / (1 - share + EDGE)), dtype=np.float32)


def _trained(curve: Any, starts: Parameters, problem: Problem) -> Parameters:
    cells = problem.targets, problem.weights, problem.design
    return trained(curve, starts, *cells, bound=nonnegative, training=problem.training)
