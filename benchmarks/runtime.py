"""Time the command line on the packaged table: help, first and second forecast, a forecast by a mode.

    python benchmarks/runtime.py [--quick] [--csv FILE]

Each command runs in a process of its own with an empty cache folder. Seconds are of the machine at hand;
the ratios in the last column, against the first forecast of the same run, travel better. `--quick` leaves
out NUTS.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "help": ["--help"],
    "forecast, cold": ["forecast", "--quiet"],
    "forecast, cached": ["forecast", "--quiet"],
    "forecast --method map, cold": ["forecast", "--method", "map", "--quiet"],
}
PROGRAM = [sys.executable, "-c", "from bayes_sloth.cli import main; main()"]


def seconds(arguments: list[str], folder: str) -> float:
    """Run one command with its own cache folder and return its wall time."""
    begun = time.perf_counter()
    environment = os.environ | {"BAYES_SLOTH_CACHE_DIR": folder}
    command = [*PROGRAM, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--csv")
    options = parser.parse_args()
    sampled = ["forecast", "--quiet"]
    chosen = {name: args for name, args in COMMANDS.items() if not (options.quick and args == sampled)}
    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as cold:
        rows = [(name, seconds(args, cold if "map" in name else warm)) for name, args in chosen.items()]
    reference = dict(rows).get("forecast, cold", rows[-1][1])
    lines = [(name, round(value, 2), round(value / reference, 3)) for name, value in rows]
    for name, value, ratio in lines:
        print(f"{name:32s} {value:8.2f} s   {ratio:6.3f}")
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            csv.writer(file).writerows([("command", "seconds", "ratio"), *lines])


if __name__ == "__main__":
    main()
