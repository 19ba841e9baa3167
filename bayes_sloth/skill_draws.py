"""From a fit's anchored skills to rotated and aligned ones, with everything that goes with them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import jax
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.alignment import KNOWN, Alignment, align
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.errors import FitWarning, InputError, unknown_name
from bayes_sloth.expectation import pivots
from bayes_sloth.lines import lines_in
from bayes_sloth.names import BENCHMARK, CHAIN, COVARIATE, DRAW, FAMILY, INSTRUCT, MODEL, SKILL
from bayes_sloth.observation import misfit_variance
from bayes_sloth.posterior import Posterior
from bayes_sloth.skill_doubts import doubts
from bayes_sloth.skill_tables import OTHER, PART, Skills, labelled_reference, part_names, skill_names

Floats = NDArray[np.float64]

# Lorenzo-Seva and ten Berge (2006): factors alike from 0.85, equal from 0.95.
ALIKE: Final = 0.85
PARTS: Final = " or ".join(part_names(()))  # what is no skill
FEWEST: Final = 8  # draws a chain that an R-hat can be told from


def skills(
    posterior: Posterior,
    *,
    rotation: str = "geomin",
    names: Sequence[str] | None = None,
    target: object = None,
) -> Skills:
    r"""Return a fit's skills, rotated to be read: loadings, families, tuning, slopes, all with posteriors.

    Skills are standardised over the fitted models and rotated in every draw, and all that is measured in
    them goes along: :math:`\Lambda\theta_i` is the same whatever the rotation.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    rotation : {"geomin", "oblimin", "varimax", "target", "none"}
        Simple structure of correlated skills (geomin, the paper's; oblimin), of uncorrelated ones (varimax),
        nearest to a target, or the fitted skills, each an anchor benchmark's.
    names : sequence of str, optional
        What to call the skills, in the order they come out; from their leading benchmarks where None.
    target : DataFrame or array, dims (benchmark, skill), optional
        For `target`: wanted loadings, NaN where anything will do. Of a DataFrame the index names benchmarks,
        those without a row are free, and the columns name skills.

    Returns
    -------
    Skills
        Draws, tables and how far to trust them.

    Raises
    ------
    InputError
        If the rotation is unknown or names or target do not fit.

    Warns
    -----
    FitWarning
        If a skill is not identified.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 4.2.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> bs.skills(fit, rotation="none").names
    ('MMLU',)
    """
    if not isinstance(posterior, Posterior):
        raise InputError(f"skills are read from a fit, not from {type(posterior).__name__}: pass bs.fit's.")
    if rotation not in KNOWN:
        raise unknown_name("rotation", str(rotation), KNOWN)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    draws = posterior.data["posterior"].dataset
    benchmarks = [str(name) for name in draws[BENCHMARK].values]
    wanted, columns = _target(target, rotation, benchmarks, draws.sizes[SKILL])
    skill = _flat(draws["model_skill"])
    centred = skill - skill.mean(axis=1, keepdims=True)
    covariance = np.einsum("nik,nil->nkl", centred, centred) / centred.shape[1]
    found = align(_flat(draws["loading"]), covariance, rotation, wanted)
    usual = tuple(map(str, draws[SKILL].values)) if rotation == "none" else None
    labels = _names(
        columns if names is None else names,
        usual,
        labelled_reference(found.reference, benchmarks, _numbers(found)),
    )
    data = _dataset(posterior, found, centred, labels)
    alignment = _alignment_table(found, data, labels)
    findings = tuple(doubts(alignment, data, posterior.draws))
    for finding in findings:
        warnings.warn(finding, FitWarning, stacklevel=2)
    reference = labelled_reference(found.reference, benchmarks, labels)
    return Skills(data, alignment, reference, rotation, findings, posterior)


def _flat(values: xr.DataArray) -> Floats:
    """Return draws of all chains one after the other, dims (draw, ...)."""
    return np.asarray(values.values, dtype=float).reshape(-1, *values.shape[2:])


def _numbers(found: Alignment) -> tuple[str, ...]:
    return tuple(f"skill {number + 1}" for number in range(found.reference.shape[1]))


def _names(
    names: Sequence[str] | None, usual: tuple[str, ...] | None, reference: pd.DataFrame
) -> tuple[str, ...]:
    """Return the user's names after checking them, else the usual ones, else names from the loadings."""
    if names is None:
        return usual or skill_names(reference)
    chosen = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    count = reference.shape[1]
    if len(set(chosen) - set(part_names(()))) != count or len(chosen) != count:
        raise InputError(f"names {chosen!r} do not fit {count} skills: give each its own, but not {PARTS}.")
    return chosen


def _target(
    target: object, rotation: str, benchmarks: list[str], count: int
) -> tuple[Floats | None, tuple[str, ...] | None]:
    """Return wanted loadings in the fit's order of benchmarks, and names for the skills."""
    if (target is None) == (rotation == "target"):
        given = "no" if target is None else "a"
        words = f"rotation {rotation!r} and {given} target do not go together"
        raise InputError(f"{words}: give target= with rotation='target' and with no other.")
    if target is None:
        return None, None
    frame: Any = target if isinstance(target, pd.DataFrame) else None
    if frame is not None:
        for name in frame.index:
            if name not in benchmarks:
                raise unknown_name("benchmark of the target", str(name), benchmarks)
        target = frame.reindex(benchmarks)
    try:
        wanted = np.asarray(target, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"the target is {target!r}: give a table of numbers.") from None
    shape = (len(benchmarks), count)
    if wanted.shape != shape:
        raise InputError(
            f"the target has shape {wanted.shape}: give {shape[0]} benchmarks and {count} skills."
        )
    if np.isnan(wanted).all(axis=0).any():
        raise InputError("the target leaves a skill wholly free: fix at least one loading of each skill.")
    return wanted, None if frame is None else tuple(str(name) for name in frame.columns)


def _dataset(posterior: Posterior, found: Alignment, centred: Floats, names: tuple[str, ...]) -> xr.Dataset:
    """Return everything that is measured in skills, turned to the aligned ones."""
    draws = posterior.data["posterior"].dataset
    sizes = (draws.sizes[CHAIN], draws.sizes[DRAW])
    z = centred @ found.to_skills
    variables: dict[str, tuple[tuple[str, ...], Floats]] = {
        "loading": ((BENCHMARK, SKILL), found.loading),
        "correlation": ((SKILL, OTHER), found.correlation),
        "to_skills": (("fitted_skill", SKILL), found.to_skills),
        "model_skill": ((MODEL, SKILL), z),
        "variance": ((BENCHMARK, PART), _variance(posterior, found, z)),
    }
    for name in ("efficiency", "family_tuning"):
        variables[name] = ((FAMILY, SKILL), _flat(draws[name]) @ found.to_skills)
    for name in ("tuning", "tuning_slope"):
        variables[name] = ((SKILL,), np.einsum("nk,nkm->nm", _flat(draws[name]), found.to_skills))
    slope = np.einsum("nkc,nkm->nmc", _flat(draws["slope"]), found.to_skills)
    variables["slope"] = ((SKILL, COVARIATE), slope)
    labels = {name: draws[name].values for name in (CHAIN, DRAW, BENCHMARK, MODEL, FAMILY, COVARIATE)}
    family = (MODEL, posterior.data["constant_data"].dataset[FAMILY].values.astype(str))
    return xr.Dataset(
        {
            name: ((CHAIN, DRAW, *dims), v.reshape(*sizes, *v.shape[1:]))
            for name, (dims, v) in variables.items()
        },
        coords={
            **labels,
            SKILL: list(names),
            OTHER: list(names),
            "fitted_skill": draws[SKILL].values.astype(str),
            PART: part_names(names),
            "model_family": family,
        },
    )


def _variance(posterior: Posterior, found: Alignment, z: Floats) -> Floats:
    r"""Return shares of each benchmark's variance in logits, dims (draw, benchmark, part).

    A skill's part is :math:`\lambda_{jk}\,\mathrm{cov}(z_k, \lambda_j'z)`; the parts of all skills add up to
    the variance of :math:`\lambda_j'z`, whatever the rotation. What specific effects add to that comes next,
    then the misfit, in logits at the benchmark's pivot.
    """
    skills_part = found.loading * np.einsum("njl,nlk->njk", found.loading, found.correlation)
    parts = [skills_part, _specific(posterior, found, z)[:, :, None], _misfit(posterior)[:, :, None]]
    every = np.concatenate(parts, axis=2)
    return np.asarray(every / every.sum(axis=2, keepdims=True))


def _specific(posterior: Posterior, found: Alignment, z: Floats) -> Floats:
    """Return what specific effects add to the variance over models, dims (draw, benchmark)."""
    draws = posterior.data["posterior"].dataset
    if "specific" not in draws:
        return np.zeros(found.loading.shape[:2])
    known = posterior.data["constant_data"].dataset
    numbers = {name: number for number, name in enumerate(draws[FAMILY].values)}
    family = np.array([numbers[name] for name in known[FAMILY].values])
    line = lines_in(family, np.asarray(known[INSTRUCT].values, dtype=float)).model
    weight = np.bincount(line) / line.size
    effect = _flat(draws["specific"])
    effect = effect - np.einsum("l,nlj->nj", weight, effect)[:, None, :]
    totals = np.stack([z[:, line == number].sum(axis=1) for number in range(weight.size)], axis=1)
    shared = np.einsum("nlj,nlk,njk->nj", effect, totals / line.size, found.loading, optimize=True)
    return np.asarray(np.einsum("l,nlj->nj", weight, effect**2) + 2 * shared)


def _misfit(posterior: Posterior) -> Floats:
    """Return the variance of the misfit in logits at the pivot, dims (draw, benchmark)."""
    draws = posterior.data["posterior"].dataset
    share = 1 / (1 + np.exp(-pivots(posterior.data)))
    steepness = (1 - _flat(draws["lower"])) * share * (1 - share)
    return np.asarray(misfit_variance(share, _flat(draws["misfit"])) / steepness**2)


def _alignment_table(found: Alignment, data: xr.Dataset, names: tuple[str, ...]) -> pd.DataFrame:
    loading = data["loading"].values
    count = len(names)
    r_hat = ess = np.full(count, np.nan)
    if loading.shape[1] >= FEWEST:
        judged = diagnose(loading.reshape(*loading.shape[:2], -1))
        r_hat = judged["r_hat"].reshape(-1, count).max(axis=0)
        ess = judged["ess_bulk"].reshape(-1, count).min(axis=0)
    return pd.DataFrame(
        {
            SKILL: list(names),
            "congruence": np.median(found.congruence, axis=0),
            "alike": (found.congruence >= ALIKE).mean(axis=0),
            "simplest": (found.own_congruence >= ALIKE).mean(axis=0),
            "r_hat": r_hat,
            "ess_bulk": ess,
        }
    )
