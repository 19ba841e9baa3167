"""The paper's compute-optimal table: published, from the basic Sloth fitted here, and our posterior.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/allocation.py [--fit FILE] [--keep FILE] [--csv FILE]

For each budget, the size and tokens that make the most of Reasoning and of Knowledge inside the data's range.
The basic Sloth is fitted to the authors' joint table; its skills are those whose loadings come nearest to the
published ones, and nothing in its splits depends on a family. `basic_regret` is what the published split
falls short of its best one: where it is near zero two far splits are as good, and rounding decides.

Ours is a full posterior of the same table (`--fit` reads one that `--keep` or `loadings.py` kept): the split
of least expected regret for the shared law, the interval of the best size, the expected regret of the
published split, and the probability that it is better than ours. All regrets are in standard deviations of
the skill over models.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from loadings import NAMES, matched, published
from paper import Setting, paper_folder, paper_table
from sampling import TABLES, scores_of

import bayes_sloth as bs
from bayes_sloth.growing import grown
from bayes_sloth.laws import PublishedSloth
from bayes_sloth.laws.rows import whole_table
from bayes_sloth.plan.allocations import judged, regrets
from bayes_sloth.plan.budgets import Box, box_of, splits
from bayes_sloth.skill_tables import Skills

SEED = 42  # the authors' own
STEPS = 4001  # of the published kind of optimum: sizes 0.2% apart
OURS = 81  # sizes for each draw of ours
SKILLS = NAMES[:2]
# Maia Polo et al. (2024), v5, table of compute-optimal models: FLOPs, then billions and trillions.
TABLE: dict[float, dict[str, tuple[float, float]]] = {
    1.00e21: {"Reasoning": (0.93, 0.18), "Knowledge": (0.16, 1.04)},
    5.78e21: {"Reasoning": (5.36, 0.18), "Knowledge": (0.16, 6.02)},
    3.346e22: {"Reasoning": (30.98, 0.18), "Knowledge": (0.37, 15.0)},
    1.936e23: {"Reasoning": (72.0, 0.45), "Knowledge": (2.15, 15.0)},
    1.12005e24: {"Reasoning": (72.0, 2.59), "Knowledge": (12.44, 15.0)},
    6.48e24: {"Reasoning": (72.0, 15.0), "Knowledge": (72.0, 15.0)},
}


def basic_table() -> bs.Scores:
    """Return the rows that the paper interprets: complete, of families with two models or more."""
    folder = paper_folder()
    if folder is None:
        raise SystemExit("set BAYES_SLOTH_PAPER_DATA to a folder with the authors' data_v2.csv")
    return Setting("joint", 1).scores(paper_table(folder))


def basic_slopes(scores: bs.Scores) -> np.ndarray:
    """Return what log tokens, log size and their product add to the basic Sloth's skills, named as published.

    Dims (term, skill), in standard deviations of the skill. Oblique geomin has several minima on this table,
    so the skills are those whose loadings come nearest to the published ones: the rotation is theirs.
    """
    rows = whole_table(scores)
    law = PublishedSloth(skills=len(NAMES), link="logistic", family=True)
    found = {name: value[0].astype(float) for name, value in law.learnt(rows, seed=SEED).items()}
    terms = rows.recipes.terms
    theta = np.concatenate([terms, rows.recipes.groups(family=True)], axis=1) @ found["skill"]
    theirs = published().fillna(0.0).reindex(scores.benchmarks).to_numpy()
    turn = np.linalg.lstsq(found["loading"].T, theirs, rcond=None)[0]
    print(f"published loadings less ours, root mean square: {_rms(found['loading'].T @ turn - theirs)}")
    to_skills = np.linalg.inv(turn).T
    return np.asarray(found["skill"][: terms.shape[1]] @ to_skills / (theta @ to_skills).std(axis=0))


def reproduced(scores: bs.Scores, box: Box) -> pd.DataFrame:
    """Return the basic Sloth's best splits and the regret of the published ones, a row a budget and skill."""
    slopes, rows = basic_slopes(scores), []
    for flops, wanted in TABLE.items():
        ways = splits(box, flops, 0.0, STEPS)
        inside = ~ways["extrapolates"].to_numpy()
        size, tokens = (np.log(ways[name].to_numpy()) for name in ("params_b", "tokens_t"))
        regret = regrets((np.stack([tokens, size, size * tokens], axis=1) @ slopes).T, inside)
        for skill, short in zip(NAMES, regret, strict=True):
            if skill in wanted:
                best = ways[inside].iloc[np.argmin(short[inside])]
                row = {
                    "flops": flops,
                    "skill": skill,
                    "basic_b": best["params_b"],
                    "basic_t": best["tokens_t"],
                }
                rows.append(row | {"basic_regret": short[nearest(ways, wanted[skill][0])]})
    return pd.DataFrame(rows)


def nearest(ways: pd.DataFrame, params_b: float) -> int:
    """Return the split inside the data's range whose size is nearest."""
    distance = np.abs(np.log(ways["params_b"] / params_b)).where(~ways["extrapolates"], np.inf)
    return int(np.argmin(distance))


def _rms(gaps: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in np.sqrt((gaps**2).mean(axis=0)))


def ours(skills: Skills, box: Box) -> pd.DataFrame:
    """Return our splits for the shared law, and the regret of the published ones; rows as above."""
    rows = []
    for flops, wanted in TABLE.items():
        ways = splits(box, flops, 0.0, OURS)
        inside = ~ways["extrapolates"].to_numpy()
        added = grown(skills, ways["params_b"].to_numpy(), ways["tokens_t"].to_numpy())
        for skill in SKILLS:
            values = added.sel(skill=skill).values
            told = judged(values, ways, 0.9)
            regret = told["choices"]["regret"].to_numpy()
            chosen = int(np.flatnonzero(inside)[np.argmin(regret[inside])])
            size = told["optimum"].set_index("quantity").loc["params_b"]
            row = {"flops": flops, "skill": skill, "ours_b": ways["params_b"][chosen]}
            row |= {"ours_t": ways["tokens_t"][chosen], "b_lower": size["lower"], "b_upper": size["upper"]}
            short = regrets(values, inside)
            theirs = short[..., nearest(ways, wanted[skill][0])]
            better = float((theirs < short[..., chosen]).mean())
            row |= {"regret": regret[chosen], "regret_published": theirs.mean()}
            rows.append(row | {"published_better": better})
    return pd.DataFrame(rows)


def main() -> None:
    """Print published, reproduced and our splits side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only-basic", action="store_true", help="no posterior of ours")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    scores = basic_table()
    box = box_of(scores)
    names = ["published_b", "published_t"]
    rows = [
        {"flops": flops, "skill": skill} | dict(zip(names, wanted[skill], strict=True))
        for flops, wanted in TABLE.items()
        for skill in SKILLS
    ]
    table = pd.DataFrame(rows).merge(reproduced(scores, box))
    if not options.only_basic:
        every = scores_of("joint")
        fit = bs.load(options.fit) if options.fit else bs.fit(every, TABLES["joint"], seed=0)
        if options.keep:
            fit.save(options.keep)
        table = table.merge(ours(matched(bs.skills(fit)), box))
    print(f"inside {box}")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
