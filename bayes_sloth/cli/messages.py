"""Notes, warnings and errors on standard error, one line each, and the exit code of an error."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from bayes_sloth.caching import CacheWarning
from bayes_sloth.errors import FitError, FitWarning, InputError, InputWarning

if TYPE_CHECKING:
    from rich.console import Console

DEBUG_VARIABLE: Final = "BAYES_SLOTH_DEBUG"
# 70 is EX_SOFTWARE of sysexits.h; 130 is what a shell reports for Ctrl-C.
BUG_EXIT: Final = 70
INTERRUPT_EXIT: Final = 130


def say(text: object, *, kind: str = "") -> None:
    """Print one line on standard error: a note, or a warning or an error with that word before it."""
    console = _error_console()
    colour = {"error": "bold red", "warning": "bold yellow"}.get(kind)
    if kind:
        console.print(f"{kind}: ", style=colour, end="")
    console.print(one_line(text), soft_wrap=True)
    sys.stderr.flush()


def _error_console() -> Console:
    """Return a console on standard error that changes nothing in what it prints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def one_line(text: object) -> str:
    """Return the text on one line.

    Examples
    --------
    >>> one_line("two   words")
    'two words'
    """
    return " ".join(str(text).split())


def in_options(text: str) -> str:
    """Return a remedy that names arguments of the package as options of the command line.

    Examples
    --------
    >>> in_options("pass percent=True or denormalise=['MATH Lvl 5']")
    "pass --percent or --denormalise 'MATH Lvl 5'"
    """
    text = re.sub(r"\bpercent=True\b", "--percent", text)
    text = re.sub(r"\bcheckpoint=path\b", "--checkpoint FOLDER", text)
    text = re.sub(r"\bmodels=(?!\S*[\w'\"\[])", "--models", text)
    return re.sub(r"\bdenormalise=(\[[^\]]*\])", _denormalise_options, text)


def _denormalise_options(match: re.Match[str]) -> str:
    """Return the option once per name, or the text as it was where the list cannot be read."""
    try:
        names = ast.literal_eval(match[1])
    except (SyntaxError, ValueError):
        return match[0]
    return " ".join(f"--denormalise {shlex.quote(str(name))}" for name in names)


def debugging() -> bool:
    """Say whether the user asked for tracebacks."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[list[str]]:
    """Print this package's warnings as one line each, once; gives the list that they are collected in.

    Warnings of other packages speak to developers and are shown only when debugging.
    """
    seen: list[str] = []

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        text = in_options(one_line(message))
        if text not in seen:
            seen.append(text)
            say(text, kind="warning")

    with warnings.catch_warnings():
        warnings.simplefilter("default" if debugging() else "ignore")
        for category in (InputWarning, FitWarning, CacheWarning):
            warnings.simplefilter("always", category=category)
        warnings.showwarning = show
        yield seen


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error becomes one line on standard error."""
    try:
        with warnings_as_lines():
            return int(command())
    except BrokenPipeError:
        raise
    except KeyboardInterrupt as error:
        say(in_options(str(error)) or "interrupted", kind="error")
        return INTERRUPT_EXIT
    except Exception as error:
        if debugging():
            traceback.print_exc()
        say(_message(error), kind="error")
        return _code(error)


def _code(error: Exception) -> int:
    """Return the exit code of an error: 2 for the user's input, 1 for a fit that failed, else a bug."""
    if isinstance(error, InputError | OSError):
        return 2
    return 1 if isinstance(error, FitError) else BUG_EXIT


def _message(error: Exception) -> str:
    """Return what to tell the user about an error."""
    if isinstance(error, InputError | FitError):
        return in_options(str(error))
    if isinstance(error, OSError):
        return _file_message(error)
    return (
        f"this is a bug in bayes-sloth ({type(error).__name__}: {one_line(error) or 'no message'}); "
        f"please report it with the traceback that {DEBUG_VARIABLE}=1 shows"
    )


def _file_message(error: OSError) -> str:
    """Return one sentence for a failure of the file system."""
    where = error.filename or "a file"
    remedies = {
        FileNotFoundError: f"cannot find {where}: check the path.",
        PermissionError: f"no permission for {where}: change its rights or choose another path.",
        IsADirectoryError: f"{where} is a folder: give a file inside it.",
    }
    reason = error.strerror or one_line(error) or type(error).__name__
    return remedies.get(type(error), f"cannot read or write {where}: {reason}.")
