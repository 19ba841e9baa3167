"""Every law on the same held-out scores: errors, proper scores and coverage, fold by fold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from tqdm.auto import tqdm

from bayes_sloth.convergence import RHAT_PARAMETER
from bayes_sloth.errors import FitWarning, InputError
from bayes_sloth.folds import Fold
from bayes_sloth.laws import Forecast, Law
from bayes_sloth.names import BENCHMARK, FAMILY, MODEL
from bayes_sloth.protocols import HoldOut
from bayes_sloth.scores import Scores
from bayes_sloth.scoring import FOLD, LEVELS, PROB, averaged, held, scored
from bayes_sloth.shelf import Shelf
from bayes_sloth.watching import watched

LAW: Final = "law"
R_HAT: Final = "r_hat"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How laws did on held-out scores.

    Parameters
    ----------
    data : Dataset
        Dims (law, fold, model, benchmark), and prob for intervals; NaN where a fold does not ask. Variables
        `truth`, `median`, `lower`, `upper`, `absolute_error`, `crps`, `log_score`, `interval_score`,
        `inside`, `width`, `rank`, and `seconds` (law, fold); what a law notes of a fold, such as `r_hat`
        (law, fold). Shares of items solved.
    """

    data: xr.Dataset

    def table(self, by: str | Sequence[str] = ()) -> pd.DataFrame:
        """Return the measures of every law, averaged over all scores asked for, or apart.

        Parameters
        ----------
        by : {"benchmark", "family", "fold", "model"}, or several
            Dims to keep apart.

        Returns
        -------
        DataFrame
            A row a law (and label); columns scores, MAE, CRPS, log score, interval score and width of 90%
            intervals, coverage of 50, 80, 90 and 95% intervals.

        Raises
        ------
        InputError
            If a dim is unknown.
        """
        keys = [by] if isinstance(by, str) else list(by)
        known = (BENCHMARK, FAMILY, FOLD, MODEL)
        for name in keys:
            if name not in known:
                raise InputError(f"evaluation: cannot keep {name!r} apart; choose from {', '.join(known)}.")
        return averaged(self.cases(), [LAW, *keys])

    def family_averaged(self) -> pd.DataFrame:
        """Return the measures averaged within each fold first, then over folds, as the paper also does."""
        inner = averaged(self.cases(), [LAW, FOLD]).drop(columns="scores")
        return inner.groupby(level=LAW, sort=False).mean()

    def cases(self) -> pd.DataFrame:
        """Return one row a law, fold, model and benchmark asked for."""
        nineties = self.data.sel({PROB: 0.9}, drop=True).drop_vars(["seconds", "inside"])
        inside = {
            f"inside_{p:g}": self.data["inside"].sel({PROB: p}, drop=True) for p in self.data[PROB].values
        }
        frame = nineties.assign(inside).to_dataframe().reset_index()
        return frame[frame["absolute_error"].notna()].reset_index(drop=True)

    def calibrated(self, *, false_alarm: float = 1e-3) -> pd.DataFrame:
        """Say of every law whether its intervals hold the truth as often as they claim.

        Parameters
        ----------
        false_alarm : float
            Probability that a calibrated law is flagged at any level.

        Returns
        -------
        DataFrame
            A row a law and level: share inside, p-value with folds as the units, verdict.
        """
        frame = self.cases()
        rows = [
            {LAW: law} | held(part, level, false_alarm / len(LEVELS))
            for law, part in frame.groupby(LAW, sort=False)
            for level in LEVELS
        ]
        return pd.DataFrame(rows)

    def unsettled(self) -> pd.DataFrame:
        """Return the folds whose chains do not agree: what is forecast there is not to be trusted.

        Returns
        -------
        DataFrame
            A row a law and fold with an R-hat above 1.02, the worst first; columns law, fold, r_hat: the
            largest over all benchmarks of the models asked for, which in a short fit is above 1.01 by chance
            now and then. Laws without chains have none. Divergences are in `data["divergences"]`.
        """
        columns = [LAW, FOLD, R_HAT]
        if R_HAT not in self.data:
            return pd.DataFrame(columns=columns)
        frame = self.data[R_HAT].to_series().reset_index()[columns]
        far = frame[frame[R_HAT] > RHAT_PARAMETER]
        return far.sort_values(R_HAT, ascending=False, ignore_index=True)

    def __repr__(self) -> str:
        """Show the pooled table, and which laws' chains do not agree."""
        sizes = self.data.sizes
        head = f"Evaluation: {sizes[LAW]} laws, {sizes[FOLD]} folds, {sizes[MODEL]} models asked for"
        table = self.table().to_string(float_format="{:.4f}".format)
        return "\n".join([head, table, *_doubts(self)])


