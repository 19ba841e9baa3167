"""Tables of repeated samples drawn from the item-level model, with the truth attached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit

from bayes_sloth.arguments import as_number, check_whole
from bayes_sloth.errors import InputError
from bayes_sloth.names import ITEM, MODEL
from bayes_sloth.passk.abilities import abilities_of
from bayes_sloth.passk.counts import COLUMNS, GRID, Counts, check_k, pass_at, read_counts
from bayes_sloth.passk.item_model import TAIL
from bayes_sloth.posterior import Posterior

Floats = NDArray[np.float64]

SKILLS: Final = 2  # of models that are made up


@dataclass(frozen=True, eq=False)
class ItemSimulation:
    """A table of samples, and what it was drawn from.

    Parameters
    ----------
    table : DataFrame
        Columns model, item, n, successes.
    skills : DataFrame
        Column model and one a skill, standard deviations: what the table was drawn from.
    truth : Dataset
        `solve_rate` (model, item), `never` (item), `model_effect` (model), `difficulty` (item).

    Examples
    --------
    >>> made = simulate(models=3, items=5, n=100, seed=1)
    >>> len(made.table), made.pass_at([1, 100]).shape
    (15, (6, 3))
    """

    table: pd.DataFrame
    skills: pd.DataFrame
    truth: xr.Dataset

    @property
    def counts(self) -> Counts:
        """The table, read."""
        return read_counts(self.table)

    def pass_at(self, k: Sequence[int] = GRID) -> pd.DataFrame:
        """Return the true pass@k over these items, columns model, k, truth."""
        ks = check_k(k)
        rate = self.truth["solve_rate"]
        names = np.repeat(rate[MODEL].values.astype(str), ks.size)
        share = pass_at(rate.values, ks).ravel()
        return pd.DataFrame({MODEL: names, "k": np.tile(ks.astype(int), rate.sizes[MODEL]), "truth": share})

    def __repr__(self) -> str:
        """Say in a line what was drawn."""
        return f"ItemSimulation of {self.counts!r}"


def simulate(
    skills: Posterior | None = None,
    *,
    models: int | Sequence[str] = 8,
    items: int = 128,
    n: int = 10_000,
    never: float = 0.03,
    residual: float = 0.8,
    model_scale: float = 0.3,
    weight: float = 1.0,
    weight_scale: float = 0.3,
    difficulty: float = 3.0,
    difficulty_scale: float = 2.0,
    seed: int,
) -> ItemSimulation:
    r"""Draw a table of samples from the item-level model.

    .. math:: p_{mq} = v_q\,\mathrm{logit}^{-1}(a_q'\theta_m + r_m - b_q + e_{mq})

    With `never`, `residual` and `model_scale` at 0 the published form holds exactly.

    Parameters
    ----------
    skills : Posterior, optional
        A fit: one of its draws is the truth about the skills of the `models` named.
    models : int or sequence of str
        How many to make up, with two skills of standard normals; or names of models of the fit.
    items, n : int
        Items, and samples of each model on each.
    never : float
        Chance that an item is never solved by anybody.
    residual, model_scale : float
        Standard deviations of what a model has on one item, and on all of them, beyond its skills; logits.
    weight, weight_scale : float
        What one standard deviation of all skills together adds on average, and how items differ in it
        (standard deviation, of each skill); logits.
    difficulty, difficulty_scale : float
        Location and scale of the items' difficulties, Student-t with four degrees of freedom; logits.
    seed : int
        The same seed gives the same table.

    Returns
    -------
    ItemSimulation
        With `table`, `skills` and `truth`.

    Raises
    ------
    InputError
        If an argument is not valid.

    Examples
    --------
    >>> simulate(models=2, items=3, n=10, seed=0).table.columns.tolist()
    ['model', 'item', 'n', 'successes']
    """
    count = len(models) if isinstance(models, list | tuple) else models
    check_whole("simulate", models=count, items=items, n=n, seed=seed)
    as_number("simulate: never", never, "a share below 1", least=0.0, below=1.0)
    scales = {"residual": residual, "model_scale": model_scale, "weight_scale": weight_scale}
    for name, scale in (scales | {"difficulty_scale": difficulty_scale}).items():
        as_number(f"simulate: {name}", scale, "a scale, 0 or more", least=0.0)
    for name, value in (("weight", weight), ("difficulty", difficulty)):
        as_number(f"simulate: {name}", value, "a number")
    rng = np.random.default_rng(seed)
    names, labels, theta = _skills(skills, models, rng)
    count = theta.shape[1]
    ask = weight / np.sqrt(count) + weight_scale * rng.standard_normal((items, count))
    hard = difficulty + difficulty_scale * rng.standard_t(TAIL, items)
    effect = model_scale * rng.standard_normal(len(names))
    logit = theta @ ask.T + effect[:, None] - hard + residual * rng.standard_normal((len(names), items))
    gone = rng.random(items) < never
    rate = np.where(gone, 0.0, expit(logit))
    item = [f"item {number + 1}" for number in range(items)]
    cells = pd.MultiIndex.from_product([names, item], names=COLUMNS[:2]).to_frame(index=False)
    table = cells.assign(n=n, successes=rng.binomial(n, rate).ravel())
    truth = xr.Dataset(
        {
            "solve_rate": ((MODEL, ITEM), rate),
            "never": (ITEM, gone),
            "model_effect": (MODEL, effect),
            "difficulty": (ITEM, hard),
        },
        coords={MODEL: names, ITEM: item},
    )
    known = pd.DataFrame(theta, columns=labels)
    known.insert(0, MODEL, names)
    return ItemSimulation(table, known, truth)


def _skills(
    source: Posterior | None, models: int | Sequence[str], rng: np.random.Generator
) -> tuple[list[str], list[str], Floats]:
    """Return names of models and skills, and the true skills."""
    named = isinstance(models, list | tuple)
    if named != (source is not None):
        raise InputError("simulate: a fit and the names of some of its models go together: give both.")
    if source is not None:
        chosen = cast("Sequence[str]", models)
        found = abilities_of(source, chosen)
        return list(chosen), list(found.skills), found.draws[rng.integers(len(found.draws))]
    count = cast(int, models)
    names = [f"model {number + 1}" for number in range(count)]
    labels = [f"skill {number + 1}" for number in range(SKILLS)]
    return names, labels, rng.standard_normal((count, SKILLS))
