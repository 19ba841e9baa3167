"""The paper's reading of its joint table, statement by statement: the posterior's probability of each.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/loadings.py [--fit FILE] [--keep FILE] [--rotation NAME]
                                          [--seed N] [--csv FILE]

Three skills are fitted to the authors' joint table (`--fit` reads a fit kept by `--keep` instead), rotated
by oblique geomin, which is fixed beforehand as the paper's, and matched to the published ones. The table
holds the published loadings beside our medians and 90% intervals, in logits for one standard deviation of a
skill. The published ones are of another law (straight logs, no effects of tuning, links of its own), so a
number outside says that the reading depends on the law, not that either is wrong. Then what tuned models of
seven families have more than their base models. `--rotation target` turns
every draw as near to the published loadings as it goes: what then lies outside is not a matter of rotation.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sampling import TABLES, scores_of

import bayes_sloth as bs
from bayes_sloth.alignment import order_and_signs
from bayes_sloth.skill_tables import Skills

NAMES = ("Reasoning", "Knowledge", "Instruction following")
# Maia Polo et al. (2024), figure of the joint table with d = 3; None where the figure gives no number.
PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "GSM8K": (3.43, -0.51, None),
    "MATH Lvl 5": (3.42, -0.60, None),
    "GPQA": (2.30, 0.06, None),
    "MMLU": (1.71, 0.11, None),
    "MMLU-PRO": (1.78, 0.07, None),
    "BBH": (1.65, 0.15, None),
    "MUSR": (0.86, 0.06, None),
    "TruthfulQA": (0.60, 0.0, 0.33),
    "ARC": (0.65, 0.44, None),
    "HellaSwag": (0.51, 0.55, None),
    "Winogrande": (0.66, 0.56, None),
    "IFEval": (0.05, 0.04, 0.63),
}
CORRELATIONS = {NAMES[:2]: 0.12, NAMES[::2]: 0.43, NAMES[1:]: 0.20}
LEADING = {
    NAMES[0]: ("GSM8K", "MATH Lvl 5"),
    NAMES[1]: ("ARC", "HellaSwag", "Winogrande"),
    NAMES[2]: ("IFEval",),
}

# Families whose base and tuned models the paper compares, and how the tuned ones are named.
COMPARED = ("falcon", "gemma", "llama-2", "llama-3", "qwen1.5", "recurrentgemma", "yi-1.5")
ENDINGS = ("-instruct", "-chat", "-it")


def published() -> pd.DataFrame:
    """Return the published loadings, a row a benchmark, NaN where none is given."""
    frame = pd.DataFrame(PUBLISHED, index=list(NAMES)).T.astype(float)
    return frame.rename_axis("benchmark")


def matched(skills: Skills) -> Skills:
    """Return the skills under the names of the published ones that they resemble most."""
    theirs = published().fillna(0.0).reindex(skills.reference.index)
    # Order and signs of our own reference decide, before any draw is looked at.
    order, sign = order_and_signs(skills.reference.to_numpy(), theirs.to_numpy())
    assert (sign > 0).all(), "a skill has the opposite sign of the published one"
    names = [NAMES[int(np.flatnonzero(order == place)[0])] for place in range(len(NAMES))]
    return bs.skills(skills.posterior, rotation=skills.rotation, names=names)


def statements(skills: Skills) -> pd.DataFrame:
    """Return the posterior probability of each published statement."""
    rows = []
    for name, leading in LEADING.items():
        loading = skills.data["loading"].sel(skill=name)
        wanted = loading.sel(benchmark=list(leading)).min("benchmark")
        others = loading.drop_sel(benchmark=list(leading)).max("benchmark")
        said = f"{', '.join(leading)} load most on {name}"
        rows.append({"statement": said, "probability": float((wanted > others).mean())})
    return pd.DataFrame(rows)


def beside(skills: Skills) -> pd.DataFrame:
    """Return published loadings and skill correlations beside our intervals, and whether they lie inside."""
    theirs = (
        published().stack().dropna().rename("published").rename_axis(["benchmark", "skill"]).reset_index()
    )
    found = theirs.merge(skills.loadings(), on=["benchmark", "skill"])
    pairs = skills.correlations()
    for names, value in CORRELATIONS.items():
        row = pairs[pairs["skill"].isin(names) & pairs["other_skill"].isin(names)].iloc[0]
        ends = {column: row[column] for column in ("median", "lower", "upper")}
        where = {"benchmark": "(correlation)", "skill": " with ".join(names)}
        found.loc[len(found)] = {**where, "published": value, **ends}
    inside = (found["published"] >= found["lower"]) & (found["published"] <= found["upper"])
    return found.assign(inside=inside)[
        ["benchmark", "skill", "published", "median", "lower", "upper", "inside"]
    ]


def tuned_models(models: Sequence[str]) -> dict[str, str]:
    """Return the tuned model of every base model of the families that the paper compares."""
    compared = [name for name in models if name.removeprefix("meta-").startswith(COMPARED)]
    found = {name: [name + ending for ending in ENDINGS if name + ending in models] for name in compared}
    return {base: tuned[0] for base, tuned in found.items() if tuned}


def main() -> None:
    """Print the statements, the numbers side by side, and how well the skills are identified."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rotation", default="geomin", choices=("geomin", "oblimin", "varimax", "target"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    fit = (
        bs.load(options.fit)
        if options.fit
        else bs.fit(scores_of("joint"), TABLES["joint"], seed=options.seed)
    )
    if options.keep:
        fit.save(options.keep)
    if options.rotation == "target":
        wanted = published().fillna(0.0).reindex(fit.scores.benchmarks)
        skills = bs.skills(fit, rotation="target", target=wanted)
    else:
        skills = matched(bs.skills(fit, rotation=options.rotation))
    table = beside(skills)
    print(skills)
    print(statements(skills).round(3).to_string(index=False))
    print(table.round(2).to_string(index=False))
    outside = table[~table["inside"]]
    print(f"{len(outside)} of {len(table)} published numbers lie outside our 90% intervals")
    print(f"worst R-hat of an aligned loading: {skills.alignment['r_hat'].max():.4f}")
    pairs = skills.pairs(tuned_of=tuned_models(fit.scores.models)).drop(columns="prob")
    print(pairs.round(2).to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
