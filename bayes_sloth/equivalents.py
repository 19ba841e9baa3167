"""Skill as compute: what a reference family would have to spend for what a model can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import jax
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import as_number, check_whole
from bayes_sloth.asked_skills import chosen_draws, drawn_skills, known_or_drawn
from bayes_sloth.asking import Ints, check_fit
from bayes_sloth.compute import TRAINING, training_flops
from bayes_sloth.equivalent_tables import Equivalents
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import (
    BENCHMARK,
    DATE,
    DRAW,
    FAMILY,
    INSTRUCT,
    MODEL,
    PARAMS_B,
    SKILL,
    TOKENS_T,
)
from bayes_sloth.posterior import Posterior
from bayes_sloth.skill_tables import Skills

Floats = NDArray[np.float64]
# From skills of models in chosen draws of a fit to what is compared, dims (draw, model).
Trait: TypeAlias = Callable[[xr.Dataset, Ints], Floats]

DRAWS: Final = 1000
STEPS: Final = 121  # sizes at which the reference family's curve is known, some twenty to a factor of ten
# The curve goes this many times beyond the table's smallest and largest sizes.
BELOW, BEYOND = 10.0, 100.0


def equivalent_flops(
    fit: Posterior | Skills,
    models: object = None,
    *,
    family: str,
    benchmark: str | None = None,
    skill: str | None = None,
    tokens_per_param: float | None = None,
    seed: int,
) -> Equivalents:
    r"""Express models' skill as the compute that a reference family would need for it.

    .. math:: C^{eq}_i = 6\,s\,t(s) \quad\text{where}\quad \eta_{f}(s, t(s)) = \eta_i

    with :math:`\eta_f` the reference family's typical base models as they grow, in every draw, and
    :math:`\eta` the skill, or what a benchmark sees of all skills. The family grows at its own (median)
    number of tokens, or at a fixed ratio of tokens to parameters. Where a draw's curve bends down, its
    highest value so far counts; what it reaches nowhere is infinite.

    Parameters
    ----------
    fit : Posterior or Skills
        A fit; `bs.skills(fit)` where `skill` is a rotated one.
    models : sequence of str, or DataFrame, mapping, path or Scores, optional
        Names of models of the fit (all of them where None), or rows as `bs.predict` takes them.
    family : str
        The reference family, one of the fit's.
    benchmark, skill : str
        What to compare: one of the two.
    tokens_per_param : float, optional
        Tokens to each parameter along the reference family's curve, 20 say.
    seed : int
        Of what the fit does not know.

    Returns
    -------
    Equivalents
        With `table`, `progress` and `trend`.

    Raises
    ------
    InputError
        If a name is unknown, or not just one of benchmark and skill is given.

    References
    ----------
    Ruan, Maddison and Hashimoto (2024). Observational scaling laws. arXiv 2405.10938, eq. 8, whose
    equivalents are of a line in log compute.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> names = ["llama-3-8b", "llama-2-13b"]
    >>> found = bs.equivalent_flops(fit, names, family="llama-2", benchmark="MMLU", seed=0)
    >>> found.table()["model"].tolist()
    ['llama-3-8b', 'llama-2-13b']
    """
    if not isinstance(fit, Skills):
        check_fit("equivalent_flops", fit)
    check_whole("equivalent_flops", seed=seed)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    posterior = fit.posterior if isinstance(fit, Skills) else fit
    trait = _trait(fit, benchmark, skill)
    chosen = chosen_draws(posterior, DRAWS)
    sizes, tokens, measured = _path(posterior, family, tokens_per_param)
    grid = {FAMILY: family, PARAMS_B: sizes, TOKENS_T: tokens, MODEL: [f"{n:03}" for n in range(STEPS)]}
    along = drawn_skills(posterior, pd.DataFrame(grid), seed=seed, chosen=chosen, typical=True)[1]
    facts, found = known_or_drawn(posterior, models, seed=seed + 1, chosen=chosen)
    compute = np.log10(TRAINING * sizes * tokens)
    logs = inverted(trait(along, chosen), compute, trait(found, chosen))
    rng = np.random.default_rng(seed)
    families = sorted(set(facts[FAMILY]))
    weight = rng.dirichlet(np.ones(len(families)), size=len(chosen))
    labels = {MODEL: list(facts[MODEL]), FAMILY: families, **_facts(facts)}
    data = xr.Dataset({"log10_flops": ((DRAW, MODEL), logs), "weight": ((DRAW, FAMILY), weight)}, labels)
    return Equivalents(data, family, str(benchmark or skill), (compute[0], compute[-1]), measured)


def inverted(curve: Floats, compute: Floats, value: Floats) -> Floats:
    """Return the compute at which rising curves first reach values; infinite where they never do.

    Parameters
    ----------
    curve : array, dims (draw, step)
        Taken as its highest value so far.
    compute : array, dims (step)
        log10 FLOPs, increasing.
    value : array, dims (draw, model)
        What to reach.

    Returns
    -------
    array, dims (draw, model)
        log10 FLOPs; minus infinity below the curve.

    Examples
    --------
    >>> inverted(np.array([[0.0, 1.0, 3.0]]), np.array([20.0, 21.0, 22.0]), np.array([[2.0, 5.0]])).tolist()
    [[21.5, inf]]
    """
    rising = np.maximum.accumulate(curve, axis=1)
    rows = zip(value, rising, strict=True)
    found: Floats = np.array([np.interp(at, up, compute, left=-np.inf, right=np.inf) for at, up in rows])
    return found


def _trait(fit: Posterior | Skills, benchmark: str | None, skill: str | None) -> Trait:
    """Return what is compared as a function of skills."""
    if (benchmark is None) == (skill is None):
        raise InputError("equivalent_flops: give one of benchmark and skill: what is to be compared?")
    posterior = fit.posterior if isinstance(fit, Skills) else fit
    draws = posterior.data["posterior"].dataset
    if benchmark is not None:
        return _seen_by(draws, _known(BENCHMARK, benchmark, posterior.scores.benchmarks))
    names = fit.names if isinstance(fit, Skills) else [str(name) for name in draws[SKILL].values]
    place = list(names).index(_known(SKILL, str(skill), names))
    if not isinstance(fit, Skills):
        return lambda found, chosen: found["model_skill"].values[:, :, place]
    turn = fit.data["to_skills"].values.reshape(posterior.draws, *fit.data["to_skills"].shape[2:])
    return lambda found, chosen: np.einsum("nmk,nk->nm", found["model_skill"].values, turn[chosen, :, place])


def _seen_by(draws: xr.Dataset, benchmark: str) -> Trait:
    """Return the function from skills to a benchmark's linear predictor, less its intercept."""
    own = draws["loading"].sel({BENCHMARK: benchmark}).values
    loading = own.reshape(-1, own.shape[-1])

    def seen(found: xr.Dataset, chosen: Ints) -> Floats:
        common = np.einsum("nmk,nk->nm", found["model_skill"].values, loading[chosen])
        return np.asarray(common + found["specific"].sel({BENCHMARK: benchmark}).values)

    return seen


