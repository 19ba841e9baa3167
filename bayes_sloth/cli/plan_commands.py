"""The group of commands that help to decide."""

from __future__ import annotations

import typer

from bayes_sloth.cli.commands import app

plan_app = typer.Typer(
    help="Decisions: which size, how to spend a budget, what to measure.", no_args_is_help=True
)
app.add_typer(plan_app, name="plan")
