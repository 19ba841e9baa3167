"""Tasks measured on few models, forecast from skills that many benchmarks tell."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_whole
from bayes_sloth.asked_skills import chosen_draws, fitted_skills, known_or_drawn
from bayes_sloth.asking import check_fit
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, FLOOR, INSTRUCT, ITEMS, MODEL, SCORE, SKILL
from bayes_sloth.posterior import Posterior
from bayes_sloth.prediction import Prediction, flags_of
from bayes_sloth.scarce_model import FAMILY_TAIL, SITES, Rows, conditional_draws, task_law
from bayes_sloth.scarce_tables import read_task
from bayes_sloth.summaries import summary_table
from bayes_sloth.watching import watched

Floats = NDArray[np.float64]

# Draws of the skills, each with a regression of its own: quantiles of 90% intervals then move by a percent.
SKILL_DRAWS: Final = 200


@dataclass(frozen=True, eq=False)
class Downstream:
    """A task's regression on skills, ready to forecast any models.

    Parameters
    ----------
    posterior : Posterior
        The fit whose skills were taken.
    task : str
        Name of the task.
    table : DataFrame
        What was learnt from: columns model, family, instruct, score, floor, items.
    draws : Dataset
        `intercept`, `weight`, `family_weight`, `tuning`, `family_effect`, `family_scale`, `misfit` (dims
        (skill draw, draw, ...)), in logits but for the last; `chosen`, `centre` and `spread` (dims skill
        draw, and skill) say which draws of the fit they go with and how skills were standardised;
        `family_mean` (dims (skill draw, fitted family, skill)) are the mean skills of families.
    """

    posterior: Posterior
    task: str
    table: pd.DataFrame
    draws: xr.Dataset

    def predict(self, models: object = None, *, seed: int) -> Prediction:
        """Forecast the task's score of any models.

        Parameters
        ----------
        models : sequence of str, or DataFrame, mapping, path or Scores, optional
            Names of models of the fit, whose own scores tell their skills (all of them where None); or rows
            as `bs.predict` takes them, of models that exist on paper only.
        seed : int
            Of the draws.

        Returns
        -------
        Prediction
            With the task as its only benchmark. Of a family that is not in the fit each model stands for its
            family's mean too: what tells its models apart is then taken as telling families apart.

        Raises
        ------
        InputError
            If a name or row is not valid.
        """
        check_whole("predict", seed=seed)
        jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
        facts, found = known_or_drawn(self.posterior, models, seed=seed, chosen=self.draws["chosen"].values)
        centre, spread = (self.draws[name].values[:, None] for name in ("centre", "spread"))
        skill = (found["model_skill"].values - centre) / spread
        expected, score = self._simulated(facts, self._with_means(facts, skill), seed)
        dims = (CHAIN, DRAW, MODEL, BENCHMARK)
        values = {"expected": (dims, expected[None, ..., None]), "score": (dims, score[None, ..., None])}
        labels = {MODEL: list(facts[MODEL]), BENCHMARK: [self.task]}
        return Prediction(xr.Dataset(values, labels | flags_of(facts, self.posterior.scores)))

    def weights(self, prob: float = 0.9) -> pd.DataFrame:
        """Return what the task asks of each skill, with intervals.

        Parameters
        ----------
        prob : float
            Probability inside the interval.

        Returns
        -------
        DataFrame
            Columns of (`model`: of a model among those of its family; `family`: of the mean of the family's
            models, on top), skill, median, lower, upper (logits for one standard deviation of the skill over
            the fitted models), prob, direction.

        Raises
        ------
        InputError
            If `prob` is not between 0 and 1.
        """
        tables = {
            of: summary_table(self.draws[name].rename({"skill_draw": CHAIN}), prob)
            for of, name in (("model", "weight"), ("family", "family_weight"))
        }
        return pd.concat(tables, names=["of"]).reset_index("of").reset_index(drop=True)

    def _with_means(self, facts: pd.DataFrame, skill: Floats) -> Floats:
        """Return skills and, beside them, the family's means; of a new family the model's own."""
        means, fitted = self.draws["family_mean"], self.draws["fitted_family"].values
        own = [
            means.sel(fitted_family=name).values if name in fitted else skill[:, place]
            for place, name in enumerate(facts[FAMILY])
        ]
        return np.concatenate([skill, np.stack(own, axis=1)], axis=-1)

    def _simulated(self, facts: pd.DataFrame, skill: Floats, seed: int) -> tuple[Floats, Floats]:
        """Return expected and observed scores, dims (draw, model)."""
        known, repeats = [str(name) for name in self.draws[FAMILY].values], self.draws.sizes[DRAW]
        new = list(dict.fromkeys(name for name in sorted(facts[FAMILY]) if name not in known))
        draw = {name: self.draws[name].values for name in SITES}
        draw = {name: value.reshape(-1, *value.shape[2:]) for name, value in draw.items()}
        # A new family's effect does not depend on which others are asked about.
        own = [np.random.default_rng([seed, _number(name)]) for name in new]
        fresh = [each.standard_t(FAMILY_TAIL, len(draw["misfit"])) * draw["family_scale"] for each in own]
        draw["family_effect"] = np.column_stack([draw["family_effect"], *fresh])
        rows = _rows(facts, skill.repeat(repeats, axis=0), [*known, *new], self.table)
        keys = jax.random.split(jax.random.key(seed), len(draw["misfit"]))
        # The noise of a model does not depend on which others are asked about, nor on their order.
        numbers = jnp.asarray([_number(name) for name in facts[MODEL]], dtype=jnp.uint32)
        expected, score = _scored({n: jnp.asarray(v) for n, v in draw.items()}, rows, keys, numbers)
        return np.asarray(expected), np.asarray(score)

    def __repr__(self) -> str:
        """Say what was learnt from and what the task asks for."""
        learnt = f"{len(self.table)} models of {self.table[FAMILY].nunique()} families"
        shown = self.weights()[["of", SKILL, "median", "lower", "upper"]]
        head = f"Downstream: {self.task} on {learnt}"
        return f"{head}\n{shown.to_string(index=False, float_format='{:.2f}'.format)}"


def downstream(
    posterior: Posterior,
    scores: object,
    *,
    seed: int,
    task: str = "task",
    percent: bool = False,
    floor: float = 0.0,
    items: float | None = None,
    progress: bool = True,
) -> Downstream:
    r"""Regress a task measured on a few models on the skills of a fit, to forecast it for any models.

    .. math:: \mu_i = l + (1 - l)\,\mathrm{logit}^{-1}(a + w^\top z_i + v^\top \bar z_{f(i)} + c\,d_i
        + u_{f(i)})

    with standardised skills :math:`z`, their means :math:`\bar z` over the fitted models of the family (of a
    new family: the model's own), tuning :math:`d` and an effect of the family. The priors
    shrink hard: every kind of skill helps alike until the rows say otherwise. The regression is drawn anew
    given each of 200 draws of the skills, so that what is uncertain of them is carried through; the
    task's scores do not change the skills (a cut posterior).

    Parameters
    ----------
    posterior : Posterior
        A fit that holds the models, by the same names.
    scores : DataFrame, mapping, path
        Columns model and score, shares in [0, 1]; optionally items. Rows without a score are left out.
    seed : int
        Of the draws.
    task : str
        What to call it.
    percent : bool
        Divide every score by 100.
    floor : float
        Score of a guesser.
    items : float, optional
        Items behind a score, where `scores` has no such column.
    progress : bool
        Whether to show progress where somebody watches.

    Returns
    -------
    Downstream
        With `predict` and `weights`.

    Raises
    ------
    InputError
        If a model is not in the fit, a score is no share, or too few rows are left.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 5.3, which regresses on point estimates.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> measured = {"model": ["llama-2-7b", "llama-2-13b", "llama-2-70b", "falcon-7b", "yi-34b"]}
    >>> measured["score"] = [0.13, 0.18, 0.30, 0.05, 0.27]
    >>> code = bs.downstream(fit, measured, task="HumanEval", items=164, seed=0, progress=False)
    >>> new = {"model": "new", "family": "llama-3", "params_b": 70, "tokens_t": 15}
    >>> bs.intervals(code.predict(new, seed=0))["benchmark"].tolist()
    ['HumanEval']
    """
    check_fit("downstream", posterior)
    check_whole("downstream", seed=seed)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    table = read_task(posterior.scores, scores, percent=percent, floor=floor, items=items)
    chosen = chosen_draws(posterior, SKILL_DRAWS)
    raw = fitted_skills(posterior, posterior.scores.models, chosen=chosen)["model_skill"]
    centre, spread = raw.mean(MODEL), raw.std(MODEL)
    every = ((raw - centre) / spread).rename({DRAW: "skill_draw"})
    means = _family_means(every, posterior.scores.metadata[FAMILY].to_numpy(dtype=str))
    own = (every.sel({MODEL: list(table[MODEL])}), means.sel(fitted_family=list(table[FAMILY])))
    families = list(dict.fromkeys(table[FAMILY]))
    rows = _rows(table, np.concatenate([part.values for part in own], axis=-1), families, table)
    found = conditional_draws(rows, seed=seed, progress=progress and watched())
    kept = {"chosen": ("skill_draw", chosen), "centre": centre.rename({DRAW: "skill_draw"})}
    last = {"weight": (SKILL,), "family_weight": (SKILL,), "family_effect": (FAMILY,)}
    drawn = {name: (("skill_draw", DRAW, *last.get(name, ())), value) for name, value in found.items()}
    labels = {SKILL: every[SKILL].values, FAMILY: families}
    kept |= {"spread": spread.rename({DRAW: "skill_draw"}), "family_mean": means}
    data = xr.Dataset(kept | drawn, labels)
    return Downstream(posterior, task, table, data)


def _family_means(skill: xr.DataArray, family: NDArray[np.str_]) -> xr.DataArray:
    """Return mean skills of families, dims (skill draw, fitted family, skill)."""
    names = sorted(set(family))
    means = [skill.isel({MODEL: family == name}).mean(MODEL) for name in names]
    return xr.concat(means, pd.Index(names, name="fitted_family")).transpose("skill_draw", ..., SKILL)


def _rows(facts: pd.DataFrame, skill: Floats, families: list[str], table: pd.DataFrame) -> Rows:
    """Return models as the regression sees them; items and floor of new ones are typical of the table's."""
    member = facts[FAMILY].to_numpy()[:, None] == np.array(families)[None, :]
    typical = {FLOOR: table[FLOOR].iloc[0], ITEMS: table[ITEMS].median(), SCORE: 0.0}
    own = facts if SCORE in facts else facts.assign(**typical)
    numbers = {name: own[name].to_numpy(dtype=float) for name in (INSTRUCT, FLOOR, ITEMS, SCORE)}
    seen = np.ones(len(facts), dtype=bool)
    return Rows(skill=skill, member=member.astype(float), seen=seen, **numbers)


def _number(name: str) -> int:
    """Return a number of 32 bits that is the name's own."""
    return zlib.crc32(name.encode())


@jax.jit
def _scored(draws: Any, rows: Rows, keys: Any, own: Any) -> tuple[Any, Any]:
    """Return expected and observed scores in every draw."""

    def one(draw: Any, skill: Any, key: Any) -> tuple[Any, Any]:
        expected, law = task_law(draw, rows._replace(skill=skill))
        noise = jax.vmap(lambda number: jax.random.t(jax.random.fold_in(key, number), law.freedom))(own)
        return expected, jnp.clip(expected + noise * jnp.sqrt(law.variance_score[:, 0]), 0, 1)

    found: tuple[Any, Any] = jax.vmap(one)(draws, rows.skill, keys)
    return found
