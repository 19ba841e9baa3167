"""The paper's six settings: its table, its families and its folds, as values of this package.

The authors' table is not part of this project: the environment variable BAYES_SLOTH_PAPER_DATA names a folder
with `sloth_data_v2.csv` (or `data_v2.csv`, as in the authors' repository). With `authors_errors.csv` beside
it, their saved errors are shown next to ours.

`EveryRow` asks the same questions of a law that learns from every row and benchmark of the table.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_sloth as bs
from bayes_sloth.folds import Fold
from bayes_sloth.protocols import LargerSiblings

V1 = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")
V2 = ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO")
BENCHMARKS = {"v1": V1, "v2": V2, "joint": V1 + V2}
SIZE, TOKENS = "#Params (B)", "Pretraining Data Size (T)"
# The authors' column `Family` puts fine-tunes with their base: dolly with pythia, dolphin and orca_mini_v7
# with qwen2, blossom with yi-1.5, sauerkraut with gemma or llama-3, openhermes, orca and wizardlm with
# llama-2. Beyond that these families of it are kin. A main version trained anew is not (gemma-2, qwen2,
# starcoder2, llama-2 and llama-3 beside their predecessors), nor who shares no more than a public corpus.
KIN = {
    "codellama": "llama-2",  # trained on from Llama 2
    "yi-1.5": "yi",  # trained on from Yi
    "yi-200k": "yi",  # Yi with a longer context
    "recurrentgemma": "gemma",  # the corpus of Gemma in another architecture
    "qwen1.5": "qwen",  # whether it was trained anew is not published, and the 72B has as many tokens
    "openllamav2": "openllama",  # the same work at the same sizes, with another mix of data
    "falcon-rw": "falcon",  # a trial on the corpus of Falcon
}
# The families that the paper tests, those of one fold joined by "+": its choice, in its order.
BASE = (
    "bloom codegen-nl codellama deepseek-coder-base pythia+dolly-v2 falcon gemma+gemma-it+sauerkrautlm-gemma"
)
TESTED = {
    ("v1", 1): f"{BASE} gpt-j-neo-neox internlm2 meta-llama-3+meta-llama-3-instruct "
    "mpt+mpt-chat+mpt-instruct olmo opt qwen2 rwkv-4-pile starcoder2 stablelm-base-alpha xglm "
    "yi-1.5+yi-1.5-chat+dolphin-2.9.1-yi-1.5",
    (
        "v1",
        2,
    ): "bloom codellama deepseek-coder-base falcon gpt-j-neo-neox llama-2+llama-2-chat open_llama_ opt "
    "pythia qwen1.5+qwen1.5-chat qwen2 rwkv-4-pile starcoder2 xglm yi-1.5+yi-1.5-chat",
    ("v2", 1): "bloom pythia+dolly-v2 falcon+falcon-instruct gemma-2+gemma-2-it gpt-j-neo-neox "
    "meta-llama-3+meta-llama-3-instruct+llama-3-sauerkrautlm-instruct olmo opt "
    "qwen2+qwen2-instruct+dolphin-2.9.2-qwen2 starcoder2 smollm+smollm-instruct "
    "yi-1.5+yi-1.5-chat+dolphin-2.9.1-yi-1.5",
    ("v2", 2): "bloom llama-2+llama-2-chat orca_mini_v3_ pythia+dolly-v2 qwen1.5+qwen1.5-chat "
    "qwen2+qwen2-instruct smollm+smollm-instruct starcoder2 yi-1.5+yi-1.5-chat",
    ("joint", 1): "bloom pythia+dolly-v2 falcon gemma+gemma-it+sauerkrautlm-gemma gpt-j-neo-neox "
    "meta-llama-3+meta-llama-3-instruct olmo opt qwen2 starcoder2 yi-1.5+yi-1.5-chat+dolphin-2.9.1-yi-1.5",
    (
        "joint",
        2,
    ): "bloom llama-2+llama-2-chat pythia qwen1.5+qwen1.5-chat qwen2 starcoder2 yi-1.5+yi-1.5-chat",
}


@dataclass(frozen=True)
class Setting:
    """One of the paper's six experiments.

    Parameters
    ----------
    benchmarks : str
        v1, v2 or joint.
    seen : int
        How many of the smallest models of a tested family are seen.
    """

    benchmarks: str
    seen: int

    @property
    def name(self) -> str:
        """Label in tables, such as v1·2."""
        return f"{self.benchmarks}·{self.seen}"

    def scores(self, table: pd.DataFrame) -> bs.Scores:
        """Return the rows that the paper keeps: nothing missing, families of more models than are seen."""
        columns = list(BENCHMARKS[self.benchmarks])
        rows = table.dropna(subset=[*columns, SIZE, TOKENS])
        rows = rows[rows.groupby("Family2")["Model"].transform("size") > self.seen]
        return _scores(rows, columns)

    def protocol(self) -> LargerSiblings:
        """Return the paper's folds."""
        tested = tuple(tuple(names.split("+")) for names in TESTED[self.benchmarks, self.seen].split())
        return LargerSiblings(seen=self.seen, tested=tested, line="family", relatives=False)


