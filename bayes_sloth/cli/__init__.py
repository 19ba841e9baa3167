"""The command line: parse, call, print; exit codes from the status of a fit."""

from __future__ import annotations

from bayes_sloth.cli import passk_commands as passk_commands  # adds its command to the app
from bayes_sloth.cli import skill_commands as skill_commands  # as does this
from bayes_sloth.cli.commands import app, main

__all__ = ["app", "main"]
