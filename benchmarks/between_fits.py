"""Loadings told by one part of the packaged table beside those told by another, and skills by either board.

    python benchmarks/between_fits.py [--only base,halves,date,boards] [--skills N] [--seed N] [--csv FILE]

`base` fits base models and tuned ones apart, `date` models of before a year and from it on, `halves` two
random halves of the families, which is what no difference looks like. Each pair is told by the congruence of
every skill, the share of loadings whose 90% interval of the difference leaves out zero, and the largest
differences.
`boards` fits the six benchmarks of either board of the Open LLM Leaderboard. They share none, so there is no
loading to compare: told are the canonical correlations between the skills of models that are on both, which
no rotation changes, with 90% intervals over pairs of draws.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from paper import BENCHMARKS

import bayes_sloth as bs
from bayes_sloth.comparing import compare_loadings

YEAR = 2024.25  # about half of the dated models came later
LARGEST = 6  # differences that are printed
DRAWS = 500  # pairs of draws that correlations are taken over
BOARD_SKILLS = 2  # six benchmarks tell no more apart
Parts = tuple[Sequence[str], Sequence[str]]


def base_and_tuned(scores: bs.Scores) -> Parts:
    """Return base models, and instruction-tuned ones."""
    return _split(scores, np.asarray(scores.metadata["instruct"]) == 0)


def halves(scores: bs.Scores) -> Parts:
    """Return the models of a random half of the families, and the others."""
    families = np.array(scores.families)
    chosen = np.random.default_rng(0).permutation(families)[: families.size // 2]
    return _split(scores, scores.metadata["family"].isin(chosen).to_numpy())


def before_and_after(scores: bs.Scores) -> Parts:
    """Return models of before a year and from it on; those without a date are in neither."""
    dates = scores.metadata["date"].to_numpy()
    dated = scores.select(models=list(np.array(scores.models)[~np.isnan(dates)]))
    return _split(dated, dates[~np.isnan(dates)] < YEAR)


def _split(scores: bs.Scores, first: np.ndarray) -> Parts:
    models = np.array(scores.models)
    return list(models[first]), list(models[~first])


PAIRS: dict[str, tuple[Callable[[bs.Scores], Parts], tuple[str, str]]] = {
    "base": (base_and_tuned, ("base", "tuned")),
    "date": (before_and_after, (f"before {YEAR:g}", f"from {YEAR:g} on")),
    "halves": (halves, ("one half of the families", "the other")),
}


def fitted(scores: bs.Scores, skills: int, seed: int) -> bs.Posterior:
    """Fit a part of the table by the default method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bs.fit(scores, bs.ModelSpec(skills=skills), seed=seed)


def differences(scores: bs.Scores, parts: Parts, skills: int, seed: int) -> pd.DataFrame:
    """Return how the loadings of two parts of a table differ, the second turned towards the first."""
    first, second = (fitted(scores.select(models=list(part)), skills, seed) for part in parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)
        found = bs.skills(first, rotation="geomin")
        turned = bs.skills(second, rotation="target", target=found.reference)
    table = compare_loadings(found, turned)
    told = {"first": first.report.status.name.lower(), "second": second.report.status.name.lower()}
    return table.assign(**told, differs=(table["lower"] > 0) | (table["upper"] < 0))


def canonical(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the canonical correlations of two sets of skills of the same models, the largest first.

    Examples
    --------
    >>> skill = np.random.default_rng(0).normal(size=(50, 2))
    >>> canonical(skill, skill @ [[2.0, 1.0], [0.0, 3.0]]).round(6).tolist()
    [1.0, 1.0]
    """
    bases = [np.linalg.qr(values - values.mean(axis=0))[0] for values in (first, second)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def boards(scores: bs.Scores, seed: int) -> pd.DataFrame:
    """Return the correlations between the skills that two boards tell of models that are on both."""
    parts = [scores.select(benchmarks=BENCHMARKS[board]) for board in ("v1", "v2")]
    seen = [part.select(models=list(np.array(part.models)[part.observed.any(axis=1)])) for part in parts]
    both = [model for model in seen[0].models if model in seen[1].models]
    rng, draws = np.random.default_rng(seed), []
    for part in seen:
        skill = fitted(part, BOARD_SKILLS, seed).data["posterior"]["model_skill"].sel(model=both)
        flat = skill.stack(sample=("chain", "draw")).transpose("sample", ...).to_numpy()
        draws.append(flat[rng.choice(len(flat), DRAWS, replace=False)])
    found = np.array([canonical(one, other) for one, other in zip(*draws, strict=True)])
    lower, median, upper = np.quantile(found, [0.05, 0.5, 0.95], axis=0)
    numbers = range(1, BOARD_SKILLS + 1)
    return pd.DataFrame(
        {"correlation": numbers, "median": median, "lower": lower, "upper": upper, "models": len(both)}
    )


def told(name: str, table: pd.DataFrame, parts: Parts) -> None:
    """Print what a pair of fits says."""
    labels = PAIRS[name][1]
    print(f"\n{labels[0]} ({len(parts[0])} models) less {labels[1]} ({len(parts[1])} models)")
    print(f"the fits: {table['first'].iloc[0]}, {table['second'].iloc[0]}")
    skills = table.groupby("skill", sort=False)
    alike = {name: (name, "first") for name in ("congruence", "by_chance")}
    shown = skills.agg(**alike, differ=("differs", "mean"))
    print(shown.round(2).to_string())
    largest = table.reindex(table["median"].abs().sort_values(ascending=False).index).head(LARGEST)
    columns = ["benchmark", "skill", "median", "lower", "upper", "differs"]
    print(largest[columns].round(2).to_string(index=False), flush=True)


def main() -> None:
    """Fit the pairs that are asked for and print how they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="base,date,halves,boards")
    parser.add_argument("--skills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", help="file for every difference of loadings")
    options = parser.parse_args()
    scores, tables = bs.load_leaderboard(), []
    for name in options.only.split(","):
        if name == "boards":
            print(
                "\nskills of the two boards\n", boards(scores, options.seed).round(2).to_string(index=False)
            )
            continue
        parts = PAIRS[name][0](scores)
        tables.append(differences(scores, parts, options.skills, options.seed).assign(pair=name))
        told(name, tables[-1], parts)
    if options.csv:
        pd.concat(tables).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
