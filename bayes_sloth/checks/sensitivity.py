"""Whether slightly stronger or weaker priors would change the answer."""

from __future__ import annotations

from typing import Any, Final

import arviz_stats
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from numpyro import handlers

from bayes_sloth.checks.finding import Case, Finding
from bayes_sloth.design import Design, design_of
from bayes_sloth.errors import FitStatus
from bayes_sloth.model import free_benchmarks, sloth
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW
from bayes_sloth.posterior import Posterior

Values = Any
Floats = NDArray[np.float64]

# Priors with numbers of their own; those of families and models follow from these and from the data.
TOP: Final = (
    *("slope", "size_curvature", "token_curvature", "skill_mean", "family_scale", "family_correlation"),
    *("tuning", "tuning_slope", "tuning_scale", "deviation_scale", "lower", "asymmetry", "misfit", "tail"),
    *("moe_weight", "inheritance", "loading_free", "predictor_free", "reach_logit", "specific_scale_free"),
)
# What is judged: all that forecasts share, and the forecasts themselves on average.
JUDGED: Final = (
    *("slope", "loading", "tuning", "family_scale", "tuning_scale", "deviation_scale", "specific_scale"),
    *("misfit", "tail"),
)
AVERAGE: Final = "average_score"
FELT: Final = (AVERAGE, "slope")
SENSITIVE: Final = 0.05  # of ArviZ and Kallioinen et al.
# Theirs is a move of 0.3 posterior standard deviations when all priors count twice or half; this, of one.
LARGE: Final = 0.15
SHOWN: Final = 6
BATCH: Final = 50


def check_sensitivity(case: Case) -> Finding:
    r"""Scale prior and likelihood by powers near one, and see what moves.

    With :math:`p(\theta)^a p(y \mid \theta)` and :math:`p(\theta) p(y \mid \theta)^a`, :math:`a` from 0.99 to
    1.01; the prior is that of the parameters with priors of their own (`Priors`).

    Parameters
    ----------
    case : Case
        A fit.

    Returns
    -------
    Finding
        Table with columns quantity, prior, likelihood (sensitivities), verdict (`fine`, `conflict` where both
        are above 0.05, `weak data` where only the prior's is).

    References
    ----------
    Kallioinen et al. (2024). Detecting and diagnosing prior and likelihood sensitivity with power-scaling.
    """
    judged = _judged(case)
    dims = (CHAIN, DRAW)
    shape = tuple(case.quantities.sizes[dim] for dim in dims)
    prior = log_prior(case.posterior).reshape(shape)
    likelihood = case.left_out.log_likelihood.sum(axis=1).reshape(shape)
    table = _table(judged, xr.Dataset({"total": (dims, prior)}), xr.Dataset({"total": (dims, likelihood)}))
    conflict, weak = (list(table[table["verdict"] == kind]["quantity"]) for kind in ("conflict", "weak data"))
    advice = []
    # Scales and loadings always feel their priors; what counts is whether forecasts and slopes do.
    moved = set(table[~(table["prior"] < LARGE)]["quantity"])
    if apart := [name for name in conflict if name.startswith(FELT) and name in moved]:
        advice.append(f"prior and data pull apart at {_listed(apart)}: reconsider these in `Priors`.")
    if forecasts := [name for name in weak if name.startswith(FELT) and name in moved]:
        advice.append(
            f"the prior decides {_listed(forecasts)}: state it with the forecast, or gather scores there."
        )
    verdict = (
        f"of {len(table)} quantities {len(conflict)} feel the prior and the data, {len(weak)} the prior alone"
    )
    return Finding("prior sensitivity", table, FitStatus.FINE, verdict, tuple(advice))


