"""What a fit costs by the size of its table: seconds for an effective draw, and memory.

    [BAYES_SLOTH_PAPER_DATA=folder] python benchmarks/size.py [--only 100x12,...] [--chains N] [--warmup N]
                                      [--draws N] [--seed N] [--one-step] [--quick] [--csv FILE]
                                      [--picture FILE]

Tables of 3,000 models in families of five, on 12 and on 60 benchmarks, are drawn from the model with half of
the scores missing; the smaller tables are the first models of these. `authors` is the authors' table with
every benchmark and subtask of at least 20 scores. Each is fitted by the default method in a process of its
own with an empty compilation cache; fits of more than 1,500 parameters keep every second trajectory, as they
do by default. Seconds of gradients and of effective draws are of one core: leapfrog steps, and all that goes
with them, of all chains after the warm-up. Effective draws are the median over the expected scores of 200
observed cells, the same in every run; steps are those of a trajectory. Memory is the largest that the process
ever held, compilation included. The slopes are those of log seconds on log observed scores over the simulated
tables. `--one-step` is for the memory of long runs, which does not depend on how far trajectories go: they
take a single step each, and no time or effective draw means anything. `--quick` fits 100x12 alone, with tiny
chains.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from paper import BENCHMARKS, SIZE, TOKENS, paper_folder, paper_table

import bayes_sloth as bs
from bayes_sloth import kernels, running, sampling, starting
from bayes_sloth.caching import MIN_COMPILE_SECONDS
from bayes_sloth.design import design_of
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.space import Space

SIZES = tuple(f"{models}x{benchmarks}" for benchmarks in (12, 60) for models in (100, 300, 1000, 3000))
AUTHORS = "authors"
LARGEST = 3000
FAMILY_SIZE = 5
MISSING = 0.5
LEAST_SCORES = 20  # of a benchmark of the authors' table: fewer say nothing of it
METADATA = ("date", SIZE, TOKENS, "FLOPs (1E21)")
LENGTH = {"chains": 2, "warmup": 500, "draws": 100}
QUICK = {"chains": 2, "warmup": 20, "draws": 20}
CELLS = 200
MOST_SLOPE = 1.2  # of log seconds on log scores: the most that is wanted
MOST_MEMORY = 4096.0  # MB
SCORES, MEMORY = "scores", "peak_mb"
GRADIENT, PER_DRAW = "seconds_per_gradient", "seconds_per_effective_draw"
# Modules and the functions that are timed in them.
COMPILING = ("batches_of", "compile_once")
WATCHED = ((starting, "find_modes"), *((sampling, name) for name in (*COMPILING, "watch")))


def scores_of(name: str, seed: int = 0) -> bs.Scores:
    """Return a table by its name, such as `300x12`; models without a score are left out.

    Tables of as many benchmarks are parts of one another, so that they differ in size alone.
    """
    if name == AUTHORS:
        return authors_scores()
    models, benchmarks = (int(number) for number in name.split("x"))
    size = {"families": LARGEST // FAMILY_SIZE, "models_per_family": FAMILY_SIZE, "benchmarks": benchmarks}
    scores = bs.simulate(**size, missing=MISSING, seed=seed).scores
    scored = scores.observed.any(axis=1) & (np.arange(LARGEST) < models)
    return scores.select(models=np.array(scores.models)[scored])


def authors_scores() -> bs.Scores:
    """Return the authors' rows with every benchmark and subtask.

    The floor of one that the package does not know is its first percentile, as TruthfulQA's is.
    """
    folder = paper_folder()
    if folder is None:
        raise SystemExit("the large real table is the authors': set BAYES_SLOTH_PAPER_DATA, or --only 100x12")
    table = paper_table(folder)
    score = table.select_dtypes("float").drop(columns=list(METADATA), errors="ignore")
    score = score.loc[:, score.notna().sum() >= LEAST_SCORES]
    rows = table[score.notna().any(axis=1)]
    facts = {
        "model": rows["Model"],
        "family": rows["Family2"],
        "params_b": rows[SIZE],
        "tokens_t": rows[TOKENS],
        "instruct": rows["Instruct"].astype(int),
    }
    unknown = [name for name in score if name not in BENCHMARKS["joint"]]
    floors = {name: (float(score[name].quantile(0.01)), None) for name in unknown}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.InputWarning)  # faulty runs are part of the table
        return bs.read_scores(pd.DataFrame(facts).join(score), benchmarks=floors)


class Meter:
    """Seconds spent in parts of a fit, on the clock and of all cores, and leapfrog steps."""

    def __init__(self) -> None:
        self.clock: dict[str, float] = {}
        self.cores: dict[str, float] = {}
        self.steps = 0
        self._lock = Lock()

    def watch(self, module: Any, name: str) -> None:
        """Time a function of a module from now on."""
        function: Callable[..., Any] = getattr(module, name)

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            clock, cores = time.perf_counter(), time.process_time()
            found = function(*arguments, **named)
            self.clock[name] = self.clock.get(name, 0.0) + time.perf_counter() - clock
            self.cores[name] = self.cores.get(name, 0.0) + time.process_time() - cores
            return found

        setattr(module, name, timed)

    def count_steps(self) -> None:
        """Count the steps of all chains from now on, those of the warm-up too."""
        stepped = running._stepped

        def counted(run: Any, batch: Any, count: int, thin: int) -> Any:
            state, taken = stepped(run, batch, count, thin)
            with self._lock:
                self.steps += int(np.asarray(taken.n_steps)[..., :count].sum())
            return state, taken

        running._stepped = counted


def effective(fit: bs.Posterior) -> float:
    """Return the median effective draws over the expected scores of a sample of observed cells."""
    observed = fit.scores.observed
    cells = np.argwhere(observed)
    chosen = np.random.default_rng(0).choice(len(cells), min(CELLS, len(cells)), replace=False)
    models, benchmarks = cells[chosen].T
    draws = [
        block[:, :, models[benchmarks == column]]
        for column, block in enumerate(ExpectedByBenchmark(fit.data, fit.spec))
    ]
    return float(np.median(diagnose(np.concatenate(draws, axis=-1))["ess_bulk"]))


def peak() -> float:
    """Return the most memory that this process ever held, in MB; NaN where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def fitted(name: str, place: Path, length: dict[str, int], seed: int) -> dict[str, Any]:
    """Fit a pickled table in this process and return what it cost."""
    scores: bs.Scores = pickle.loads(place.read_bytes())
    meter = Meter()
    meter.count_steps()
    for module, part in WATCHED:
        meter.watch(module, part)
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # chains this short never agree
        fit = bs.fit(scores, seed=seed, progress=False, **length)
    seconds = time.perf_counter() - begun
    memory = peak()  # before anything below
    found, steps = effective(fit), fit.data["sample_stats"]["n_steps"]
    gradient = meter.cores["watch"] / meter.steps
    space = Space(design_of(scores, fit.spec.anchors or ()), fit.spec)
    thin = 1 if space.size <= running.MANY else running.THIN
    return {
        "table": name,
        "models": len(scores.models),
        "benchmarks": len(scores.benchmarks),
        SCORES: int(scores.observed.sum()),
        "parameters": space.size,
        GRADIENT: gradient,
        "steps": float(steps.median()) / thin,
        "effective_per_draw": found / fit.draws,
        PER_DRAW: gradient * float(steps.sum()) / found,
        MEMORY: memory,
        "modes_s": meter.clock["find_modes"],
        "compile_s": sum(meter.clock[name] for name in COMPILING),
        "sampling_s": meter.clock["watch"],
        "fit_s": seconds,
    }


