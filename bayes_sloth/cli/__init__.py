"""The command line: parse, call, print; exit codes from the status of a fit."""

from __future__ import annotations

from bayes_sloth.cli import skill_commands as skill_commands  # adds its command to the app
from bayes_sloth.cli import use_commands as use_commands  # as above
from bayes_sloth.cli.commands import app, main

__all__ = ["app", "main"]
