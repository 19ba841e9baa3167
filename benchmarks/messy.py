"""Does the law survive a messy table? The paper's held-out siblings, from its table as it is and made messy.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/messy.py [--setting v2] [--method hmc] [--seed N]
                          [--chains N] [--warmup N] [--draws N] [--keep FOLDER] [--csv FILE] [--fit-only]

The mess: 150 fine-tunes, each a family of its own, and one row in five, seen siblings and fine-tunes alike,
with its scores on the version 2 board's chance-normalised scale. What is asked for stays as it was. Prints
the measures of our law on both tables and the ratio of errors, then the report of a fit by the mode to the
messy table: it has to name the rows that it distrusts and to say whether several modes were found. Each fold
is kept as it ends in the folder of `--keep`; `--fit-only` prints that report alone.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from paper import SETTINGS, V2, Setting, paper_folder, paper_table

import bayes_sloth as bs
from bayes_sloth.distrust import distrusted
from bayes_sloth.evaluation import evaluate
from bayes_sloth.expectation import expected_scores
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast, Law, SlothLaw
from bayes_sloth.laws.sloth import METHODS
from bayes_sloth.refitting import Length

FINE_TUNES = 150
NORMALISED = 0.2
# Fine-tunes move a benchmark by this much, in logits: what tuning does to families in the packaged table.
MOVED = 0.3
FACTS = ("model", "family", "params_b", "active_params_b", "tokens_t", "instruct")
# Lineages of the packaged table that the paper tests: a fine-tune of one of these would tell of the answers.
TESTED = (
    *("bloom", "pythia", "falcon", "gemma", "gemma-2", "gpt-neo/j", "llama-3", "olmo", "opt", "qwen2"),
    *("starcoder2", "smollm", "yi"),
)


@dataclass(frozen=True)
class Misread:
    """A law that is shown the version 2 scores of some models on the chance-normalised scale.

    Parameters
    ----------
    law : Law
        Which law.
    rows : tuple of str
        Which models.
    """

    law: Law
    rows: tuple[str, ...]

    @property
    def name(self) -> str:
        """Short label for tables."""
        return self.law.name

    def forecasts(
        self, scores: bs.Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield what the law forecasts from the table that it is shown."""
        shown = normalised(scores, self.rows)
        return self.law.forecasts(shown, folds, seed=seed, jobs=jobs, progress=progress)


def normalised(scores: bs.Scores, rows: Sequence[str]) -> bs.Scores:
    """Return a table with the version 2 scores of some models as their board showed them: chance is 0."""
    data = scores.data
    floor = data["floor"]
    lifted = ((data["score"] - floor) / (1 - floor)).clip(min=0.0)
    chosen = data["model"].isin(list(rows)) & data["benchmark"].isin(list(V2))
    return bs.Scores(data.assign(score=data["score"].where(~chosen, lifted)), scores.notes)


def with_fine_tunes(scores: bs.Scores, seed: int) -> bs.Scores:
    """Return a table with 150 fine-tunes of packaged models that the paper does not test, a family each.

    Above chance every score of the base is moved in logits, then by a point of sampling noise.
    """
    rng = np.random.default_rng(seed)
    packaged = bs.load_leaderboard()
    lineage = packaged.notes["lineage"]
    usable = packaged.select(benchmarks=V2).observed.any(axis=1) & ~lineage.isin(TESTED)
    bases = packaged.select(benchmarks=scores.benchmarks).to_frame()[usable.to_numpy()]
    tunes = bases.iloc[rng.integers(len(bases), size=FINE_TUNES)].reset_index(drop=True)
    names = [f"fine-tune-{i + 1:03d}" for i in range(FINE_TUNES)]
    floor = scores.data["floor"].to_series()
    for benchmark in scores.benchmarks:
        share = ((tunes[benchmark] - floor[benchmark]) / (1 - floor[benchmark])).clip(0.01, 0.99)
        odds = share / (1 - share) * np.exp(rng.normal(0, MOVED, FINE_TUNES))
        moved = floor[benchmark] + (1 - floor[benchmark]) * odds / (1 + odds)
        tunes[benchmark] = (moved + rng.normal(0, 0.01, FINE_TUNES)).clip(0.0, 1.0)
    tunes = tunes.assign(model=names, family=names, instruct=1, date=np.nan)
    both = pd.concat([scores.to_frame(), tunes[[*FACTS, *scores.benchmarks]]], ignore_index=True)
    return read_quietly(both)


