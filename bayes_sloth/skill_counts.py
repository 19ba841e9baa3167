"""How many skills: fits with more or fewer, by scores left out one at a time and by held-out folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bayes_sloth.arguments import check_kind
from bayes_sloth.checks.leaving_out import leave_out
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.evaluation import LAW, Evaluation
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.names import BENCHMARK, MODEL, SCORE
from bayes_sloth.posterior import Posterior
from bayes_sloth.scoring import FOLD
from bayes_sloth.watching import watched

Floats = NDArray[np.float64]

FIT: Final = "fit"
# Above it a score's log density without it is not to be relied on.
RELIABLE: Final = 0.7
FEWEST: Final = 2


def compare_skill_counts(
    fits: Mapping[str, Posterior], *, evaluation: Evaluation | None = None, progress: bool = True
) -> pd.DataFrame:
    r"""Return which of several fits of one table forecasts best what it did not see, the best first.

    .. math:: \widehat{\mathrm{elpd}} = \sum_n \log p(y_n \mid y_{-n}), \qquad
        \mathrm{se}(\Delta) = \sqrt{N\,\mathrm{var}_n(\Delta_n)}

    for differences :math:`\Delta_n` between two fits, score by score, by Pareto-smoothed importance sampling.
    A score left out alone has siblings beside it; folds that hold out whole models ask for more, and may
    prefer fewer skills.

    Parameters
    ----------
    fits : mapping of str to Posterior
        Fits of the same table, most often with different numbers of skills.
    evaluation : Evaluation, optional
        From `bs.evaluate`, of laws of the same names.
    progress : bool
        Whether to show progress, where somebody watches.

    Returns
    -------
    DataFrame
        A row a fit, the largest elpd first: columns fit, skills, elpd, elpd_se, behind (the best fit's elpd
        less this one's, nats), behind_se, p_loo (effective parameters), unreliable (scores with Pareto's k
        above 0.7), scores (their number); with an evaluation also MAE, CRPS, CRPS_behind (this fit's less the
        smallest) and CRPS_behind_se (folds as the units).

    Raises
    ------
    InputError
        If there are fewer than two fits, one is a point estimate, their tables differ, or the evaluation
        lacks one.

    References
    ----------
    Vehtari, A., Gelman, A. and Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC. Statistics and Computing 27, eqs. 4, 22 and 24.

    Examples
    --------
    >>> compare_skill_counts({})
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: 0 fits to compare: pass two or more, in a mapping of names to fits.
    """
    given: object = fits
    if not isinstance(given, Mapping):
        raise InputError(f"fits are a {type(given).__name__}: pass a mapping of names to fits.")
    if len(fits) < FEWEST:
        raise InputError(f"{len(fits)} fits to compare: pass two or more, in a mapping of names to fits.")
    for name, fit in fits.items():
        check_kind(fit, Posterior, "bs.fit")
        if fit.draws == 1:
            raise InputError(f"fit {name!r} is a point estimate: fit with method='hmc' to leave scores out.")
    if evaluation is not None:
        missing = [name for name in fits if name not in evaluation.data[LAW].values]
        if missing:
            raise unknown_name("law", missing[0], [str(law) for law in evaluation.data[LAW].values])
    _same_table(fits)
    left_out = {}
    for name, fit in tqdm(
        fits.items(), desc="leaving out", disable=not (progress and watched()), leave=False
    ):
        left_out[name] = leave_out(fit, ExpectedByBenchmark(fit.data, fit.spec)).scores
    table = _ranked({name: fit.spec.skills for name, fit in fits.items()}, left_out)
    return table if evaluation is None else table.merge(_folds(evaluation, list(fits)), on=FIT)


def _same_table(fits: Mapping[str, Posterior]) -> None:
    """Refuse fits of different scores: their log densities are of different things."""
    (first, fit), *others = fits.items()
    scores = fit.scores.data[SCORE]
    for name, other in others:
        if not scores.equals(other.scores.data[SCORE]):
            raise InputError(
                f"fits {first!r} and {name!r} are of different tables: compare fits of the same scores."
            )


def _ranked(skills: Mapping[str, int], left_out: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a fit from the log densities of its scores; rows of all tables are the same scores."""
    best = max(left_out, key=lambda name: float(left_out[name]["elpd"].sum()))
    rows = []
    for name, table in left_out.items():
        elpd = table["elpd"].to_numpy()
        behind = left_out[best]["elpd"].to_numpy() - elpd
        row: dict[str, Any] = {
            FIT: name,
            "skills": skills[name],
            "elpd": elpd.sum(),
            "elpd_se": _total_se(elpd),
        }
        row |= {"behind": behind.sum(), "behind_se": _total_se(behind), "p_loo": table["p_loo"].sum()}
        rows.append(row | {"unreliable": int((table["k"] > RELIABLE).sum()), "scores": len(table)})
    return pd.DataFrame(rows).sort_values("elpd", ascending=False, kind="stable").reset_index(drop=True)


def _total_se(values: Floats) -> float:
    """Return the standard error of a sum of independent terms."""
    return float(np.sqrt(len(values)) * values.std())


def _folds(evaluation: Evaluation, names: list[str]) -> pd.DataFrame:
    """Return errors of held-out folds and how far each law is behind the best, with folds as the units."""
    cases = evaluation.cases()
    cases = cases[cases[LAW].isin(names)]
    found = cases.groupby(LAW)[["absolute_error", "crps"]].mean().loc[names]
    crps = cases.pivot(index=[FOLD, MODEL, BENCHMARK], columns=LAW, values="crps")[names]
    gap = crps.sub(crps[found["crps"].idxmin()], axis=0)
    table = pd.DataFrame(
        {FIT: names, "MAE": found["absolute_error"].to_numpy(), "CRPS": found["crps"].to_numpy()}
    )
    spread = [_mean_se(gap[name]) for name in names]
    return table.assign(CRPS_behind=gap.mean().to_numpy(), CRPS_behind_se=spread)


def _mean_se(gap: pd.Series) -> float:
    """Return the standard error of the mean over scores that move together in a fold; NaN of one fold."""
    apart = (gap - gap.mean()).groupby(level=FOLD).sum()
    folds = len(apart)
    return float(np.sqrt(folds / (folds - 1) * (apart**2).sum()) / len(gap)) if folds > 1 else float("nan")
