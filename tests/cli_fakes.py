"""Stand-ins for the numerics, built to their interface, so that the command line is tested without a fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth import caching
from bayes_sloth.cli import app
from bayes_sloth.errors import FitStatus, InputError

EXACT_COLUMNS = "model,benchmark,mean,median,sd,lower,upper,prob,known_family,extrapolates"
BENCHMARKS = ("MMLU", "GSM8K")
FAMILY = ("--family", "llama-3.1", "--params-b", "405", "--tokens-t", "15", "--instruct")


@dataclass(frozen=True)
class FakeSpec:
    skills: int = 4
    link: str = "richards"
    likelihood: str = "student_t"


def table(digest: str = "d1") -> Any:
    """Three models of two families; the large base model has no GSM8K."""
    models = ["llama-3.1-8b-instruct", "llama-3.1-70b", "qwen2-7b"]
    data = xr.Dataset(
        {
            "score": (("model", "benchmark"), [[0.68, 0.80], [0.79, np.nan], [0.70, 0.78]]),
            "items": (("model", "benchmark"), np.full((3, 2), 1000.0)),
        },
        coords={
            "model": models,
            "benchmark": list(BENCHMARKS),
            "family": ("model", ["llama-3.1", "llama-3.1", "qwen2"]),
            "params_b": ("model", [8.0, 70.0, 7.0]),
            "active_params_b": ("model", [np.nan] * 3),
            "tokens_t": ("model", [15.0, 15.0, np.nan]),
            "instruct": ("model", [1, 0, 0]),
            "date": ("model", [2024.5, 2024.5, np.nan]),
            "floor": ("benchmark", [0.25, 0.0]),
        },
    )
    return SimpleNamespace(
        data=data,
        models=tuple(models),
        families=("llama-3.1", "qwen2"),
        benchmarks=BENCHMARKS,
        notes=pd.DataFrame({"hf_id": ["a", "b", "c"]}, index=models),
        digest=digest,
    )


@dataclass(frozen=True)
class FakePosterior:
    report: Any

    def save(self, path: Path) -> None:
        body = {**vars(self.report), "status": int(self.report.status)}
        Path(path).write_text(json.dumps(body), encoding="utf-8")


def load(path: Path) -> FakePosterior:
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not a fit that this package wrote; fit again.") from error
    return FakePosterior(SimpleNamespace(**{**body, "status": FitStatus(body["status"])}))


def intervals(prediction: Any, prob: float, *, kind: str) -> pd.DataFrame:
    assert kind == "score"
    rows = [
        (name, bench, 0.81, 0.82, 0.03, 0.76, 0.87, prob, prediction.known, True)
        for name in prediction.models["model"]
        for bench in BENCHMARKS
    ]
    return pd.DataFrame(rows, columns=EXACT_COLUMNS.split(","))


@dataclass
class World:
    """What the fakes were asked, and what they should do."""

    status: FitStatus = FitStatus.FINE
    messages: list[str] = field(default_factory=list)
    fits: list[dict[str, Any]] = field(default_factory=list)
    models: list[pd.DataFrame] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)
    in_fit: Callable[[], None] = lambda: None
    in_read: Callable[[], None] = lambda: None

    def read_scores(self, source: Path, **options: Any) -> Any:
        self.reads.append({"source": source, **options})
        self.in_read()
        Path(source).read_bytes()
        return table("user")

    def read_models(self, source: Any) -> pd.DataFrame:
        frame = source if isinstance(source, pd.DataFrame) else pd.read_csv(source)
        if (frame["params_b"] <= 0).any():
            raise InputError("row 1: params_b is not positive; give billions of parameters.")
        self.models.append(frame)
        return frame

    def fit(self, scores: Any, spec: FakeSpec, **options: Any) -> FakePosterior:
        self.fits.append({"spec": spec, **options})
        print("noise that a sampler prints")
        self.in_fit()
        return FakePosterior(
            SimpleNamespace(
                method=options["method"],
                seed=options["seed"],
                status=self.status,
                messages=self.messages,
                findings=(),
                settings={},
                seconds=1.25,
                versions={"jax": "0"},
                data_digest=scores.digest,
            )
        )

    def predict(self, posterior: FakePosterior, models: pd.DataFrame, *, seed: int) -> Any:
        return SimpleNamespace(models=models, known=models["family"].isin(["llama-3.1", "qwen2"]).all())


def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Put the fakes in the package's place and return what they were asked."""
    fakes = World()
    named = {
        "ModelSpec": FakeSpec,
        "load_leaderboard": lambda: table(),
        "read_scores": fakes.read_scores,
        "read_models": fakes.read_models,
        "fit": fakes.fit,
        "predict": fakes.predict,
        "intervals": intervals,
        "load": load,
        "check": lambda posterior: SimpleNamespace(),
    }
    for name, fake in named.items():
        monkeypatch.setitem(vars(bs), name, fake)
    monkeypatch.setenv(caching.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    # Set and so restored: the command line must not leave the tests' folder in the environment.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "jax"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    monkeypatch.delenv("BAYES_SLOTH_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return fakes


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def refused(*arguments: str, code: int = 2) -> str:
    """Run a command that must fail: nothing on stdout, one line on stderr, which is returned."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def raiser(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def user_table(tmp_path: Path) -> str:
    path = tmp_path / "scores.csv"
    path.write_text("model,family\n", encoding="utf-8")
    return str(path)
