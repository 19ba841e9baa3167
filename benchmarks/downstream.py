"""Tasks measured on few models, forecast from skills: HumanEval and EQ-bench, beside the published forecasts.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/downstream.py [--method NAME] [--chains N] [--warmup N]
                                          [--draws N] [--keep FOLDER] [--csv FILE]

One fit of the authors' table without the rows of llama-3-70b serves everything. The paper's experiment
forecasts both of its models from family, size and tokens. Then each family with its relatives is left
out of the HumanEval regression in turn; its scores on the twelve benchmarks stay in the fit, those of
llama-3-70b excepted. Beside ours stands the authors' method in two stages, re-implemented: skills of their
Sloth by point estimation, then a logistic curve by Huber's loss. Fits and folds are kept in the folder of
`--keep`, and a run that was stopped goes on there.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from paper import BENCHMARKS, KIN, SIZE, TOKENS, paper_folder, paper_table
from scipy.optimize import least_squares
from scipy.special import expit

import bayes_sloth as bs
from bayes_sloth.laws import PublishedSloth
from bayes_sloth.laws.factor import side_by_side
from bayes_sloth.laws.rows import recipes_of
from bayes_sloth.metrics import crps
from bayes_sloth.scarce import Downstream

HELD = ("meta-llama-3-70b", "meta-llama-3-70b-instruct")
# A fine-tune of one of them tells its skills: it stays out of the fits too.
HIDDEN = (*HELD, "llama-3-sauerkrautlm-70b-instruct")
# Maia Polo et al. (2024), section 5.3: forecasts of llama-3-70b from its size and tokens.
PUBLISHED = {
    ("HumanEval", HELD[0]): 0.378,
    ("HumanEval", HELD[1]): 0.750,
    ("EQ-bench", HELD[1]): 0.87,
}
HUMAN_EVAL_ITEMS = 164
HUBER = 0.01  # of the published loss, on the score
STARTS = 8  # of the second stage, of which the best is kept


def skill_table(table: pd.DataFrame, family: str) -> bs.Scores:
    """Return the rows with a score, a size and tokens, under one of the authors' two columns of families."""
    columns = BENCHMARKS["joint"]
    rows = table.dropna(subset=columns, how="all").dropna(subset=[SIZE, TOKENS])
    facts = {"model": rows["Model"], "family": rows[family], "params_b": rows[SIZE], "tokens_t": rows[TOKENS]}
    facts |= {"instruct": rows["Instruct"].astype(int)} | {name: rows[name] for name in columns}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.InputWarning)  # faulty runs are part of the paper's table
        return bs.read_scores(pd.DataFrame(facts))


def tasks(folder: Path, table: pd.DataFrame, known: bs.Scores) -> dict[str, pd.DataFrame]:
    """Return the models of each task, as the skill table describes them, with their scores and kin."""
    human = table[["Model", "HumanEval"]].set_axis(["model", "score"], axis=1).dropna()
    emotion = pd.read_csv(folder / "eq_bench.csv").set_axis(["model", "score"], axis=1)
    found = {"HumanEval": human, "EQ-bench": emotion.assign(score=emotion["score"] / 100)}
    facts = known.metadata.assign(kin=known.metadata["family"].replace(KIN))
    return {name: rows.merge(facts, on="model") for name, rows in found.items()}


def regressed(fit: bs.Posterior, rows: pd.DataFrame, task: str) -> Downstream:
    """Return our regression of a task on some models."""
    items = HUMAN_EVAL_ITEMS if task == "HumanEval" else None
    return bs.downstream(fit, rows[["model", "score"]], task=task, items=items, seed=0)


