"""The six settings of the Sloth paper: every law on the same held-out models, beside the authors' errors.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/paper_table.py [--quick] [--laws ours,map,...]
                                                [--rows everything] [--keep FOLDER] [--csv FILE]

Prints pooled mean absolute errors of every law in every setting, the CRPS beside that of the authors'
forecasts, then coverage and seconds. Each fold is kept as it ends in the folder of `--keep`, so that a run
that was stopped goes on where it was. `--quick` runs one setting by the mode alone. `--rows everything` asks
the same of laws that see every row and benchmark the folds allow, with holes; the published laws need
tables without holes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules
from joblib import Parallel, delayed
from paper import (
    BENCHMARKS,
    SETTINGS,
    EveryRow,
    Setting,
    authors_errors,
    every_row,
    paper_folder,
    paper_table,
)

import bayes_sloth as bs
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.laws import (
    CapabilityLaw,
    ComponentsLaw,
    FlopsLaw,
    HierarchicalFlopsLaw,
    Law,
    PublishedSloth,
    RandomEffectsLaw,
    SizeTokensLaw,
    SlothLaw,
)
from bayes_sloth.laws.forecast import dressed
from bayes_sloth.refitting import Length

# The authors' own methods, by their names for them.
AUTHORS = {
    "FLOPs, shared intercept": "logF_sigmoid",
    "FLOPs + family": "logF_sigmoid_faminter",
    "Size and Tokens": "logSlogT_trainlink_faminter",
    "PCA d=2 + FLOPs": "pca_d=2",
    "Sloth basic d=3": "factor_sigmoid_faminter_d=3",
    "Sloth d=3": "factor_trainlink_faminter_d=3",
}
# The one whose dressed forecasts ours are measured against, and what a setting is in their table of errors.
PUBLISHED = "Sloth d=3"
SETTING = ["benchmark_set", "n_train_models"]
# Laws that learn from rows with missing scores.
WITH_HOLES = ("ours", "map")
# The authors' own seed: the published laws start where theirs did.
SEED = 42
MEASURES = ("MAE", "CRPS", "interval score", "50%", "80%", "90%", "95%")


def laws_of(names: Sequence[str], seen: int, chains: int = Length().chains) -> dict[str, Law]:
    """Return laws by their titles; where two models are seen the paper gives some rivals unpooled slopes."""
    pooled = seen == 1
    known: dict[str, tuple[str, Law]] = {
        "ours": ("ours", SlothLaw(length=Length(chains=chains))),
        "map": ("ours, mode only", SlothLaw(method="map")),
        "flops": ("FLOPs, shared intercept", FlopsLaw(family=False, pooled=pooled)),
        "flops-family": ("FLOPs + family", FlopsLaw(family=True, pooled=pooled)),
        "size-tokens": ("Size and Tokens", SizeTokensLaw(family=True, link="network")),
        "components": ("PCA d=2 + FLOPs", ComponentsLaw(components=2, pooled=pooled)),
        "basic": ("Sloth basic d=3", PublishedSloth(skills=3, link="logistic", family=True)),
        "published": ("Sloth d=3", PublishedSloth(skills=3, link="network", family=True)),
        "capability": ("Capability", CapabilityLaw()),
        "hierarchical-flops": ("Hierarchical FLOPs", HierarchicalFlopsLaw()),
        "random-effects": ("Random effects, beta", RandomEffectsLaw()),
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


def dressed_crps(cases: pd.DataFrame) -> pd.Series:
    r"""Return the mean CRPS of every fold's point forecasts dressed with the errors of the other folds.

    .. math:: y^{(s)}_{ij} = \mathrm{clip}(\hat y_{ij} \pm q_j(s), 0, 1), \qquad
        \hat y_{ij} = \mathrm{clip}(y_{ij} \pm e_{ij}, 0, 1)

    with :math:`q_j` the quantiles of the benchmark's absolute errors in the other folds. The sign of a saved
    error :math:`e_{ij}` is not known: the CRPS is the mean over both.

    Parameters
    ----------
    cases : DataFrame
        A row a forecast: columns fold, model, benchmark, abs_error, truth.

    Returns
    -------
    Series
        By fold and model, the CRPS averaged over benchmarks, each of which every model has.

    Examples
    --------
    >>> rows = [[0, "a", "MMLU", 0.1, 0.5], [1, "b", "MMLU", 0.1, 0.5]]
    >>> cases = pd.DataFrame(rows, columns=["fold", "model", "benchmark", "abs_error", "truth"])
    >>> dressed_crps(cases).round(6).tolist()
    [0.05, 0.05]
    """
    table = cases.pivot(index=["fold", "model"], columns="benchmark", values=["abs_error", "truth"])
    error, truth = table["abs_error"].to_numpy(), table["truth"].to_numpy()
    fold = table.index.get_level_values("fold")
    found = pd.Series(np.nan, table.index, name="crps")
    for own in (np.asarray(fold == name) for name in dict.fromkeys(fold)):
        points = (np.clip(truth[own] + sign * error[own], 0.0, 1.0) for sign in (-1, 1))
        both = [
            scoringrules.crps_ensemble(truth[own], dressed(point, error[~own]), m_axis=0, estimator="qd")
            for point in points
        ]
        found[own] = np.mean(both, axis=(0, 2))
    return found


def with_truth(errors: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return saved errors with the scores that they are errors of."""
    truth = table.melt("Model", list(BENCHMARKS["joint"]), "benchmark", "truth")
    return errors.merge(truth.rename(columns={"Model": "model"}), on=["model", "benchmark"])


