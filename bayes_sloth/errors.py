"""Exceptions, warnings and the status of a fit; every message says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

MOST_LISTED: Final = 40  # names: more hide the sentence that they are part of


class BayesSlothError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(BayesSlothError, ValueError):
    """The user's input is wrong; the message names the place and the remedy."""


class FitError(BayesSlothError, RuntimeError):
    """A fit could not be made from valid input; the message names the remedy."""


class InputWarning(UserWarning):
    """The input is usable but doubtful; the message names the rows."""


class FitWarning(UserWarning):
    """A fit finished but is not to be trusted as it stands; the message names the remedy."""


class FitStatus(IntEnum):
    """Outcome of a fit or a command; the value is the exit code of the command line."""

    FINE = 0
    NOT_TRUSTED = 1
    WRONG_INPUT = 2


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the entry of `known` spelled most like `name` (case ignored), or None when nothing is close."""
    by_lower = {k.lower(): k for k in known}
    match = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[match[0]] if match else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not valid: lists the valid ones and offers the nearest spelling."""
    known = list(known)
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    rest = f", ... ({len(known)} in all)" if len(known) > MOST_LISTED else ""
    return InputError(f"unknown {kind} {name!r}: choose from {', '.join(known[:MOST_LISTED])}{rest}.{hint}")
