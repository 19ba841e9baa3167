"""Where a fit starts: the model with its anchors, and modes of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from bayes_sloth.checkpoints import Checkpoint
from bayes_sloth.design import design_of
from bayes_sloth.errors import FitError, InputWarning
from bayes_sloth.identify import anchors_of, check_anchors, measured_enough, telling_anchors
from bayes_sloth.modes import Modes, find_modes, firm
from bayes_sloth.scores import Scores
from bayes_sloth.snapshots import frozen_modes, thawed_modes
from bayes_sloth.spec import ModelSpec

# At modes, for better anchors; where none confirms its own, what the first names is taken.
LOOKS: Final = 3


def resolved(spec: ModelSpec, scores: Scores) -> ModelSpec:
    """Return a model with its anchors named, and no more skills than benchmarks.

    Parameters
    ----------
    spec : ModelSpec
        As asked for.
    scores : Scores
        The table.

    Returns
    -------
    ModelSpec
        With first anchors, which `settled` may change.

    Raises
    ------
    InputError
        If an anchor is no benchmark of the table, or too few models have it.
    """
    most = len(scores.benchmarks)
    if spec.skills > most and spec.anchors is None:
        warnings.warn(
            f"{spec.skills} skills cannot be told apart by {most} benchmark(s): fitted with skills={most}.",
            InputWarning,
            stacklevel=4,
        )
        spec = replace(spec, skills=most)
    anchors = check_anchors(scores, spec.anchors) if spec.anchors else anchors_of(scores, spec.skills)
    return replace(spec, anchors=anchors)


def settled(
    scores: Scores,
    spec: ModelSpec,
    *,
    choose: bool,
    firmly: bool,
    seed: int,
    progress: bool,
    kept: Checkpoint,
) -> Modes:
    """Return modes of a model of a table.

    Parameters
    ----------
    scores : Scores
        The table.
    spec : ModelSpec
        From `resolved`.
    choose : bool
        Whether to choose better anchors by looks at the modes: they decide how well chains mix, and little
        of what is forecast.
    firmly : bool
        Whether modes are only the start of chains, see `modes.firm`.
    seed : int
        Of the starts.
    progress : bool
        Whether to show a bar.
    kept : Checkpoint
        Which may know the modes, and is told them.

    Returns
    -------
    Modes
        With the anchors that were chosen.

    Raises
    ------
    FitError
        If no start leads to a finite posterior density.
    """
    if known := kept.modes():
        return thawed_modes(known, scores, spec)
    sought = partial(_modes, scores, seed=seed, progress=progress, firmly=firmly)
    modes = sought(spec)
    if choose:
        modes = _confirmed(modes, sought, scores)
    kept.keep_modes(frozen_modes(modes))
    return modes


def _confirmed(first: Modes, sought: Callable[[ModelSpec], Modes], scores: Scores) -> Modes:
    """Return the modes with anchors that their own modes name again, else those that the first modes name.

    Anchors are told by the best mode found, and starts with other anchors end at other modes: one look may
    miss the best one.
    """
    asked = first.space.spec
    anchors = asked.anchors or ()
    looked = {frozenset(anchors): first}
    for _ in range(LOOKS):
        own = frozenset(anchors)
        if own not in looked:
            looked[own] = sought(replace(asked, anchors=anchors))
        anchors = _better_anchors(looked[own], scores)
        if frozenset(anchors) == own:
            return looked[own]
    return list(looked.values())[1]


def _modes(scores: Scores, spec: ModelSpec, *, seed: int, progress: bool, firmly: bool) -> Modes:
    """Return modes of a model, of a firmer one where they are only the start of chains."""
    sought = firm(scores.observed, spec) if firmly else spec
    modes = find_modes(design_of(scores, spec.anchors or ()), sought, seed=seed, progress=progress)
    if not np.isfinite(modes.losses[0]):
        raise FitError("no start has a finite posterior density: check the priors for extreme values.")
    return replace(modes, space=replace(modes.space, spec=spec))


def _better_anchors(modes: Modes, scores: Scores) -> tuple[str, ...]:
    """Return the benchmarks that tell the skills apart best in the best mode."""
    names = ("loading", "model_skill", "misfit")
    found = modes.space.quantities(modes.vectors[:1], names)
    loading, skill, misfit = (found[name][0] for name in names)
    usable = measured_enough(scores.observed, modes.space.spec.skills)
    chosen = telling_anchors(loading, skill, misfit, modes.space.design.typical, usable)
    return tuple(scores.benchmarks[i] for i in chosen)
