"""The commands that tell scores as curves, and how many skills to take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.terminal import Sheet, field_columns

if TYPE_CHECKING:
    import pandas as pd


class Kind(StrEnum):
    """What a forecast is of."""

    EXPECTED = "expected"
    SCORE = "score"


Families = Annotated[list[str], typer.Option("--family", help="A family; repeat it for each.")]
Benchmark = Annotated[str, typer.Option(help="The benchmark, as the table spells it.")]
Benchmarks = Annotated[
    list[str] | None, typer.Option("--benchmark", help="A benchmark; repeat it for each. All where none.")
]
Tuned = Annotated[bool, typer.Option("--instruct", help="Tuned models rather than base models.")]
Tokens = Annotated[
    float | None, typer.Option(help="Training tokens, trillions; each family's own where left out.")
]
Sizes = Annotated[
    list[float] | None,
    typer.Option("--params-b", help="A size, billions; repeat it for each. The family's range where none."),
]
Kinds = Annotated[Kind, typer.Option(help="The expectation of a score, or the score to be observed.")]
FitFiles = Annotated[list[Path], typer.Argument(metavar="FIT...", help="Fits of one table, two or more.")]


@app.command(epilog="Example: bayes-sloth family-curves fit.nc --family llama-2 --family yi --benchmark MMLU")
@guarded
def family_curves(
    fit: FitFile,
    family: Families,
    benchmark: Benchmark,
    instruct: Tuned = False,
    tokens_t: Tokens = None,
    params_b: Sizes = None,
    kind: Kinds = Kind.EXPECTED,
    seed: opt.Seed = 0,
    prob: opt.Prob = 0.9,
    json: opt.Json = False,
    csv: opt.Csv = False,
) -> int:
    """Tell a benchmark's score over size, family by family, with intervals."""
    import bayes_sloth as bs
    from bayes_sloth import score_curves
    from bayes_sloth.cli.terminal import emit

    form = opt.checked(json, csv, prob, seed)
    posterior = bs.load(fit)
    found = score_curves.family_curves(
        posterior,
        family,
        benchmark,
        seed=seed,
        instruct=instruct,
        tokens_t=tokens_t,
        params_b=params_b or None,
        kind=kind.value,
        prob=prob,
    )
    above = f"{benchmark} over size, {kind.value}, {prob:.0%} intervals"
    hidden = ("benchmark", "instruct", "prob")
    emit(frame_sheet("curves", found.curves, above, points=found.points, hidden=hidden), form)
    return int(posterior.report.status)


@app.command(epilog="Example: bayes-sloth links fit.nc --benchmark MMLU")
@guarded
def links(
    fit: FitFile,
    benchmark: Benchmarks = None,
    prob: opt.Prob = 0.9,
    json: opt.Json = False,
    csv: opt.Csv = False,
) -> int:
    """Tell the fitted link of benchmarks: the score over what they ask of a model's skills, in logits."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.score_curves import link_curves

    form = opt.checked(json, csv, prob)
    posterior = bs.load(fit)
    found = link_curves(posterior, benchmark or None, prob=prob)
    above = f"links, {prob:.0%} bands"
    emit(frame_sheet("curves", found.curves, above, points=found.points), form)
    return int(posterior.report.status)


@app.command(epilog="Example: bayes-sloth skill-counts three.nc four.nc five.nc")
@guarded
def skill_counts(
    fits: FitFiles, json: opt.Json = False, csv: opt.Csv = False, quiet: opt.Quiet = False
) -> int:
    """Tell which of several fits of one table forecasts best the scores left out one at a time."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.skill_counts import compare_skill_counts

    form = opt.form_of(json, csv)
    loaded = {str(path): bs.load(path) for path in fits}
    found = compare_skill_counts(loaded, progress=not quiet)
    emit(frame_sheet("fits", found, "log density of scores left out one at a time, the best fit first"), form)
    return max(int(each.report.status) for each in loaded.values())


def frame_sheet(
    name: str,
    frame: pd.DataFrame,
    above: str,
    *,
    points: pd.DataFrame | None = None,
    hidden: tuple[str, ...] = ("prob",),
) -> Sheet:
    """Return a table as a sheet.

    Parameters
    ----------
    name : str
        What JSON calls the rows.
    frame : DataFrame
        The rows.
    above : str
        What people read first.
    points : DataFrame, optional
        Observed scores, which JSON holds too.
    hidden : tuple of str
        Columns that people are not shown, since they say the same in every row.

    Returns
    -------
    Sheet
        Its rows under the name.
    """
    from bayes_sloth.cli.sheets import rows_of

    fields = tuple(str(column) for column in frame.columns)
    shown = tuple(field for field in fields if field not in hidden)
    facts = {} if points is None else {"points": list(rows_of(points, [str(c) for c in points.columns]))}
    return Sheet(
        name=name,
        fields=fields,
        rows=rows_of(frame, fields),
        columns=lambda width, ascii_only: field_columns(shown),
        facts=facts,
        above=(above,),
    )
