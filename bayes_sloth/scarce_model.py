"""A task measured on few models as a regression on their skills: the NumPyro model and its draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import deterministic, handlers, sample
from numpyro.distributions import Distribution, HalfNormal, Normal, StudentT
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.util import constrain_fn, potential_energy
from tqdm.auto import tqdm

from bayes_sloth.observation import score_law

Values = Any
Draw = dict[str, Values]

# Weights and effects are in logits for one standard deviation of a skill over the fitted models.
INTERCEPT_SD: Final = 2.0  # a typical model solves between 2% and 98% of what lies above chance
GENERAL_SD: Final = 2.0  # benchmarks of the packaged table load .5 to 2.5 on all skills together
WEIGHT_SD: Final = 1.0  # as benchmarks load on single skills; dozens of rows can tell which counts
TUNING_SD: Final = 0.5  # what tuning does beyond the skills: half a logit
FAMILY_SD: Final = 0.3  # of most families
FAMILY_TAIL: Final = 2.0  # degrees of freedom: a mix made of code moves its family by logits, and by itself
MISFIT_SD: Final = 0.1  # of a score at mid-range, as of benchmarks
TAIL: Final = 2.0  # degrees of freedom above two, as the packaged table's posterior has them
# Short trees suffice for a dozen parameters of unit scale.
DEPTHS: Final = (6, 8)
ACCEPTANCE: Final = 0.8
WARMUP: Final = 500
BETWEEN, KEPT = 10, 10  # steps to forget the skills before, and draws kept, of each draw of the skills
ROUND: Final = 16  # rows and families are filled up to multiples of this, so that programs are compiled once
BATCH: Final = 50  # draws of the skills from one move of the progress bar to the next


class Rows(NamedTuple):
    """Models on which the task was measured; dims (row) unless said.

    Parameters
    ----------
    skill : array, dims (row, 2 x skill)
        Skills of the model, then the mean skills of the models of its family; standardised over the fitted
        models.
    instruct : array
        1 = instruction-tuned.
    member : array, dims (row, family)
        1 in the column of the row's family.
    floor, items, score : array
        Score of a guesser, number of items (infinite where unknown), share solved.
    seen : array of bool
        False for rows that only fill up the shape of a program.
    """

    skill: Values
    instruct: Values
    member: Values
    floor: Values
    items: Values
    score: Values
    seen: Values


def task_law(draw: dict[str, Values], rows: Rows) -> tuple[Values, Distribution]:
    r"""Return the expected scores of rows and the law of observed ones, in one draw.

    .. math:: \mu_i = l + (1 - l)\,\mathrm{logit}^{-1}(a + w^\top z_i + v^\top \bar z_{f(i)} + c\,d_i
        + u_{f(i)})

    Parameters
    ----------
    draw : dict of arrays
        Sites of `task`.
    rows : Rows
        Their scores are not looked at.

    Returns
    -------
    expected : array, dims (row)
        Shares of items solved.
    law : Distribution
        Student-t around them, of batch shape (row, 1); see `observation.score_law`.
    """
    own = draw["tuning"] * rows.instruct + rows.member @ draw["family_effect"]
    weight = jnp.concatenate([draw["weight"], draw["family_weight"]])
    share = jax.nn.sigmoid(draw["intercept"] + rows.skill @ weight + own)
    expected = rows.floor + (1 - rows.floor) * share
    column = (slice(None), None)  # the task is the only benchmark
    parts = (share[column], expected[column], draw["misfit"][None], rows.items[column], TAIL)
    return expected, score_law("student_t", *parts)


def task(rows: Rows) -> None:
    r"""Declare the regression.

    .. math:: w_k = g/K + s\,e_k, \quad v_k = s_v\,e'_k, \quad u_f = s_u\,r_f, \quad e, e' \sim N(0, 1),
        \quad r \sim t_2, \quad g \ge 0

    Skill of every kind helps, in equal parts until the rows say otherwise. What tells the models of one
    family apart need not tell families apart (Mundlak 1978): a family that learnt from code has other skills
    than one of larger models. Most families have little of their own beyond that, a few much: they leave
    what the others say alone.

    Parameters
    ----------
    rows : Rows
        Data.

    References
    ----------
    Mundlak, Y. (1978). On the pooling of time series and cross section data. Econometrica 46, 69-85.
    """
    skills, families = rows.skill.shape[1] // 2, rows.member.shape[1]
    general = sample("general", HalfNormal(GENERAL_SD))
    spread = sample("weight_scale", HalfNormal(WEIGHT_SD))
    own = sample("weight_raw", Normal(0, 1).expand((skills,)).to_event(1))
    between = sample("family_weight_scale", HalfNormal(WEIGHT_SD))
    apart = sample("family_weight_raw", Normal(0, 1).expand((skills,)).to_event(1))
    family_scale = sample("family_scale", HalfNormal(FAMILY_SD))
    raw = sample("family_raw", StudentT(FAMILY_TAIL).expand((families,)).to_event(1))
    draw = {
        "intercept": sample("intercept", Normal(0, INTERCEPT_SD)),
        "weight": deterministic("weight", general / skills + spread * own),
        "family_weight": deterministic("family_weight", between * apart),
        "tuning": sample("tuning", Normal(0, TUNING_SD)),
        "family_effect": deterministic("family_effect", family_scale * raw),
        "misfit": sample("misfit", HalfNormal(MISFIT_SD)),
    }
    with handlers.mask(mask=rows.seen[:, None]):
        sample("score", task_law(draw, rows)[1], obs=rows.score[:, None])


SITES: Final = (
    *("intercept", "weight", "family_weight", "tuning"),
    *("family_effect", "family_scale", "misfit"),
)


def conditional_draws(rows: Rows, *, seed: int, progress: bool) -> dict[str, np.ndarray]:
    """Draw the regression's parameters given each draw of the skills.

    A chain finds its step and its metric on the average skills, then goes from one draw of the skills
    to the next and takes as many steps at each as it takes to forget the one before.

    Parameters
    ----------
    rows : Rows
        `skill` has dims (skill draw, row, 2 x skill).
    seed : int
        Of the chain.
    progress : bool
        Whether to show progress.

    Returns
    -------
    dict of arrays, dims (skill draw, draw, ...)
        The sites of `SITES`.

    References
    ----------
    Plummer, M. (2015). Cuts in Bayesian graphical models. Statistics and Computing 25, 37-43, section 4.
    """
    families, rows = rows.member.shape[1], _filled_up(rows)
    skills = rows.skill
    rows = rows._replace(skill=skills.mean(axis=0))
    state = _begun(rows, jax.random.key(seed))
    parts: list[dict[str, np.ndarray]] = []
    with tqdm(total=len(skills), desc="regressing", disable=not progress, leave=False) as bar:
        for some in np.array_split(np.arange(len(skills)), max(1, len(skills) // BATCH)):
            state, found = _continued(rows, skills[some], state)
            parts.append({name: np.asarray(value) for name, value in found.items()})
            bar.update(len(some))
    found = {name: np.concatenate([part[name] for part in parts]) for name in SITES}
    return found | {"family_effect": found["family_effect"][..., :families]}


def _filled_up(rows: Rows) -> Rows:
    """Return as many rows and families as a program has that serves tables of about this size."""
    more, new = (-size % ROUND for size in rows.member.shape)
    filled = {name: np.pad(getattr(rows, name), (0, more)) for name in ("instruct", "floor", "score", "seen")}
    items = np.pad(rows.items, (0, more), constant_values=1.0)  # no row is without noise
    member = np.pad(rows.member, ((0, more), (0, new)))
    skill = np.pad(rows.skill, ((0, 0), (0, more), (0, 0)))
    filled |= {"items": items, "member": member, "skill": skill}
    return Rows(**{name: jnp.asarray(value) for name, value in filled.items()})


def _potential(rows: Rows) -> Callable[[Draw], Values]:
    return lambda named: potential_energy(task, (rows,), {}, named)


_INIT, _STEP = hmc(potential_fn_gen=_potential, algo="NUTS")


@jax.jit
def _begun(rows: Rows, key: Values) -> HMCState:
    """Adapt to the average skills."""
    state = _INIT(
        _start(rows),
        WARMUP,
        target_accept_prob=ACCEPTANCE,
        max_tree_depth=DEPTHS,
        model_args=(rows,),
        rng_key=key,
    )
    return jax.lax.fori_loop(0, WARMUP, lambda _, inner: _STEP(inner, (rows,)), state)


@jax.jit
def _continued(rows: Rows, skills: Values, state: HMCState) -> tuple[HMCState, Draw]:
    """Go on through some draws of the skills."""

    def one(state: HMCState, skill: Values) -> tuple[HMCState, Draw]:
        here = rows._replace(skill=skill)
        energy, gradient = jax.value_and_grad(_potential(here))(state.z)
        state = state._replace(potential_energy=energy, z_grad=gradient)
        state = jax.lax.fori_loop(0, BETWEEN, lambda _, inner: _STEP(inner, (here,)), state)

        def keep(state: HMCState, _: None) -> tuple[HMCState, Draw]:
            state = _STEP(state, (here,))
            sites = constrain_fn(task, (here,), {}, state.z, return_deterministic=True)
            return state, {name: sites[name] for name in SITES}

        found: tuple[HMCState, Draw] = jax.lax.scan(keep, state, None, KEPT)
        return found

    found: tuple[HMCState, Draw] = jax.lax.scan(one, state, skills)
    return found


def _start(rows: Rows) -> Draw:
    """Return unconstrained parameters to start from: no effects, scales at their priors'."""
    skills, families = rows.skill.shape[-1] // 2, rows.member.shape[1]
    scales = {"general": GENERAL_SD, "weight_scale": WEIGHT_SD, "family_weight_scale": WEIGHT_SD}
    scales |= {"family_scale": FAMILY_SD, "misfit": MISFIT_SD}
    zero = {"intercept": (), "tuning": (), "family_raw": (families,)}
    zero |= {"weight_raw": (skills,), "family_weight_raw": (skills,)}
    logs = {name: jnp.log(jnp.asarray(scale)) for name, scale in scales.items()}
    return {**logs, **{name: jnp.zeros(shape) for name, shape in zero.items()}}
