"""The packaged table is whole, quiet, documented and read by the same rules as any other."""

from __future__ import annotations

import importlib
import warnings
from importlib import resources

import numpy as np
import pytest

from bayes_sloth.catalogue import CATALOGUE
from bayes_sloth.datasets import LEADERBOARD, load_leaderboard
from bayes_sloth.reading import read_scores

datasets = importlib.import_module("bayes_sloth.datasets")


def test_counts() -> None:
    scores = load_leaderboard()
    assert (len(scores.models), len(scores.families), len(scores.benchmarks)) == (265, 70, 12)
    assert int(scores.observed.sum()) == 2148
    assert int(scores.observed[:, :6].all(axis=1).sum()) == 160
    assert int(scores.observed[:, 6:].all(axis=1).sum()) == 198


def test_it_loads_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_leaderboard().models


def test_figures_come_from_the_catalogue() -> None:
    scores = load_leaderboard()
    assert scores.benchmarks == tuple(b.name for b in CATALOGUE)
    assert scores.data["floor"].values.tolist() == [b.floor for b in CATALOGUE]
    assert np.array_equal(scores.data["items"].values[0], [b.items for b in CATALOGUE])


@pytest.mark.parametrize(
    ("model", "benchmark", "score"),
    [("llama-2-70b", "GSM8K", 0.5406), ("amber", "MMLU", 0.2684), ("jamba-v0.1", "IFEval", 0.2026)],
)
def test_known_scores(model: str, benchmark: str, score: float) -> None:
    assert float(load_leaderboard().data["score"].sel(model=model, benchmark=benchmark)) == score


def test_only_mixtures_of_experts_have_active_parameters() -> None:
    data = load_leaderboard().data
    active = data["active_params_b"].dropna("model")
    assert active.sizes["model"] < 30
    assert (active < active["params_b"]).all()
    assert float(data["active_params_b"].sel(model="jamba-v0.1")) == 12


def test_notes_keep_every_source() -> None:
    notes = load_leaderboard().notes
    assert list(notes.columns) == [
        "source_params",
        "source_v1",
        "source_v2",
        "source_tokens",
        "hf_id",
        "lineage",
    ]
    assert notes.loc["llama-2-7b", "hf_id"] == "meta-llama/Llama-2-7b-hf"


def test_every_family_is_of_one_lineage_named_after_one_of_its_families() -> None:
    scores = load_leaderboard()
    lineage = scores.notes["lineage"]
    assert lineage.notna().all()
    family = scores.metadata.set_index("model")["family"]
    assert (lineage.groupby(family).nunique() == 1).all()
    assert set(family[lineage == family]) == set(lineage)


def test_models_trained_on_from_each_other_are_of_one_lineage() -> None:
    lineage = load_leaderboard().notes["lineage"]
    for models in (
        ["llama-3-8b", "llama-3.1-8b", "llama-3.3-70b-instruct"],
        ["llama-2-7b", "codellama-7b", "vicuna-7b-v1.5"],
        ["qwen2.5-7b", "qwen2.5-coder-7b"],
        ["yi-6b", "yi-1.5-6b", "yi-6b-200k"],
        ["pythia-1b", "pythia-1b-deduped"],
        ["falcon-7b", "falcon-7b-instruct"],
        ["mistral-7b-v0.1", "zephyr-7b-beta"],
    ):
        assert lineage[models].nunique() == 1, models
    assert lineage[["llama-7b", "llama-2-7b", "llama-3-8b", "qwen2-7b", "qwen2.5-7b", "falcon-11b"]].is_unique


def test_provenance_gives_the_reason_of_every_lineage_of_several_families() -> None:
    text = resources.files(datasets).joinpath("PROVENANCE.md").read_text(encoding="utf-8")
    told = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| `")]
    reasons = {
        name.strip(): (families, why) for name, families, why in (row for row in told if len(row) == 3)
    }
    scores = load_leaderboard()
    pairs = set(zip(scores.notes["lineage"], scores.metadata["family"], strict=True))
    others = {(lineage, family) for lineage, family in pairs if lineage != family}
    assert len(others) == 16
    for lineage, family in others:
        families, why = reasons[f"`{lineage}`"]
        assert f"`{family}`" in families and why.strip()
    named = {(name.strip("`"), f.strip(" `")) for name, (fs, _) in reasons.items() for f in fs.split(",")}
    assert {pair for pair in named if pair[1] in scores.families} == others


def test_reading_the_file_gives_the_same_table() -> None:
    with resources.as_file(resources.files(datasets).joinpath(LEADERBOARD)) as path:
        assert read_scores(path).equals(load_leaderboard())


def test_provenance_is_packaged_and_credits_the_boards() -> None:
    text = resources.files(datasets).joinpath("PROVENANCE.md").read_text(encoding="utf-8")
    assert "Hugging Face Open LLM Leaderboard, versions 1 and 2" in text
    for keys in load_leaderboard().notes[["source_v1", "source_v2"]].to_numpy().ravel():
        for key in str(keys).replace("MATH:", "").split(";"):
            assert key.strip() in text
