"""Candidates on folds that the paper does not test: what may be looked at as often as one likes.

    python benchmarks/rehearsal.py [--only NAME,...] [--mix NAME+NAME,...] [--keep FOLDER] [--csv FILE]

Rows of the packaged table with every score of a board, known sizes and tokens, of families that are not in
the paper's folds: of each of their lines the one or two smallest models are seen, the larger ones asked for.
Half of the groups of relatives are held out together, so that a candidate takes eight fits. A mixture pools
the draws of its parts, all of each. Prints error, proper score and coverage, and writes them with `--csv`;
each forecast is kept as it ends in the folder of `--keep`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from paper import V1, V2
from screening import CANDIDATES

import bayes_sloth as bs
from bayes_sloth.evaluation import evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast, SlothLaw
from bayes_sloth.protocols import LargerSiblings
from bayes_sloth.refitting import Length
from bayes_sloth.shelf import Shelf

# Families of one group are relatives.
GROUPS = (
    "internlm2 internlm2.5",
    "llama",
    "llama-3.1 llama-3.3",
    "phi-3 phi-3.5",
    "pythia-deduped",
    "qwen",
    "qwen2.5 qwen2.5-coder",
    "starcoder",
    "yi yi-200k",
    "stablelm-2 stablelm-alpha",
    "deepseek-coder",
    "gpt-2",
    "openllama openllama-v2",
    "redpajama-incite",
    "mistral mixtral",
)
BOARDS = {"v1": V1, "v2": V2}
LENGTH = Length(2, 250, 250)
SHARES = ["50%", "80%", "90%", "95%"]


@dataclass(frozen=True)
class Halves:
    """Groups of relatives held out half of them at a time.

    Parameters
    ----------
    seen : int
        How many of the smallest models of each line are seen.
    """

    seen: int

    def folds(self, scores: bs.Scores) -> tuple[Fold, ...]:
        """Return two folds, of every other group each."""
        kin, line = scores.notes["kin"].to_numpy(), scores.metadata["family"].to_numpy()
        sizes = pd.Series(line).value_counts()
        tested = []
        for group in GROUPS:
            lines = dict.fromkeys(line[np.isin(kin, group.split())])
            tested.append(tuple(name for name in lines if sizes[name] > self.seen))
        protocol = LargerSiblings(
            seen=self.seen, tested=tuple(filter(None, tested)), line="family", relatives=False
        )
        single = protocol.folds(scores)
        return tuple(_joined(single[first::2], f"half {first}") for first in (0, 1))


def _joined(folds: Sequence[Fold], name: str) -> Fold:
    hidden, asked = (np.any([getattr(fold, mask) for fold in folds], axis=0) for mask in ("hidden", "asked"))
    return Fold(name, hidden, asked)


@dataclass(frozen=True)
class Mixture:
    """Forecasts that pool the draws of several laws, all of each, from where these are kept.

    Parameters
    ----------
    parts : tuple of SlothLaw
        The laws.
    folder : Path
        Where their forecasts are.
    """

    parts: tuple[SlothLaw, ...]
    folder: Path

    @property
    def name(self) -> str:
        """Label, the parts' names joined."""
        return "+".join(part.name for part in self.parts)

    def forecasts(
        self, scores: bs.Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield the pooled forecast of every fold."""
        kept = [Shelf(self.folder, part, scores, folds, seed).stored() for part in self.parts]
        for same in zip(*kept, strict=True):
            draws = np.concatenate([forecast.draws for forecast in same])
            yield Forecast(same[0].fold, draws, sum(forecast.seconds for forecast in same))


def board(columns: Sequence[str]) -> bs.Scores:
    """Return the rows that the paper would keep, base and tuned models of a family as two families."""
    scores = bs.load_leaderboard().select(benchmarks=columns)
    facts = scores.metadata
    whole = scores.observed.all(axis=1) & facts[["params_b", "tokens_t"]].notna().all(axis=1).to_numpy()
    table = scores.to_frame()[whole]
    tuned = np.where(table["instruct"] == 1, "-tuned", "")
    return bs.read_scores(table.assign(kin=table["family"], family=table["family"] + tuned))


def rehearsed(law: SlothLaw | Mixture, folder: Path) -> pd.DataFrame:
    """Return a row for every board and number of models seen, and their mean."""
    rows = {}
    for title, columns in BOARDS.items():
        scores = board(columns)
        for seen in (1, 2):
            keep = None if isinstance(law, Mixture) else folder
            found = evaluate(scores, law, Halves(seen), seed=0, folder=keep)
            rows[f"{title}·{seen}"] = found.table()[["scores", "MAE", "CRPS", *SHARES]].iloc[0]
    table = pd.DataFrame(rows).T
    return pd.concat([table, table.mean().to_frame("mean").T])


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="default", help="candidates, joined by commas")
    parser.add_argument("--mix", default="", help="mixtures of these, parts joined by +, mixtures by commas")
    parser.add_argument("--keep", type=Path, help="folder for the forecasts of every fold")
    parser.add_argument("--csv", type=Path, help="file for the table")
    return parser.parse_args(arguments)


def main() -> None:
    """Forecast with every candidate and mixture."""
    options = options_of()
    laws = {name: SlothLaw(CANDIDATES[name], length=LENGTH, label=name) for name in options.only.split(",")}
    mixtures = [name.split("+") for name in options.mix.split(",") if name]
    tables = {}
    with TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for law in (*laws.values(), *(Mixture(tuple(laws[p] for p in names), folder) for names in mixtures)):
            tables[law.name] = rehearsed(law, folder)
            print(f"{law.name}\n{tables[law.name].round(4).to_string()}\n", flush=True)
    if options.csv:
        pd.concat(tables, names=["candidate", "board"]).to_csv(options.csv)


if __name__ == "__main__":
    main()
