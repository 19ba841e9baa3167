"""Hamiltonian Monte Carlo for the model: which parameters share a dense metric, how long trajectories are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import infer
from numpyro.infer.hmc import HMCState as HMCState
from numpyro.infer.hmc_util import HMCAdaptState as HMCAdaptState
from numpyro.infer.hmc_util import build_adaptation_schedule

from bayes_sloth.model import free_benchmarks
from bayes_sloth.space import Space
from bayes_sloth.stretching import Stretch

Values = Any
Blocks = dict[str, Values]

# In units of the marginal standard deviations, which the metric makes 1: long enough for directions that are
# a few times longer than that, short enough to draw new momenta often. Jittered, so that nothing swings back.
LENGTH: Final = 4.0
SHORTEST, LONGEST = 0.4, 1.6
# Steps are jittered too, downwards: a chain in a narrow place gets out with the smaller ones.
SMALLEST: Final = 0.7
# While no metric is known steps are short and long trajectories are lost labour; then those of a large table
# must be long, or the metric is that of chains on their way.
MOST_STEPS: Final = (64, 256, 512)
# Then half as many do where the metric is mended afterwards: kept draws of 1,000 models by 60 benchmarks took
# no more steps for it.
MENDED_SHARE: Final = 0.5
# The first stage ends with NumPyro's second estimate of a metric, from 50 draws; sooner in short warm-ups.
EARLY: Final = 150
EARLY_SHARE: Final = 0.3
ACCEPTANCE: Final = 0.8
# Trees of this target are half as deep as at the usual 0.8 and leave as many effective draws.
ACCEPTANCE_OF_TREES: Final = 0.7
DEPTHS: Final = (8, 10)

# Scores that tell of a benchmark's lower end about as much as its prior does.
AS_PRIOR: Final = 16

SAMPLED: Final = ("hmc", "nuts")
_OF_BENCHMARKS: Final = ("lower", "reach_logit", "asymmetry", "bend")
_OF_SKILLS: Final = ("slope", "size_curvature", "token_curvature", "skill_mean", "tuning", "tuning_slope")


class Trajectories(infer.HMC):  # type: ignore[misc]
    """Hamiltonian Monte Carlo with trajectories of random length, never of more than so many steps.

    Parameters
    ----------
    potential_fn : callable
        Of a dict of blocks.
    warmup : int
        Draws of adaptation, in which trajectories take fewer steps.
    mended : bool
        Whether the metric is mended at the end of the adaptation, see `stretching`.
    **settings
        Of NumPyro's `HMC`.
    """

    def __init__(
        self, potential_fn: Callable[[Blocks], Values], warmup: int, *, mended: bool = False, **settings: Any
    ) -> None:
        super().__init__(potential_fn=potential_fn, trajectory_length=LENGTH, **settings)
        self._warmup = warmup
        early, late, most = MOST_STEPS
        self._most = early, max(1, round(MENDED_SHARE * late)) if mended else late, most

    def sample(self, state: HMCState, model_args: tuple[Any, ...], model_kwargs: dict[str, Any]) -> HMCState:
        """Return the state after one trajectory."""
        key, length_key, step_key = jax.random.split(state.rng_key, 3)
        adapted = state.adapt_state.step_size
        step = adapted * jax.random.uniform(step_key, minval=SMALLEST, maxval=1.0)
        length = LENGTH * jax.random.uniform(length_key, minval=SHORTEST, maxval=LONGEST)
        length = jnp.minimum(length, self._most_steps(state.i) * step)
        moved = super().sample(
            state._replace(
                rng_key=key, trajectory_length=length, adapt_state=state.adapt_state._replace(step_size=step)
            ),
            model_args,
            model_kwargs,
        )
        step = jnp.where(state.i < self._warmup, moved.adapt_state.step_size, adapted)
        # The state keeps its types, or the program of the first draws would be another than that of the rest.
        return moved._replace(
            trajectory_length=state.trajectory_length,
            adapt_state=moved.adapt_state._replace(step_size=step),
        )

    def _most_steps(self, draw: Values) -> Values:
        """Return the most steps of a trajectory, by how many were before it."""
        early = min(EARLY, EARLY_SHARE * self._warmup)
        return jnp.select([draw < early, draw < self._warmup], self._most[:2], self._most[2])


class Blocked:
    """The flat vectors of a space as blocks: one for every benchmark and its curve, one for the rest.

    A benchmark's loadings, intercept and link trade off against each other, and an anchor's with the slopes
    of its skill: a dense metric within each block doubles the step. Blocks are small, so that a few hundred
    draws of warm-up tell their covariances.

    Parameters
    ----------
    space : Space
        The parameters.
    stretch : Stretch, optional
        From blocks, one after the other, to those of the flat vector; they are the same where None. What
        `blocks` returns is before it, what `flat` takes is after it.
    """

    def __init__(self, space: Space, stretch: Stretch | None = None) -> None:
        self.space, self.stretch = space, stretch
        size = space.size
        places = {k: v.astype(int) for k, v in space.named(jnp.arange(size, dtype=float)).items()}
        self.places = _dense(space, places)
        together = jnp.concatenate(list(self.places.values()))
        # Every place that is in no block, in order.
        self.places["rest"] = jnp.setdiff1d(jnp.arange(size), together, size=size - together.size)
        self._units = units_of(space)
        self._order = jnp.argsort(jnp.concatenate(list(self.places.values())))

    @property
    def dense(self) -> list[tuple[str, ...]]:
        """Blocks whose metric is dense, as NumPyro wants them named."""
        return [(name,) for name in self.places if name != "rest"]

    def blocks(self, vectors: Values) -> Blocks:
        """Return flat vectors, dims (..., parameter), as blocks before any stretch."""
        scaled = vectors / self._units
        return {name: scaled[..., places] for name, places in self.places.items()}

    def flat(self, blocks: Blocks) -> Values:
        """Return blocks as flat vectors, dims (..., parameter); one at a time where they are stretched."""
        joined = self.joined(blocks)
        scaled = joined if self.stretch is None else self.stretch(joined)
        return scaled[..., self._order] * self._units

    def joined(self, blocks: Blocks) -> Values:
        """Return blocks as vectors, dims (..., parameter), one block after the other."""
        return jnp.concatenate([blocks[name] for name in self.places], axis=-1)

    def parted(self, joined: Values) -> Blocks:
        """Return the blocks of such vectors."""
        ends = np.cumsum([places.size for places in self.places.values()])
        return dict(zip(self.places, jnp.split(joined, ends[:-1], axis=-1), strict=True))

    def times(self, matrices: Mapping[tuple[str, ...], Values], joined: Values) -> Values:
        """Return such vectors with each block, a row, times the matrix or the diagonal that NumPyro has."""
        parts = self.parted(joined)
        for (name,), one in matrices.items():
            parts[name] = parts[name] * one if one.ndim == 1 else parts[name] @ one
        return self.joined(parts)

    def potential(self, blocks: Blocks) -> Values:
        """Return minus the log posterior density, up to a constant."""
        return self.space.potential(self.flat(blocks))


def units_of(space: Space) -> Values:
    """Return the sampler's unit of each parameter, dims (parameter): 1, less for lower ends.

    NumPyro draws estimated variances towards a thousandth, which is more than the variance of the lower end
    of a benchmark with many scores: steps would have to be a few times shorter.

    Parameters
    ----------
    space : Space
        The parameters.

    Returns
    -------
    array, dims (parameter)
        In unconstrained units.
    """
    scores = jnp.asarray(space.design.observed).sum(0)
    lower = space.spec.priors.lower_sd / jnp.sqrt(1 + scores / AS_PRIOR)
    return space.flat(space.named(jnp.ones(space.size)) | {"lower": lower})


def _dense(space: Space, places: dict[str, Values]) -> Blocks:
    """Return the places of the parameters of each benchmark, those of a skill with its anchor."""
    anchors = jnp.asarray(space.design.anchors)
    own = [places[name] for name in _OF_BENCHMARKS if name in places]
    of_skill = [places[name].reshape(anchors.size, -1) for name in _OF_SKILLS if name in places]
    blocks = {
        f"skill {k}": jnp.concatenate([*(a[anchors[k]].reshape(-1) for a in own), *(a[k] for a in of_skill)])
        for k in range(anchors.size)
    }
    for j, benchmark in enumerate(free_benchmarks(space.design)):
        typical = places["predictor_free"][j][None]
        rest = (a[benchmark].reshape(-1) for a in own)
        blocks[f"benchmark {j}"] = jnp.concatenate([places["loading_free"][j], typical, *rest])
    return blocks


def kernel_of(method: str, blocked: Blocked, warmup: int) -> infer.HMC:
    """Return the transition kernel of a method.

    Parameters
    ----------
    method : {"hmc", "nuts"}
        Trajectories of random length; the No-U-Turn sampler.
    blocked : Blocked
        The parameters.
    warmup : int
        Draws of adaptation.

    Returns
    -------
    HMC
        NumPyro's, on blocks.
    """
    if method == "nuts":
        return infer.NUTS(
            potential_fn=blocked.potential,
            dense_mass=blocked.dense,
            target_accept_prob=ACCEPTANCE_OF_TREES,
            max_tree_depth=DEPTHS,
        )
    return Trajectories(
        blocked.potential,
        warmup,
        mended=blocked.stretch is not None,
        dense_mass=blocked.dense,
        target_accept_prob=ACCEPTANCE,
    )


def last_metric(warmup: int) -> int:
    """Return after how many draws of a warm-up its last metric is known, 0 where there is none.

    Parameters
    ----------
    warmup : int
        Draws of adaptation.

    Returns
    -------
    int
        The rest of the warm-up finds a step for it.

    Examples
    --------
    >>> last_metric(500)
    450
    """
    windows = build_adaptation_schedule(warmup)
    return windows[-2].end + 1 if len(windows) > 2 else 0
