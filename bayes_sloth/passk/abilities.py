"""Skills of the models behind a table of samples: draws of a fit's, or numbers that the user brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.asked_skills import drawn_skills
from bayes_sloth.asking import REPEATS
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import CHAIN, DRAW, MODEL, SKILL
from bayes_sloth.posterior import Posterior
from bayes_sloth.tables.files import Source, load_table, named

Floats = NDArray[np.float64]

# Directions of the skills' covariance with less than this share of the largest variance carry nothing.
NEGLIGIBLE: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Abilities:
    """Skills of the sampled models, standardised.

    Parameters
    ----------
    models, skills : tuple of str
        Labels.
    draws : array, dims (draw, model, skill)
        Standard deviations of the skill over the models of the fit, or over the sampled ones of the user's
        table, 0 for the average sampled model; one draw where skills are numbers.
    center, spread : array, dims (skill)
        What was taken off and divided by.
    posterior : Posterior or None
        Where the draws are from.

    Examples
    --------
    >>> abilities_of({"model": ["a", "b"], "theta": [0.0, 2.0]}, ["a", "b"]).draws.tolist()
    [[[-1.0], [1.0]]]
    """

    models: tuple[str, ...]
    skills: tuple[str, ...]
    draws: Floats
    center: Floats
    spread: Floats
    posterior: Posterior | None

    @property
    def factor(self) -> Floats:
        """Factor of the covariance of all skills of all models, dims (model * skill, direction)."""
        flat = self.draws.reshape(len(self.draws), -1)
        if len(flat) < 2:
            return np.zeros((flat.shape[1], 0))
        values, vectors = np.linalg.eigh(np.cov(flat.T).reshape(flat.shape[1], -1))
        kept = values > max(values.max(), 1.0) * NEGLIGIBLE
        return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))

    def of_new(self, models: object, learned: Floats, *, seed: int) -> tuple[list[str], Floats]:
        """Return names and skills of other models, given what the samples taught of the sampled models.

        Draws of the fit are moved as the sampled models' skills moved (Matheron's rule): with covariances
        over the fit's draws, :math:`z_* + C_{*s} C_{ss}^{-1} (z_s' - z_s)`.

        Parameters
        ----------
        models : DataFrame, mapping, path or Scores
            Rows as `predict` takes them for a fit; for a table of skills, rows with the same columns.
        learned : array, dims (draw, model, skill)
            Draws of the sampled models' skills.
        seed : int
            Of the draws.

        Returns
        -------
        list of str and array, dims (draw, new model, skill)
            Labels and skills.

        References
        ----------
        Wilson et al. (2021). Pathwise conditioning of Gaussian processes. JMLR 22, equation 9.
        """
        if self.posterior is None:
            frame, values = _numbers(models, self.skills)
            z = (values - self.center) / self.spread
            return frame, np.broadcast_to(z, (len(learned), *z.shape))
        names, raw = skills_of_new(self.posterior, models, seed=seed)
        z = (raw - self.center) / self.spread
        if len(learned) == 1:  # a point estimate takes skills at their means
            return names, z.mean(axis=0, keepdims=True)
        # Evenly over the chains, as many as there are draws of the item model.
        chosen = np.linspace(0, len(z) - 1, len(learned)).round().astype(int)
        return names, z[chosen] if len(self.draws) == 1 else moved(z, self.draws, learned, chosen)


def moved(new: Floats, own: Floats, learned: Floats, chosen: NDArray[np.int64]) -> Floats:
    """Return draws of new models' skills, moved as those of the sampled models moved (Matheron's rule).

    Parameters
    ----------
    new, own : array, dims (draw of the fit, model, skill)
        Skills of new and of sampled models, drawn together.
    learned : array, dims (draw, model, skill)
        Skills of the sampled models after their samples were seen.
    chosen : array of int, dims (draw)
        Which draw of the fit each of the learned ones is paired with.

    Returns
    -------
    array, dims (draw, new model, skill)
        Draws.

    Examples
    --------
    >>> own = np.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
    >>> moved(2.0 * own, own, own + 0.5, np.arange(3)).ravel().round(9).tolist()
    [-1.0, 1.0, 3.0]
    """
    flat, known = (values.reshape(len(values), -1) for values in (new, own))
    apart, centre = known - known.mean(axis=0), flat.mean(axis=0)
    gain = np.linalg.pinv(apart, rcond=NEGLIGIBLE**0.5) @ (flat - centre)
    found = centre + (learned.reshape(len(learned), -1) - known.mean(axis=0)) @ gain
    # What the sampled models do not tell, as wide as it is: least squares takes a part of it for told.
    told = min(known.shape[1], len(known) - 2)
    untold = (flat - centre - apart @ gain) * np.sqrt((len(known) - 1) / (len(known) - 1 - told))
    return np.asarray((found + untold[chosen]).reshape(len(learned), *new.shape[1:]))


def abilities_of(source: Posterior | Source, models: Sequence[str]) -> Abilities:
    """Return the skills of the sampled models.

    Parameters
    ----------
    source : Posterior, path, DataFrame or mapping
        A fit whose table holds the models, or a table with a column model and a column a skill.
    models : sequence of str
        The sampled models.

    Returns
    -------
    Abilities
        Standardised.

    Raises
    ------
    InputError
        If a model is not there or a skill is no number.
    """
    if isinstance(source, Posterior):
        return _from_fit(source, models)
    known, values = _numbers(source, None)
    skills = tuple(str(name) for name in _columns(source))
    for name in models:
        if name not in known:
            raise unknown_name("model", name, known)
    chosen = values[[known.index(name) for name in models]]
    center, spread = chosen.mean(axis=0), chosen.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return Abilities(tuple(models), skills, ((chosen - center) / spread)[None], center, spread, None)


def _from_fit(posterior: Posterior, models: Sequence[str]) -> Abilities:
    skill = posterior.data["posterior"].dataset["model_skill"]
    known = [str(name) for name in skill[MODEL].values]
    for name in models:
        if name not in known:
            raise unknown_name("model", name, known)
    every = skill.transpose(CHAIN, DRAW, MODEL, SKILL).values.reshape(-1, *skill.shape[2:]).astype(float)
    chosen, spread = every[:, [known.index(name) for name in models]], every.mean(axis=0).std(axis=0)
    # Zero is the average sampled model: there difficulties are known best, whatever items ask for.
    center = chosen.mean(axis=(0, 1))
    draws = (chosen - center) / spread
    labels = tuple(str(name) for name in skill[SKILL].values)
    return Abilities(tuple(models), labels, draws, center, spread, posterior)


def _columns(source: Source) -> list[str]:
    return [str(name) for name in load_table(source).columns if name != MODEL]


def _numbers(source: Any, skills: Sequence[str] | None) -> tuple[list[str], Floats]:
    """Return names and skills of a table of skills."""
    frame = load_table(source)
    wanted = [MODEL, *(_columns(source) if skills is None else skills)]
    missing = [name for name in wanted if name not in frame]
    if missing or len(wanted) < 2:
        lacking = repr(missing[0]) if missing else "of a skill"
        raise InputError(f"the table of skills has no column {lacking}: give model and one column a skill.")
    values = frame[wanted[1:]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"row {row + 1}: skill {wanted[column + 1]!r} is no number: fill it in.")
    names = named(frame, MODEL)[MODEL].tolist()
    if len(set(names)) < len(names):
        raise InputError("a model has several rows of skills: leave one of each.")
    return names, values


def skills_of_new(posterior: Posterior, models: object, *, seed: int) -> tuple[list[str], Floats]:
    """Draw the skills of models that a fit has not seen, given each of its draws.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    models : DataFrame, mapping, path or Scores
        Rows as `predict` takes them.
    seed : int
        Of the draws.

    Returns
    -------
    list of str and array, dims (draw, model, skill)
        Names; skills in logits of their anchors.
    """
    draws = REPEATS if posterior.draws == 1 else posterior.draws
    rows, found = drawn_skills(posterior, models, seed=seed, chosen=np.arange(draws))
    return [str(name) for name in rows[MODEL]], np.asarray(found["model_skill"].values)
