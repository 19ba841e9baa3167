"""The command that tells a fit's skills."""

from __future__ import annotations

import warnings
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.terminal import Sheet, field_columns

if TYPE_CHECKING:
    from bayes_sloth.skill_tables import Skills


class Told(StrEnum):
    """Tables of skills, by the names of the methods that make them."""

    LOADINGS = "loadings"
    CORRELATIONS = "correlations"
    MODELS = "models"
    FAMILIES = "families"
    TUNING = "tuning"
    PAIRS = "pairs"
    SLOPES = "slopes"
    VARIANCE = "variance"


class Rotation(StrEnum):
    """Rotations that need nothing but a fit."""

    GEOMIN = "geomin"
    OBLIMIN = "oblimin"
    VARIMAX = "varimax"
    NONE = "none"


Table = Annotated[Told, typer.Option(help="What to print of them.")]
Rotated = Annotated[Rotation, typer.Option(help="How to rotate the loadings to simple structure.")]
Names = Annotated[
    list[str] | None, typer.Option("--name", help="What to call a skill, in order; repeat it for each.")
]


@app.command(epilog="Example: bayes-sloth skills fit.nc --table families")
@guarded
def skills(
    fit: FitFile,
    table: Table = Told.LOADINGS,
    rotation: Rotated = Rotation.GEOMIN,
    name: Names = None,
    prob: opt.Prob = 0.9,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell the skills of a fit: loadings, families, tuning and more, with intervals."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit

    form = opt.checked(json, csv, prob)
    posterior = bs.load(fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # the sheet says what not to read
        found = bs.skills(posterior, rotation=rotation.value, names=name)
    emit(skills_sheet(found, table, prob), form)
    return int(posterior.report.status)


def skills_sheet(found: Skills, table: Told, prob: float) -> Sheet:
    """Return one table of skills, with what not to read below it.

    Parameters
    ----------
    found : Skills
        Rotated and aligned.
    table : Told
        Which table.
    prob : float
        Of the intervals.

    Returns
    -------
    Sheet
        Its rows under the table's name; names, rotation and findings beside them.
    """
    from bayes_sloth.cli.sheets import rows_of

    frame = getattr(found, table.value)(prob)
    fields = tuple(str(column) for column in frame.columns)
    shown = tuple(field for field in fields if field != "prob")  # the same in every row: said above
    return Sheet(
        name=table.value,
        fields=fields,
        rows=rows_of(frame, fields),
        columns=lambda width, ascii_only: field_columns(shown),
        facts={"skills": list(found.names), "rotation": found.rotation, "findings": list(found.findings)},
        above=(f"{table.value}, {found.rotation} rotation, {prob:.0%} intervals",),
        below=found.findings,
    )
