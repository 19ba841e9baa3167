"""The commands that use a fit: scarce tasks from skills, skill as compute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.terminal import Column, Row, Sheet, field_columns, number

if TYPE_CHECKING:
    import pandas as pd

    from bayes_sloth.equivalent_tables import Equivalents
    from bayes_sloth.scarce import Downstream

TaskFile = Annotated[
    Path, typer.Argument(metavar="TABLE", help="CSV of the task: model, score; optionally items.")
]
Task = Annotated[str, typer.Option(help="What to call the task.")]
Floor = Annotated[float, typer.Option(help="The task's score of a guesser, a share.")]
Items = Annotated[float | None, typer.Option(help="Items of the task, where TABLE has no such column.")]
Models = Annotated[
    Path | None,
    typer.Option("--models", help="CSV of models: model, family, params_b, tokens_t, ..."),
]
Reference = Annotated[str, typer.Option("--family", help="The family whose compute is told.")]
Benchmark = Annotated[str | None, typer.Option(help="The benchmark to compare on.")]
Skill = Annotated[str | None, typer.Option(help="Or the skill of the fit, named after its anchor.")]
Ratio = Annotated[
    float | None, typer.Option(help="Tokens to a parameter of the family; else its own number of tokens.")
]

SHOWN: Final = ("own_flops", "median", "lower", "upper", "gain", "extrapolates")


@app.command(epilog="Example: bayes-sloth downstream fit.nc code.csv --family llama-3 --params-b 405")
@guarded
def downstream(
    fit: FitFile,
    table: TaskFile,
    task: Task = "task",
    percent: opt.Percent = False,
    floor: Floor = 0.0,
    items: Items = None,
    family: opt.Family = None,
    params_b: opt.ParamsB = None,
    tokens_t: opt.TokensT = None,
    instruct: opt.Instruct = False,
    active_params_b: opt.ActiveParamsB = None,
    name: opt.Name = None,
    models: Models = None,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Forecast a task measured on few models from their skills; with no model given, every one of the fit."""
    import bayes_sloth as bs
    from bayes_sloth.cli.query import query_of
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.cli.verdicts import with_verdict

    form = opt.checked(json, csv, prob, seed)
    posterior = bs.load(fit)
    asked: object = None if models is None else bs.read_models(models)
    one = (family, params_b, tokens_t, active_params_b, name)
    described = instruct or any(value is not None for value in one)
    if described and models is not None:
        raise bs.InputError(
            "--models and the options that describe one model exclude each other: choose one."
        )
    if described:
        asked = query_of(
            posterior.scores,
            packaged=False,
            family=family,
            params_b=params_b,
            tokens_t=tokens_t,
            instruct=instruct,
            active_params_b=active_params_b,
            name=name,
        ).frame
    found = bs.downstream(
        posterior,
        table,
        seed=seed,
        task=task,
        percent=percent,
        floor=floor,
        items=items,
        progress=not quiet,
    )
    sheet = downstream_sheet(found, bs.intervals(found.predict(asked, seed=seed), prob), prob)
    emit(with_verdict(sheet, posterior.report), form)
    return int(posterior.report.status)


@app.command(epilog="Example: bayes-sloth equivalent fit.nc --family llama-2 --benchmark MMLU")
@guarded
def equivalent(
    fit: FitFile,
    family: Reference,
    benchmark: Benchmark = None,
    skill: Skill = None,
    models: Models = None,
    tokens_per_param: Ratio = None,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell models' skill as the compute a reference family would need, and the progress over the years."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.cli.verdicts import with_verdict

    form = opt.checked(json, csv, prob, seed)
    posterior = bs.load(fit)
    asked = None if models is None else bs.read_models(models)
    found = bs.equivalent_flops(
        posterior,
        asked,
        family=family,
        benchmark=benchmark,
        skill=skill,
        tokens_per_param=tokens_per_param,
        seed=seed,
    )
    emit(with_verdict(equivalent_sheet(found, prob), posterior.report), form)
    return int(posterior.report.status)


def downstream_sheet(found: Downstream, frame: pd.DataFrame, prob: float) -> Sheet:
    """Return the forecasts of a task.

    Parameters
    ----------
    found : Downstream
        The regression.
    frame : DataFrame
        From `bs.intervals`.
    prob : float
        Of the intervals.

    Returns
    -------
    Sheet
        A row a model; what the task asks of each skill beside them.
    """
    from bayes_sloth.cli.sheets import PREDICTION_COLUMNS, rows_of

    weights = rows_of(found.weights(prob), ("of", "skill", "median", "lower", "upper"))
    shown = ("model", "median", "lower", "upper", "known_family", "extrapolates")
    asks = ", ".join(f"{row['skill']} {number(row['median'])}" for row in weights if row["of"] == "model")
    return Sheet(
        name="forecasts",
        fields=PREDICTION_COLUMNS,
        rows=rows_of(frame, PREDICTION_COLUMNS),
        columns=lambda width, ascii_only: field_columns(shown),
        facts={"task": found.task, "learnt_from": len(found.table), "prob": prob, "weights": list(weights)},
        above=(f"{found.task}, learnt from {len(found.table)} models; {prob:.0%} intervals",),
        below=(f"asks for, logits for one standard deviation of a skill: {asks}",),
    )


def equivalent_sheet(found: Equivalents, prob: float) -> Sheet:
    """Return models' equivalent compute, and the progress where dates tell it.

    Parameters
    ----------
    found : Equivalents
        Of the models.
    prob : float
        Of the intervals.

    Returns
    -------
    Sheet
        A row a model.
    """
    from bayes_sloth.cli.sheets import rows_of
    from bayes_sloth.errors import InputError

    frame = found.table(prob)
    fields = tuple(str(column) for column in frame.columns)
    try:
        progress = rows_of(found.progress(prob), ("quantity", "median", "lower", "upper"))
    except InputError:  # too few dates
        progress = ()
    words = (
        f"{row['quantity']}: {number(row['median'])} ({number(row['lower'])} to {number(row['upper'])})"
        for row in progress
    )
    return Sheet(
        name="equivalents",
        fields=fields,
        rows=rows_of(frame, fields),
        columns=lambda width, ascii_only: (*field_columns(("model",)), *map(_compute_column, SHOWN)),
        facts={"family": found.family, "of": found.of, "prob": prob, "progress": list(progress)},
        above=(f"{found.of} as training FLOPs of {found.family}; {prob:.0%} intervals",),
        below=tuple(words),
    )


def _compute_column(field: str) -> Column:
    """Return a column in scientific notation."""

    def show(row: Row) -> str:
        value = row.get(field)
        return f"{value:.1e}" if isinstance(value, float) else number(value)

    return Column(field.replace("_", " "), show)
