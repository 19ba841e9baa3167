"""Kill a checkpointed fit at random moments, resume it, and compare its draws with an uninterrupted fit's.

    python benchmarks/kills.py [--quick] [--csv FILE]

Every fit runs in a process of its own, which writes to its checkpoint after every block of draws and is ended
by the signal that cannot be caught, while it writes too. `--quick` kills twice, not ten times.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

KILLS = 10
MODELS = 25  # of three benchmarks
LENGTH = {"chains": 4, "draws": 300, "warmup": 150}
BEGUN = "begun"  # what a process prints when its fit begins


class Kill(NamedTuple):
    """What one kill did."""

    after: float
    pieces: int
    partial: int
    identical: bool
    left: int


def fit_and_digest(checkpoint: str) -> str:
    """Fit, and return the hash of every draw of every quantity."""
    import bayes_sloth as bs
    from bayes_sloth import checkpoints

    warnings.simplefilter("ignore")
    checkpoints.SECONDS = 0.0
    scores = bs.load_leaderboard().select(benchmarks=["MMLU", "ARC", "GSM8K"])
    scores = scores.without(scores.models[MODELS:])
    print(BEGUN, flush=True)
    spec = bs.ModelSpec(skills=2)
    found = bs.fit(scores, spec, seed=0, **LENGTH, progress=False, checkpoint=checkpoint or None)
    digest = hashlib.sha256()
    for group in ("posterior", "sample_stats"):
        for name, value in sorted(found.data[group].dataset.data_vars.items()):
            digest.update(str(name).encode() + value.values.tobytes())
    return digest.hexdigest()


def started(checkpoint: str | Path) -> subprocess.Popen[str]:
    """Start a process that fits, and return when its fit begins."""
    command = [sys.executable, __file__, "--child", str(checkpoint)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline().strip() == BEGUN
    return process


def digest_of(process: subprocess.Popen[str]) -> str:
    """Wait for a process to end and return what it printed."""
    assert process.stdout is not None
    with process:
        printed = process.stdout.read().strip()
    assert process.returncode == 0, f"the fit ended with {process.returncode}"
    return printed


def killed(folder: Path, seconds: float) -> tuple[int, int] | None:
    """Kill a fit after a while; return its pieces and half-written files, None where it had ended before."""
    process = started(folder)
    with process, contextlib.suppress(subprocess.TimeoutExpired):
        try:
            process.wait(seconds)
        finally:
            process.kill()
    if not folder.exists():
        return None
    return len(list(folder.glob("chain-*"))), len(list(folder.glob(".partial-*")))


def trial(place: Path, reference: str, seconds: float) -> Kill | None:
    """Kill a fit and resume it; None where it was too quick to be killed."""
    folder = place / "checkpoint"
    caught = killed(folder, seconds)
    if caught is None:
        return None
    identical = digest_of(started(folder)) == reference
    return Kill(seconds, *caught, identical, len(list(place.iterdir())))


def trials(count: int) -> list[Kill]:
    """Kill as many fits, each at a moment drawn from the whole length of one."""
    digest_of(started(""))  # fills the cache of compiled programs
    rng, found = random.Random(0), []
    with tempfile.TemporaryDirectory() as name:
        timed = started(Path(name) / "checkpoint")
        begun = time.perf_counter()
        reference = digest_of(timed)
        length = time.perf_counter() - begun
        assert reference == digest_of(started("")), "the checkpoint changes the draws"
        print("kill  after s  pieces  half-written  identical  files left", flush=True)
        while len(found) < count:
            kill = trial(Path(name), reference, rng.uniform(0, length))
            found += [] if kill is None else [kill]
            if kill is not None:
                print(in_a_line(len(found), kill), flush=True)
    return found


def in_a_line(number: int, row: Kill) -> str:
    """Return a row of the printed table."""
    same = "yes" if row.identical else "NO"
    return f"{number:4d}  {row.after:7.1f}  {row.pieces:6d}  {row.partial:12d}  {same:>9s}  {row.left:10d}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--csv")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(fit_and_digest(options.child))
        return
    with tempfile.TemporaryDirectory() as programs:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", programs)
        rows = trials(2 if options.quick else KILLS)
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            csv.writer(file).writerows([Kill._fields, *rows])
    sys.exit(0 if all(row.identical and not row.left for row in rows) else 1)


if __name__ == "__main__":
    main()
