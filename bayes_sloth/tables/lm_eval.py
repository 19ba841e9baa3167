"""From the result JSON of lm-evaluation-harness to a long table, with the Open LLM Leaderboard's metrics.

Read are the present layout (`results`, `group_subtasks`, `n-samples`, metrics named "acc_norm,none"), the
older one (metrics named "acc_norm") and the details files of the first leaderboard (tasks named
"harness|arc:challenge|25").
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from bayes_sloth.catalogue import KnownBenchmarks, key
from bayes_sloth.errors import InputError

# What the two leaderboards report. IFEval is the mean of its two strict accuracies.
BOARD_METRICS: Final[dict[str, tuple[str, ...]]] = {
    "MMLU": ("acc",),
    "ARC": ("acc_norm",),
    "HellaSwag": ("acc_norm",),
    "Winogrande": ("acc",),
    "TruthfulQA": ("mc2", "acc"),
    "GSM8K": ("exact_match,strict-match", "exact_match", "acc"),
    "BBH": ("acc_norm",),
    "MATH Lvl 5": ("exact_match",),
    "GPQA": ("acc_norm",),
    "MUSR": ("acc_norm",),
    "MMLU-PRO": ("acc",),
}
IFEVAL_METRICS: Final = ("prompt_level_strict_acc", "inst_level_strict_acc")
# For a task that the catalogue does not know: shares of items solved, the most usual first.
OTHER_METRICS: Final = (
    "acc_norm",
    "acc",
    "exact_match",
    "pass@1",
    "pass_at_1",
    "prompt_level_strict_acc",
    "mc2",
)
MMLU_SUBJECTS: Final = 57  # the first leaderboard published the plain mean over all of them


@dataclass(frozen=True)
class _Score:
    """One number of a result file."""

    benchmark: str
    score: float
    n: float = math.nan
    stderr: float = math.nan


@dataclass(frozen=True)
class _Run:
    """The parts of one result file that hold scores; task names without the "harness|" dress."""

    results: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]
    counts: dict[str, float]

    def metric(self, task: str, wanted: str) -> tuple[float, float] | None:
        """Return (value, stderr) of the metric called `wanted`, with or without its filter, or None."""
        for name, value in self.results.get(task, {}).items():
            if name == wanted or name.split(",")[0] == wanted:
                metric, _, rest = name.partition(",")
                stderr = self.results[task].get(f"{metric}_stderr,{rest}" if rest else f"{metric}_stderr")
                if _is_share(value):
                    return float(value), float(stderr or 0) if _is_share(stderr) else math.nan
        return None

    def leaves(self, task: str) -> list[str]:
        """Return the tasks below a group, all the way down."""
        below = [leaf for child in self.groups.get(task, []) for leaf in self.leaves(child)]
        return below or [task]

    def count(self, task: str) -> float:
        """Return how many items were asked, NaN where the file does not say."""
        return sum(self.counts.get(leaf, math.nan) for leaf in self.leaves(task))

    def mean_metric(self, task: str, wanted: str) -> tuple[float, float] | None:
        """Return a metric of a task or, for a group that has none of its own, its item-weighted mean."""
        own = self.metric(task, wanted)
        leaves = self.leaves(task)
        parts = [self.metric(leaf, wanted) for leaf in leaves]
        if own is not None or leaves == [task]:
            return own
        values = [part[0] for part in parts if part is not None]
        weights = [self.counts.get(leaf, math.nan) for leaf in leaves]
        if len(values) < len(leaves):
            return None
        if any(math.isnan(w) for w in weights):
            weights = [1.0] * len(leaves)
        return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / math.fsum(weights), math.nan


def parse_results(name: str, text: str) -> pd.DataFrame:
    """Turn the text of one result file into rows of model, benchmark, score, n and stderr.

    Parameters
    ----------
    name : str
        The file's name, for messages and for the column `source_file`.
    text : str
        Its JSON.

    Returns
    -------
    DataFrame
        One row per benchmark; `n` and `stderr` are NaN where the file has none.

    Raises
    ------
    InputError
        If the text is not whole JSON, has no results, names no model, or holds no score that can be used.

    Examples
    --------
    >>> text = '{"model_name": "org/m", "results": {"winogrande": {"acc,none": 0.7}}}'
    >>> parse_results("results.json", text)[["model", "benchmark", "score"]].values.tolist()
    [['org/m', 'Winogrande', 0.7]]
    """
    document = _parse_json(name, text)
    scores = list(_scores(_run(document)))
    if not scores:
        raise InputError(
            f"{name} holds no score between 0 and 1 that can be used; run the harness on accuracy tasks."
        )
    frame = pd.DataFrame([vars(score) for score in scores])
    frame.insert(0, "model", _model_name(name, document))
    return frame.assign(source_file=name)


def _parse_json(name: str, text: str) -> dict[str, Any]:
    """Return the document of a result file."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not whole JSON (line {error.lineno}: {error.msg}); copy the file again."
        ) from error
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, dict) or not all(isinstance(v, dict) for v in results.values()):
        raise InputError(f"{name} has no 'results' of lm-evaluation-harness; give its results_*.json files.")
    return dict(document)


