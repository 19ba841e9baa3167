"""The six settings of the Sloth paper: every law on the same held-out models, beside the authors' errors.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/paper_table.py [--quick] [--laws ours,map,...]
                                                                   [--keep FOLDER] [--csv FILE]

Prints pooled mean absolute errors of every law in every setting, then CRPS, coverage and seconds. Each fold
is kept as it ends in the folder of `--keep`, so that a run that was stopped goes on where it was. `--quick`
runs one setting by the mode alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from paper import SETTINGS, Setting, authors_errors, paper_folder, paper_table

import bayes_sloth as bs
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.laws import (
    ComponentsLaw,
    Dressed,
    FlopsLaw,
    Law,
    PublishedSloth,
    SizeTokensLaw,
    SlothLaw,
)

# The authors' own methods, by their names for them.
AUTHORS = {
    "FLOPs, shared intercept": "logF_sigmoid",
    "FLOPs + family": "logF_sigmoid_faminter",
    "Size and Tokens": "logSlogT_trainlink_faminter",
    "PCA d=2 + FLOPs": "pca_d=2",
    "Sloth basic d=3": "factor_sigmoid_faminter_d=3",
    "Sloth d=3": "factor_trainlink_faminter_d=3",
}
# The authors' own seed: the published laws start where theirs did.
SEED = 42
MEASURES = ("MAE", "CRPS", "interval score", "50%", "80%", "90%", "95%")


def laws_of(names: Sequence[str], seen: int) -> dict[str, Law]:
    """Return laws by their titles; where two models are seen the paper gives some rivals unpooled slopes."""
    pooled = seen == 1
    known: dict[str, tuple[str, Law]] = {
        "ours": ("ours", SlothLaw()),
        "map": ("ours, mode only", SlothLaw(method="map")),
        "flops": ("FLOPs, shared intercept", Dressed(FlopsLaw(family=False))),
        "flops-family": ("FLOPs + family", Dressed(FlopsLaw(family=True, pooled=pooled))),
        "size-tokens": ("Size and Tokens", Dressed(SizeTokensLaw(family=True, link="network"))),
        "components": ("PCA d=2 + FLOPs", Dressed(ComponentsLaw(components=2, pooled=pooled))),
        "basic": ("Sloth basic d=3", Dressed(PublishedSloth(skills=3, link="logistic", family=True))),
        "published": ("Sloth d=3", Dressed(PublishedSloth(skills=3, link="network", family=True))),
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        raise bs.InputError(f"unknown law {unknown[0]!r}: choose from {', '.join(known)}.")
    return dict(known[name] for name in names)


def authors_rows(errors: pd.DataFrame, settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the authors' pooled absolute errors, a row a method, a column a setting."""
    pooled = errors.groupby(["method", "benchmark_set", "n_train_models"])["abs_error"].mean()
    columns = {
        s.name: {
            f"{title} (authors)": pooled[method, s.benchmarks, s.seen] for title, method in AUTHORS.items()
        }
        for s in settings
    }
    return pd.DataFrame(columns)


def errors_of(found: dict[str, Evaluation]) -> pd.DataFrame:
    """Return our pooled absolute errors, a row a law, a column a setting."""
    return pd.DataFrame({name: evaluation.table()["MAE"] for name, evaluation in found.items()})


def measures_of(found: dict[str, Evaluation]) -> pd.DataFrame:
    """Return every measure, averaged over settings, and the seconds of all of them."""
    tables = [evaluation.table()[list(MEASURES)] for evaluation in found.values()]
    mean = sum(tables[1:], tables[0]) / len(tables)
    seconds = sum(evaluation.data["seconds"].sum("fold").to_series() for evaluation in found.values())
    return mean.assign(seconds=seconds)


def with_mean(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the mean of its columns at the end."""
    return table.assign(mean=table.mean(axis=1))


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one setting, by the mode alone")
    parser.add_argument("--laws", default="ours,map", help="short names, joined by commas")
    parser.add_argument("--keep", help="folder for the forecasts of every fold")
    parser.add_argument("--csv", type=Path, help="file for the scores of every held-out cell")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the settings and print their tables."""
    options = options_of()
    folder = paper_folder()
    if folder is None:
        raise SystemExit("set BAYES_SLOTH_PAPER_DATA to a folder with the authors' data_v2.csv")
    table = paper_table(folder)
    settings = SETTINGS[2:3] if options.quick else SETTINGS
    names = ["map"] if options.quick else options.laws.split(",")
    found = {}
    for setting in settings:
        found[setting.name] = evaluate(
            setting.scores(table),
            laws_of(names, setting.seen),
            setting.protocol(),
            seed=SEED,
            folder=options.keep,
        )
        print(f"{setting.name}: {found[setting.name]}\n", flush=True)
    errors = authors_errors(folder)
    rows = [errors_of(found)] + ([] if errors is None else [authors_rows(errors, settings)])
    print(with_mean(pd.concat(rows)).round(4).to_string(), end="\n\n")
    print(measures_of(found).round(4).to_string())
    if options.csv:
        cases = {name: evaluation.cases() for name, evaluation in found.items()}
        pd.concat(cases, names=["setting", None]).reset_index(level=0).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
