"""The command line: parse, call, print; exit codes from the status of a fit."""

from __future__ import annotations

from bayes_sloth.cli.commands import app, main

__all__ = ["app", "main"]
