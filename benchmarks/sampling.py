"""Seconds and quality of the default sampler on two tables, with an empty and a filled compilation cache.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/sampling.py [--table NAME] [--method NAME] [--chains N]
                                          [--warmup N] [--draws N] [--seed N] [--csv FILE]

Each table is fitted twice, in processes of their own that share a compilation cache, empty at first. Seconds
run from the start of a process until `bs.fit` returns, imports and reading included. R-hat and effective
draws are the worst over every reported quantity, as `bs.check` lists them, with the quantity they belong to;
steps are the median number of leapfrog steps to a kept draw. `--table` can be given more than once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from paper import Setting, paper_folder, paper_table

import bayes_sloth as bs
from bayes_sloth.caching import MIN_COMPILE_SECONDS

# Every complete row of the authors' joint table, also of families that show one model only.
JOINT = Setting("joint", 0)
TABLES = {"joint": bs.ModelSpec(skills=3), "packaged": bs.ModelSpec()}
LENGTH = {"chains": 4, "warmup": 500, "draws": 1000}


def scores_of(table: str) -> bs.Scores:
    """Return a table by its name in `TABLES`."""
    if table == "packaged":
        return bs.load_leaderboard()
    folder = paper_folder()
    if folder is None:
        raise SystemExit("the joint table is the authors': set BAYES_SLOTH_PAPER_DATA, or --table packaged.")
    return JOINT.scores(paper_table(folder))


def worst(table: pd.DataFrame) -> dict[str, Any]:
    """Return the worst R-hat and effective draws of a check's table, each with its quantity."""
    found: dict[str, Any] = {}
    for name, column, largest in (
        ("r_hat", "r_hat", True),
        ("ess_bulk", "ess_bulk", False),
        ("ess_tail", "ess_tail", False),
    ):
        ranked = table.sort_values(column, ascending=not largest, na_position="first")
        row = ranked.iloc[0]
        found |= {name: float(row[column]), f"{name}_of": str(row["quantity"])}
    return found


def fitted(options: argparse.Namespace) -> dict[str, Any]:
    """Fit one table in this process and return what is to be told of it."""
    name = options.table[0]
    scores = scores_of(name)
    settings = {name: getattr(options, name) for name in ("method", "seed", *LENGTH)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # the table says it
        fit = bs.fit(scores, TABLES[name], progress=False, **settings)
    ended = time.time()
    statistics = fit.data["sample_stats"].dataset
    return {
        "ended": ended,
        "models": len(scores.models),
        "skills": fit.spec.skills,
        **worst(bs.check(fit).table),
        "divergences": int(statistics["diverging"].sum()),
        "steps": float(statistics["n_steps"].median()),
    }


def timed(arguments: Sequence[str], table: str, folder: str) -> dict[str, Any]:
    """Run this script for one table in another process with its own compilation cache."""
    cache = {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": MIN_COMPILE_SECONDS,
    }
    command = [sys.executable, __file__, *arguments, "--table", table, "--inside"]
    begun = time.time()
    done = subprocess.run(command, env=os.environ | cache, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": found.pop("ended") - begun, **found}


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--table", action="append", choices=TABLES, help="all where not given")
    parser.add_argument("--method", default="hmc", choices=("hmc", "nuts"))
    for name, usual in LENGTH.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    """Fit every table twice and print a row for each fit."""
    options = options_of()
    if options.inside:
        print(json.dumps(fitted(options)))
        return
    settings = ("method", "seed", *LENGTH)
    arguments = [word for name in settings for word in (f"--{name}", str(getattr(options, name)))]
    rows = []
    for table in options.table or TABLES:
        with tempfile.TemporaryDirectory() as folder:
            rows += [
                {"table": table, "cache": cache, **timed(arguments, table, folder)}
                for cache in ("cold", "warm")
            ]
    found = pd.DataFrame(rows)
    print(found.round({"seconds": 1, "r_hat": 4, "ess_bulk": 0, "ess_tail": 0}).T.to_string(header=False))
    if options.csv:
        found.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
