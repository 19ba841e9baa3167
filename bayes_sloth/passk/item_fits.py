"""From counts and skills to a posterior of items: how hard each is, what it asks for, how far skills tell."""

from __future__ import annotations

import hashlib
import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from numpyro import infer

from bayes_sloth.arguments import check_whole
from bayes_sloth.convergence import ESS_PER_CHAIN, RHAT_PARAMETER
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.errors import FitStatus, FitWarning, InputError
from bayes_sloth.names import CHAIN, DRAW, ITEM, MODEL, SKILL
from bayes_sloth.passk.abilities import Abilities, abilities_of
from bayes_sloth.passk.counts import Counts, read_counts
from bayes_sloth.passk.item_model import ItemData, ItemPriors, discriminations, item_model
from bayes_sloth.posterior import FitReport, Posterior, labelled
from bayes_sloth.tables.files import Source
from bayes_sloth.versions import versions_of_packages
from bayes_sloth.watching import watched

Floats = NDArray[np.float64]

FEWEST: Final = 2  # models that a slope can be told from, barely
DIMS: Final = {
    "weight": (SKILL,),
    "weight_scale": (SKILL,),
    "discrimination": (ITEM, SKILL),
    "difficulty": (ITEM,),
    "never_item": (ITEM,),
    "model_effect": (MODEL,),
    "model_skill": (MODEL, SKILL),
}
SCALARS: Final = ("difficulty_mean", "difficulty_scale", "model_scale", "residual", "never")
FEW_MODELS: Final = (
    "{models} models tell little of how items depend on {skills} skills: forecasts of other models lean on "
    "the prior; sample more models, or fit with fewer skills."
)


@dataclass(frozen=True, eq=False)
class ItemPosterior:
    """A fitted item-level model, by whatever method: draws with labels.

    Parameters
    ----------
    data : Dataset
        Dims chain, draw, then: `weight`, `weight_scale` (skill); `discrimination` (item, skill) and
        `difficulty` (item), if an item can be solved at all; `never_item` (item; the chance that nobody ever
        solves it); `model_effect` (model); `model_skill` (model, skill); `difficulty_mean`,
        `difficulty_scale`, `model_scale`, `residual`, `never`. Logits, for skills in standard deviations.
    counts : Counts
        What was fitted.
    abilities : Abilities
        Skills of the sampled models, and how to get those of others.
    report : FitReport
        What happened while fitting.
    """

    data: xr.Dataset
    counts: Counts
    abilities: Abilities
    report: FitReport

    @property
    def draws(self) -> int:
        """Number of draws over all chains."""
        return int(self.data.sizes[CHAIN] * self.data.sizes[DRAW])

    def flat(self, name: str) -> Floats:
        """Return the draws of a quantity, chains one after the other."""
        values = self.data[name].values
        return np.asarray(values.reshape(-1, *values.shape[2:]))

    def __repr__(self) -> str:
        """Say in a few lines what was fitted and how it went."""
        size = f"{len(self.counts.models)} models, {len(self.counts.items)} items"
        skills = ", ".join(self.abilities.skills)
        return f"ItemPosterior: {size}, {self.draws} draws; skills {skills}\n{self.report!r}"


def fit(
    table: Source | Counts,
    skills: Posterior | Source,
    *,
    priors: ItemPriors | None = None,
    seed: int,
    chains: int = 4,
    draws: int = 500,
    warmup: int = 500,
    progress: bool = True,
) -> ItemPosterior:
    r"""Fit how the chance of solving an item once depends on a model's skills.

    .. math:: p_{mq} = v_q\,\mathrm{logit}^{-1}(a_q'\theta_m + r_m - b_q + e_{mq})

    `item_model` has the whole model. Skills of a fit come with their uncertainty, as a normal distribution
    over all sampled models together, which the counts then sharpen. Sampled by the No-U-Turn sampler.

    Parameters
    ----------
    table : path, DataFrame, mapping or Counts
        Columns model, item, n, successes.
    skills : Posterior, path, DataFrame or mapping
        A fit whose table holds the sampled models under the same names; or a table with a column model and a
        column for each skill (or any covariate, such as log compute), taken as known.
    priors : ItemPriors, optional
        Their scales.
    seed : int
        The same seed on the same machine gives the same numbers.
    chains, draws, warmup : int
        Chains, kept draws of each and draws of adaptation.
    progress : bool
        Whether to show progress, where somebody watches.

    Returns
    -------
    ItemPosterior
        For `predict` and `match`.

    Raises
    ------
    InputError
        If the table, the skills or an argument is not valid.

    Warns
    -----
    FitWarning
        If chains do not agree, or there are too few models for so many skills.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 5.3, is the form with no residuals and no item
    that is never solved.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> made = bs.passk.simulate(models=3, items=4, n=20, seed=0)
    >>> bs.passk.fit(made.counts, made.skills[:1], seed=0)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: unknown model 'model 2': choose from model 1. Did you mean 'model 1'?
    """
    begun = time.perf_counter()
    check_whole("passk.fit", seed=seed, chains=chains, draws=draws, warmup=warmup)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    counts = read_counts(table)
    if len(counts.models) < FEWEST:
        raise InputError(f"{len(counts.models)} model was sampled: give samples of {FEWEST} models or more.")
    abilities = abilities_of(skills, counts.models)
    data = ItemData(counts.n, counts.successes, abilities.draws.mean(axis=0), abilities.factor)
    sampler = _sampler(data, priors or ItemPriors(), chains, draws, warmup, progress and watched())
    sampler.run(jax.random.key(seed), ItemData(*map(jnp.asarray, data)))
    drawn = sampler.get_samples(group_by_chain=True)
    found = {name: value for name, value in drawn.items() if name in (*DIMS, *SCALARS)}
    found["discrimination"] = discriminations(drawn, np.random.default_rng([seed, 1]))
    labels = {ITEM: list(counts.items), MODEL: list(counts.models), SKILL: list(abilities.skills)}
    messages = _messages(found, int(sampler.get_extra_fields()["diverging"].sum()), abilities)
    report = report_of("nuts", seed, time.perf_counter() - begun, counts, messages)
    for message in messages:
        warnings.warn(message, FitWarning, stacklevel=2)
    return ItemPosterior(labelled(found, DIMS, labels), counts, abilities, report)


