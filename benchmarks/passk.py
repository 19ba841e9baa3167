"""Forecasts of pass@k on simulated tables: what intervals hold, and errors beside the published form's.

    python benchmarks/passk.py [--tables N] [--items N] [--seed N] [--chains N] [--draws N] [--only TRUTH]
        [--csv FILE] [--picture FILE]

Seven models are sampled, three are held out, on tables of four truths: the published form itself; residuals
of a model on one item; items that are never solved; both. One row a truth and number of samples k. `held` is
the share of held-out models whose pass@k lies in the 90% interval; `low` is the share that right intervals
would reach with probability 0.99, were the three models of a table wholly dependent. With `--picture` and
BAYES_SLOTH_PAPER_DATA the curves that the paper prints are drawn: its forecasts as lines, truth as points.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

import bayes_sloth as bs
from bayes_sloth.plots.passk import plot_pass

TRUTHS = {
    "published form": {"never": 0.0, "residual": 0.0, "model_scale": 0.0},
    "residuals": {"never": 0.0, "residual": 1.0},
    "never solved": {"never": 0.06, "residual": 0.0, "model_scale": 0.0},
    "both": {"never": 0.06, "residual": 1.0},
}
SEEN, HELD_OUT = 7, 3
K = (1, 10, 100, 1000, 10_000)


def forecasts(
    truth: dict[str, float], items: int, seed: int, lengths: dict[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return our forecasts of the held-out models and the published form's, both beside the truth."""
    made = bs.passk.simulate(models=SEEN + HELD_OUT, items=items, seed=seed, **truth)  # type: ignore[arg-type]
    names = made.skills["model"].tolist()
    counts, new = made.counts.of(names[:SEEN]), made.skills[SEEN:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)
        fitted = bs.passk.fit(counts, made.skills, seed=seed, **lengths)  # type: ignore[arg-type]
    kinds = (fitted, bs.passk.published(counts, made.skills))
    ours, theirs = (bs.passk.predict(kind, new, seed=seed).table(K).merge(made.pass_at(K)) for kind in kinds)
    return ours, theirs


def judged(name: str, tables: int, items: int, seed: int, lengths: dict[str, int]) -> pd.DataFrame:
    """Return errors, bias and coverage for one truth, a row a k."""
    pairs = [forecasts(TRUTHS[name], items, seed + number, lengths) for number in range(tables)]
    ours, theirs = (pd.concat(frames) for frames in zip(*pairs, strict=True))
    held = ours["truth"].between(ours["lower"] - 1e-9, ours["upper"] + 1e-9)
    columns = {
        "held": held.groupby(ours["k"]).mean(),
        "low": binom.ppf(0.01, tables, 0.9) / tables,
        "width": (ours["upper"] - ours["lower"]).groupby(ours["k"]).mean(),
    }
    for label, table in (("ours", ours), ("published", theirs)):
        gap = (table["median"] - table["truth"]).groupby(table["k"])
        columns |= {f"bias_{label}": gap.mean(), f"mae_{label}": gap.apply(lambda x: np.abs(x).mean())}
    return pd.DataFrame(columns).rename_axis("k").reset_index().assign(of=name)


def paper() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves that the paper prints: truth, and its own forecast as a table without width."""
    wide = pd.read_csv(Path(os.environ["BAYES_SLOTH_PAPER_DATA"]) / "passk_curves_digitised.csv")
    long = wide.melt(["model", "series"], var_name="k", value_name="median")
    long["k"] = long["k"].str.removeprefix("k=").astype(int)
    truth = long[long["series"] == "truth"].rename(columns={"median": "observed"})
    theirs = long[long["series"] == "sloth_irt"]
    return theirs.assign(lower=theirs["median"], upper=theirs["median"], prob=0.9), truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--items", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=500, help="kept and of adaptation, a chain")
    parser.add_argument("--only", choices=list(TRUTHS), action="append", help="repeat for several")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    if asked.picture is not None:
        published, truth = paper()
        plot_pass(published, truth).savefig(asked.picture, dpi=150)
    if asked.tables:
        lengths = {"chains": asked.chains, "draws": asked.draws, "warmup": asked.draws}
        names = asked.only or list(TRUTHS)
        found = [judged(name, asked.tables, asked.items, asked.seed, lengths) for name in names]
        table = pd.concat(found, ignore_index=True)
        print(table.to_string(index=False, float_format="{:.3f}".format))
        if asked.csv is not None:
            table.to_csv(asked.csv, index=False)


if __name__ == "__main__":
    main()
