"""The command line: parse, call, print; exit codes from the status of a fit."""

from __future__ import annotations

from bayes_sloth.cli import compare_commands as compare_commands  # each adds its commands to the app
from bayes_sloth.cli import curve_commands as curve_commands
from bayes_sloth.cli import measure_commands as measure_commands
from bayes_sloth.cli import passk_commands as passk_commands
from bayes_sloth.cli import plan_commands as plan_commands
from bayes_sloth.cli import skill_commands as skill_commands
from bayes_sloth.cli import use_commands as use_commands
from bayes_sloth.cli.commands import app, main

__all__ = ["app", "main"]
