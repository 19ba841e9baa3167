"""The same model in PyMC, sampled by nutpie, beside our sampler: effective draws a second.

    BAYES_SLOTH_PAPER_DATA=folder python benchmarks/rival_sampler.py [--low-rank] [--draws N] [--tune N]
                                                                     [--seed N] [--csv FILE]

Needs `pip install ".[bench]"`. The authors' joint table, three skills, the same parameters and priors on both
sides. First both log densities are compared at random points: where they differ by more than a constant,
nothing is sampled. Then four chains each, one sampler after the other, told in seconds apart from compiling:
of ours all of a second `bs.fit` in the same process, of nutpie `nutpie.sample`. Quantities do not depend on
how skills are rotated, or are fixed by the anchors; effective draws are the least of bulk and tails over all
elements. The last column is how far apart the posterior means of both are, in standard errors, at worst.
`--low-rank` gives nutpie its low-rank metric in place of the diagonal one.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import nutpie
import pandas as pd
from numpy.typing import NDArray
from pymc_model import LOGGED, POSITIVE, pymc_model
from sampling import scores_of as table_of

import bayes_sloth as bs
from bayes_sloth.benchmark_curve import BenchmarkCurve, scores_of
from bayes_sloth.design import Design, design_of
from bayes_sloth.diagnostics import diagnose
from bayes_sloth.space import Space

Floats = NDArray[np.float64]
Values = Any

POINTS = 20  # at which the log densities are compared
APART = 0.5  # standard deviation of these points, in unconstrained units
SAME = 1e-6  # largest difference of log densities, after a constant, that rounding explains
BATCH = 50  # draws turned into expected scores at a time
CHAINS = 4
REPORTED = ("lower", "upper", "asymmetry", "misfit", "deviation_scale", "specific_scale", "tail")


class Clock:
    """Counts seconds on the wall, and those of the processor, in all threads, which no other work adds to."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return both."""
        return time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]


class Sampled(NamedTuple):
    """What a sampler brings home.

    Parameters
    ----------
    compiling, seconds, processor : float
        Seconds of compiling; of everything else; of all cores together for the latter.
    divergences, steps : float
        How many; median of leapfrog steps to a kept draw.
    quantities : dict of arrays, dims (chain, draw, element)
        By name.
    """

    compiling: float
    seconds: float
    processor: float
    divergences: float
    steps: float
    quantities: dict[str, Floats]


def disagreement(space: Space, compiled: Any) -> float:
    """Return the largest difference of both log densities at random points, after a constant."""
    noise = jax.random.normal(jax.random.key(0), (POINTS, space.size))
    points = space.start() + APART * noise
    ours = -np.asarray(jax.jit(jax.vmap(space.potential))(points))
    theirs = [float(compiled.logp_func(_in_their_order(space.named(p), compiled))[0]) for p in points]
    difference = ours - np.array(theirs)
    return float(np.abs(difference - difference[0]).max())


def _in_their_order(named: Mapping[str, Values], compiled: Any) -> Floats:
    names = [name.removesuffix(LOGGED) for name in compiled.shapes][: len(named)]
    return np.concatenate([np.ravel(named[name]) for name in names])


def quantities_of(named: Mapping[str, Values], design: Design, link: str) -> dict[str, Floats]:
    """Return what is compared, dims (chain, draw, element), from named draws, dims (chain, draw, ...)."""
    skills, sizes = design.anchors.size, named["loading"].shape[:2]
    parts = [name for name in BenchmarkCurve._fields if name in named]
    used = {name: jnp.asarray(named[name]) for name in ("model_skill", "specific", *parts)}
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in used.items()}

    def expected(draw: Mapping[str, Values]) -> Values:
        curve = BenchmarkCurve(**{name: draw[name] for name in parts})
        specific = draw["specific"][design.lines.model]
        return scores_of(draw["model_skill"], specific, curve, design.pivot, link)[1]

    found = {"expected_score": np.asarray(jax.lax.map(expected, flat, batch_size=BATCH))}
    rows, columns = np.tril_indices(design.floor.size)
    moving = rows >= skills  # the anchors' own loadings are constants
    loading = np.asarray(flat["loading"])
    found["loading loading'"] = (loading @ loading.swapaxes(1, 2))[:, rows[moving], columns[moving]]
    found |= {name: np.asarray(named[name]) for name in REPORTED}
    found["specific_scale"] = found["specific_scale"][..., skills:]
    return {name: value.reshape(*sizes, -1).astype(float) for name, value in found.items()}


def ours(scores: bs.Scores, design: Design, spec: bs.ModelSpec, options: argparse.Namespace) -> Sampled:
    """Fit twice, the second time without compiling."""
    spent = []
    jax.clear_caches()  # type: ignore[no-untyped-call]  # the fit that chose the anchors left programs behind
    for _ in range(2):
        clock = Clock()
        fit = bs.fit(scores, spec, seed=options.seed, draws=options.draws, progress=False)
        spent.append(clock.read())
    named = {str(name): value.values for name, value in fit.data["posterior"].dataset.items()}
    counted = _counted(fit.data["sample_stats"].dataset)
    compiling = spent[0][0] - spent[1][0]
    return Sampled(compiling, *spent[1], *counted, quantities_of(named, design, spec.link))


