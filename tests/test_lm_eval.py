"""Result files of lm-evaluation-harness, present, older and from the first leaderboard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bayes_sloth.errors import InputError, InputWarning
from bayes_sloth.reading import read_scores
from bayes_sloth.scores import Scores
from bayes_sloth.tables.lm_eval import parse_results

FACTS = {"model": ["m-7b", "m-70b"], "family": ["m", "m"], "params_b": [7, 70], "tokens_t": [2, 2]}


def parsed(**document: object) -> dict[str, tuple[float, float]]:
    """Return benchmark -> (score, items) of one result file."""
    frame = parse_results("r.json", json.dumps({"model_name": "org/m", **document}))
    return {row.benchmark: (row.score, row.n) for row in frame.itertuples()}


def present(model: str, shift: float = 0.0) -> dict[str, object]:
    """Return a result file as the harness writes it today."""
    return {
        "model_name": model,
        "results": {
            "leaderboard": {"alias": "leaderboard", " ": " "},
            "leaderboard_bbh": {"alias": "bbh", "acc_norm,none": 0.4 + shift, "acc_norm_stderr,none": 0.006},
            "leaderboard_bbh_snarks": {"acc_norm,none": 0.9},
            "leaderboard_ifeval": {
                "prompt_level_strict_acc,none": 0.2 + shift,
                "inst_level_strict_acc,none": 0.3 + shift,
                "inst_level_strict_acc_stderr,none": "N/A",
                "prompt_level_loose_acc,none": 0.9,
            },
            "leaderboard_math_hard": {"alias": " - math"},
            "leaderboard_math_algebra_hard": {"exact_match,none": 0.1 + shift},
            "leaderboard_math_geometry_hard": {"exact_match,none": 0.4 + shift},
            "gsm8k": {"exact_match,flexible-extract": 0.9, "exact_match,strict-match": 0.25 + shift},
            "arc_challenge": {"acc,none": 0.5, "acc_norm,none": 0.55 + shift},
            "wikitext": {"word_perplexity,none": 12.3},
        },
        "group_subtasks": {
            "leaderboard": ["leaderboard_bbh", "leaderboard_ifeval", "leaderboard_math_hard"],
            "leaderboard_bbh": ["leaderboard_bbh_snarks"],
            "leaderboard_math_hard": ["leaderboard_math_algebra_hard", "leaderboard_math_geometry_hard"],
            "gsm8k": [],
        },
        "n-samples": {
            "leaderboard_bbh_snarks": {"original": 178, "effective": 178},
            "leaderboard_ifeval": {"original": 541, "effective": 541},
            "leaderboard_math_algebra_hard": {"original": 307, "effective": 300},
            "leaderboard_math_geometry_hard": {"original": 132, "effective": 100},
            "gsm8k": {"original": 1319, "effective": 100},
        },
    }


def read(tmp_path: Path, *documents: dict[str, object]) -> Scores:
    """Write result files into a folder and read it with the facts of their models."""
    for i, document in enumerate(documents):
        (tmp_path / f"run{i}").mkdir(exist_ok=True)
        (tmp_path / f"run{i}" / f"results_2024-0{i}.json").write_text(json.dumps(document))
    with pytest.warns(InputWarning, match="only 2 of at least 5 models"):
        return read_scores(tmp_path, models=FACTS)


def test_a_folder_of_results_with_the_boards_metrics(tmp_path: Path) -> None:
    scores = read(tmp_path, present("org/M-7B"), present("org/m-70b", 0.1))
    assert scores.models == ("m-7b", "m-70b")
    assert scores.benchmarks == ("BBH", "IFEval", "MATH Lvl 5", "GSM8K", "ARC")
    math = (300 * 0.1 + 100 * 0.4) / 400
    assert np.allclose(scores.data["score"][0], [0.4, 0.25, math, 0.25, 0.55])
    assert np.allclose(scores.data["score"][1], np.array([0.4, 0.25, math, 0.25, 0.55]) + 0.1)
    assert scores.data["items"].values[0].tolist() == [178, 541, 400, 100, 1172]
    assert scores.data["floor"].sel(benchmark="BBH") == 0.2885
    assert "run0" in scores.notes.loc["m-7b", "source_file"]


def test_one_models_tasks_may_be_spread_over_files(tmp_path: Path) -> None:
    parts = [
        {"model_name": "m-7b", "results": {"winogrande": {"acc,none": 0.7}}},
        {"model_name": "m-7b", "results": {"hellaswag": {"acc,none": 0.5, "acc_norm,none": 0.6}}},
        {
            "model_name": "m-70b",
            "results": {"winogrande": {"acc,none": 0.8}, "hellaswag": {"acc_norm,none": 0.8}},
        },
    ]
    assert read(tmp_path, *parts).data["score"].values.tolist() == [[0.7, 0.6], [0.8, 0.8]]


def test_the_same_task_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(present("m-7b")))
    with pytest.raises(InputError, match="rows 1 and 6 both hold a score of 'm-7b' on 'BBH'; keep one"):
        read_scores([tmp_path / "a.json", str(tmp_path / "b.json")], models=FACTS)


def test_without_facts_the_error_says_how_to_give_them(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(present("org/m-7b")))
    message = (
        "no column 'family'; result files do not hold it: pass models=, a table with .* row for 'org/m-7b'"
    )
    with pytest.raises(InputError, match=message):
        read_scores(tmp_path / "r.json")


def test_first_leaderboard() -> None:
    subjects = {f"harness|hendrycksTest-s{i}|5": {"acc": i / 100, "acc_norm": 0.0} for i in range(57)}
    got = parsed(
        model_name=None,
        config_general={"model_name": "org/m"},
        results={
            "harness|arc:challenge|25": {"acc": 0.4, "acc_norm": 0.45},
            "harness|truthfulqa:mc|0": {"mc1": 0.2, "mc2": 0.35, "mc2_stderr": 0.01},
            "harness|gsm8k|5": {"acc": 0.1},
            **subjects,
        },
    )
    assert {name: score for name, (score, _) in got.items()} == pytest.approx(
        {"ARC": 0.45, "TruthfulQA": 0.35, "GSM8K": 0.1, "MMLU": 0.28}
    )


def test_a_task_run_with_another_metric_is_a_benchmark_of_its_own() -> None:
    got = parsed(
        results={
            "bbh": {"exact_match,get-answer": 0.6},
            "bbh_cot_x": {"exact_match,get-answer": 0.5},
            "boolq": {"acc,none": 0.8},
        },
        group_subtasks={"bbh": ["bbh_cot_x"]},
    )
    assert sorted(got) == ["bbh (exact_match)", "boolq"]


def test_the_mmlu_group_hides_its_subjects_and_truthfulqa_means_mc2() -> None:
    got = parsed(
        results={
            "mmlu": {"acc,none": 0.6},
            "mmlu_stem": {"acc,none": 0.5},
            "mmlu_anatomy": {"acc,none": 0.4},
            "truthfulqa_mc1": {"acc,none": 0.3},
            "truthfulqa_mc2": {"acc,none": 0.45},
            "truthfulqa": {"acc,none": 0.375},
        },
        group_subtasks={
            "mmlu": ["mmlu_stem"],
            "mmlu_stem": ["mmlu_anatomy"],
            "truthfulqa": ["truthfulqa_mc1", "truthfulqa_mc2"],
        },
    )
    assert got["MMLU"][0] == 0.6
    assert got["TruthfulQA"][0] == 0.45
    assert not {"mmlu_stem", "mmlu_anatomy"} & set(got)


@pytest.mark.parametrize(
    "config",
    [
        {"model": "hf", "model_args": "pretrained=org/m,dtype=float16"},
        {"model": "hf", "model_args": {"pretrained": "org/m", "dtype": "float16"}},
        {"model": "org/m", "model_args": ""},
    ],
)
def test_the_models_name_is_found_in_older_files(config: dict[str, object]) -> None:
    text = json.dumps({"config": config, "results": {"winogrande": {"acc": 0.7}}})
    assert parse_results("r.json", text)["model"].tolist() == ["org/m"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"results": {"winogrande": {"acc": 0.7}}}, "r.json names no model; add the entry"),
        ({"model_name": "m", "results": {"wikitext": {"ppl": 9.0}}}, "r.json holds no score between 0 and 1"),
        ({"model_name": "m", "results": [1]}, "r.json has no 'results'"),
    ],
)
def test_useless_files_are_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_results("r.json", json.dumps(document))
