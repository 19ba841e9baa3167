"""Laws of forecasts and their intervals, for any draws and any order."""

from __future__ import annotations

import numpy as np
import xarray as xr
from fits import asked, compiled_quickly, forecast, map_fit
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import bayes_sloth as bs

PROBS = st.floats(0.001, 0.999)


@st.composite
def predictions(draw: st.DrawFn) -> bs.Prediction:
    """Draws of any shape, as a forecast."""
    shape = tuple(draw(st.integers(1, most)) for most in (3, 8, 3, 3))
    dims = ("chain", "draw", "model", "benchmark")
    values = {
        name: (dims, draw(arrays(float, shape, elements=st.floats(0, 1)))) for name in ("score", "expected")
    }
    flags = {name: ("model", draw(arrays(bool, shape[2]))) for name in ("known_family", "extrapolates")}
    labels = {"model": [f"m{i}" for i in range(shape[2])], "benchmark": [f"b{j}" for j in range(shape[3])]}
    return bs.Prediction(xr.Dataset(values, {**labels, **flags}))


@given(predictions(), PROBS, PROBS, st.sampled_from(["score", "expected"]))
def test_intervals_nest_in_their_probability(drawn: bs.Prediction, a: float, b: float, kind: str) -> None:
    narrow, wide = (bs.intervals(drawn, prob, kind=kind) for prob in sorted((a, b)))
    close = 1e-12
    assert (wide["lower"] <= narrow["lower"] + close).all()
    assert (narrow["lower"] <= narrow["median"] + close).all()
    assert (narrow["median"] <= narrow["upper"] + close).all()
    assert (narrow["upper"] <= wide["upper"] + close).all()
    assert ((wide["lower"] >= 0) & (wide["upper"] <= 1)).all()


@given(predictions(), PROBS, st.randoms(use_true_random=False))
def test_intervals_follow_the_models_and_not_the_order_of_draws(
    drawn: bs.Prediction, prob: float, random: object
) -> None:
    data = drawn.data
    rows, draws = ([*range(data.sizes[dim])] for dim in ("model", "draw"))
    for order in (rows, draws):
        random.shuffle(order)  # type: ignore[attr-defined]
    moved = bs.intervals(bs.Prediction(data.isel(model=rows, draw=draws)), prob)
    still = bs.intervals(drawn, prob).set_index(["model", "benchmark"])
    found = moved.set_index(["model", "benchmark"]).loc[still.index]
    np.testing.assert_allclose(found.to_numpy(dtype=float), still.to_numpy(dtype=float), atol=1e-12)


@settings(max_examples=3, deadline=None)  # each one traces the whole forecast
@given(st.permutations(range(len(asked()))))
def test_the_order_asked_permutes_the_numbers_exactly(order: list[int]) -> None:
    with compiled_quickly():
        shuffled = bs.predict(map_fit(), asked().iloc[order], seed=0)
    xr.testing.assert_identical(shuffled.data, forecast().data.isel(model=order))
