"""Simulation-based calibration at full size, and of models that are wrong in one place.

Tables are drawn from the priors on one layout of models and benchmarks with holes, and each is fitted as
users fit theirs. The model must pass; the controls, whose tables follow another law than the one that is
fitted, must not.

    python benchmarks/calibration.py --folder ranks --csv calibration.csv
    python benchmarks/calibration.py --quick
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import pandas as pd

import bayes_sloth as bs
from bayes_sloth.calibration import LENGTH, Calibration, calibrate
from bayes_sloth.calibration.batches import Simulator
from bayes_sloth.calibration.simulate import Sites, drawn_scores, drawn_sites, from_the_model
from bayes_sloth.design import Design
from bayes_sloth.errors import FitStatus
from bayes_sloth.refitting import Length

MODEL: Final = "the model"
QUICK: Final = {"n": 48, "controls": 32, "families": 4, "benchmarks": 4, "skills": 1}


class Error(NamedTuple):
    """How tables differ from what the model that is fitted says.

    Parameters
    ----------
    noise : float
        Factor on the misfit of scores.
    swap : bool
        Whether the loadings of the first two free benchmarks are exchanged, as a wrong index would.
    reach : float
        Shift of the prior mean of the reach, in its prior standard deviations.
    """

    noise: float = 1.0
    swap: bool = False
    reach: float = 0.0

    def __call__(self, design: Design, spec: bs.ModelSpec, keys: jax.Array) -> Sites:
        """Draw tables, one a key, by one program for all errors."""
        found: Sites = _drawn(design, spec, keys, tuple(map(float, self)))
        return found


@partial(jax.jit, static_argnames="spec")
def _drawn(design: Design, spec: bs.ModelSpec, keys: jax.Array, error: tuple[float, ...]) -> Sites:
    noise, swap, reach = error

    def one(key: jax.Array) -> Sites:
        site_key, score_key = jax.random.split(key)
        sites = drawn_sites(design, spec, site_key)
        sites["reach_logit"] = sites["reach_logit"] + reach * spec.priors.reach_sd
        free = sites["loading_free"]
        other = jnp.where(swap > 0, free.at[:2].set(free[1::-1]), free)
        followed = sites | {"misfit": noise * sites["misfit"], "loading_free": other}
        return sites | {"score": drawn_scores(design, spec, followed, score_key)}

    found: Sites = jax.vmap(one)(keys)
    return found


# Where tables come from; the model that is fitted has half the noise of the first control.
SIMULATORS: Final[dict[str, Simulator]] = {
    MODEL: from_the_model,
    "half the noise scale": Error(noise=2.0),
    "loadings swapped": Error(swap=True),
    "another prior of the reach": Error(reach=-3.0),
}


def row_of(name: str, found: Calibration, seconds: float) -> dict[str, Any]:
    """Return one line of the table."""
    worst = found.table.loc[found.table["p"].idxmin()]
    statistics = found.data["sample_stats"].dataset
    uneven = int((found.table["verdict"] != "fine").sum())
    # A control is caught by its ranks; that its fits have not converged is no catch.
    right = found.status is FitStatus.FINE if name == MODEL else uneven > 0
    return {
        "tables from": name,
        "tables": statistics.sizes["draw"],
        "left out": int((~statistics["converged"]).sum()),
        "quantities": int(found.table["elements"].sum()),
        "uneven": uneven,
        "least even": f"{worst['quantity']} ({worst['where']})",
        "p": float(worst["p"]),
        "as it should be": right,
        "seconds": round(seconds),
    }


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few small tables")
    quick = parser.parse_known_args(arguments)[0].quick
    sizes = {"n": 500, "controls": 100, "families": 7, "models": 3, "benchmarks": 6, "skills": 2, "seed": 0}
    for name, usual in (sizes | (QUICK if quick else {}) | LENGTH._asdict()).items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--missing", type=float, default=0.2, help="share of scores")
    parser.add_argument("--folder", type=Path, help="where batches of ranks are kept")
    parser.add_argument("--csv", type=Path, help="file for the table")
    return parser.parse_args(arguments)


def rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Calibrate the model and the controls, and print what is found on the way."""
    layout = bs.simulate(
        bs.ModelSpec(skills=options.skills),
        families=options.families,
        models_per_family=options.models,
        benchmarks=options.benchmarks,
        missing=options.missing,
        unknown_tokens=0.1,
        seed=options.seed,
    )
    found = []
    for name, simulator in SIMULATORS.items():
        begun = time.perf_counter()
        told = calibrate(
            layout.spec,
            layout.scores,
            n=options.n if name == MODEL else options.controls,
            seed=options.seed,
            length=Length(options.chains, options.warmup, options.draws),
            simulator=simulator,
            folder=options.folder,
        )
        print(f"{name}: {told}\n", flush=True)
        if name == MODEL:
            print(told.table.round(3).to_string(index=False), end="\n\n")
        found.append(row_of(name, told, time.perf_counter() - begun))
    return found


def main() -> int:
    """Print the table; the exit code is 1 where something is not as it should be."""
    options = options_of()
    table = pd.DataFrame(rows(options))
    print(table.to_string(index=False, float_format="{:.2g}".format))
    if options.csv:
        table.to_csv(options.csv, index=False)
    return int(not table["as it should be"].all())


if __name__ == "__main__":
    raise SystemExit(main())