def evaluate(
    scores: Scores,
    laws: Law | Sequence[Law] | Mapping[str, Law],
    protocol: HoldOut,
    *,
    seed: int,
    jobs: int = -1,
    folder: str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Forecast held-out scores with several laws and score them all alike.

    Folds are shared out to processes by joblib: `joblib.parallel_config` puts them on a Dask or Ray cluster.

    Parameters
    ----------
    scores : Scores
        The table.
    laws : law, sequence of laws, or mapping of name to law
        See `bayes_sloth.laws`.
    protocol : protocol
        See `bayes_sloth.protocols`; anything with a method `folds(scores)`.
    seed : int
        Of every law.
    jobs : int
        Processes; -1 is one a core.
    folder : path, optional
        Where every fold is kept as it ends; what is there already is not fitted again.
    progress : bool
        Whether to show progress, where somebody watches.

    Returns
    -------
    Evaluation
        Labelled errors, proper scores and coverage.

    Raises
    ------
    InputError
        If there is no law, two share a name, the protocol asks for nothing or `folder` cannot be made.

    Warns
    -----
    FitWarning
        If a law's chains do not agree in some folds; see `Evaluation.unsettled`.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> from bayes_sloth.laws import SlothLaw
    >>> from bayes_sloth.protocols import LargerSiblings
    >>> table = bs.load_leaderboard().select(benchmarks=["MMLU"])
    >>> few = table.select(models=[name for name in table.models if name.startswith(("bloom", "opt"))])
    >>> law = SlothLaw(bs.ModelSpec(skills=1), method="map")
    >>> found = evaluate(few, law, LargerSiblings(seen=2), seed=0, jobs=1, progress=False)
    >>> bool(found.table()["MAE"].iloc[0] < 0.2)
    True
    """
    folds = protocol.folds(scores)
    if not folds:
        raise InputError("the protocol asks for no score of this table: test other families, or see fewer.")
    parts = {}
    for name, law in _named(laws).items():
        shelf = None if folder is None else Shelf(Path(folder), law, scores, folds, seed)
        with tqdm(total=len(folds), desc=name, disable=not (progress and watched()), leave=False) as bar:
            parts[name] = _scored_folds(law, scores, folds, shelf, bar, seed=seed, jobs=jobs)
    found = Evaluation(xr.concat(list(parts.values()), LAW).assign_coords({LAW: list(parts)}))
    for doubt in _doubts(found):
        warnings.warn(doubt, FitWarning, stacklevel=2)
    return found


def _doubts(found: Evaluation) -> list[str]:
    """Return a sentence for every law whose chains do not agree in some folds."""
    folds = found.data.sizes[FOLD]
    return [
        f"{law}: the chains of {len(part)} of {folds} folds do not agree (R-hat up to "
        f"{part[R_HAT].iloc[0]:.3f}, in {part[FOLD].iloc[0]!r}): evaluate again with a longer `length`."
        for law, part in found.unsettled().groupby(LAW, sort=False)
    ]


def _named(laws: Law | Sequence[Law] | Mapping[str, Law]) -> dict[str, Law]:
    if isinstance(laws, Mapping):
        named = dict(laws)
    else:
        several = [laws] if isinstance(laws, Law) else list(laws)
        named = {law.name: law for law in several}
        if len(named) < len(several):
            raise InputError("two laws share a name: pass a mapping of names to laws.")
    if not named:
        raise InputError("there is no law to evaluate: pass one, such as SlothLaw().")
    return named


def _scored_folds(
    law: Law, scores: Scores, folds: Sequence[Fold], shelf: Shelf | None, bar: Any, *, seed: int, jobs: int
) -> xr.Dataset:
    """Return one law's scores, dims (fold, model, benchmark), from the shelf where it has them."""
    found: dict[int, xr.Dataset] = {}

    def keep(forecast: Forecast) -> None:
        found[forecast.fold] = scored(forecast, folds[forecast.fold], scores)
        bar.update()

    missing = list(range(len(folds)))
    if shelf is not None:
        for forecast in shelf.stored():
            keep(forecast)
        missing = [place for place in missing if place not in found]
    chosen = [folds[place] for place in missing]
    if chosen:
        for forecast in law.forecasts(scores, chosen, seed=seed, jobs=jobs, progress=not bar.disable):
            placed = replace(forecast, fold=missing[forecast.fold])
            if shelf is not None:
                shelf.store(placed)
            keep(placed)
    lost = [fold.name for place, fold in enumerate(folds) if place not in found]
    if lost:
        raise InputError(
            f"law {law.name!r} forecast nothing for fold {lost[0]!r}: it has to yield every fold."
        )
    return _joined([found[place] for place in range(len(folds))], folds, scores)


def _joined(found: list[xr.Dataset], folds: Sequence[Fold], scores: Scores) -> xr.Dataset:
    """Return the scores of all folds together, models in the order of the table."""
    asked = np.any([fold.asked.any(axis=1) for fold in folds], axis=0)
    table = scores.metadata[asked]
    joined = xr.concat(found, FOLD, join="outer").sel({MODEL: list(table[MODEL])})
    return joined.assign_coords({FOLD: [fold.name for fold in folds], FAMILY: (MODEL, list(table[FAMILY]))})