@dataclass(frozen=True)
class EveryRow:
    """A setting's questions, asked of a law that sees all the table that they allow.

    Asked are the same scores as in the setting. Of the relatives of an asked model, all benchmarks alike,
    nothing is seen but the smallest models of each tested family that the setting shows, and what is no
    larger than any of its tested families' largest of these: a fine-tune of an asked model never is.

    Parameters
    ----------
    setting : Setting
        Which questions.
    """

    setting: Setting

    def folds(self, scores: bs.Scores) -> tuple[Fold, ...]:
        """Return the setting's folds on the table of `every_row`."""
        kept = self._kept(scores)
        return tuple(_widened(fold, kept, scores) for fold in self.setting.protocol().folds(kept))

    def _kept(self, scores: bs.Scores) -> bs.Scores:
        """Return the rows that `Setting.scores` keeps."""
        block = scores.select(benchmarks=BENCHMARKS[self.setting.benchmarks])
        facts = scores.metadata
        whole = block.observed.all(axis=1) & facts[["params_b", "tokens_t"]].notna().all(axis=1)
        siblings = whole.groupby(facts["family"]).transform("sum")
        return block.select(models=facts["model"][whole & (siblings > self.setting.seen)])


SETTINGS = tuple(Setting(benchmarks, seen) for benchmarks in BENCHMARKS for seen in (1, 2))


def paper_folder() -> Path | None:
    """Return the folder with the authors' table, None where the variable is not set."""
    folder = os.environ.get("BAYES_SLOTH_PAPER_DATA")
    return Path(folder) if folder else None


def paper_table(folder: Path) -> pd.DataFrame:
    """Return the authors' table in their order, by family and size: some of their fits tie without it."""
    for name in ("sloth_data_v2.csv", "data_v2.csv"):
        if (folder / name).is_file():
            return pd.read_csv(folder / name).sort_values(["Family2", SIZE, "Model"], ignore_index=True)
    raise bs.InputError(f"{folder} has no sloth_data_v2.csv or data_v2.csv: clone the authors' repository.")


def authors_errors(folder: Path) -> pd.DataFrame | None:
    """Return the authors' saved absolute errors, None where they are not there."""
    path = folder / "authors_errors.csv"
    return pd.read_csv(path) if path.is_file() else None


def every_row(table: pd.DataFrame) -> bs.Scores:
    """Return every row with a score, holes and all twelve benchmarks; the note `kin` names its relatives."""
    rows = table.dropna(subset=BENCHMARKS["joint"], how="all")
    return _scores(rows, list(BENCHMARKS["joint"]), kin=rows["Family"].replace(KIN))


def _widened(fold: Fold, kept: bs.Scores, scores: bs.Scores) -> Fold:
    """Return a fold of the rows that a setting keeps as one of all rows."""
    facts, models = scores.metadata, np.array(kept.models)
    asked = facts["model"].isin(models[fold.models])
    shown = facts["model"].isin(models[~fold.hidden.any(axis=1)])
    shown &= facts["family"].isin(set(facts["family"][asked]))
    limit = facts["params_b"][shown].groupby(facts["family"]).max().min()
    kin = scores.notes["kin"].reset_index(drop=True)
    # A model of unknown size is not known to be small.
    hidden = kin.isin(set(kin[asked])) & ~shown & ~(facts["params_b"] <= limit)
    columns = np.isin(scores.benchmarks, kept.benchmarks)
    shape = scores.observed.shape
    return Fold(
        fold.name, np.broadcast_to(hidden.to_numpy()[:, None], shape), np.outer(asked, columns).astype(bool)
    )


def _scores(rows: pd.DataFrame, benchmarks: list[str], **notes: pd.Series) -> bs.Scores:
    """Return the authors' rows as scores; their families keep base, chat and fine-tuned models apart."""
    facts = {
        "model": rows["Model"],
        "family": rows["Family2"],
        "params_b": rows[SIZE],
        "tokens_t": rows[TOKENS],
        "instruct": rows["Instruct"].astype(int),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.InputWarning)  # faulty runs are part of the paper's table
        return bs.read_scores(pd.DataFrame(facts | {name: rows[name] for name in benchmarks} | notes))