def _model_name(name: str, document: Mapping[str, Any]) -> str:
    """Return the model's name, from any of the places where the harness has written it."""
    config = document.get("config") or {}
    args = config.get("model_args") or ""
    pretrained = args.get("pretrained") if isinstance(args, dict) else _argument(str(args))
    general = document.get("config_general") or {}
    for found in (document.get("model_name"), pretrained, general.get("model_name"), config.get("model")):
        if isinstance(found, str) and found.strip():
            return found.strip()
    raise InputError(f'{name} names no model; add the entry "model_name" to the file.')


def _argument(text: str) -> str | None:
    """Return the model named in an argument string such as "pretrained=org/name,dtype=float16"."""
    match = re.search(r"(?:^|,)(?:pretrained|model)=([^,]+)", text)
    return match[1] if match else None


def _run(document: Mapping[str, Any]) -> _Run:
    """Take the parts with scores out of a document."""
    groups = {
        _task(g): [_task(t) for t in tasks] for g, tasks in (document.get("group_subtasks") or {}).items()
    }
    counts = {
        _task(t): c.get("effective")
        for t, c in (document.get("n-samples") or {}).items()
        if isinstance(c, dict)
    }
    return _Run(
        results={_task(t): v for t, v in document["results"].items()},
        groups={group: tasks for group, tasks in groups.items() if tasks},
        counts={t: float(c) for t, c in counts.items() if isinstance(c, int | float) and c > 0},
    )


def _task(name: str) -> str:
    """Return a task name without dress: "harness|arc:challenge|25" becomes "arc:challenge"."""
    match = re.fullmatch(r"(?:harness|leaderboard)\|(.+?)\|\d+(?:\|\d+)?", name)
    return re.sub(r":mc$", "_mc", match[1]) if match else name


def _scores(run: _Run) -> Iterator[_Score]:
    """Yield the scores of a run: known benchmarks with the boards' metric, then tasks that belong to none."""
    used: set[str] = set()
    done: set[str] = set()
    for task in dict.fromkeys([*run.results, *run.groups]):
        known = KnownBenchmarks().find(task)
        score = _board_score(run, task, known.name) if known and known.name not in done else None
        if score is not None:
            used |= {task, *_below(run, task)}
            done.add(score.benchmark)
            yield score
    subjects = [t for t in run.results if key(t).startswith("hendryckstest") and t not in used]
    if len(subjects) == MMLU_SUBJECTS and (score := _mean_of_subjects(run, subjects)):
        used |= set(subjects)
        yield score
    yield from _other_scores(run, used)


def _below(run: _Run, task: str) -> set[str]:
    """Return every task and group below a group."""
    children = run.groups.get(task, [])
    return set(children).union(*(_below(run, child) for child in children))


def _board_score(run: _Run, task: str, benchmark: str) -> _Score | None:
    """Return a known benchmark's score by the leaderboards' metric, or None if the task was run otherwise."""
    if benchmark == "IFEval":
        parts = [run.mean_metric(task, metric) for metric in IFEVAL_METRICS]
        found = [part[0] for part in parts if part is not None]
        return _Score(benchmark, sum(found) / 2, run.count(task)) if len(found) == 2 else None
    if benchmark == "TruthfulQA" and task in run.groups:
        return None  # the group mixes MC1, MC2 and free answers; the boards used MC2 alone
    for metric in BOARD_METRICS[benchmark]:
        if (value := run.mean_metric(task, metric)) is not None:
            return _Score(benchmark, value[0], run.count(task), value[1])
    return None


def _mean_of_subjects(run: _Run, subjects: list[str]) -> _Score | None:
    """Return MMLU as the plain mean over its subjects."""
    values = [value[0] for subject in subjects if (value := run.metric(subject, "acc")) is not None]
    count = sum(run.count(subject) for subject in subjects)
    return _Score("MMLU", math.fsum(values) / MMLU_SUBJECTS, count) if len(values) == MMLU_SUBJECTS else None


def _other_scores(run: _Run, used: set[str]) -> Iterator[_Score]:
    """Yield tasks outside the catalogue, and known ones run with another metric, under names of their own."""
    for group in run.groups:
        if group not in used and any(run.metric(group, metric) for metric in OTHER_METRICS):
            used = used | _below(run, group)
    for task in run.results:
        metric = next((m for m in OTHER_METRICS if run.metric(task, m) is not None), None)
        if task in used or metric is None:
            continue
        value, stderr = run.metric(task, metric) or (math.nan, math.nan)
        name = f"{task} ({metric})" if KnownBenchmarks().find(task) else task
        yield _Score(name, value, run.count(task), stderr)


def _is_share(value: object) -> bool:
    """Say whether a metric's value can be a share of items."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
