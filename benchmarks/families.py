"""Families of which nothing is seen, relatives included, beside the same models with one sibling seen.

    python benchmarks/families.py [--quick] [--chains N] [--warmup N] [--draws N] [--keep FOLDER] [--csv FILE]

On the packaged table, by our law. Relatives leave together: models of one `lineage`, such as llama-3, 3.1 and
3.3. Never seen are whole groups of two scored models or more; then of each line, a family's base or tuned
models, the smallest is seen and the larger ones are asked for. Prints errors, coverage and widths of both,
and how many times as wide the intervals are on the scores that both ask for. Each fold is kept as it ends in
the folder of `--keep`. `--quick` takes a few families and short chains, to see that the script runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import bayes_sloth as bs
from bayes_sloth.evaluation import evaluate
from bayes_sloth.laws import SlothLaw
from bayes_sloth.protocols import HoldOut, LargerSiblings, WholeFamilies
from bayes_sloth.refitting import Length
from bayes_sloth.scoring import averaged

KIN = "lineage"
PROTOCOLS: dict[str, HoldOut] = {
    "never seen": WholeFamilies(least=2, kin=KIN),
    "one sibling a line seen": LargerSiblings(seen=1, kin=KIN),
}
# Quick runs: three groups of several families, on two benchmarks of each board.
FEW = ("pythia", "llama-2", "yi")
SOME = ("MMLU", "GSM8K", "BBH", "MMLU-PRO")
CELL = ["model", "benchmark"]


def shared(never: pd.DataFrame, sibling: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cases of the scores that both protocols ask for, in one order.

    Parameters
    ----------
    never, sibling : DataFrame
        From `Evaluation.cases`; every score at most once.

    Returns
    -------
    tuple of DataFrame
        Those of the one and those of the other, row by row of one score.
    """
    parts = [cases.set_index(CELL).sort_index() for cases in (never, sibling)]
    both = parts[0].index.intersection(parts[1].index)
    first, second = (part.loc[both].reset_index() for part in parts)
    return first, second


def summary(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the measures of all scores that each protocol asks for, and of those that both do."""
    never, sibling = found.values()
    names = list(found)
    alike = shared(never, sibling)
    parts = {names[0]: never, f"{names[0]}, shared scores": alike[0], f"{names[1]}, shared scores": alike[1]}
    table = pd.concat([averaged(cases.assign(asked=name), ["asked"]) for name, cases in parts.items()])
    return table[["scores", "MAE", "CRPS", "50%", "80%", "90%", "95%", "width"]]


def ratio(never: pd.DataFrame, sibling: pd.DataFrame) -> float:
    """Return how many times as wide 90% intervals are without the sibling, mean by mean of shared scores."""
    first, second = shared(never, sibling)
    return float(first["width"].mean() / second["width"].mean())


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few families, short chains")
    for name, usual in Length()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--keep", help="folder for the forecasts of every fold")
    parser.add_argument("--csv", type=Path, help="file for the scores of every held-out cell")
    return parser.parse_args(arguments)


def main() -> None:
    """Run both protocols and print their tables."""
    options = options_of()
    scores, spec = bs.load_leaderboard(), bs.ModelSpec()
    length = Length(options.chains, options.warmup, options.draws)
    if options.quick:
        kin = scores.notes[KIN]
        scores, spec = scores.select(models=kin.index[kin.isin(FEW)], benchmarks=SOME), bs.ModelSpec(skills=1)
        length = Length(2, 50, 50)
    law = SlothLaw(spec, length=length, label="ours")
    found, verdicts = {}, {}
    for name, protocol in PROTOCOLS.items():
        evaluation = evaluate(scores, law, protocol, seed=0, folder=options.keep)
        found[name], verdicts[name] = evaluation.cases(), evaluation.calibrated()
        print(f"{name}\n{evaluation.table('fold').round(3).to_string()}\n", flush=True)
    print(summary(found).round(4).to_string(), end="\n\n")
    print(f"90% intervals without the sibling are {ratio(*found.values()):.2f} times as wide", end="\n\n")
    print(pd.concat(verdicts, names=["asked", None]).droplevel(1).round(4).to_string())
    if options.csv:
        pd.concat(found, names=["asked", None]).reset_index(level=0).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
