"""The commands about scores known already, and about those worth measuring next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.plan_commands import plan_app
from bayes_sloth.cli.terminal import Sheet, field_columns
from bayes_sloth.errors import FitStatus, InputError

if TYPE_CHECKING:
    import pandas as pd

    from bayes_sloth.posterior import FitReport
    from bayes_sloth.prediction import Prediction

SHOWN: Final = (
    "candidate",
    "sd_before",
    "sd_after",
    "width_after",
    "cost",
    "reduction_per_cost",
    "error_per_cost",
)

Rows = Annotated[
    Path,
    typer.Argument(
        metavar="ROWS",
        help="CSV of models with the scores known so far: model, family, params_b, ..., MMLU, ...",
    ),
]
Row = Annotated[
    Path, typer.Argument(metavar="ROW", help="CSV of one model, with the scores known so far, if any.")
]
Target = Annotated[str, typer.Option(help="The benchmark to forecast for it.")]
Candidates = Annotated[
    list[str] | None,
    typer.Option("--candidate", help="A benchmark that could be measured; all where none is named."),
]
Pilots = Annotated[
    Path | None,
    typer.Option(
        help="CSV of models that could be trained and measured instead: model, family, params_b, ..."
    ),
]
Costs = Annotated[
    list[str] | None, typer.Option("--cost", help="NAME=NUMBER: cost of a candidate; repeat it for each.")
]


@app.command(epilog="Example: bayes-sloth condition fit.nc measured.csv")
@guarded
def condition(
    fit: FitFile,
    rows: Rows,
    percent: opt.Percent = False,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Forecast the other scores of models some of whose scores are known, without fitting again."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.conditioning import trusted

    form = opt.checked(json, csv, prob, seed)
    posterior = bs.load(fit)
    found = bs.condition(posterior, rows, seed=seed, percent=percent)
    emit(conditioned_sheet(found, posterior.report, prob), form)
    return max(int(posterior.report.status), FitStatus.FINE if trusted(found) else FitStatus.NOT_TRUSTED)


@plan_app.command(epilog="Example: bayes-sloth plan measure fit.nc model.csv --target GSM8K")
@guarded
def measure(
    fit: FitFile,
    row: Row,
    target: Target,
    candidate: Candidates = None,
    pilots: Pilots = None,
    cost: Costs = None,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell which benchmark, or which pilot model, would narrow the forecast of a score most per cost."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.cli.verdicts import with_verdict

    form = opt.checked(json, csv, prob, seed)
    if candidate and pilots is not None:
        raise InputError("--candidate and --pilots exclude each other: choose one.")
    costs = opt.pairs_of(cost or [], "--cost")
    posterior = bs.load(fit)
    table = bs.plan.measure(
        posterior, row, target, candidates=candidate or pilots, costs=costs, prob=prob, seed=seed
    )
    emit(with_verdict(measure_sheet(table, target, prob), posterior.report), form)
    return int(posterior.report.status)


def conditioned_sheet(found: Prediction, report: FitReport, prob: float) -> Sheet:
    """Return the forecasts of scores that are not known, with what they rest on.

    Parameters
    ----------
    found : Prediction
        From `bs.condition`.
    report : FitReport
        Of the fit.
    prob : float
        Of the intervals.

    Returns
    -------
    Sheet
        One row a model and benchmark.
    """
    from bayes_sloth.cli.sheets import prediction_sheet
    from bayes_sloth.prediction import intervals

    known = found.data["known"].values
    sheet = prediction_sheet(intervals(found, prob)[~known.ravel()], report=report, prob=prob)
    k, effective = float(found.data["pareto_k"]), float(found.data["effective_draws"])
    line = f"given {known.sum()} known scores: {effective:.0f} effective draws, Pareto k {k:.2f}"
    facts = {"known_scores": int(known.sum()), "effective_draws": effective, "pareto_k": k}
    return replace(sheet, facts={**sheet.facts, **facts}, below=(line, *sheet.below))


def measure_sheet(table: pd.DataFrame, target: str, prob: float) -> Sheet:
    """Return the ranking of measurements.

    Parameters
    ----------
    table : DataFrame
        From `plan.measure`.
    target : str
        The benchmark that is forecast.
    prob : float
        Of the intervals.

    Returns
    -------
    Sheet
        One row a candidate.
    """
    from bayes_sloth.cli.sheets import rows_of

    fields = tuple(str(column) for column in table.columns)
    return Sheet(
        name="measurements",
        fields=fields,
        rows=rows_of(table, fields),
        columns=lambda width, ascii_only: field_columns(SHOWN),
        facts={"target": target, "prob": prob},
        above=(
            f"{target}: what to measure next",
            f"now {table['width_before'].iloc[0]:.3f} wide ({prob:.0%} interval); sd and width in shares",
        ),
    )