def crps_of(found: dict[str, Evaluation], errors: pd.DataFrame | None, table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean CRPS of every law and of the authors' dressed forecasts, a column a setting."""
    rows = pd.DataFrame({name: evaluation.table()["CRPS"] for name, evaluation in found.items()})
    if errors is None:
        return with_mean(rows)
    theirs = with_truth(errors[errors["method"] == AUTHORS[PUBLISHED]], table).groupby(SETTING)
    apart = {f"{name}·{seen}": dressed_crps(part).mean() for (name, seen), part in theirs}
    rows.loc[f"{PUBLISHED} (authors, dressed)"] = pd.Series(apart)[rows.columns]
    whole = with_mean(rows)
    shares = whole.iloc[:-1] / whole.iloc[-1]
    return pd.concat([whole, shares.rename(index="{} / authors, dressed".format)])


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
    parser.add_argument("--rows", choices=("paper", "everything"), default="paper", help="what laws may see")
    parser.add_argument("--chains", type=int, default=Length().chains, help="of our law")
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
    everything = options.rows == "everything"
    if everything and not set(names) <= set(WITH_HOLES):
        raise SystemExit(f"--rows everything needs laws that take holes: choose from {','.join(WITH_HOLES)}")

    def one(setting: Setting) -> Evaluation:
        return evaluate(
            every_row(table) if everything else setting.scores(table),
            laws_of(names, setting.seen, options.chains),
            EveryRow(setting) if everything else setting.protocol(),
            seed=SEED,
            folder=options.keep,
        )

    # Modes of all folds are one program of one process: settings run side by side. Others share folds out.
    together = Parallel(n_jobs=-1 if names == ["map"] else 1, return_as="generator")
    found = {}
    for setting, evaluation in zip(settings, together(delayed(one)(s) for s in settings), strict=True):
        found[setting.name] = evaluation
        print(f"{setting.name}: {evaluation}\n", flush=True)
    errors = authors_errors(folder)
    rows = [errors_of(found)] + ([] if errors is None else [authors_rows(errors, settings)])
    print(with_mean(pd.concat(rows)).round(4).to_string(), end="\n\n")
    print("CRPS", crps_of(found, errors, table).round(4).to_string(), sep="\n", end="\n\n")
    print(measures_of(found).round(4).to_string())
    if options.csv:
        cases = {name: evaluation.cases() for name, evaluation in found.items()}
        pd.concat(cases, names=["setting", None]).reset_index(level=0).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
