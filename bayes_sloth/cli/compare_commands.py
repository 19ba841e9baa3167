"""The command that compares two models, two families, or two fits."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.curve_commands import frame_sheet
from bayes_sloth.cli.verdicts import report_facts, verdict_lines, with_verdict
from bayes_sloth.errors import InputError, unknown_name

if TYPE_CHECKING:
    from bayes_sloth.cli.terminal import Sheet
    from bayes_sloth.errors import FitStatus
    from bayes_sloth.posterior import Posterior

Others = Annotated[
    list[str],
    typer.Argument(metavar="NAME NAME | FIT", help="Two models or two families of the fit, or another fit."),
]
Families = Annotated[bool, typer.Option("--families", help="The names are families, whatever else they are.")]
SAME = ("prob", "model", "family", "other")  # in every row


@app.command(epilog="Example: bayes-sloth compare fit.nc llama-3-8b llama-2-70b")
@guarded
def compare(
    fit: FitFile,
    others: Others,
    families: Families = False,
    prob: opt.Prob = 0.9,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    quiet: opt.Quiet = False,
) -> int:
    """Tell by how much one model or family is better than another, or how the loadings of two fits differ."""
    import bayes_sloth as bs
    from bayes_sloth.cli.terminal import emit

    form = opt.checked(json, csv, prob, seed)
    if len(others) > 2:
        raise InputError(f"{len(others)} names: give two models, two families, or one other fit.")
    posterior = bs.load(fit)
    if len(others) == 1:
        sheet, status = _of_two_fits(posterior, _other_fit(posterior, others[0]), (str(fit), others[0]), prob)
    else:
        sheet, status = _of_one_fit(posterior, others, families, prob, seed), posterior.report.status
    emit(with_verdict(sheet, posterior.report), form)
    return int(status)


def _other_fit(posterior: Posterior, name: str) -> Posterior:
    """Load the other fit; one name of a model or family is half of what is wanted."""
    import bayes_sloth as bs

    if name in (*posterior.scores.models, *posterior.scores.families):
        raise InputError(f"{name!r} is one name: give a second one to compare it with.")
    return bs.load(Path(name))


def _of_two_fits(
    posterior: Posterior, other: Posterior, names: tuple[str, str], prob: float
) -> tuple[Sheet, FitStatus]:
    """Return how the loadings differ, and the worse of the two fits' verdicts."""
    import bayes_sloth as bs

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", bs.FitWarning)
        found = bs.compare(posterior, other, prob=prob)
    sheet = frame_sheet(
        "loadings", found, f"loadings of {names[0]} less those of {names[1]}, {prob:.0%} intervals"
    )
    facts = {"findings": [str(w.message) for w in said], "other_fit": report_facts(other.report)}
    below = (*(str(w.message) for w in said), f"{names[1]}:", *verdict_lines(other.report), f"{names[0]}:")
    return replace(sheet, facts=facts, below=below), max(posterior.report.status, other.report.status)


def _of_one_fit(posterior: Posterior, names: list[str], families: bool, prob: float, seed: int) -> Sheet:
    """Return how two models or families of one fit differ, and what not to read."""
    import bayes_sloth as bs

    scores = posterior.scores
    above = f"{names[0]} less {names[1]}, {prob:.0%} intervals"
    if not families and all(name in scores.models for name in names):
        prediction = bs.predict(posterior, scores.select(models=list(dict.fromkeys(names))), seed=seed)
        found = bs.compare(prediction, *names, prob=prob)
        sheet = frame_sheet("models", found, f"models {above}, of a new run of each", hidden=SAME)
        both = all(name in scores.families for name in names)
        return replace(sheet, below=("these are families too: --families compares those",) * both)
    known = scores.families if families else (*scores.models, *scores.families)
    for name in names:
        if name not in known:
            raise unknown_name("family" if families else "model or family", name, known)
    if not all(name in scores.families for name in names):
        raise InputError(f"{names[0]} and {names[1]}: give two models or two families, not one of each.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # told below
        skills = bs.skills(posterior)
    sheet = frame_sheet("families", bs.compare(skills, *names, prob=prob), f"families {above}", hidden=SAME)
    return replace(sheet, facts={"findings": list(skills.findings)}, below=skills.findings)
