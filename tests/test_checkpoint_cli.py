"""The command line hands on the checkpoint, keeps no copy of half a fit, and says what Ctrl-C left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_fakes import World, installed, raiser, run, user_table

import bayes_sloth as bs


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return installed(monkeypatch, tmp_path)


def test_both_commands_that_fit_hand_the_folder_on(world: World, tmp_path: Path) -> None:
    run("forecast", "--checkpoint", "run")
    run("fit", user_table(tmp_path), "--out", "fit.nc", "--checkpoint", "run")
    assert [asked["checkpoint"] for asked in world.fits] == [Path("run"), Path("run")]


@pytest.mark.parametrize("interrupted", [False, True])
def test_half_a_fit_is_not_kept_for_the_next_forecast(
    interrupted: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*arguments: Any, **options: Any) -> Any:
        found = world.fit(*arguments, **options)
        found.report.settings.update({"draws_asked": 1000} if interrupted else {})
        return found

    monkeypatch.setitem(vars(bs), "fit", fit)
    run("forecast")
    run("forecast")
    assert len(world.fits) == (2 if interrupted else 1)


def test_ctrl_c_says_what_is_kept(world: World) -> None:
    words = "interrupted: nothing is kept; with {} it would be."
    for error, said in (
        (KeyboardInterrupt(words.format("checkpoint=path")), words.format("--checkpoint FOLDER")),
        (KeyboardInterrupt(), "interrupted"),
    ):
        world.in_fit = raiser(error)
        result = run("forecast", "--quiet", code=130)
        assert result.stdout == ""
        assert result.stderr.splitlines()[-1] == f"error: {said}"
