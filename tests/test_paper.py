"""What the benchmarks say of the paper's table: the same questions with more to learn from, and the CRPS."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paper import BENCHMARKS, SETTINGS, EveryRow, Setting, every_row, paper_table
from paper_table import dressed_crps
from paper_tables import VARIABLE, authors_folds, needs_paper_data
from scipy import integrate

import bayes_sloth as bs
from bayes_sloth.folds import Fold

by_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


@cache
def table() -> pd.DataFrame:
    return paper_table(Path(os.environ[VARIABLE]))


@cache
def everything() -> bs.Scores:
    return every_row(table())


@cache
def wide_folds(setting: Setting) -> tuple[Fold, ...]:
    return EveryRow(setting).folds(everything())


def cells(mask: np.ndarray, scores: bs.Scores) -> set[tuple[str, str]]:
    return {(scores.models[i], scores.benchmarks[j]) for i, j in np.argwhere(mask)}


def shown(fold: Fold, scores: bs.Scores) -> set[str]:
    """Name the models of which a fold shows a score."""
    return set(np.array(scores.models)[(scores.observed & ~fold.hidden).any(axis=1)])


@needs_paper_data
@by_setting
def test_with_every_row_the_questions_are_the_papers(setting: Setting) -> None:
    """Fold by fold the same cells, those of the authors' own list of test models."""
    few, theirs = setting.scores(table()), authors_folds(setting.benchmarks, setting.seen)
    numbers = theirs["fold"].unique()
    folds = setting.protocol().folds(few)
    assert len(folds) == len(wide_folds(setting)) == len(numbers)
    for fold, wide, number in zip(folds, wide_folds(setting), numbers, strict=True):
        part = theirs[(theirs["fold"] == number) & (theirs["role"] == "test")]
        wanted = {(m, b) for m in part["model"] for b in BENCHMARKS[setting.benchmarks]}
        assert fold.name == wide.name
        assert cells(fold.asked, few) == cells(wide.asked, everything()) == wanted


@needs_paper_data
@by_setting
def test_with_every_row_more_is_seen(setting: Setting) -> None:
    """In every fold more scores than the paper's, and the n smallest models of every tested family."""
    few = setting.scores(table())
    for fold, wide in zip(setting.protocol().folds(few), wide_folds(setting), strict=True):
        before, after = fold.seen(few).observed.sum(), wide.seen(everything()).observed.sum()
        assert after > before
        tested = fold.name.split("+")
        smallest = {
            m
            for m, f in zip(few.models, few.metadata["family"], strict=True)
            if f in tested and m in shown(fold, few)
        }
        assert len(smallest) == setting.seen * len(tested)
        assert smallest <= shown(wide, everything())


@needs_paper_data
@by_setting
def test_no_relative_of_a_held_out_model_is_seen(setting: Setting) -> None:
    """But for the smallest models that the setting shows, relatives seen are smaller than all held out."""
    scores, few = everything(), setting.scores(table())
    facts = scores.metadata.set_index("model").assign(kin=scores.notes["kin"])
    for fold, wide in zip(setting.protocol().folds(few), wide_folds(setting), strict=True):
        asked = facts.loc[np.array(scores.models)[wide.models]]
        granted = {m for m in shown(fold, few) if facts.loc[m, "family"] in fold.name.split("+")}
        seen = facts.loc[sorted(shown(wide, scores) - granted)]
        relatives = seen[seen["kin"].isin(asked["kin"])]
        assert (relatives["params_b"] < asked["params_b"].min()).all(), fold.name
        assert not (wide.hidden.any(axis=1) & ~wide.hidden.all(axis=1)).any()


# Descents that the names of fine-tunes tell, each beside a model of a family it comes from.
DESCENTS = {
    "dolly-v2-12b": "pythia-12b",
    "dolphin-2.9.2-qwen2-72b": "qwen2-72b",
    "orca_mini_v7_72b": "qwen2-72b",
    "blossom-v5.1-34b": "yi-1.5-34b",
    "dolphin-2.9.1-yi-1.5-34b": "yi-1.5-34b",
    "yi-1.5-34b": "yi-34b",
    "yi-34b-200k": "yi-34b",
    "codellama-70b": "llama-2-70b",
    "orca-2-13b": "llama-2-13b",
    "llama-3-sauerkrautlm-70b-instruct": "meta-llama-3-70b",
    "sauerkrautlm-gemma-7b": "gemma-7b",
    "falcon-40b-instruct": "falcon-40b",
    "mpt-30b-chat": "mpt-30b",
}


