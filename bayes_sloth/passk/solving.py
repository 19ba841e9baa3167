"""Forecasts of pass@k: from a fitted item-level model to solve rates of any models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import jax
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from bayes_sloth.arguments import check_whole
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import ACTIVE_PARAMS_B, CHAIN, DRAW, ITEM, MODEL, PARAMS_B
from bayes_sloth.passk.counts import GRID, K, check_k, pass_at
from bayes_sloth.passk.item_fits import ItemPosterior
from bayes_sloth.passk.item_model import TAIL, counted_logits
from bayes_sloth.reading import read_models
from bayes_sloth.summaries import summary_table

Floats = NDArray[np.float64]

# Points and reach, in local standard deviations, of the grid that solve rates of sampled cells are drawn on.
STEPS: Final = 121
REACH: Final = 10.0
NEWTON: Final = 8  # steps to the mode, which need not be met exactly
LONGEST: Final = 3.0  # of such a step, logits


@dataclass(frozen=True, eq=False)
class PassCurves:
    """Forecasts of pass@k, for any k.

    Parameters
    ----------
    data : Dataset
        `solve_rate`, dims (chain, draw, model, item): the chance that one sample solves the item.
    of : str
        Whose pass@k this is: the fitted items', or that of new items of the same kind.
    cost : dict of str to float
        Of one sample of each model, in billions of active parameters, where known.

    Examples
    --------
    >>> rates = np.full((1, 2, 1, 4), 0.5)
    >>> data = xr.Dataset({"solve_rate": ((CHAIN, DRAW, MODEL, ITEM), rates)}, {MODEL: ["a"]})
    >>> PassCurves(data, "4 new items").table(k=[1, 2])["median"].tolist()
    [0.5, 0.75]
    """

    data: xr.Dataset
    of: str
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(str(name) for name in self.data[MODEL].values)

    def pass_at(self, k: Sequence[int] = GRID) -> xr.DataArray:
        """Return draws of pass@k, dims (chain, draw, model, k), shares of items."""
        ks, rate = check_k(k), self.data["solve_rate"]
        labels = {MODEL: list(self.models), K: ks.astype(int)}
        return xr.DataArray(pass_at(rate.values, ks), labels, (CHAIN, DRAW, MODEL, K))

    def table(self, k: Sequence[int] = GRID, prob: float = 0.9) -> pd.DataFrame:
        """Return pass@k with intervals, columns model, k, median, lower, upper, prob."""
        return summary_table(self.pass_at(k), prob).drop(columns="direction")

    def __repr__(self) -> str:
        """Show a few points of each curve."""
        table = self.table([1, 100, 10000]).head(12)
        head = f"PassCurves: {len(self.models)} models, of {self.of}"
        return f"{head}\n{table.to_string(index=False, float_format='{:.3f}'.format)}"


def predict(
    items: ItemPosterior,
    models: object = None,
    *,
    sampled: Sequence[str] | None = None,
    new_items: int | None = None,
    seed: int,
) -> PassCurves:
    r"""Forecast pass@k of models that were never sampled, or do not exist yet, and of sampled ones.

    .. math:: \mathrm{pass@}k = \frac{1}{Q} \sum_q 1 - (1 - p_{mq})^k

    On the fitted items by default: what would be seen on this very test, were samples endless. With
    `new_items`, on a new test of that many items of the same population, which is less sure.

    Parameters
    ----------
    items : ItemPosterior
        From `fit` or `published`.
    models : DataFrame, mapping, path or Scores, optional
        Models to forecast: rows as `bs.predict` takes them where the skills were a fit's, else rows with
        their skills.
    sampled : sequence of str, optional
        Sampled models to add; all of them where neither is given.
    new_items : int, optional
        How many items a new test has.
    seed : int
        Of the draws.

    Returns
    -------
    PassCurves
        All models on the same items, draw by draw.

    Raises
    ------
    InputError
        If a model is unknown, named twice or not described in full.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 5.3.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> made = bs.passk.simulate(models=4, items=20, n=100, seed=0)
    >>> fitted = bs.passk.published(made.counts.of(["model 1", "model 2", "model 3"]), made.skills)
    >>> bs.passk.predict(fitted, made.skills[3:], seed=0).models
    ('model 4',)
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    check_whole("passk.predict", seed=seed, new_items=1 if new_items is None else new_items)
    rng = np.random.default_rng(seed)
    chosen = _sampled(items, models, sampled)
    names, skill = _new_skills(items, models, seed)
    every = [*chosen, *names]
    twice = [name for name in every if every.count(name) > 1]
    if twice:
        raise InputError(f"model {twice[0]!r} is asked about twice: give each its own name.")
    test = _fitted_test(items, rng) if new_items is None else _new_test(items, new_items, rng)
    rates = [_sampled_rate(items, items.counts.models.index(n), test, new_items, rng) for n in chosen]
    rates += [_rate(items, test, skill[:, place], None, rng) for place in range(len(names))]
    sizes = (items.data.sizes[CHAIN], items.data.sizes[DRAW])
    values = np.stack(rates, axis=1).reshape(*sizes, len(rates), -1)
    labels = {MODEL: [*chosen, *names]}
    of = f"the {len(items.counts.items)} fitted items" if new_items is None else f"{new_items} new items"
    data = xr.Dataset({"solve_rate": ((CHAIN, DRAW, MODEL, ITEM), values)}, labels)
    return PassCurves(data, of, _costs(items, models, [*chosen, *names]))


@dataclass(frozen=True, eq=False)
class _Test:
    """Draws of items: dims (draw, item) and, of what they ask for, (draw, item, skill)."""

    discrimination: Floats
    difficulty: Floats
    solvable: NDArray[np.bool_]


