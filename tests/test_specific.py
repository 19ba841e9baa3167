"""What is specific to lines, from a fit to its forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from fits import asked, compiled_quickly, hmc_fit, table, with_groups
from oracles import link, pivot_of

import bayes_sloth as bs
from bayes_sloth.expectation import expected_scores

# Far too few draws for a posterior; what is asked of them holds draw by draw.
fit = hmc_fit


def line_of(facts: pd.DataFrame) -> list[str]:
    return [
        f"{family}{'*' * int(tuned)}"
        for family, tuned in zip(facts["family"], facts["instruct"], strict=True)
    ]


def moved(line: str, by: float) -> bs.Posterior:
    """Return the fit with one line better at every benchmark."""
    posterior = fit().data["posterior"].dataset
    there = posterior["line"] == line
    return with_groups(fit(), posterior=posterior.assign(specific=posterior["specific"] + by * there))


def test_lines_have_labels_and_effects() -> None:
    effect = fit().data["posterior"].dataset["specific"]
    assert effect.dims == ("chain", "draw", "line", "benchmark")
    assert set(effect["line"].values) == set(line_of(table().metadata))
    free = ~effect["benchmark"].isin(fit().spec.anchors)
    assert (effect.std(("chain", "draw")).sel(benchmark=free) > 0).all()
    assert (effect.sel(benchmark=~free) == 0).all() and int(free.sum()) == 1


def test_expected_scores_hold_what_is_specific() -> None:
    """Against the formulas, the last draw."""
    at = fit().data["posterior"].dataset.isel(chain=0, draw=-1)
    data = table().data
    pivot = pivot_of(data["score"].values, data["floor"].values)
    eta = at["model_skill"].values @ at["loading"].values.T + at["intercept"].values
    eta = eta + at["specific"].sel(line=line_of(table().metadata)).values
    share = link(eta, 1 / (1 + np.exp(-pivot)), at["reach"].values, at["asymmetry"].values)
    wanted = at["lower"].values + (1 - at["lower"].values) * share
    np.testing.assert_allclose(expected_scores(fit().data, fit().spec)[0, -1], wanted, atol=1e-10)


def test_forecasts_take_the_effects_of_their_own_line() -> None:
    """A line that is better lifts its own models and nobody else's."""
    rows = asked().fillna({"instruct": 0})
    own = np.array([line == "llama-2" for line in line_of(rows)])
    with compiled_quickly():
        before, after = (
            bs.predict(one, rows, seed=0).data["expected"] for one in (fit(), moved("llama-2", 0.5))
        )
    gain = (after - before).mean(("chain", "draw", "benchmark")).values
    assert own.any() and "llama-2*" in line_of(rows) and "llama-2*" in line_of(table().metadata)
    assert (gain[own] > 0).all() and (gain[~own] == 0).all()


def test_without_them_a_fit_holds_no_lines() -> None:
    with compiled_quickly():
        plain = bs.fit(table(), bs.ModelSpec(skills=1, specific=False), method="map", seed=0, progress=False)
    posterior = plain.data["posterior"].dataset
    assert not {"specific", "specific_scale", "line"} & set(posterior.variables)
