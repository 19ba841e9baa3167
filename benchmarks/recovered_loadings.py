"""Aligned loadings of simulated tables: how often intervals hold the true ones; and a skill too many.

    python benchmarks/recovered_loadings.py [--tables N] [--skills N] [--more N] [--rotation NAME]
                                            [--same-law] [--method hmc] [--draws N] [--csv FILE]

Every table is drawn from the model; its true loadings are rotated by the same criterion as the fit's, on
their own, and take the order and signs of the fit's reference. A fit takes each benchmark's typical score
from the data, and with it where its priors are centred; `--same-law` gives it those that the truth was drawn
with, so that nothing but the alignment is at stake. `--more 1` fits one skill more than there is: then no
loading can be compared, and the table says how often the report names a skill to leave out.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

import bayes_sloth as bs
from bayes_sloth import starting
from bayes_sloth.alignment import align, order_and_signs
from bayes_sloth.design import design_of
from bayes_sloth.links import steepness
from bayes_sloth.simulation import Simulation
from bayes_sloth.skill_doubts import OFTEN
from bayes_sloth.skill_tables import Skills

LEVELS = (0.5, 0.8, 0.9)
TOO_MANY = "a skill too many"


def true_loadings(made: Simulation, found: Skills, pivot: np.ndarray) -> pd.DataFrame:
    """Return the true loadings, rotated and standardised as the fit's, in the order of the fit's skills.

    A logit is one at the benchmark's typical score, the fit's `pivot`: at another place of the same
    asymmetric curve the same loading is another number.
    """
    reach, asymmetry = made.truth["reach"].to_numpy(), made.truth["asymmetry"].to_numpy()
    unit = steepness(made.design.pivot, reach, asymmetry) / steepness(pivot, reach, asymmetry)
    loading = (made.truth["loading"].values * np.asarray(unit)[:, None])[None]
    covariance = np.cov(made.truth["model_skill"].values.T, bias=True)
    alone = align(loading, np.reshape(covariance, (1, loading.shape[2], -1)), found.rotation).loading[0]
    order, sign = order_and_signs(alone, found.reference.to_numpy())
    return pd.DataFrame(alone[:, order] * sign, found.reference.index, list(found.names))


def one_table(seed: int, options: argparse.Namespace) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what one table says: a row of facts, and its loadings beside the truth."""
    spec = bs.ModelSpec(skills=options.skills, specific=False)
    made = bs.simulate(spec, families=15, models_per_family=4, benchmarks=10, seed=seed)
    wanted = made.spec if not options.more else replace(spec, skills=options.skills + options.more)
    design = (lambda *_: made.design) if options.same_law else design_of
    length = {"chains": 2, "draws": options.draws, "warmup": options.draws}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with patch.object(starting, "design_of", design):
            fit = bs.fit(made.scores, wanted, method=options.method, seed=seed, progress=False, **length)
        found = bs.skills(fit, rotation=options.rotation)
    about = {
        "seed": seed,
        "status": fit.report.status.name.lower(),
        "alike": round(float(found.alignment["alike"].min()), 3),
        "simplest": round(float(found.alignment["simplest"].min()), 3),
        "r_hat": round(float(found.alignment["r_hat"].max()), 4),
        "too many": any(TOO_MANY in finding for finding in found.findings),
    }
    if options.more:
        return about, pd.DataFrame()
    table = beside(made, found, design(made.scores, made.spec.anchors).pivot).assign(seed=seed)
    return about | {"inside": table.groupby("prob")["inside"].mean().round(2).to_dict()}, table


def beside(made: Simulation, found: Skills, pivot: np.ndarray) -> pd.DataFrame:
    """Return every loading's intervals beside the truth."""
    truth = true_loadings(made, found, pivot).rename_axis("benchmark").reset_index()
    truth = truth.melt("benchmark", var_name="skill", value_name="truth")
    parts = [found.loadings(prob) for prob in LEVELS]
    table = pd.concat(parts).merge(truth, on=["benchmark", "skill"])
    return table.assign(inside=table["truth"].between(table["lower"], table["upper"]))


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of loadings inside, with tables as the units of its standard error."""
    apart = table.groupby(["prob", "seed"])["inside"].mean().groupby("prob")
    return pd.DataFrame({"inside": apart.mean(), "se": apart.sem(), "tables": apart.size()})


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--skills", type=int, default=2, help="of the truth")
    parser.add_argument("--more", type=int, default=0, help="skills that the fit has beyond the truth's")
    parser.add_argument("--rotation", default="geomin")
    parser.add_argument(
        "--same-law", action="store_true", help="typical scores of the truth, not of the data"
    )
    parser.add_argument("--method", default="hmc")
    parser.add_argument("--draws", type=int, default=500, help="a chain, and as many to warm up")
    parser.add_argument("--csv", help="file for every loading beside the truth")
    return parser.parse_args(arguments)


def main() -> None:
    """Fit the tables and print their coverage."""
    options = options_of()
    if options.more and options.same_law:
        raise SystemExit("a skill more than the truth's is another law: give --more or --same-law")
    facts, tables = [], []
    for seed in range(options.tables):
        about, table = one_table(seed, options)
        facts.append(about)
        tables.append(table)
        print(about, flush=True)
    told = pd.DataFrame(facts)
    print(f"\nthe report names a skill too many in {told['too many'].sum()} of {len(told)} tables")
    if options.more:
        return
    every = pd.concat(tables)
    sure = told.loc[told[["alike", "simplest"]].min(axis=1) >= OFTEN, "seed"]
    for title, part in (("all", every), ("every skill identified", every[every["seed"].isin(sure)])):
        if len(part):
            print(title, coverage(part).round(3).to_string(), sep="\n")
    if options.csv:
        every.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
