"""What to measure next: by how much each benchmark, or pilot model, would narrow a forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.special import logit

from bayes_sloth.arguments import as_number, check_prob, check_whole
from bayes_sloth.asking import check_fit
from bayes_sloth.compute import training_flops
from bayes_sloth.conditioning import conditioned
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import MODEL
from bayes_sloth.partial_scores import KnownScores, read_partial
from bayes_sloth.posterior import Posterior
from bayes_sloth.tables.files import Source

Floats = NDArray[np.float64]

# Scores this close to 0 or 1 have logits that would pull a curve.
EDGE: Final = 0.004
# Knots of each predictor's curve, at these quantiles; outside them it is flat.
KNOTS: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
DEGREE: Final = 3
# Every draw is forecast by a curve fitted to the other folds, so that no curve gains by following noise.
FOLDS: Final = 5
# Draws alike in what was measured: enough for both ends of a 90% interval.
ALIKE: Final = 200
FLOPS_UNIT: Final = 1e21


def measure(
    posterior: Posterior,
    model: Source,
    target: str,
    *,
    candidates: Sequence[str] | Source | None = None,
    costs: Mapping[str, float] | None = None,
    prob: float = 0.9,
    seed: int,
) -> pd.DataFrame:
    r"""Return how much each measurement would narrow the forecast of a target score, and per unit of cost.

    The expected value of sample information with squared error as loss. For a candidate measurement
    :math:`c` and the target score :math:`y`, over joint draws of both,

    .. math:: \text{reduction} = \sqrt{\mathrm{Var}(y)} - \sqrt{E[\mathrm{Var}(y \mid c)]},
        \quad E[\mathrm{Var}(y \mid c)] = E[(y - E[y \mid c])^2]

    with :math:`E[y \mid c]` an additive spline in the logits of the candidate's scores, fitted to other draws
    than those it is judged on. All draws come from one forecast: nothing is fitted again.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    model : path, DataFrame or mapping
        One row, as for `bs.condition`; scores that are known already count.
    target : str
        The benchmark to forecast for that model.
    candidates : sequence of str, or path, DataFrame or mapping, optional
        Names of benchmarks that the model could be measured on; or rows of pilot models, as for
        `bs.predict`, each of which would be trained and measured on every benchmark. All other benchmarks
        where not given.
    costs : mapping of str to float, optional
        By benchmark or by name of a pilot, in any unit. Where not given: 1 for each benchmark; for pilots
        the compute of training, :math:`6 \times` parameters :math:`\times` tokens, in :math:`10^{21}` FLOPs.
    prob : float
        Probability inside the interval.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        Most reduction per cost first; a candidate that tells nothing comes out at 0 or, by what its curve
        costs, a little below. Columns candidate; sd_before, sd_after (of the target score, a share),
        width_before, width_after (of its interval), prob; reduction of the sd and its Monte Carlo error;
        cost; reduction_per_cost and error_per_cost.

    Raises
    ------
    InputError
        If the target, a candidate or a cost is not valid, or `model` is not one row.

    References
    ----------
    Strong, Oakley, Brennan & Breeze (2015). Estimating the expected value of sample information using the
    probabilistic sensitivity analysis sample. Medical Decision Making 35(5), eqs. 6-8.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> fit = bs.fit(table, bs.ModelSpec(skills=1), method="map", seed=0, progress=False)
    >>> large = {"model": "large", "family": "new", "params_b": 70, "tokens_t": 5}
    >>> pilots = {"model": ["1B", "7B"], "family": "new", "params_b": [1, 7], "tokens_t": 5}
    >>> measure(fit, large, "MMLU", candidates=pilots, costs={"1B": 1, "7B": 1}, seed=0)["candidate"].tolist()
    ['7B', '1B']
    """
    check_fit("measure", posterior)
    check_whole("measure", seed=seed)
    check_prob(prob)
    asked = read_partial(model, posterior.scores)
    names = list(posterior.scores.benchmarks)
    _check_question(asked, target, names)
    if candidates is None or _are_names(candidates):
        chosen = _benchmarks(asked, target, None if candidates is None else list(candidates), names)
        price = dict.fromkeys(chosen, 1.0)
        columns = {name: (0, [names.index(name)]) for name in chosen}
    else:
        pilots = read_partial(candidates, posterior.scores)
        price = _training_flops(pilots.models)
        columns = {name: (1 + row, list(range(len(names)))) for row, name in enumerate(price)}
        asked = _beside(asked, pilots)
    cost = _priced(price, costs or {})
    found = conditioned(posterior, asked, seed=seed).data
    draws = found["score"].values.reshape(-1, len(asked.models), len(names))
    y, effective = draws[:, 0, names.index(target)], float(found["effective_draws"])
    rows = [
        {"candidate": name, **reduction(y, draws[:, row][:, places], prob, effective), "cost": cost[name]}
        for name, (row, places) in columns.items()
    ]
    return _ranked(pd.DataFrame(rows))


def reduction(y: Floats, measured: Floats, prob: float, effective: float) -> dict[str, float]:
    """Return how much less a score scatters once others are measured.

    Parameters
    ----------
    y : array, dims (draw)
        The target score.
    measured : array, dims (draw, score)
        Scores that would be measured, drawn jointly with it.
    prob : float
        Probability inside the interval.
    effective : float
        Effective draws.

    Returns
    -------
    dict
        sd_before, sd_after, width_before, width_after, prob, reduction, error.

    Examples
    --------
    >>> numbers = np.random.default_rng(0)
    >>> z, noise = numbers.normal(size=(2, 4000))
    >>> y, seen = (1 / (1 + np.exp(-a)) for a in (0.1 * (z + noise), 0.1 * z))
    >>> found = reduction(y, seen[:, None], 0.9, 4000)
    >>> round(found["sd_after"] / found["sd_before"], 1)  # half of the variance is explained
    0.7
    """
    mean = expected_given(y, measured)
    before, after = (y - y.mean()) ** 2, (y - mean) ** 2
    sd_before, sd_after = float(np.sqrt(before.mean())), float(np.sqrt(after.mean()))
    # By the delta method; both averages are over the same draws.
    terms = before / (2 * max(sd_before, 1e-12)) - after / (2 * max(sd_after, 1e-12))
    ends = ((1 - prob) / 2, (1 + prob) / 2)
    alike = np.array_split(np.argsort(mean), max(1, y.size // ALIKE))
    widths = [np.diff(np.quantile((y - mean)[group], ends))[0] for group in alike]
    return {
        "sd_before": sd_before,
        "sd_after": sd_after,
        "width_before": float(np.diff(np.quantile(y, ends))[0]),
        "width_after": float(np.average(widths, weights=[group.size for group in alike])),
        "prob": prob,
        "reduction": sd_before - sd_after,
        "error": float(terms.std() / np.sqrt(effective)),
    }


def expected_given(y: Floats, measured: Floats) -> Floats:
    """Return the expectation of a score given others, each draw's from the other folds of draws.

    Parameters
    ----------
    y : array, dims (draw)
        The score.
    measured : array, dims (draw, score)
        What it is expected from.

    Returns
    -------
    array, dims (draw)
        Expected score.

    Examples
    --------
    >>> seen = np.random.default_rng(0).uniform(0.3, 0.7, size=(1000, 1))
    >>> bool(np.abs(expected_given(seen[:, 0] ** 2, seen) - seen[:, 0] ** 2).max() < 0.02)
    True
    """
    basis = np.column_stack([np.ones(y.size), *(_spline(column) for column in measured.T)])
    found = np.empty(y.size)
    # Whole stretches of draws, since neighbours in a chain, or copies of one draw, are alike.
    for fold in np.array_split(np.arange(y.size), FOLDS):
        others = np.setdiff1d(np.arange(y.size), fold)
        weights = np.linalg.lstsq(basis[others], y[others], rcond=1e-8)[0]
        found[fold] = basis[fold] @ weights
    return found


def _spline(score: Floats) -> Floats:
    """Return a basis of smooth curves in the logit of a score; none where it is the same in all draws."""
    x = logit(np.clip(score, EDGE, 1 - EDGE))
    knots = np.unique(np.quantile(x, KNOTS))
    if knots.size < len(KNOTS):
        return np.empty((x.size, 0))
    padded = np.concatenate([[knots[0]] * DEGREE, knots, [knots[-1]] * DEGREE])
    basis = BSpline.design_matrix(np.clip(x, knots[0], knots[-1]), padded, DEGREE).toarray()
    return np.asarray(basis[:, 1:])  # with the constant, the first would be one too many


def _check_question(asked: KnownScores, target: str, names: list[str]) -> None:
    if len(asked.models) != 1:
        raise InputError(f"measure: {len(asked.models)} rows describe the model: give one row.")
    if target not in names:
        raise unknown_name("benchmark", target, names)
    if not np.isnan(asked.score[0, names.index(target)]):
        raise InputError(f"the model's score on {target} is known already: choose another target.")


def _are_names(candidates: object) -> TypeGuard[Sequence[str]]:
    """Return whether candidates are names of benchmarks; one string alone is a path, as everywhere."""
    if isinstance(candidates, str | Mapping | pd.DataFrame) or not isinstance(candidates, Sequence):
        return False
    return all(isinstance(name, str) for name in candidates)


def _benchmarks(asked: KnownScores, target: str, chosen: list[str] | None, names: list[str]) -> list[str]:
    """Return the benchmarks that could be measured: those named, or all but the target and the known ones."""
    known = {name for name, score in zip(names, asked.score[0], strict=True) if not np.isnan(score)}
    if chosen is None:
        chosen = [name for name in names if name not in {target, *known}]
    for name in chosen:
        if name not in names:
            raise unknown_name("benchmark", name, names)
        if name == target or name in known:
            raise InputError(
                f"{name} is {'the target' if name == target else 'known already'}: leave it out."
            )
    if not chosen:
        raise InputError("nothing is left to measure: name candidates, or give pilot models.")
    return chosen


def _training_flops(models: pd.DataFrame) -> dict[str, float]:
    """Return the compute of training each model, NaN where size or tokens are not known."""
    flops = training_flops(models) / FLOPS_UNIT
    return {str(name): float(value) for name, value in zip(models[MODEL], flops, strict=True)}


def _priced(price: dict[str, float], costs: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(costs, Mapping):
        raise InputError(f"costs are a {type(costs).__name__}: give numbers by name, such as {{'MMLU': 2}}.")
    for name in costs:
        if name not in price:
            raise unknown_name("candidate in costs", name, price)
    give = "a number above 0 in costs"
    return {
        name: as_number(f"the cost of {name}", costs.get(name, usual), give, above=0.0)
        for name, usual in price.items()
    }


def _beside(asked: KnownScores, pilots: KnownScores) -> KnownScores:
    """Return the model and its pilots as one table, the model first."""
    both = [*asked.models[MODEL], *pilots.models[MODEL]]
    if len(set(both)) < len(both):
        raise InputError(
            "a pilot has the name of the model or of another pilot: give each a name of its own."
        )
    return KnownScores(
        pd.concat([asked.models, pilots.models], ignore_index=True),
        np.concatenate([asked.score, pilots.score]),
        np.concatenate([asked.items, pilots.items]),
    )


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    table["reduction_per_cost"] = table["reduction"] / table["cost"]
    table["error_per_cost"] = table["error"] / table["cost"]
    return table.sort_values("reduction_per_cost", ascending=False, kind="stable", ignore_index=True)
