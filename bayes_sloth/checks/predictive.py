"""Whether observed scores look like draws from the fit, by benchmark and by family, each score left out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.errors import FitStatus
from bayes_sloth.names import BENCHMARK, FAMILY, MODEL, SCORE

Floats = NDArray[np.float64]

# Over all groups of a table together: one table in a hundred is doubted though nothing is wrong with its fit.
FALSE_ALARM: Final = 0.01
# Families with fewer scores cannot be told from chance.
ENOUGH: Final = 12
# A forecast misleads where 90% intervals hold less than 80%, or where scores lie on average beyond the middle
# two thirds of draws; short of that, a departure is worth knowing and no reason to distrust.
LEAST_COVERAGE: Final = 0.8
MOST_OFF: Final = 0.15
# Above it, importance sampling cannot leave a score out (Vehtari et al. 2024).
RELIABLE: Final = 0.7
# Scores that carry their own forecast are few in a table whose models have siblings.
MANY: Final = 0.1
SHOWN: Final = 5


def check_predictive(case: Case) -> Finding:
    r"""Compare observed scores with forecasts made without them.

    With :math:`u_i = \Pr(\tilde y_i \le y_i \mid y_{-i})`, uniform where the fit is right; each benchmark
    and each family of twelve scores and more is tested by Kolmogorov and Smirnov's statistic, and by the
    number of scores inside 90% intervals, at levels that keep the false alarms of a whole table at one in a
    hundred.

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        Table with columns kind, group, scores, statistic, p, mean_pit, held_50, held_90 (shares of scores
        inside the intervals), verdict; `pit` and `density` to draw.

    References
    ----------
    Gelman et al. (2013). Bayesian Data Analysis, section 6.3; Säilynoja et al. (2022) for PIT.
    """
    scores = case.left_out.scores
    rows = [_row("all", "all", scores["pit"].to_numpy())]
    rows += [
        _row(BENCHMARK, name, part["pit"].to_numpy()) for name, part in scores.groupby(BENCHMARK, sort=False)
    ]
    families = [(name, part["pit"].to_numpy()) for name, part in scores.groupby(FAMILY, sort=False)]
    rows += [_row(FAMILY, name, pit) for name, pit in families if pit.size >= ENOUGH]
    table = pd.DataFrame(rows)
    table["verdict"] = [_verdict(row, FALSE_ALARM / (2 * len(rows))) for row in rows]
    bad = table[table["verdict"].isin(["too narrow", "off"])]
    odd = table[table["verdict"] != "fine"]
    drawn = {"pit": scores[[MODEL, FAMILY, BENCHMARK, SCORE, "pit"]], "density": case.left_out.density}
    return Finding(
        "predictive",
        table,
        FitStatus.NOT_TRUSTED if len(bad) else FitStatus.FINE,
        f"90% intervals hold {rows[0]['held_90']:.0%} of the scores left out; "
        f"{len(odd)} of {len(rows)} groups depart from what the fit expects",
        tuple(_advice(row) for row in odd.itertuples()),
        drawn,
    )


def _row(kind: str, group: Any, pit: Floats) -> dict[str, Any]:
    found = stats.kstest(pit, "uniform")
    inside = np.abs(pit - 0.5) * 2
    return {
        "kind": kind,
        "group": str(group),
        "scores": pit.size,
        "statistic": float(found.statistic),
        "p": float(found.pvalue),
        "mean_pit": float(pit.mean()),
        "held_50": float((inside <= 0.5).mean()),
        "held_90": float((inside <= 0.9).mean()),
    }


def _verdict(row: dict[str, Any], level: float) -> str:
    if row["p"] < level and abs(row["mean_pit"] - 0.5) > MOST_OFF:
        return "off"
    narrow = stats.binomtest(round(row["held_90"] * row["scores"]), row["scores"], 0.9, alternative="less")
    if narrow.pvalue < level and row["held_90"] < LEAST_COVERAGE:
        return "too narrow"
    if not row["p"] < level:
        return "fine"
    return "too wide" if row["held_50"] > 0.5 else "another shape"


def _advice(row: Any) -> str:
    where = "all scores" if row.kind == "all" else f"{row.kind} {row.group}"
    words = {
        "too narrow": f"90% intervals hold only {row.held_90:.0%}: look for scores measured in another "
        "way, or fit with more skills",
        "off": f"scores are {'above' if row.mean_pit > 0.5 else 'below'} what the fit expects: check how "
        "they were measured, their floors and families",
        "too wide": f"50% intervals hold {row.held_50:.0%}: forecasts are cautious there",
        "another shape": "scores scatter otherwise than the law says: try another likelihood or link",
    }
    return f"{where}: {words[row.verdict]}."


def check_left_out(case: Case) -> Finding:
    """Find scores that the fit cannot forecast without them.

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        Table of all scores, worst first: columns model, family, benchmark, score, elpd, p_loo, k, pit.

    References
    ----------
    Vehtari, Gelman, Gabry (2017). Practical Bayesian model evaluation using leave-one-out cross-validation.
    """
    table = case.left_out.scores.sort_values("k", ascending=False, ignore_index=True)
    unsure = ~(table["k"] <= RELIABLE)  # counts NaN
    elpd, error = table["elpd"].sum(), float(np.sqrt(len(table)) * table["elpd"].std())
    verdict = (
        f"elpd {elpd:.0f} ± {error:.0f}, {table['p_loo'].sum():.0f} effective parameters; "
        f"Pareto k above {RELIABLE} for {int(unsure.sum())} of {len(table)} scores"
    )
    worst = ", ".join(f"{row.model} on {row.benchmark}" for row in table[unsure].head(SHOWN).itertuples())
    advice = f"the fit leans on single scores ({worst}, ...): hold these out with `evaluate` instead."
    return Finding(
        "leave-one-out",
        table,
        FitStatus.FINE,
        verdict,
        (advice,) if unsure.mean() > MANY else (),
    )
