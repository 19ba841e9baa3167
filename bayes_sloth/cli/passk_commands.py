"""The command that forecasts what repeated samples solve."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bayes_sloth.arguments import check_prob
from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import app, guarded
from bayes_sloth.cli.terminal import Sheet, field_columns
from bayes_sloth.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from bayes_sloth.passk import ItemPosterior, PassCurves

SHOWN: Final = (1, 10, 100, 1000, 10000)

Samples = Annotated[
    Path, typer.Argument(metavar="TABLE", help="Table of samples: model, item, n, successes.")
]
SkillsFit = Annotated[
    Path | None, typer.Option("--fit", help="A fit whose table holds the sampled models: their skills.")
]
SkillsFile = Annotated[
    Path | None, typer.Option("--skills", help="In place of a fit: a CSV of model and one column a skill.")
]
Asked = Annotated[
    Path | None, typer.Option("--models", help="CSV of models to forecast; else the sampled ones.")
]
Also = Annotated[
    list[str] | None, typer.Option("--sampled", help="A sampled model to add to --models. May be repeated.")
]
Ks = Annotated[list[int] | None, typer.Option("--k", help="Numbers of samples. May be repeated.")]
NewItems = Annotated[int | None, typer.Option(help="Forecast a new test of so many items of the kind.")]
Equal = Annotated[
    str | None, typer.Option(help="Tell instead how many samples make each other model equal this one.")
]
At = Annotated[int, typer.Option(help="Samples of the model that --equal names.")]
Published = Annotated[bool, typer.Option("--published", help="Use the published form's point estimate.")]


@app.command(epilog="Example: bayes-sloth passk samples.csv --fit fit.nc --models new.csv --k 1 --k 100")
@guarded
def passk(
    table: Samples,
    fit: SkillsFit = None,
    skills: SkillsFile = None,
    models: Asked = None,
    sampled: Also = None,
    k: Ks = None,
    new_items: NewItems = None,
    equal: Equal = None,
    at: At = 1,
    published: Published = False,
    seed: opt.Seed = 0,
    chains: opt.Chains = 4,
    draws: opt.Draws = 500,
    warmup: opt.Warmup = 500,
    prob: opt.Prob = 0.9,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Forecast pass@k: how often one of k samples solves an item, for models that do not exist yet too."""
    import bayes_sloth as bs
    from bayes_sloth import passk as verbs
    from bayes_sloth.cli.terminal import emit

    form, settings = opt.form_of(json, csv), opt.FitSettings("nuts", seed, chains, draws, warmup)
    check_prob(prob, "--prob")
    if (fit is None) == (skills is None):
        raise InputError("skills of the sampled models are needed: give either --fit FIT or --skills FILE.")
    counts = verbs.read_counts(table)
    known = bs.load(fit) if fit is not None else skills
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sheet says what is not to be trusted
        items = _items(counts, known, published, settings, progress=not quiet)
        curves = verbs.predict(items, models, sampled=sampled, new_items=new_items, seed=seed)
    if equal is None:
        found = curves.table(k or SHOWN, prob)
        names = verbs.observed(counts, k or SHOWN) if new_items is None else None
        emit(pass_sheet(found, names, curves, items), form)
    else:
        emit(match_sheet(verbs.match(curves, equal, at=[at], prob=prob), items), form)
    return int(items.report.status)


def _items(
    counts: Any, skills: Any, published: bool, settings: opt.FitSettings, *, progress: bool
) -> ItemPosterior:
    """Fit the items in the form asked for."""
    from bayes_sloth import passk as verbs

    if published:
        return verbs.published(counts, skills)
    asked = {name: value for name, value in settings.arguments.items() if name != "method"}
    return verbs.fit(counts, skills, progress=progress, **asked)


def pass_sheet(
    table: pd.DataFrame, observed: pd.DataFrame | None, curves: PassCurves, items: ItemPosterior
) -> Sheet:
    """Return pass@k, a row a model and number of samples, beside what was observed."""
    if observed is not None:
        table = table.merge(observed[["model", "k", "observed"]], on=["model", "k"], how="left")
    return _sheet(table, "passk", f"pass@k of {curves.of}", items, {"of": curves.of})


def match_sheet(table: pd.DataFrame, items: ItemPosterior) -> Sheet:
    """Return how many samples equal a large model, a row a model."""
    large = str(table["equals"].iloc[0])
    return _sheet(table, "match", f"samples that equal {large}", items, {"equals": large})


def _sheet(
    table: pd.DataFrame, name: str, title: str, items: ItemPosterior, facts: dict[str, object]
) -> Sheet:
    from bayes_sloth.cli.sheets import rows_of
    from bayes_sloth.cli.verdicts import report_facts, verdict_lines

    fields = tuple(str(column) for column in table.columns)
    shown = tuple(field for field in fields if field not in ("prob", "equals"))  # said above
    return Sheet(
        name=name,
        fields=fields,
        rows=rows_of(table, fields),
        columns=lambda width, ascii_only: field_columns(shown),
        facts={**facts, **report_facts(items.report)},
        above=(f"{title}, {float(table['prob'].iloc[0]):.0%} intervals",),
        below=verdict_lines(items.report),
    )