def theirs(compiled: Any, compiling: float, space: Space, options: argparse.Namespace) -> Sampled:
    """Sample with nutpie, and derive the same quantities from its draws by the same functions."""
    length = {"draws": options.draws, "tune": options.tune, "chains": CHAINS, "seed": options.seed}
    clock = Clock()
    trace = nutpie.sample(
        compiled, low_rank_modified_mass_matrix=options.low_rank, progress_bar=False, **length
    )
    spent = clock.read()
    names = space.named(jnp.zeros(space.size))
    drawn = {name: trace["posterior"][name + LOGGED * (name in POSITIVE)].values for name in names}
    vectors = jax.vmap(jax.vmap(space.flat))(drawn)
    sizes = vectors.shape[:2]
    found = space.quantities(vectors.reshape(-1, space.size))
    named = {name: np.asarray(value).reshape(*sizes, *value.shape[1:]) for name, value in found.items()}
    quantities = quantities_of(named, space.design, space.spec.link)
    return Sampled(compiling, *spent, *_counted(trace["sample_stats"]), quantities)


def _counted(statistics: Any) -> tuple[int, float]:
    return int(statistics["diverging"].sum()), float(statistics["n_steps"].median())


def compared(found: Mapping[str, Sampled]) -> pd.DataFrame:
    """Return a row a quantity: worst R-hat, least effective draws, these a second, their ratio."""
    judged = {who: {k: diagnose(v) for k, v in one.quantities.items()} for who, one in found.items()}
    table = pd.DataFrame(index=pd.Index(judged["ours"], name="quantity"))
    for who, each in judged.items():
        table[f"r_hat {who}"] = [d["r_hat"].max() for d in each.values()]
        table[f"ess {who}"] = [min(d["ess_bulk"].min(), d["ess_tail"].min()) for d in each.values()]
    table.loc["all"] = [table[c].max() if c.startswith("r_hat") else table[c].min() for c in table]
    for who, one in found.items():
        table[f"a second {who}"] = table[f"ess {who}"] / one.seconds
    table["ratio"] = table["a second ours"] / table["a second nutpie"]
    busy, rival = (one.processor / one.seconds for one in found.values())
    table["ratio by processor time"] = table["ratio"] * rival / busy
    for name in judged["ours"]:
        pair = [(one.quantities[name], judged[who][name]) for who, one in found.items()]
        table.loc[name, "means apart"] = _means_apart(pair)
    return table


def _means_apart(both: Sequence[tuple[Floats, Mapping[str, Floats]]]) -> float:
    """Return the largest distance of two posterior means in Monte Carlo standard errors."""
    means = [values.mean((0, 1)) for values, _ in both]
    variance = sum(values.var((0, 1)) / judged["ess_bulk"] for values, judged in both)
    return float((np.abs(means[0] - means[1]) / np.sqrt(variance)).max())


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--low-rank", action="store_true")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, help="nutpie's warm-up, its own default where not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    return parser.parse_args(arguments)


def anchored(seed: int) -> tuple[bs.Scores, bs.ModelSpec]:
    """Return the joint table, the anchors that a fit chooses in front, and the model with these anchors."""
    scores, spec = table_of("joint"), bs.ModelSpec(skills=3)
    anchors = bs.fit(scores, spec, method="laplace", seed=seed, progress=False).spec.anchors or ()
    others = [name for name in scores.benchmarks if name not in anchors]
    return scores.select(benchmarks=[*anchors, *others]), replace(spec, anchors=anchors)


def main() -> None:
    """Compare the densities, then the samplers."""
    options = options_of()
    warnings.simplefilter("ignore", bs.FitWarning)  # the table says it
    scores, spec = anchored(options.seed)
    design = design_of(scores, spec.anchors or ())
    space = Space(design, spec)
    clock = Clock()
    compiled = nutpie.compile_pymc_model(pymc_model(design, spec))
    compiling, _ = clock.read()
    difference = disagreement(space, compiled)
    print(f"log densities of {space.size} parameters differ by {difference:.1e} after a constant, at most")
    if not difference <= SAME:
        raise SystemExit("the two are not the same model: nothing is sampled.")
    found = {
        "ours": ours(scores, design, spec, options),
        "nutpie": theirs(compiled, compiling, space, options),
    }
    for who, one in found.items():
        print(f"{who}: {one.seconds:.1f} s ({one.processor:.1f} s of processor time), ", end="")
        print(
            f"{one.compiling:.1f} s of compiling, {one.divergences} divergences, {one.steps:.0f} steps a draw"
        )
    table = compared(found)
    print(table.round(3).to_string())
    if options.csv:
        table.to_csv(options.csv)


if __name__ == "__main__":
    main()
