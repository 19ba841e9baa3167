"""The program as a shell runs it: what it loads, its version, help and completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fakes import (
    run,
)

import bayes_sloth as bs
from bayes_sloth import caching


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[1],
    )


def test_help_loads_no_numerics() -> None:
    result = program("-X", "importtime", "-m", "bayes_sloth.cli", "--help")
    assert result.returncode == 0
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"numpy", "pandas", "xarray", "jax", "numpyro", "matplotlib", "arviz_base"}


def test_version_is_the_packages() -> None:
    assert run("--version").stdout == f"bayes-sloth {bs.__version__}\n"


COMMANDS = ("forecast", "fit", "predict", "check", "describe", "family-curves", "links", "skill-counts")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_an_example_of_itself(command: str) -> None:
    assert f"bayes-sloth {command}" in run(command, "--help").stdout.split("Example:")[1]


def test_options_complete() -> None:
    words = {
        "_BAYES_SLOTH_COMPLETE": "complete_bash",
        "COMP_WORDS": "bayes-sloth forecast --method ",
        "COMP_CWORD": "3",
    }
    result = program("-c", "from bayes_sloth.cli import main; main()", **words)
    assert result.stdout.split() == ["hmc", "nuts", "map", "laplace"]


def test_compiled_programs_are_kept_unless_the_user_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    code = (
        f"import os; from bayes_sloth import caching; caching.keep_compiled_programs(); "
        f"print(*(os.environ.get(name) for name in {names}))"
    )
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path))
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert program("-c", code).stdout.split() == [str(tmp_path / "jax"), "0.5"]
    chosen = program("-c", code, JAX_COMPILATION_CACHE_DIR="mine")
    assert chosen.stdout.split() == ["mine", "0.5"]
    assert program("-c", f"import jax; {code}").stdout.split() == ["None", "None"]