def measured(name: str, settings: list[str]) -> dict[str, Any]:
    """Make a table and fit it, in a process of its own each: making one takes memory too."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": MIN_COMPILE_SECONDS,
        }
        place = Path(folder) / "scores.pickle"
        for step in ("--make", "--fit"):
            command = [sys.executable, __file__, "--only", name, *settings, step, str(place)]
            environment = os.environ | (cache if step == "--fit" else {})
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def slope(table: pd.DataFrame, column: str) -> float:
    """Return the slope of the log of a column on the log of observed scores, over the simulated tables.

    Examples
    --------
    >>> rows = pd.DataFrame({"table": ["a", "b"], SCORES: [10, 1000], MEMORY: [1.0, 10.0]})
    >>> round(slope(rows, MEMORY), 6)
    0.5
    """
    part = table[table["table"] != AUTHORS]
    if len(part) < 2:
        return float("nan")
    return float(np.polyfit(np.log(part[SCORES]), np.log(part[column]), 1)[0])


def draw(table: pd.DataFrame) -> plt.Figure:
    """Draw seconds for an effective draw and memory against observed scores."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for panel, column in ((left, PER_DRAW), (right, MEMORY)):
        for count, part in table[table["table"] != AUTHORS].groupby("benchmarks"):
            panel.plot(part[SCORES], part[column], "o-", label=f"{count} benchmarks, simulated")
        real = table[table["table"] == AUTHORS]
        if len(real):
            label = f"{real['benchmarks'].iloc[0]} benchmarks, the authors' table"
            panel.plot(real[SCORES], real[column], "s", color="black", label=label)
        panel.set(xscale="log", yscale="log", xlabel="observed scores")
        panel.grid(alpha=0.3, which="both")
    left.set(ylabel="seconds of one core for an effective draw", title=f"slope {slope(table, PER_DRAW):.2f}")
    right.axhline(MOST_MEMORY, color="C3", linestyle="--", label="4 GB")
    right.set(ylabel="largest memory (MB)", title=f"slope {slope(table, MEMORY):.2f}")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"tables, joined by commas: {', '.join((*SIZES, AUTHORS))}, or others")
    for name, usual in LENGTH.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--seed", type=int, default=0, help="of tables and fits")
    parser.add_argument(
        "--one-step", action="store_true", help="trajectories of one step: memory alone counts"
    )
    parser.add_argument("--quick", action="store_true", help="one small table, tiny chains")
    parser.add_argument("--csv", type=Path, help="file for the table")
    parser.add_argument("--picture", type=Path, help="file for the picture")
    for name in ("--make", "--fit"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def names_of(options: argparse.Namespace) -> list[str]:
    """Return the tables asked for; all of them, where there is the authors' too, if none are named."""
    if options.only:
        return list(options.only.split(","))
    if options.quick:
        return [SIZES[0]]
    return [*SIZES, *([AUTHORS] if paper_folder() else [])]


def main() -> None:
    """Fit every table and print a row for each, then the slopes."""
    options = options_of()
    length = QUICK if options.quick else {name: getattr(options, name) for name in LENGTH}
    if options.make:
        options.make.write_bytes(pickle.dumps(scores_of(options.only, options.seed)))
        return
    if options.fit:
        if options.one_step:
            kernels.MOST_STEPS = (1, 1, 1)
        print(json.dumps(fitted(options.only, options.fit, length, options.seed)))
        return
    settings = [word for part, value in length.items() for word in (f"--{part}", str(value))]
    settings += ["--seed", str(options.seed), *(["--one-step"] if options.one_step else [])]
    rows: list[dict[str, Any]] = []
    for name in names_of(options):
        rows.append(measured(name, settings))
        shown = {key: float(f"{v:.3g}") if isinstance(v, float) else v for key, v in rows[-1].items()}
        print(pd.DataFrame([shown]).to_string(index=False, header=len(rows) == 1), flush=True)
        if options.csv:  # after every table: the large ones take long
            pd.DataFrame(rows).to_csv(options.csv, index=False)
    table = pd.DataFrame(rows)
    for column in (GRADIENT, PER_DRAW, MEMORY):
        print(f"slope of {column}: {slope(table, column):.2f}")
    print(f"wanted: a slope of {PER_DRAW} of at most {MOST_SLOPE}, at most {MOST_MEMORY:.0f} MB")
    if options.picture:
        draw(table).savefig(options.picture, dpi=150)


if __name__ == "__main__":
    main()
