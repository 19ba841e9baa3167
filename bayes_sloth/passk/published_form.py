"""The published form of pass@k from skills, with its point estimate: a logistic regression an item."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bayes_sloth.arguments import as_number
from bayes_sloth.errors import InputError
from bayes_sloth.names import ITEM, MODEL, SKILL
from bayes_sloth.passk.abilities import abilities_of
from bayes_sloth.passk.counts import Counts, read_counts
from bayes_sloth.passk.item_fits import DIMS, SCALARS, ItemPosterior, report_of
from bayes_sloth.posterior import Posterior, labelled
from bayes_sloth.tables.files import Source

Floats = NDArray[np.float64]

# The authors chose among 0.1, 1e-3, 1e-5 and 0 by cells held out, and ended at this.
WEIGHT_DECAY: Final = 1e-5
LEAST: Final = 1e-9  # keeps regressions finite where a model solves an item always or never
STEPS: Final = 100  # Newton's; ten are enough but for items that nobody solved
LONGEST: Final = 2.0  # of a step, in logits
POINT: Final = (
    "point estimate of the published form, without intervals: use bs.passk.fit before you bet on it."
)
DECAYED: Final = (
    "its weight decay keeps unsolved items within reach: pass@k is too optimistic for many samples; "
    "weight_decay=0 takes that away."
)


def published(
    table: Source | Counts, skills: Posterior | Source, *, weight_decay: float = WEIGHT_DECAY
) -> ItemPosterior:
    r"""Fit the published form: one logistic regression of successes on skills for each item.

    .. math:: p_{mq} = \mathrm{logit}^{-1}(a_q'\theta_m - b_q)

    by the least mean cross-entropy of the observed shares over all cells, with weight decay as the authors
    have it: it keeps an item that nobody solved at about one success in a few hundred samples. Skills are
    taken at their posterior means.

    Parameters
    ----------
    table : path, DataFrame, mapping or Counts
        Columns model, item, n, successes.
    skills : Posterior, path, DataFrame or mapping
        As for `fit`.
    weight_decay : float
        Half of it times the squared coefficients is added to the mean cross-entropy; 0 is maximum likelihood
        with every sampled cell counted alike.

    Returns
    -------
    ItemPosterior
        One draw, without residuals, whose report says so.

    Raises
    ------
    InputError
        If the table or the skills are not valid.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 5.3.

    Examples
    --------
    >>> table = {"model": ["a", "b"], "item": ["p", "p"], "n": [8, 8], "successes": [2, 6]}
    >>> fitted = published(table, {"model": ["a", "b"], "theta": [-1.0, 1.0]})
    >>> fitted.flat("discrimination").round(2).item()
    1.1
    """
    begun = time.perf_counter()
    counts = read_counts(table)
    if len(counts.models) < 2:
        raise InputError("one model was sampled: give samples of two models or more.")
    weight_decay = as_number("published: weight_decay", weight_decay, "0 or more", least=0.0)
    abilities = abilities_of(skills, counts.models)
    skill = abilities.draws.mean(axis=0)
    asked_of = counts.n > 0
    share = counts.successes / np.where(asked_of, counts.n, 1.0)
    ridge = max(weight_decay * asked_of.sum(), LEAST)
    found = regressions(skill, share, asked_of.astype(float), ridge)
    asked, difficulty = found[:, :-1], -found[:, -1]
    items, models = len(counts.items), len(counts.models)
    values: dict[str, Floats] = {
        "weight": asked.mean(axis=0),
        "weight_scale": asked.std(axis=0),
        "discrimination": asked,
        "difficulty": difficulty,
        "difficulty_mean": difficulty.mean(),
        "difficulty_scale": difficulty.std() / np.sqrt(2),  # of a Student-t with four degrees of freedom
        "never_item": np.zeros(items),
        "model_effect": np.zeros(models),
        "model_skill": skill,
    }
    values |= {name: np.zeros(()) for name in SCALARS if name not in values}
    labels = {ITEM: list(counts.items), MODEL: list(counts.models), SKILL: list(abilities.skills)}
    one = {name: np.asarray(value)[None, None] for name, value in values.items()}
    report = report_of(
        "published", 0, time.perf_counter() - begun, counts, (POINT, DECAYED) if weight_decay else (POINT,)
    )
    return ItemPosterior(labelled(one, DIMS, labels), counts, abilities, report)


def regressions(skill: Floats, successes: Floats, n: Floats, ridge: float) -> Floats:
    """Return one logistic regression an item, by Newton's method on all items at once.

    Parameters
    ----------
    skill : array, dims (model, skill)
        Covariates.
    successes, n : array, dims (model, item)
        Counts, or shares and ones.
    ridge : float
        Half of it times the squared coefficients is taken off the log likelihood.

    Returns
    -------
    array, dims (item, skill and constant)
        Coefficients.
    """
    x = np.column_stack([skill, np.ones(len(skill))])
    found = np.zeros((n.shape[1], x.shape[1]))
    reach = np.abs(x).sum(axis=1).max()
    for _ in range(STEPS):
        share = expit(x @ found.T)
        gradient = (successes - n * share).T @ x - ridge * found
        curvature = np.einsum("mq,mk,ml->qkl", n * share * (1 - share), x, x) + ridge * np.eye(x.shape[1])
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        largest = np.abs(step).max(axis=1, keepdims=True) * reach
        found += step * np.minimum(1.0, LONGEST / np.maximum(largest, LONGEST))
    return found
