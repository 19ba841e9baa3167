"""What is known about benchmarks: figures, spellings, overrides."""

from __future__ import annotations

import pytest

from bayes_sloth.catalogue import CATALOGUE, Benchmark, known_benchmarks
from bayes_sloth.errors import InputError

SPELLINGS = {
    "mmlu_pro": "MMLU-PRO",
    "MMLU Pro": "MMLU-PRO",
    "MATH": "MATH Lvl 5",
    "math_lvl_5": "MATH Lvl 5",
    "leaderboard_math_hard": "MATH Lvl 5",
    "arc_challenge": "ARC",
    "arc-c": "ARC",
    "arc:challenge": "ARC",
    "hellaswag": "HellaSwag",
    "WinoGrande": "Winogrande",
    "truthfulqa_mc2": "TruthfulQA",
    "gsm-8k": "GSM8K",
    "leaderboard_bbh": "BBH",
    "BIG-Bench Hard": "BBH",
    "hendrycksTest": "MMLU",
    "MuSR": "MUSR",
    "leaderboard_ifeval": "IFEval",
    "gpqa": "GPQA",
}


def find(name: str, benchmarks: object = None) -> Benchmark:
    found = known_benchmarks(benchmarks).find(name)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(("spelling", "name"), SPELLINGS.items())
def test_spellings_are_matched_without_case_and_by_alias(spelling: str, name: str) -> None:
    assert find(spelling).name == name


def test_no_spelling_means_two_benchmarks() -> None:
    spellings = [key for benchmark in CATALOGUE for key in benchmark.keys]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    "name", ["HumanEval", "MMLU-redux", "arc_easy", "truthfulqa_mc1", "math_word_problems"]
)
def test_related_names_are_not_confused(name: str) -> None:
    assert known_benchmarks().find(name) is None


def test_floors_follow_from_the_numbers_of_choices() -> None:
    musr = (250 / 2 + 256 / 5 + 250 / 3) / 756
    # Choices of the 24 subtasks of BBH with 250 items each, then of the three smaller ones.
    choices = [2, 6, 3, 2, 11, 2, 5, 7, 3, 6, 2, 19, 18, 6, 6, 2, 4, 5, 7, 3, 2]
    bbh = (sum(250 / c for c in choices) + 187 / 2 + 146 / 5 + 178 / 2) / 5761
    assert 250 * len(choices) + 187 + 146 + 178 == find("BBH").items
    assert find("MUSR").floor == pytest.approx(musr, abs=5e-5)
    assert find("BBH").floor == pytest.approx(bbh, abs=5e-5)
    assert find("GPQA").items == 198 + 448 + 546
    assert {b.floor for b in CATALOGUE if b.name in ("MMLU", "ARC", "HellaSwag", "GPQA")} == {0.25}


def test_every_figure_is_sourced() -> None:
    assert len(CATALOGUE) == 12
    assert all("arXiv" in b.source and b.items for b in CATALOGUE)


@pytest.mark.parametrize(
    "value",
    [(0.3, 500), [0.3, 500], {"floor": 0.3, "items": 500}, Benchmark("whatever", 0.3, 500)],
)
def test_a_user_overrides_the_catalogue_in_any_shape(value: object) -> None:
    found = find("MMLU", {"mmlu": value})
    assert (found.name, found.floor, found.items) == ("MMLU", 0.3, 500)
    assert find("hendrycksTest", {"mmlu": value}).floor == 0.3


def test_an_override_may_give_one_figure_only() -> None:
    assert (find("mmlu", {"MMLU": 0.2}).floor, find("mmlu", {"MMLU": 0.2}).items) == (0.2, 14042)
    assert find("mmlu", {"MMLU": {"items": 100}}).floor == 0.25
    assert find("mmlu", {"MMLU": (0.25, None)}).items is None


def test_a_sequence_of_names_says_which_columns_count() -> None:
    known = known_benchmarks(["mmlu", "my exam"])
    assert known.only == frozenset({"mmlu", "myexam"})
    assert find("my_exam", ["mmlu", "my exam"]).name == "my exam"


@pytest.mark.parametrize(
    ("benchmarks", "message"),
    [
        ({"MMLU": "a lot"}, r"benchmarks\['MMLU'\] is 'a lot'; give \(floor, items\)"),
        ({"MMLU": {"flor": 0.2}}, r"benchmarks\['MMLU'\]"),
        ({"MMLU": (True, 5)}, r"benchmarks\['MMLU'\]"),
        ([3], "benchmarks holds 3; give names"),
        ({"MMLU": (1.0, 5)}, "'MMLU': floor is 1.0; give a share"),
        ({"MMLU": (25, 5)}, "'MMLU': floor is 25"),
        ({"MMLU": (0.2, 0)}, "'MMLU': items is 0.0; give a positive count"),
        ({"MMLU": (0.2, float("inf"))}, "'MMLU': items is inf"),
    ],
)
def test_wrong_figures_are_refused(benchmarks: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        known_benchmarks(benchmarks)  # type: ignore[arg-type]


def test_nearest_name_looks_at_aliases_too() -> None:
    assert known_benchmarks().nearest("arc_chalenge") == "ARC"
    assert known_benchmarks().nearest("tokns_t", ["tokens_t"]) == "tokens_t"
    assert known_benchmarks().nearest("zzzzzz") is None