def read_quietly(frame: pd.DataFrame) -> bs.Scores:
    """Read a table that is meant to be doubtful."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.InputWarning)
        return bs.read_scores(frame)


def picked(scores: bs.Scores, seed: int) -> tuple[str, ...]:
    """Return one model in five, at random."""
    rng = np.random.default_rng(seed)
    count = round(NORMALISED * len(scores.models))
    return tuple(sorted(rng.choice(scores.models, count, replace=False)))


def told(scores: bs.Scores, rows: Sequence[str], spec: bs.ModelSpec, seed: int) -> str:
    """Return what a fit by the mode says of a table some of whose rows are on another scale."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bs.fit(normalised(scores, rows), spec, method="map", seed=seed)
    named = set(
        distrusted(fit.data, fit.spec, expected_scores(fit.data, fit.spec).mean(axis=(0, 1)))["model"]
    )
    right = len(named & set(rows))
    return (
        f"{fit.report}\n\nof {len(rows)} normalised rows {right} are named, and {len(named) - right} others"
    )


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--setting", choices=("v2", "joint"), default="v2", help="which of the paper's tables"
    )
    parser.add_argument("--method", choices=METHODS, default="hmc", help="full posterior or mode")
    parser.add_argument("--seed", type=int, default=0, help="of the mess")
    for name, usual in Length()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--keep", help="folder for the forecasts of every fold")
    parser.add_argument("--csv", type=Path, help="file for the scores of every held-out cell")
    parser.add_argument("--fit-only", action="store_true", help="only the report of a fit by the mode")
    return parser.parse_args(arguments)


def compared(
    setting: Setting, clean: bs.Scores, messy: bs.Scores, law: Misread, keep: str | None
) -> pd.DataFrame:
    """Return the cases of both tables, told apart by a column `table`."""
    found = {}
    for name, scores, one in (("clean", clean, law.law), ("messy", messy, law)):
        evaluation = evaluate(scores, one, setting.protocol(), seed=0, folder=keep)
        print(f"{name}: {evaluation}\n", flush=True)
        found[name] = evaluation.cases()
    errors = {name: cases["absolute_error"].mean() for name, cases in found.items()}
    print(f"pooled MAE {errors['messy'] / errors['clean']:.3f} times that of the clean table\n", flush=True)
    return pd.concat(found, names=["table", None]).reset_index(level=0)


def main() -> None:
    """Run the setting on both tables, then fit the messy one by the mode."""
    options = options_of()
    folder = paper_folder()
    if folder is None:
        raise SystemExit("set BAYES_SLOTH_PAPER_DATA to a folder with the authors' data_v2.csv")
    setting = next(s for s in SETTINGS if (s.benchmarks, s.seen) == (options.setting, 1))
    clean = setting.scores(paper_table(folder))
    messy = with_fine_tunes(clean, options.seed)
    rows = picked(messy, options.seed)
    if not options.fit_only:
        length = Length(options.chains, options.warmup, options.draws)
        law = Misread(SlothLaw(method=options.method, length=length, label="ours"), rows)
        cases = compared(setting, clean, messy, law, options.keep)
        if options.csv:
            cases.to_csv(options.csv, index=False)
    print(told(messy, rows, bs.ModelSpec(), options.seed))


if __name__ == "__main__":
    main()