@needs_paper_data
def test_fine_tunes_are_kin_of_their_base_and_strangers_are_not() -> None:
    kin = everything().notes["kin"]
    for child, base in DESCENTS.items():
        assert kin[child] == kin[base], child
    strangers = ["llama-7b", "llama-2-7b", "meta-llama-3-8b", "gemma-7b", "gemma-2-9b", "qwen-7b", "qwen2-7b"]
    strangers += [
        "yi-6b",
        "pythia-1b",
        "opt-1.3b",
        "starcoderbase-3b",
        "starcoder2-3b",
        "mpt-7b",
        "falcon-7b",
    ]
    assert kin[strangers].is_unique


@needs_paper_data
def test_every_row_is_every_row() -> None:
    scores = everything()
    assert len(scores.models) == len(table()) and scores.benchmarks == BENCHMARKS["joint"]
    assert scores.observed.sum() == table()[list(BENCHMARKS["joint"])].notna().to_numpy().sum()
    assert scores.metadata["tokens_t"].isna().any()


def errors(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["fold", "model", "benchmark", "abs_error", "truth"])


@pytest.mark.parametrize(("own", "other"), [(0.1, 0.02), (0.02, 0.1), (0.0, 0.05), (0.05, 0.0)])
def test_crps_of_two_draws_by_hand(own: float, other: float) -> None:
    """Draws at own ± other from the truth: their mean distance is the larger, half their own other/2."""
    found = dressed_crps(errors((0, "a", "MMLU", own, 0.5), (1, "b", "MMLU", other, 0.6)))
    assert found[0, "a"] == pytest.approx(max(own, other) - other / 2)
    assert found[1, "b"] == pytest.approx(max(own, other) - own / 2)


def test_crps_of_draws_beyond_the_ends_by_hand() -> None:
    """Below: point 0 for -.05, draws 0 and .1. Above: point .07, draws 0 (for -.03) and .17. Truth .02."""
    found = dressed_crps(errors((0, "a", "MMLU", 0.05, 0.02), (1, "b", "MMLU", 0.1, 0.5)))
    below = (0.02 + 0.08) / 2 - 0.1 / 4
    above = (0.02 + 0.15) / 2 - 0.17 / 4
    assert found[0, "a"] == pytest.approx((below + above) / 2)


def test_crps_is_that_of_the_mirrored_errors_of_other_folds() -> None:
    """Against the integral of the squared distance of distribution functions, benchmarks apart.

    Quantiles at 400 probabilities in place of the whole distribution cost less than a hundredth.
    """
    rng = np.random.default_rng(2)
    rows = [
        (fold, f"{fold}{place}", name, scale * rng.exponential(), rng.uniform(0.3, 0.7))
        for name, scale in (("MMLU", 0.01), ("ARC", 0.05))
        for fold in "xyz"
        for place in range(4)
    ]
    cases = errors(*rows)
    found = dressed_crps(cases)

    def by_hand(row: pd.Series) -> float:
        past = cases[(cases["fold"] != row["fold"]) & (cases["benchmark"] == row["benchmark"])]
        levels = np.linspace(0, 1, 10_001)
        quantiles = np.quantile(past["abs_error"], levels)
        x = np.linspace(row["truth"] - 1, row["truth"] + 1, 20_001)
        total = 0.0
        for sign in (-1, 1):
            away = x - row["truth"] - sign * row["abs_error"]
            below = 0.5 * (1 + np.sign(away) * np.interp(np.abs(away), quantiles, levels))
            total += float(integrate.trapezoid((below - (x >= row["truth"])) ** 2, x))
        return total / 2

    wanted = cases.assign(crps=cases.apply(by_hand, axis=1)).groupby(["fold", "model"])["crps"].mean()
    np.testing.assert_allclose(found.to_numpy(), wanted[found.index].to_numpy(), rtol=0.01)
