"""What the commands do between reading their options and printing: read a table, fit it, recall a fit."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bayes_sloth.cli.options import FitSettings

if TYPE_CHECKING:
    from bayes_sloth.posterior import Posterior
    from bayes_sloth.scores import Scores
    from bayes_sloth.spec import ModelSpec


def table_of(
    file: Path | None, *, percent: bool, denormalise: list[str] | None, models: Path | None
) -> Scores:
    """Read the user's table, or the packaged one where no file is given.

    Raises
    ------
    InputError
        Options of a file are given without one, or the file is wrong.
    """
    import bayes_sloth as bs

    if file is not None:
        return bs.read_scores(file, percent=percent, denormalise=tuple(denormalise or ()), models=models)
    for option, given in (("--percent", percent), ("--denormalise", denormalise), ("--models", models)):
        if given:
            raise bs.InputError(f"{option} needs --scores FILE: the packaged table needs no such mending.")
    return bs.load_leaderboard()


def fitted(
    table: Scores, spec: ModelSpec, settings: FitSettings, *, progress: bool, checkpoint: Path | None
) -> Posterior:
    """Fit, with whatever is printed on the way sent to standard error."""
    import bayes_sloth as bs

    with contextlib.redirect_stdout(sys.stderr):
        return bs.fit(table, spec, **settings.arguments, progress=progress, checkpoint=checkpoint)


def recalled_or_fitted(
    table: Scores, spec: ModelSpec, settings: FitSettings, *, progress: bool, checkpoint: Path | None
) -> Posterior:
    """Return the cached fit of this very table, model and settings, or fit and keep it if it ended."""
    import bayes_sloth as bs
    from bayes_sloth import caching
    from bayes_sloth.cli.messages import say
    from bayes_sloth.sampling import prepare

    prepare()  # 64 bits from here on: the key names the float width
    key = caching.key_of(caching.ingredients(table.digest, spec, settings.arguments))
    found = caching.recall(key, bs.load, lambda fit: bool(fit.report.data_digest == table.digest))
    if found is not None:
        if progress:
            say(f"using the fit of {caching.age(found[1])} ago; --no-cache refits")
        return found[0]
    posterior = fitted(table, spec, settings, progress=progress, checkpoint=checkpoint)
    if "draws_asked" not in posterior.report.settings:
        caching.remember(key, posterior.save)
    return posterior
