"""Hold real models out of the packaged table, forecast them, and count how often intervals hold the truth.

    python benchmarks/holdout.py [--quick] [--csv FILE]

Two fits: one without the named large models, one without the largest model of every family of three or more.
`--quick` fits by the normal approximation, to see that the script runs.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import bayes_sloth as bs

NAMED = (
    *("llama-3-70b", "llama-3-70b-instruct", "qwen2-72b", "qwen2-72b-instruct"),
    *("yi-1.5-34b", "yi-1.5-34b-chat", "falcon-180b"),
)
LEVELS = (0.5, 0.8, 0.9, 0.95)


def largest(scores: bs.Scores, least: int = 3) -> list[str]:
    """Name the largest model of every family of at least `least` rows, the first of equals."""
    table = scores.metadata
    big = table.groupby("family")["model"].transform("size") >= least
    return list(table.loc[table[big].groupby("family")["params_b"].idxmax(), "model"])


def forecasts(scores: bs.Scores, names: list[str], *, method: str, seed: int, skills: int) -> pd.DataFrame:
    """Fit without the named models, forecast them, and put the truth beside, at every level."""
    fit = bs.fit(scores.without(names), bs.ModelSpec(skills=skills), method=method, seed=seed)
    print(fit)
    asked = scores.select(models=names)
    prediction = bs.predict(fit, asked, seed=seed)
    truth = asked.data["score"].to_series().rename("truth").dropna()
    parts = [bs.intervals(prediction, prob) for prob in LEVELS]
    table = pd.concat(parts).merge(truth.reset_index(), on=["model", "benchmark"])
    return table.assign(inside=(table["truth"] >= table["lower"]) & (table["truth"] <= table["upper"]))


def summary(table: pd.DataFrame) -> pd.Series:
    """Return coverage at every level, mean absolute error of the median, mean width of the 90% interval."""
    nineties = table[table["prob"] == 0.9]
    found = {f"{prob:.0%} hold": table.loc[table["prob"] == prob, "inside"].mean() for prob in LEVELS}
    found["MAE"] = (nineties["median"] - nineties["truth"]).abs().mean()
    found["width of 90%"] = (nineties["upper"] - nineties["lower"]).mean()
    found["scores"] = len(nineties)
    return pd.Series(found)


def main() -> None:
    """Run both hold-outs and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--csv")
    parser.add_argument("--skills", type=int, default=bs.ModelSpec().skills)
    options = parser.parse_args()
    method = "laplace" if options.quick else "hmc"
    scores = bs.load_leaderboard()
    tables = {}
    for title, names in {"named": list(NAMED), "largest": largest(scores)}.items():
        tables[title] = forecasts(scores, names, method=method, seed=0, skills=options.skills)
    nineties = tables["named"][tables["named"]["prob"] == 0.9]
    columns = ["model", "benchmark", "truth", "median", "lower", "upper", "inside"]
    with pd.option_context("display.max_rows", None, "display.width", 120):
        print(nineties[columns].round(3).to_string(index=False))
        both = pd.DataFrame({title: summary(table) for title, table in tables.items()})
        print(both.round(4).to_string())
        big = tables["largest"][tables["largest"]["prob"] == 0.9]
        print(big.groupby("benchmark", sort=False)["inside"].mean().round(2).to_string())
    if options.csv:
        pd.concat(tables, names=["held_out"]).reset_index(level=0).to_csv(options.csv, index=False)
    assert np.isfinite(both.to_numpy(dtype=float)).all()


if __name__ == "__main__":
    main()
