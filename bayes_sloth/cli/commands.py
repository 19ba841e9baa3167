"""The command line `bayes-sloth`: read the options, call the package, print, exit with the fit's status."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bayes_sloth.arguments import check_number, check_prob
from bayes_sloth.cli import options as opt
from bayes_sloth.cli.query import Query, query_notes, query_of
from bayes_sloth.cli.steps import fitted, recalled_or_fitted, table_of
from bayes_sloth.errors import FitStatus

if TYPE_CHECKING:
    from bayes_sloth.scores import Scores
    from bayes_sloth.spec import ModelSpec

app = typer.Typer(
    help="Forecast a language model's benchmark scores, with honest intervals.",
    epilog="Exit codes: 0 fine; 1 done but not to be trusted, or no fit could be made; 2 wrong input.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

FitFile = Annotated[Path, typer.Argument(metavar="FIT", help="A fit that `bayes-sloth fit` wrote.")]
TableFile = Annotated[Path, typer.Argument(metavar="FILE", help="A table of scores: CSV, Parquet or JSON.")]


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """Make a command exit with its code, and every error of it one line on standard error."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        from bayes_sloth.caching import keep_compiled_programs
        from bayes_sloth.cli.messages import exit_code_of

        keep_compiled_programs()
        raise typer.Exit(exit_code_of(lambda: command(*args, **kwargs)))

    return run