def _fitted_test(items: ItemPosterior, rng: np.random.Generator) -> _Test:
    never = items.flat("never_item")
    return _Test(items.flat("discrimination"), items.flat("difficulty"), rng.random(never.shape) >= never)


def _new_test(items: ItemPosterior, count: int, rng: np.random.Generator) -> _Test:
    """Draw items from their population, others in every draw."""
    weight, scale = items.flat("weight")[:, None], items.flat("weight_scale")[:, None]
    shape = (items.draws, count)
    asked = weight + scale * rng.standard_normal((*shape, weight.shape[2]))
    mean, spread = (items.flat(f"difficulty_{name}")[:, None] for name in ("mean", "scale"))
    hard = mean + spread * rng.standard_t(TAIL, shape)
    return _Test(asked, hard, rng.random(shape) >= items.flat("never")[:, None])


def _sampled(items: ItemPosterior, models: object, sampled: Sequence[str] | None) -> list[str]:
    """Return which of the sampled models are asked about: all where nothing is said."""
    if sampled is None:
        return list(items.counts.models) if models is None else []
    if isinstance(sampled, str) or not isinstance(sampled, Sequence):
        raise InputError(f"sampled is {sampled!r}: give a list of names.")
    for name in sampled:
        if name not in items.counts.models:
            raise unknown_name("sampled model", name, items.counts.models)
    if models is None and not sampled:
        raise InputError("no model is asked about: name sampled ones, or give rows of new ones.")
    return list(sampled)


def _new_skills(items: ItemPosterior, models: object, seed: int) -> tuple[list[str], Floats]:
    learned = items.flat("model_skill")
    if models is None:
        return [], learned[:, :0]
    return items.abilities.of_new(models, learned, seed=seed)


def _logit(test: _Test, skill: Floats, effect: Floats) -> Floats:
    """Return logits without residuals, dims (draw, item)."""
    asked = np.einsum("nqk,nk->nq", test.discrimination, skill)
    return np.asarray(asked + effect[:, None] - test.difficulty)


def _rate(
    items: ItemPosterior, test: _Test, skill: Floats, effect: Floats | None, rng: np.random.Generator
) -> Floats:
    """Return draws of the solve rates of a model on items it was not sampled on."""
    if effect is None:
        effect = items.flat("model_scale") * rng.standard_normal(items.draws)
    logit = _logit(test, skill, effect)
    noise = items.flat("residual")[:, None] * rng.standard_normal(logit.shape)
    return np.where(test.solvable, expit(logit + noise), 0.0)


def _sampled_rate(
    items: ItemPosterior, place: int, test: _Test, new_items: int | None, rng: np.random.Generator
) -> Floats:
    """Return draws of the solve rates of a sampled model: on the fitted items its own counts tell most."""
    skill, effect = items.flat("model_skill")[:, place], items.flat("model_effect")[:, place]
    residual = items.flat("residual")
    if new_items is not None or not residual.any():
        return _rate(items, test, skill, effect, rng)
    n, successes = items.counts.n[place], items.counts.successes[place]
    drawn = _drawn(successes, n, _logit(test, skill, effect), residual[:, None], rng)
    return np.where(test.solvable, expit(drawn), 0.0)


def _drawn(successes: Floats, n: Floats, logit: Floats, residual: Floats, rng: np.random.Generator) -> Floats:
    """Draw each cell's logit given its counts, by inversion on a grid around its mode, dims (draw, item)."""
    mode, spread = _mode(successes, n, logit, residual)
    grid = np.linspace(-REACH, REACH, STEPS)
    x = mode[..., None] + spread[..., None] * grid
    log_density = successes[:, None] * x + n[:, None] * log_expit(-x)
    log_density -= 0.5 * ((x - logit[..., None]) / residual[..., None]) ** 2
    mass = np.exp(log_density - log_density.max(axis=-1, keepdims=True)).cumsum(axis=-1)
    # Half a step of jitter spreads the draws between the points.
    below = (mass < rng.random(logit.shape)[..., None] * mass[..., -1:]).sum(axis=-1)
    jitter = (rng.random(logit.shape) - 0.5) * (grid[1] - grid[0])
    return np.asarray(mode + spread * (grid[below] + jitter))


def _mode(successes: Floats, n: Floats, logit: Floats, residual: Floats) -> tuple[Floats, Floats]:
    """Return the mode of each cell's posterior of its logit, and the standard deviation there."""
    variance = residual**2
    # Between the prior's logit and the counts' own, each by its precision.
    seen, own = map(np.asarray, counted_logits(successes, n))
    x = (seen * own * variance + logit) / (own * variance + 1)
    for _ in range(NEWTON):
        share = expit(x)
        gradient = successes - n * share - (x - logit) / variance
        x = x + np.clip(gradient / (n * share * (1 - share) + 1 / variance), -LONGEST, LONGEST)
    share = expit(x)
    return x, 1 / np.sqrt(n * share * (1 - share) + 1 / variance)


def _costs(items: ItemPosterior, models: object, names: Sequence[str]) -> dict[str, float]:
    """Return billions of active parameters, of all models where they are known."""
    posterior = items.abilities.posterior
    if posterior is None:
        return {}
    frames = [posterior.scores.metadata]
    if models is not None:
        frames.append(read_models(models, known=posterior.scores.families))
    known = pd.concat([frame[[MODEL, PARAMS_B, ACTIVE_PARAMS_B]] for frame in frames])
    known = known.drop_duplicates(MODEL, keep="last").set_index(MODEL)
    active = known[ACTIVE_PARAMS_B].fillna(known[PARAMS_B])
    return {name: float(active[name]) for name in names if np.isfinite(active[name])}
