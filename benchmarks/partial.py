"""Forecast the other scores of held-out models from some of them: by conditioning a fit, and by refitting.

    python benchmarks/partial.py [--models N] [--keep FOLDER] [--csv FILE] [--quick]

One fit without the held-out models, one refit for each with half of its scores. What is done is kept in
FOLDER, and a run that was stopped goes on from there. `--quick` fits by the normal approximation, to see that
the script runs; its agreement says little, since a refit approximates anew.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base.array import array_stats
from holdout import largest

import bayes_sloth as bs
from bayes_sloth.expectation import expected_scores


def chosen(scores: bs.Scores, count: int) -> list[str]:
    """Name models with the most scores, one of a family, evenly over the families that have a larger one."""
    names = largest(scores)
    observed = dict(zip(scores.models, scores.observed.sum(axis=1), strict=True))
    names.sort(key=lambda name: (-observed[name], name))
    return names[:count]


def half_known(scores: bs.Scores, model: str) -> pd.DataFrame:
    """Return a model's row with every other one of its scores."""
    row = scores.select(models=[model]).to_frame()
    seen = [name for name in scores.benchmarks if row[name].notna().item()]
    row[seen[1::2]] = np.nan
    return row


def moments(score: xr.DataArray, worth: float = np.inf) -> pd.DataFrame:
    """Return mean, sd and Monte Carlo error of every score; `worth` bounds the effective draws."""
    ess = np.asarray(array_stats.ess(score.values, chain_axis=0, draw_axis=1)).ravel()
    sd = score.std(("chain", "draw")).values.ravel()
    error = sd / np.sqrt(np.minimum(ess, worth))
    mean = score.mean(("chain", "draw")).values.ravel()
    return pd.DataFrame({"benchmark": score["benchmark"].values, "mean": mean, "sd": sd, "error": error})


def refitted(
    scores: bs.Scores, held: list[str], row: pd.DataFrame, options: dict[str, object]
) -> pd.DataFrame:
    """Fit the table with the model's known half, by the same anchors and priors, and forecast the model."""
    model, start = str(row["model"].item()), time.monotonic()
    others = scores.without([name for name in held if name != model]).to_frame().set_index("model")
    others.loc[model, list(scores.benchmarks)] = row[list(scores.benchmarks)].to_numpy()[0]
    fit = bs.fit(bs.read_scores(others.reset_index()), **options)  # type: ignore[arg-type]
    seconds = time.monotonic() - start
    return moments(own_forecast(fit, model)).assign(seconds=seconds)


def own_forecast(fit: bs.Posterior, model: str) -> xr.DataArray:
    """Return draws of the expected scores of a model that was fitted."""
    draws = expected_scores(fit.data, fit.spec)
    scores = fit.scores
    found = xr.DataArray(
        np.asarray(draws), dims=("chain", "draw", "model", "benchmark"), coords={"model": list(scores.models)}
    )
    return found.assign_coords(benchmark=list(scores.benchmarks)).sel(model=model)


def compared(
    scores: bs.Scores, held: list[str], model: str, fit: bs.Posterior, options: dict[str, object]
) -> pd.DataFrame:
    """Put both forecasts of a model's other scores side by side."""
    row = half_known(scores, model)
    bs.condition(fit, row, seed=0)  # compiles
    start = time.monotonic()
    found = bs.condition(fit, row, seed=0)
    seconds = time.monotonic() - start
    worth = float(found.data["effective_draws"])
    own = moments(found.data["expected"].isel(model=0), worth).assign(seconds=seconds)
    again = refitted(scores, held, row, options | {"spec": fit.spec})
    both = own.merge(again, on="benchmark", suffixes=("", "_refit"))
    facts = {"model": model, "pareto_k": float(found.data["pareto_k"]), "effective_draws": worth}
    both = both.assign(**facts, truth=scores.select(models=[model]).data["score"].values[0])
    return both[~found.data["known"].values[0]]


def main() -> None:
    """Run what is not kept yet, and print one row a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--keep", type=Path, default=Path("partial"))
    parser.add_argument("--csv")
    parser.add_argument("--quick", action="store_true")
    for name, usual in {"chains": 4, "warmup": 500, "draws": 1000}.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    scores = bs.load_leaderboard()
    held = chosen(scores, asked.models)
    options: dict[str, object] = {"method": "laplace" if asked.quick else "hmc", "seed": 0}
    options |= {name: getattr(asked, name) for name in ("chains", "warmup", "draws")}
    base = asked.keep / f"without_{asked.models}.nc"
    if not base.is_file():
        bs.fit(scores.without(held), **options).save(base)  # type: ignore[arg-type]
    fit, parts = bs.load(base), []
    for model in held:
        path = asked.keep / f"{model}.csv"
        if not path.is_file():
            compared(scores, held, model, fit, options).to_csv(path, index=False)
        parts.append(pd.read_csv(path))
    table = pd.concat(parts)
    table["z"] = (table["mean"] - table["mean_refit"]) / np.hypot(table["error"], table["error_refit"])
    table["shift"] = (table["mean"] - table["mean_refit"]).abs() / table["sd_refit"]
    table["width"] = table["sd"] / table["sd_refit"]
    table["speed"] = table["seconds_refit"] / table["seconds"]
    if asked.csv:
        table.to_csv(asked.csv, index=False)
    shown = ["shift", "width", "z", "effective_draws", "pareto_k", "speed"]
    summary = table.assign(z=table["z"].abs()).groupby("model", sort=False)[shown].mean()
    print(summary.round(3).to_string())
    print(f"\nmean |z| {table['z'].abs().mean():.2f} (0.8 where only Monte Carlo error is left)")


if __name__ == "__main__":
    main()