def _sampler(
    data: ItemData, priors: ItemPriors, chains: int, draws: int, warmup: int, progress: bool
) -> infer.MCMC:
    kernel = infer.NUTS(
        partial(item_model, priors=priors),
        init_strategy=infer.init_to_value(values=_start(data)),
        # Skills trade off against their weights and against what models have beyond them.
        dense_mass=[("weight", "weight_scale", "level_raw", "model_scale", "difficulty_centre")],
    )
    return infer.MCMC(
        kernel,
        num_warmup=warmup,
        num_samples=draws,
        num_chains=chains,
        chain_method="vectorized",
        progress_bar=progress,
        jit_model_args=True,  # as constants they would make a program for each table
    )


def _start(data: ItemData) -> dict[str, Any]:
    """Return where chains start: difficulties as the counts have them, everything else at its middle."""
    solved, tried = data.successes.sum(axis=0), data.n.sum(axis=0)
    difficulty = np.log(tried - solved + 0.5) - np.log(solved + 0.5)
    (models, skills), items = data.skill.shape, difficulty.size
    return {
        "difficulty_raw": difficulty,
        "difficulty_centre": difficulty.mean(),
        "difficulty_scale": 2.0,
        "weight": np.full(skills, 0.5),
        "weight_scale": np.full(skills, 0.3),
        "logit_raw": np.zeros((items, models)),
        "model_scale": 0.3,
        "level_raw": np.zeros(models),
        "residual": 0.7,
        "never": 0.05,
        "skill_raw": np.zeros(data.skill_factor.shape[1]),
    }


def _messages(found: dict[str, Any], diverging: int, abilities: Abilities) -> tuple[str, ...]:
    """Return in words why not to trust a fit."""
    messages = []
    skills = len(abilities.skills)
    if len(abilities.models) <= skills:
        messages.append(FEW_MODELS.format(models=len(abilities.models), skills=skills))
    chains, draws = found["residual"].shape
    if draws < 8:
        return (*messages, f"{draws} draws a chain: too few to tell whether chains agree; take 500.")
    worst: dict[str, tuple[float, float]] = {}
    for name in (name for name in found if name != "never_item"):  # it follows from the others
        value = found[name]
        with np.errstate(invalid="ignore", divide="ignore"):  # a quantity that never moves has none
            judged = diagnose(np.asarray(value).reshape(chains, draws, -1))
        worst[name] = float(np.nanmax(judged["r_hat"])), float(np.nanmin(judged["ess_bulk"]))
    apart = max(worst, key=lambda name: worst[name][0])
    scarce = min(worst, key=lambda name: worst[name][1])
    if worst[apart][0] > RHAT_PARAMETER or worst[scarce][1] < ESS_PER_CHAIN * chains / 4:
        messages.append(
            f"chains do not agree (R-hat {worst[apart][0]:.3f} of {apart}, {worst[scarce][1]:.0f} effective "
            f"draws of {scarce}): fit again with twice the draws and warmup."
        )
    if diverging > 0.01 * chains * draws:
        messages.append(f"{diverging} of {chains * draws} draws diverged: fit again with twice the warmup.")
    return tuple(messages)


def report_of(method: str, seed: int, seconds: float, counts: Counts, messages: tuple[str, ...]) -> FitReport:
    """Return what is told of a fit to counts: fine where there is no message."""
    digest = hashlib.sha256(repr((counts.models, counts.items)).encode())
    digest.update(counts.n.tobytes() + counts.successes.tobytes())
    status = FitStatus.NOT_TRUSTED if messages else FitStatus.FINE
    return FitReport(method, seed, status, messages, seconds, versions_of_packages(), digest.hexdigest())
