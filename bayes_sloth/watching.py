"""Whether anybody sees progress."""

from __future__ import annotations

import sys


def watched() -> bool:
    """Return whether anybody sees progress: a terminal or a notebook, not a pipe or a log."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
