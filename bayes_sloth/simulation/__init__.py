"""Tables of any size drawn from the model itself, with the truth attached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_sloth.arguments import check_whole
from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.design import Design
from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import BENCHMARK, COVARIATE, COVARIATES, FAMILY, LINE, MODEL, SITE_DIMS, SKILL
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores
from bayes_sloth.simulation.blank import blank_design, draws
from bayes_sloth.simulation.made_up import made_up_benchmarks, made_up_models
from bayes_sloth.spec import ModelSpec
from bayes_sloth.tables.files import Source

# Typical shares of benchmarks: neither solved nor at chance, as published ones mostly are.
TYPICAL: Final = (0.25, 0.75)


@dataclass(frozen=True, eq=False)
class Simulation:
    """A table drawn from the model, and what it was drawn from.

    Parameters
    ----------
    scores : Scores
        The table, as any other.
    truth : Dataset
        Every quantity that a posterior has, under the same names and dims but for chain and draw, and
        `expected` (model, benchmark), the expected scores.
    spec : ModelSpec
        The model, anchors named.
    design : Design
        The table as the model saw it: its pivots are those of the truth. A fit of `scores` sets pivots, and
        anchors unless told, by the data; this design fits the same law that the truth was drawn from.

    Examples
    --------
    >>> simulate(ModelSpec(skills=1), families=3, benchmarks=4, seed=0).truth["loading"].dims
    ('benchmark', 'skill')
    """

    scores: Scores
    truth: xr.Dataset
    spec: ModelSpec
    design: Design

    def __repr__(self) -> str:
        """Show the table and name the true quantities."""
        return f"Simulation of {self.scores!r}\n  truth        {', '.join(map(str, self.truth.data_vars))}"


def simulate(
    spec: ModelSpec | None = None,
    *,
    models: Source | Scores | None = None,
    families: int = 30,
    models_per_family: int = 4,
    benchmarks: int | Sequence[str | Benchmark] = 12,
    missing: float = 0.0,
    unknown_tokens: float = 0.0,
    seed: int,
) -> Simulation:
    """Draw a table of scores from the model, with the truth attached.

    Every quantity is drawn from its prior, then the scores given these; scores stay in [0, 1]. Switches JAX
    to 64 bits.

    Parameters
    ----------
    spec : ModelSpec, optional
        The model; `ModelSpec()` where None. Its anchors are the first benchmarks where it names none.
    models : DataFrame, mapping, path or Scores, optional
        Models to draw scores for, as `read_models` takes them; made up where None.
    families, models_per_family : int
        How many to make up where `models` is None.
    benchmarks : int or sequence of str or Benchmark
        How many of the packaged benchmarks, and made-up ones above their number; or which. A name that is not
        packaged gets floor 0 and no item count.
    missing : float
        Share of scores not observed, the same for every benchmark, models chosen at random.
    unknown_tokens : float
        Share of made-up models without a token count.
    seed : int
        The same seed gives the same table.

    Returns
    -------
    Simulation
        With `scores` and `truth`.

    Raises
    ------
    InputError
        If an argument is not valid.

    Examples
    --------
    >>> import bayes_sloth as bs
    >>> made = bs.simulate(bs.ModelSpec(skills=1), families=3, models_per_family=2, benchmarks=4, seed=0)
    >>> dict(made.truth["expected"].sizes)
    {'model': 6, 'benchmark': 4}
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    check_whole("simulate", seed=seed, families=families, models_per_family=models_per_family)
    _check_shares(missing=missing, unknown_tokens=unknown_tokens)
    numbers = np.random.default_rng(seed)
    if not isinstance(benchmarks, Sequence):
        check_whole("simulate", seed=seed, benchmarks=benchmarks)
    chosen = made_up_benchmarks(benchmarks)
    spec = _anchored(spec or ModelSpec(), [b.name for b in chosen])
    if models is None:
        facts = made_up_models(numbers, families, models_per_family, unknown_tokens)
    else:
        facts = read_models(models)
    shares = numbers.uniform(*TYPICAL, len(chosen))
    design = blank_design(facts, chosen, spec, pivot=np.log(shares / (1 - shares)))
    values = {name: np.asarray(v[0]) for name, v in draws(design, spec, jax.random.key(seed)[None]).items()}
    hidden = _hidden(numbers, values["score"].shape, missing)
    score = np.where(hidden, np.nan, values["score"])
    scores = assemble(facts, chosen, score)
    design = replace(design, score=np.where(hidden, 0.5, score), observed=~hidden)
    return Simulation(scores, _truth(values, scores, design, spec), spec, design)


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(f"simulate: {name} is {share!r}: give a share from 0 to below 1.")


def _anchored(spec: ModelSpec, names: list[str]) -> ModelSpec:
    """Return the model with its anchors named."""
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"simulate: benchmark {name!r} is named more than once; name each only once.")
    if spec.skills > len(names):
        raise InputError(
            f"simulate: {spec.skills} skills cannot be told apart by {len(names)} benchmark(s); ask for at "
            f"least benchmarks={spec.skills}."
        )
    for anchor in spec.anchors or ():
        if anchor not in names:
            raise unknown_name("anchor", anchor, names)
    return replace(spec, anchors=spec.anchors or tuple(names[: spec.skills]))


def _hidden(numbers: np.random.Generator, shape: tuple[int, ...], missing: float) -> NDArray[np.bool_]:
    """Return which scores are not observed: the same share of every benchmark, and never all of one."""
    models, _ = shape
    order = numbers.permuted(np.broadcast_to(np.arange(models)[:, None], shape), axis=0)
    return np.asarray(order < min(round(missing * models), models - 1))


def _truth(
    values: dict[str, NDArray[np.float64]], scores: Scores, design: Design, spec: ModelSpec
) -> xr.Dataset:
    """Return the quantities that a posterior names, labelled."""
    dims = SITE_DIMS | {"expected": (MODEL, BENCHMARK)}
    kept = {name: (dims.get(name, ()), v) for name, v in values.items() if name in dims or v.ndim == 0}
    coords = {
        MODEL: list(scores.models),
        BENCHMARK: list(scores.benchmarks),
        FAMILY: list(scores.families),
        LINE: design.lines.names(scores.families),
        SKILL: list(spec.anchors or ()),
        COVARIATE: list(COVARIATES[: values["slope"].shape[-1]]),
    }
    return xr.Dataset(kept, coords=coords)
