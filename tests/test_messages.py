"""Notes and warnings on standard error, and remedies in the words of the command line."""

from __future__ import annotations

import warnings

import pytest

from bayes_sloth.cli.messages import in_options, say, warnings_as_lines
from bayes_sloth.errors import InputWarning


def test_notes_go_to_stderr_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a note\n  on [b]two[/b] lines " + "x" * 200)
    say("wrong", kind="error")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "a note on [b]two[/b] lines " + "x" * 200 + "\nerror: wrong\n"


def test_warnings_of_others_are_shown_only_when_debugging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn() -> list[str]:
        with warnings_as_lines() as seen:
            warnings.warn("ours", InputWarning, stacklevel=1)
            warnings.warn("theirs", UserWarning, stacklevel=1)
        return seen

    monkeypatch.delenv("BAYES_SLOTH_DEBUG", raising=False)
    assert warn() == ["ours"]
    monkeypatch.setenv("BAYES_SLOTH_DEBUG", "1")
    assert warn() == ["ours", "theirs"]
    assert "warning: theirs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("looks like percent: pass percent=True if it is", "looks like percent: pass --percent if it is"),
        (
            "turn back with denormalise=['MATH Lvl 5', 'BBH'], or",
            "turn back with --denormalise 'MATH Lvl 5' --denormalise BBH, or",
        ),
        ("denormalise=[oops]", "denormalise=[oops]"),
        ("pass models=, a table", "pass --models, a table"),
        ("no such argument: submodels=2", "no such argument: submodels=2"),
    ],
)
def test_remedies_name_options(said: str, shown: str) -> None:
    assert in_options(said) == shown
