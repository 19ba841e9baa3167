"""The command that compares two models, two families, or two fits."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayes_sloth.cli import options as opt
from bayes_sloth.cli.commands import FitFile, app, guarded
from bayes_sloth.cli.curve_commands import frame_sheet
from bayes_sloth.cli.verdicts import with_verdict
from bayes_sloth.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

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
        other = bs.load(Path(others[0]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bs.FitWarning)  # congruence says how alike the skills are
            found = bs.compare(posterior, other, prob=prob)
        above = f"loadings of {fit} less those of {others[0]}, {prob:.0%} intervals"
        emit(with_verdict(frame_sheet("loadings", found, above), posterior.report), form)
        return max(int(posterior.report.status), int(other.report.status))
    what, found = _of_one_fit(posterior, others, families, prob, seed)
    above = f"{others[0]} less {others[1]}, {prob:.0%} intervals"
    emit(with_verdict(frame_sheet(what, found, above, hidden=SAME), posterior.report), form)
    return int(posterior.report.status)


def _of_one_fit(
    posterior: Posterior, names: list[str], families: bool, prob: float, seed: int
) -> tuple[str, pd.DataFrame]:
    """Return what is compared, and the table."""
    import bayes_sloth as bs

    scores = posterior.scores
    if not families and all(name in scores.models for name in names):
        prediction = bs.predict(posterior, scores.select(models=list(dict.fromkeys(names))), seed=seed)
        return "models", bs.compare(prediction, *names, prob=prob)
    known = scores.families if families else (*scores.models, *scores.families)
    for name in names:
        if name not in known:
            raise unknown_name("family" if families else "model or family", name, known)
    if not all(name in scores.families for name in names):
        raise InputError(f"{names[0]} and {names[1]}: give two models or two families, not one of each.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # `bayes-sloth skills` says what not to read
        return "families", bs.compare(bs.skills(posterior), *names, prob=prob)