def _print_version(wanted: bool) -> None:
    """Print the version and leave, before any command is looked for."""
    if wanted:
        import bayes_sloth as bs

        typer.echo(f"bayes-sloth {bs.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


@app.command(epilog="Example: bayes-sloth forecast --family qwen2 --params-b 110 --tokens-t 7")
@guarded
def forecast(
    scores: opt.ScoresFile = None,
    percent: opt.Percent = False,
    denormalise: opt.Denormalise = None,
    models: opt.ModelsFile = None,
    family: opt.Family = None,
    params_b: opt.ParamsB = None,
    tokens_t: opt.TokensT = None,
    instruct: opt.Instruct = False,
    active_params_b: opt.ActiveParamsB = None,
    name: opt.Name = None,
    method: opt.MethodOption = opt.Method.HMC,
    seed: opt.Seed = 0,
    chains: opt.Chains = 4,
    draws: opt.Draws = 1000,
    warmup: opt.Warmup = 500,
    skills: opt.Skills = 4,
    link: opt.LinkOption = None,
    likelihood: opt.LikelihoodOption = None,
    checkpoint: opt.CheckpointFolder = None,
    no_cache: opt.NoCache = False,
    prob: opt.Prob = 0.9,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Forecast one model's scores; with no options, Llama 3.1 405B Instruct from the packaged table."""
    form, settings = opt.form_of(json, csv), opt.FitSettings(method.value, seed, chains, draws, warmup)
    check_prob(prob, "--prob")
    check_number("--skills", skills)
    table = table_of(scores, percent=percent, denormalise=denormalise, models=models)
    query = query_of(
        table,
        packaged=scores is None,
        family=family,
        params_b=params_b,
        tokens_t=tokens_t,
        instruct=instruct,
        active_params_b=active_params_b,
        name=name,
    )
    spec = opt.spec_of(skills, link, likelihood)
    return _forecast(
        table,
        query,
        spec,
        settings,
        prob=prob,
        form=form,
        quiet=quiet,
        cached=not no_cache,
        checkpoint=checkpoint,
    )


@app.command(epilog="Example: bayes-sloth fit scores.csv --out fit.nc --checkpoint run")
@guarded
def fit(
    file: TableFile,
    out: Annotated[Path, typer.Option(help="Where to write the fit.")],
    percent: opt.Percent = False,
    denormalise: opt.Denormalise = None,
    models: opt.ModelsFile = None,
    method: opt.MethodOption = opt.Method.HMC,
    seed: opt.Seed = 0,
    chains: opt.Chains = 4,
    draws: opt.Draws = 1000,
    warmup: opt.Warmup = 500,
    skills: opt.Skills = 4,
    link: opt.LinkOption = None,
    likelihood: opt.LikelihoodOption = None,
    checkpoint: opt.CheckpointFolder = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Fit a table of scores and write the posterior to a file."""
    from bayes_sloth.cli.sheets import fit_sheet
    from bayes_sloth.cli.terminal import emit
    from bayes_sloth.files import check_writable, whole_file

    form, settings = opt.form_of(json, csv), opt.FitSettings(method.value, seed, chains, draws, warmup)
    check_writable(out)
    spec = opt.spec_of(skills, link, likelihood)
    table = table_of(file, percent=percent, denormalise=denormalise, models=models)
    posterior = fitted(table, spec, settings, progress=not quiet, checkpoint=checkpoint)
    with whole_file(out) as path:  # a save that fails leaves what stood there
        posterior.save(path)
    emit(fit_sheet(posterior.report, table, str(out)), form)
    return int(posterior.report.status)


@app.command(epilog="Example: bayes-sloth predict fit.nc models.csv --out predictions.csv")
@guarded
def predict(
    fit: FitFile,
    models: Annotated[
        Path, typer.Argument(metavar="MODELS", help="CSV of models: model, family, params_b, tokens_t, ...")
    ],
    out: Annotated[Path | None, typer.Option(help="Write CSV here instead of printing.")] = None,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Predict the scores of the models in a CSV from a fit: mean to upper are of the observed score."""
    import bayes_sloth as bs
    from bayes_sloth.cli.messages import say
    from bayes_sloth.cli.sheets import prediction_sheet
    from bayes_sloth.cli.terminal import as_csv, emit
    from bayes_sloth.files import check_writable, whole_file

    form = opt.checked(json, csv, prob, seed)
    if out is not None:
        check_writable(out)
    rows = bs.read_models(models)
    posterior = bs.load(fit)
    frame = bs.intervals(bs.predict(posterior, rows, seed=seed), prob, kind="score")
    sheet = prediction_sheet(frame, report=posterior.report, prob=prob)
    if out is not None:
        with whole_file(out) as path:
            path.write_text(as_csv(sheet), encoding="utf-8", newline="")
        if not quiet:
            say(f"wrote {len(sheet.rows)} predictions to {out}")
    if out is None or form is not opt.Form.TABLE:
        emit(sheet, form)
    return int(posterior.report.status)


@app.command(epilog="Example: bayes-sloth check fit.nc")
@guarded
def check(
    fit: FitFile,
    only: opt.Only = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Check a fit: convergence, forecasts of scores left out, skills, influence, priors; exit 1 when bad."""
    import bayes_sloth as bs
    from bayes_sloth.cli.sheets import check_sheet
    from bayes_sloth.cli.terminal import emit

    form = opt.form_of(json, csv)
    result = bs.check(bs.load(fit), only=only or None)
    emit(check_sheet(result), form)
    return int(result.status)


@app.command(epilog="Example: bayes-sloth describe scores.csv --percent")
@guarded
def describe(
    file: TableFile,
    percent: opt.Percent = False,
    denormalise: opt.Denormalise = None,
    models: opt.ModelsFile = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Show what the reader understood of a table, before any fit."""
    from bayes_sloth.cli.messages import warnings_as_lines
    from bayes_sloth.cli.sheets import describe_sheet
    from bayes_sloth.cli.terminal import emit

    form = opt.form_of(json, csv)
    with warnings_as_lines() as warned:
        table = table_of(file, percent=percent, denormalise=denormalise, models=models)
    emit(describe_sheet(table, source=str(file), warned=warned), form)
    return FitStatus.FINE


def _forecast(
    table: Scores,
    query: Query,
    spec: ModelSpec,
    settings: opt.FitSettings,
    *,
    prob: float,
    form: opt.Form,
    quiet: bool,
    cached: bool,
    checkpoint: Path | None,
) -> int:
    """Fit or recall, predict the one model, print, and return the fit's status."""
    import bayes_sloth as bs
    from bayes_sloth.cli.messages import say
    from bayes_sloth.cli.sheets import forecast_sheet
    from bayes_sloth.cli.terminal import emit

    # The question is checked before the fit, so that a wrong one costs nothing.
    model = bs.read_models(query.frame)
    if not quiet:
        for note in query_notes(query, table):
            say(note)
    make = recalled_or_fitted if cached else fitted
    posterior = make(table, spec, settings, progress=not quiet, checkpoint=checkpoint)
    with warnings.catch_warnings():
        # The notes above said what there is to say of the question, before the long fit.
        warnings.simplefilter("ignore", bs.InputWarning)
        prediction = bs.predict(posterior, model, seed=settings.seed)
    frame = bs.intervals(prediction, prob, kind="score")
    sheet = forecast_sheet(
        frame, query=query, scores=table, report=posterior.report, prob=prob, size=settings.size
    )
    emit(sheet, form)
    return int(posterior.report.status)


PROGRAM: Final = "bayes-sloth"


def main() -> None:
    """Run the command line; it ends by leaving the process with the exit code."""
    from bayes_sloth.cli.messages import INTERRUPT_EXIT

    try:
        app(prog_name=PROGRAM)
    except SystemExit as end:
        if end.code == INTERRUPT_EXIT:  # nobody waits for chains that are in the middle of a block
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPT_EXIT)
        raise
