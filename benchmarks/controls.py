"""Does the check of coverage tell a law that is too sure from one that is right? On simulated tables.

    python benchmarks/controls.py [--tables N] [--families N] [--models N] [--skills N] [--benchmarks N]
                                  [--chains N] [--warmup N] [--draws N] [--keep FOLDER] [--csv FILE]

Every table is drawn from the model with its own draw of everything, departures from the shared slopes and
misfit too. Larger siblings are held out and forecast by our law, by our law with half the noise around what
it expects, and by our law without departures. The first has to pass `Evaluation.calibrated`, the others to be
flagged. The folds of all tables are judged together: departures of the size that the priors expect make
intervals a tenth wider, which about two hundred folds tell, and half the noise a few dozen. Each fold is kept
as it ends in the folder of `--keep`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from joblib import Parallel, delayed

import bayes_sloth as bs
from bayes_sloth.design import Design, design_of
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.identify import anchors_of
from bayes_sloth.laws import Forecast, Law, SlothLaw
from bayes_sloth.laws.sloth import WIDTH
from bayes_sloth.protocols import LargerSiblings
from bayes_sloth.pytree import argument, stacked
from bayes_sloth.refitting import Length, all_modes, sampled
from bayes_sloth.sampling import prepare

OURS, HALVED, STRAIGHT = "ours", "half the noise", "no departures"
HELD_OUT = LargerSiblings(seen=1)


@dataclass(frozen=True)
class TooSure:
    """A law that knows what to expect and underrates how far scores fall from it: noise of half the scale.

    Parameters
    ----------
    law : SlothLaw
        Whose posterior it has.
    name : str
        Label.
    """

    law: SlothLaw
    name: str = HALVED

    def forecasts(
        self, scores: bs.Scores, folds: Sequence[Fold], *, seed: int, jobs: int, progress: bool
    ) -> Iterator[Forecast]:
        """Yield a forecast for every fold, each as soon as it is done."""
        prepare()
        spec = self.law.spec
        anchors = spec.anchors
        designs = [
            argument(design_of(seen, anchors or anchors_of(seen, spec.skills)))
            for seen in (fold.seen(scores) for fold in folds)
        ]
        keys = jax.random.split(jax.random.key(seed), (len(folds), 2))
        tasks = []
        for first in range(0, len(folds), WIDTH):
            places = np.minimum(np.arange(first, first + WIDTH), len(folds) - 1)
            modes = all_modes(stacked([designs[place] for place in places]), spec, keys[places, 0])[0][:, 0]
            best = dict(zip(places.tolist(), np.asarray(modes), strict=True))
            tasks += [(place, designs[place], mode, folds[place].models) for place, mode in best.items()]
        bare = np.asarray(jax.random.key_data(keys[:, 1]))
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(
            delayed(_too_sure)(place, design, mode, models, spec, bare[place], self.law.length)
            for place, design, mode, models in tasks
        )


def _too_sure(
    place: int, design: Design, mode: Any, models: Any, spec: bs.ModelSpec, key: Any, length: Length
) -> Forecast:
    """Sample one fold, in whatever process this runs."""
    prepare()
    begun = time.perf_counter()
    found = sampled(design, spec, mode, jax.random.wrap_key_data(jnp.asarray(key)), length)
    score, expected = (np.asarray(values)[:, :, models] for values in (found.score, found.expected))
    halved = expected + 0.5 * (score - expected)
    return Forecast(place, halved.reshape(-1, *halved.shape[2:]), time.perf_counter() - begun)


def laws_of(spec: bs.ModelSpec, length: Length) -> dict[str, Law]:
    """Return our law, and two that are too sure."""
    ours = SlothLaw(spec, length=length)
    straight = SlothLaw(replace(spec, deviation=False), length=length)
    return {OURS: ours, HALVED: TooSure(ours), STRAIGHT: straight}


def pooled(found: Sequence[Evaluation]) -> Evaluation:
    """Return evaluations of several tables as one; folds keep apart what belongs together.

    Parameters
    ----------
    found : sequence of Evaluation
        Of the same laws and benchmarks.

    Returns
    -------
    Evaluation
        Folds named by the number of their table too.
    """
    parts = [
        one.data.drop_vars("family").assign_coords(fold=[f"{n}: {name}" for name in one.data["fold"].values])
        for n, one in enumerate(found, start=1)
    ]
    return Evaluation(xr.concat(parts, "fold", join="outer"))


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    sizes = {"tables": 20, "families": 14, "models": 5, "skills": 1, "benchmarks": 4}
    for name, usual in (sizes | Length(2, 200, 200)._asdict()).items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--keep", help="folder for the forecasts of every fold")
    parser.add_argument("--csv", type=Path, help="file for the verdicts")
    return parser.parse_args(arguments)


def main() -> None:
    """Forecast every table by every law and print the verdicts."""
    options = options_of()
    length = Length(options.chains, options.warmup, options.draws)
    found = []
    for seed in range(options.tables):
        made = bs.simulate(
            bs.ModelSpec(skills=options.skills),
            families=options.families,
            models_per_family=options.models,
            benchmarks=options.benchmarks,
            seed=seed,
        )
        laws = laws_of(made.spec, length)
        found.append(evaluate(made.scores, laws, HELD_OUT, seed=seed, folder=options.keep))
        print(f"table {seed + 1}: {found[-1]}\n", flush=True)
    together = pooled(found)
    told = together.calibrated()
    print(f"all tables: {together}\n\n{told.round(4).to_string(index=False)}")
    if options.csv:
        told.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
