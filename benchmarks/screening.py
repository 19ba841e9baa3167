"""Which form of the model the data prefer: PSIS-LOO of every score, on the paper's three tables.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/screening.py [--only NAME,...] [--csv FILE]

Prints, for every candidate and table, the expected log predictive density of scores left out one at a time,
less that of the default, its standard error, and how many Pareto k are above .7 (many, and the figures mean
less).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from paper import SETTINGS, paper_folder, paper_table

import bayes_sloth as bs

# Where one model of a tested family is seen the tables are larger.
TABLES = {setting.benchmarks: setting for setting in SETTINGS if setting.seen == 1}
CANDIDATES = {
    "default": bs.ModelSpec(),
    "three skills": bs.ModelSpec(skills=3),
    "five skills": bs.ModelSpec(skills=5),
    "logistic link": bs.ModelSpec(link="logistic"),
    "spline link": bs.ModelSpec(link="spline"),
    "normal": bs.ModelSpec(likelihood="normal"),
    "beta": bs.ModelSpec(likelihood="beta"),
    "no interaction": bs.ModelSpec(interaction=False),
    "no departures": bs.ModelSpec(deviation=False),
    "nothing specific": bs.ModelSpec(specific=False),
    "straight logs": bs.ModelSpec(priors=bs.Priors(curvature_mean=0.0, curvature_sd=1e-3)),
}
LIMIT = 0.7
LENGTH = {"chains": 2, "draws": 400, "warmup": 400}


def left_out(fit: bs.Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Return the log predictive density of every observed score left out, and its Pareto k."""
    density = bs.log_likelihood(fit)["log_likelihood"].dataset["score"].values
    draws = density.reshape(-1, density.shape[-1]).T.astype(float)
    weight, pareto = (np.asarray(found) for found in array_stats.psislw(-draws))
    total = np.logaddexp.reduce(weight, axis=1)
    return np.logaddexp.reduce(weight + draws, axis=1) - total, pareto


def screened(names: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a candidate and table: difference to the first candidate, its error, bad Pareto k."""
    rows = []
    for title, setting in TABLES.items():
        scores = setting.scores(table)
        first = None
        for name in names:
            density, pareto = left_out(bs.fit(scores, CANDIDATES[name], seed=0, **LENGTH))
            first = density if first is None else first
            gap = density - first
            rows.append(
                {
                    "table": title,
                    "candidate": name,
                    "elpd": density.sum(),
                    "difference": gap.sum(),
                    "error": gap.std() * gap.size**0.5,
                    "bad_k": int((pareto > LIMIT).sum()),
                    "scores": gap.size,
                }
            )
            print(pd.DataFrame(rows[-1:]).round(1).to_string(header=len(rows) == 1, index=False), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Fit every candidate to every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help="candidates, joined by commas; the first is compared with")
    parser.add_argument("--csv", type=Path, help="file for the table")
    options = parser.parse_args()
    folder = paper_folder()
    if folder is None:
        raise SystemExit("set BAYES_SLOTH_PAPER_DATA to a folder with the authors' data_v2.csv")
    names = options.only.split(",") if options.only else list(CANDIDATES)
    found = screened(names, paper_table(folder))
    print(found.pivot(index="candidate", columns="table", values="difference").loc[names].round(1))
    if options.csv:
        found.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