def _known(kind: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise unknown_name(kind, name, known)
    return name


def _path(
    posterior: Posterior, family: str, ratio: float | None
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Return sizes and tokens along which the reference family grows, and the ends of what was measured."""
    scores = posterior.scores
    table = scores.metadata
    own = table[table[FAMILY] == _known(FAMILY, family, scores.families)]
    if ratio is not None:
        ratio = as_number("equivalent_flops: tokens_per_param", ratio, "a number above zero", above=0.0)
    if ratio is None and not own[TOKENS_T].notna().any():
        raise InputError(f"equivalent_flops: no tokens of {family} are known: give tokens_per_param.")
    ends = table[PARAMS_B].min() / BELOW, table[PARAMS_B].max() * BEYOND
    sizes = np.geomspace(*ends, STEPS)
    tokens = np.full(STEPS, own[TOKENS_T].median()) if ratio is None else sizes * ratio / 1000
    spent = _own_flops(own)
    spent = spent[np.isfinite(spent)]
    measured = (float(spent.min()), float(spent.max())) if spent.size else (-np.inf, np.inf)
    return sizes, tokens, measured


def _own_flops(rows: pd.DataFrame) -> Floats:
    """Return log10 of the FLOPs that training took."""
    spent: Floats = np.log10(training_flops(rows))
    return spent


def _facts(rows: pd.DataFrame) -> dict[str, Any]:
    columns = {name: rows[name].to_numpy(dtype=float) for name in (DATE, INSTRUCT)}
    columns |= {"own_log10_flops": _own_flops(rows), "model_family": rows[FAMILY].to_numpy(dtype=str)}
    return {name: (MODEL, values) for name, values in columns.items()}