def forecast(found: Downstream, rows: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts of models, those of llama-3-70b from what is on paper."""
    on_paper = rows["model"].isin(HELD)
    parts = []
    if on_paper.any():
        parts.append(found.predict(rows[on_paper].drop(columns=["score", "kin"]), seed=0))
    if not on_paper.all():
        parts.append(found.predict(list(rows["model"][~on_paper]), seed=0))
    table = pd.concat([bs.intervals(part) for part in parts])
    truth = xr.DataArray(rows.set_index("model")["score"])
    drawn = [part.data["score"].squeeze("benchmark", drop=True) for part in parts]
    table["crps"] = np.concatenate([crps(one, truth.sel(model=one["model"]), dim=()) for one in drawn])
    return table.merge(rows[["model", "kin", "score"]], on="model")


def two_stage(skill: np.ndarray, score: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the published second stage's forecasts: a logistic curve in point skills by Huber's loss."""

    def residual(values: np.ndarray) -> np.ndarray:
        return np.asarray(expit(values[0] + skill @ values[1:]) - score)

    rng = np.random.default_rng(0)
    starts = rng.standard_normal((STARTS, skill.shape[1] + 1))
    fits = [least_squares(residual, start, loss="huber", f_scale=HUBER) for start in starts]
    best = min(fits, key=lambda one: one.cost)
    return np.asarray(expit(best.x[0] + asked @ best.x[1:]))


def point_skills(scores: bs.Scores, models: pd.DataFrame) -> pd.DataFrame:
    """Return skills of models, a row a model, by the authors' Sloth on the table, standardised."""
    law = PublishedSloth(skills=3, link="network", family=True)
    found = law.fit(scores, seed=42)
    recipes = recipes_of(models, scores.families, law.name)
    skill = side_by_side(recipes.terms, recipes.groups(family=True)) @ found.parameters["skill"]
    skill = (skill - skill.mean(axis=0)) / skill.std(axis=0)
    return pd.DataFrame(skill, index=models["model"])


def held_out(fit: bs.Posterior, rows: pd.DataFrame, points: pd.DataFrame, keep: Path) -> pd.DataFrame:
    """Return ours and the rival's HumanEval forecasts of every family left out with its relatives."""
    folds = []
    for kin in sorted(set(rows["kin"])):
        place = keep / f"{kin.replace('/', '-')}.csv"
        own = rows["kin"] == kin
        if not place.is_file():
            train = rows[~own & ~rows["model"].isin(HELD)]
            table = forecast(regressed(fit, train, "HumanEval"), rows[own])
            skill = (points.loc[names].to_numpy() for names in (train["model"], table["model"]))
            first, asked = skill
            table["rival"] = two_stage(first, train["score"].to_numpy(), asked)
            table.to_csv(place, index=False)
        folds.append(pd.read_csv(place))
    return pd.concat(folds, ignore_index=True)


def llama(fit: bs.Posterior, measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the paper's experiment: llama-3-70b from its size and tokens."""
    parts = []
    for task, rows in measured.items():
        held = rows["model"].isin(HELD)
        table = forecast(regressed(fit, rows[~held], task), rows[held])
        table["published"] = [PUBLISHED[task, model] for model in table["model"]]
        parts.append(table)
    columns = ["benchmark", "model", "published", "median", "lower", "upper", "score"]
    return pd.concat(parts, ignore_index=True)[columns]


def main() -> None:
    """Print both experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--method", default="hmc")
    for name, value in (("chains", 4), ("warmup", 500), ("draws", 1000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--keep", type=Path, default=Path("downstream"))
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    folder = paper_folder()
    if folder is None:
        raise SystemExit("set BAYES_SLOTH_PAPER_DATA to a folder with the authors' data_v2.csv")
    options.keep.mkdir(parents=True, exist_ok=True)
    table = paper_table(folder)
    every = skill_table(table, "Family")
    seen = every.select(models=[name for name in every.models if name not in HIDDEN])
    kept = options.keep / "fit.nc"
    if not kept.is_file():
        length = {name: getattr(options, name) for name in ("chains", "warmup", "draws")}
        bs.fit(seen, method=options.method, seed=0, **length).save(kept)
    fit, measured = bs.load(kept), tasks(folder, table, every)
    print(llama(fit, measured).round(3).to_string(index=False))
    apart = skill_table(table, "Family2")
    seen = apart.select(models=[name for name in apart.models if name not in HIDDEN])
    points = point_skills(seen, apart.metadata)
    found = held_out(fit, measured["HumanEval"], points, options.keep)
    inside = (found["lower"] <= found["score"]) & (found["score"] <= found["upper"])
    ours, theirs = ((found[name] - found["score"]).abs().mean() for name in ("median", "rival"))
    print(f"HumanEval, {len(found)} models of {found['kin'].nunique()} families left out in turn")
    sharp = found["crps"].mean()
    print(f"MAE ours {ours:.3f}, two stages {theirs:.3f} (also its CRPS, ours {sharp:.3f})")
    print(f"90% intervals hold {inside.mean():.3f}")
    if options.csv:
        found.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