def log_prior(posterior: Posterior) -> Floats:
    """Return the log density of the priors set by `Priors`, at every draw.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    array, dims (draw)
        Of all chains, one after the other; up to a constant.
    """
    design = design_of(posterior.scores, posterior.spec.anchors or ())
    group = posterior.data["posterior"].dataset
    size = posterior.draws
    stored = {
        str(name): jnp.asarray(value.values.reshape(size, *value.shape[2:]), dtype=float)
        for name, value in group.items()
        if name in (*TOP, "loading", "intercept", "reach", "specific_scale")
    }

    def one(draw: dict[str, Values]) -> Values:
        sites = _sites(draw, design)
        model = handlers.substitute(handlers.seed(sloth, jax.random.key(0)), data=sites)
        trace = handlers.trace(model).get_trace(design, posterior.spec)
        return sum(jnp.sum(trace[name]["fn"].log_prob(sites[name])) for name in sites if name in trace)

    found = jax.jit(lambda draws: jax.lax.map(one, draws, batch_size=BATCH))(stored)
    return np.asarray(found)


def _sites(draw: dict[str, Values], design: Design) -> dict[str, Values]:
    """Return the sampled sites with priors of their own, from the quantities a fit holds."""
    free, anchored = free_benchmarks(design), jnp.asarray(design.typical)[design.anchors]
    least = 1 / (1 + jnp.exp(-jnp.asarray(design.pivot)))
    share = jnp.clip((draw["reach"] - least) / (1 - least), 1e-12, 1 - 1e-12)
    sites = {name: value for name, value in draw.items() if name in TOP} | {
        "loading_free": draw["loading"][free],
        "predictor_free": (draw["intercept"] + draw["loading"] @ anchored)[free],
        "reach_logit": jnp.log(share) - jnp.log1p(-share),
    }
    if "specific_scale" in draw:
        sites["specific_scale_free"] = draw["specific_scale"][free]
    return sites


def _judged(case: Case) -> xr.Dataset:
    """Return the draws judged; anchors' loadings and scales, which never move, are left out."""
    others = [b for b in case.quantities[BENCHMARK].values if b not in (case.posterior.spec.anchors or ())]
    found = {}
    for name in (name for name in JUDGED if name in case.quantities):
        values = case.quantities[name]
        if name in ("loading", "specific_scale"):
            # A dim of its own, or the dataset would fill the anchors in again.
            values = values.sel({BENCHMARK: others}).rename({BENCHMARK: "free_benchmark"})
        found[name] = values
    labels = {BENCHMARK: case.quantities[BENCHMARK]}
    average = xr.DataArray(case.summary.average, labels, (CHAIN, DRAW, BENCHMARK))
    return xr.Dataset(found | {AVERAGE: average})


def _table(judged: xr.Dataset, prior: xr.Dataset, likelihood: xr.Dataset) -> pd.DataFrame:
    tree = xr.DataTree.from_dict({"/posterior": judged, "/log_prior": prior, "/log_likelihood": likelihood})
    library: Any = arviz_stats  # untyped
    table = pd.DataFrame(
        {
            group: pd.concat(
                [_named(str(name), value) for name, value in library.psense(tree, group=group).items()]
            )
            for group in ("prior", "likelihood")
        }
    ).reset_index(names="quantity")
    table = table[table["likelihood"].notna()]  # what never moves has no sensitivity
    felt = ~(table["prior"] < SENSITIVE)  # a density that is no number is not fine
    table["verdict"] = np.where(
        ~felt, "fine", np.where(table["likelihood"] >= SENSITIVE, "conflict", "weak data")
    )
    return table.sort_values("prior", ascending=False, ignore_index=True)


def _named(name: str, values: xr.DataArray) -> pd.Series[float]:
    """Return one number an element, under names such as `slope[MMLU, log_size]`."""
    if not values.dims:
        return pd.Series({name: float(values)})
    flat = values.to_series()
    labels = [label if isinstance(label, tuple) else (label,) for label in flat.index]
    return pd.Series(flat.to_numpy(), [f"{name}[{', '.join(map(str, label))}]" for label in labels])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
