"""Draws of loadings in any rotation, order and sign come out with one meaning, and true loadings inside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from bayes_sloth.alignment import align, congruence, order_and_signs, principal_loadings

CORRELATION = np.array([[1.0, 0.4, 0.3], [0.4, 1.0, 0.2], [0.3, 0.2, 1.0]])


def truth(seed: int, benchmarks: int = 12) -> np.ndarray:
    """Return loadings of simple structure on three skills, as uneven as those of real boards."""
    rng = np.random.default_rng(seed)
    loading = np.zeros((benchmarks, 3))
    for place in range(benchmarks):
        loading[place, place % 3] = rng.uniform(0.6, 1.5) * (2.5 if place % 3 == 0 else 1.0)
    return loading


def posterior_of(loading: np.ndarray, seed: int, draws: int = 200) -> np.ndarray:
    """Return draws around an estimate of loadings, every draw with a rotation, order and signs of its own."""
    rng = np.random.default_rng(seed)
    white = loading @ np.linalg.cholesky(CORRELATION)
    sd = 0.08 * (1 + np.abs(white))
    estimate = white + sd * rng.normal(size=white.shape)
    turn = np.linalg.qr(rng.normal(size=(draws, 3, 3)))[0]
    return np.asarray((estimate + sd * rng.normal(size=(draws, *white.shape))) @ turn)


def units(draws: int) -> np.ndarray:
    return np.stack([np.eye(3)] * draws)


@pytest.mark.parametrize("rotation", ["geomin", "oblimin"])
def test_the_truth_is_found_without_noise(rotation: str) -> None:
    exact = truth(0) @ np.linalg.cholesky(CORRELATION)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 3, 3)))[0]
    found = align(exact @ turn, units(5), rotation)
    order, sign = order_and_signs(truth(0), found.reference)
    assert np.abs(found.loading - truth(0)[:, order] * sign).max() < 0.02
    assert np.abs(found.correlation - CORRELATION[np.ix_(order, order)]).max() < 0.02
    assert found.congruence.min() > 0.999


@pytest.mark.long
def test_ninety_percent_intervals_hold_the_truth() -> None:
    """Ten tables, 390 loadings and correlations: as many inside as nine in ten, one false alarm in 1000.

    Loadings of one table are estimated together; a correlation of half among them makes 360 worth about 60.
    """
    inside = []
    for seed in range(10):
        loading = truth(seed)
        found = align(posterior_of(loading, seed), units(200), "geomin")
        order, sign = order_and_signs(loading, found.reference)
        ends = np.quantile(found.loading, [0.05, 0.95], axis=0)
        true = loading[:, order] * sign
        inside.append(((ends[0] <= true) & (true <= ends[1])).mean())
    least, most = binom.ppf([0.0005, 0.9995], 60, 0.9) / 60
    assert least <= np.mean(inside) <= most


def test_the_reference_does_not_depend_on_rotations_of_draws() -> None:
    draws = posterior_of(truth(1), 1)
    other = draws @ np.linalg.qr(np.random.default_rng(9).normal(size=(200, 3, 3)))[0]
    one, two = (align(d, units(200), "geomin") for d in (draws, other))
    np.testing.assert_allclose(one.reference, two.reference, atol=1e-4)
    assert np.abs(one.loading - two.loading).max() < 0.02


def test_fitted_skills_of_any_scale_come_out_standardised() -> None:
    draws = posterior_of(truth(2), 2, draws=20)
    mix = np.random.default_rng(2).normal(size=(20, 3, 3))
    covariance = mix @ np.swapaxes(mix, 1, 2)
    fitted = draws @ np.linalg.inv(mix)  # on skills with that covariance
    plain, scaled = align(draws, units(20), "geomin"), align(fitted, covariance, "geomin")
    assert np.abs(plain.loading - scaled.loading).max() < 0.02
    after = np.swapaxes(scaled.to_skills, 1, 2) @ covariance @ scaled.to_skills
    np.testing.assert_allclose(after, scaled.correlation, atol=1e-8)
    np.testing.assert_allclose(np.einsum("nkk->nk", after), 1.0, atol=1e-8)


@pytest.mark.parametrize("rotation", ["geomin", "oblimin", "varimax", "none"])
def test_products_are_the_same_under_every_rotation(rotation: str) -> None:
    draws = posterior_of(truth(3), 3, draws=20)
    found = align(draws, units(20), rotation)
    product = found.loading @ found.correlation @ np.swapaxes(found.loading, 1, 2)
    np.testing.assert_allclose(product, draws @ np.swapaxes(draws, 1, 2), atol=1e-8)


@pytest.mark.parametrize(("middle", "told"), [(False, True), (True, False)])
def test_a_rotation_that_another_is_as_simple_as_is_told(middle: bool, told: bool) -> None:
    """Benchmarks on two axes have one simple structure; on three axes of the plane, any two of these."""
    angles = np.radians([0.0, 60.0, 120.0] if middle else [0.0, 90.0, 90.0])
    plane = np.repeat(np.column_stack([np.cos(angles), np.sin(angles)]), 4, axis=0)
    noise = 0.05 * np.random.default_rng(0).normal(size=(400, *plane.shape))
    found = align(plane + noise, np.stack([np.eye(2)] * 400), "geomin")
    simplest = (found.own_congruence > 0.85).all(axis=1).mean()
    assert simplest > 0.99 if told else simplest < 0.8


def test_a_skill_that_is_not_there_is_not_alike_over_draws() -> None:
    """Three skills where the table has two: the third is noise, and draws do not agree on it."""
    loading = truth(4).copy()
    loading[:, 2] = 0.0
    found = align(posterior_of(loading, 4), units(200), "geomin")
    assert np.median(found.congruence, axis=0).min() < 0.85
    assert np.sort(np.median(found.congruence, axis=0))[1] > 0.95


@pytest.mark.parametrize("seen", [True, False])
def test_rotating_shows_how_far_it_is_where_somebody_watches(
    seen: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The draws of a full posterior take about ten seconds."""
    monkeypatch.setattr("bayes_sloth.alignment.watched", lambda: seen)
    align(posterior_of(truth(3), 3, draws=20), units(20), "varimax")
    assert ("rotating draws" in capsys.readouterr().err) is seen


def test_order_and_signs_are_those_of_the_reference() -> None:
    reference = truth(5)
    order, sign = order_and_signs(-reference[:, [2, 0, 1]], reference)
    np.testing.assert_array_equal(-reference[:, [2, 0, 1]][:, order] * sign, reference)


def test_congruence_of_nothing_is_zero() -> None:
    assert congruence(np.zeros((1, 3, 1)), np.ones((3, 1))).tolist() == [[0.0]]


def test_principal_loadings_have_the_mean_product() -> None:
    white = truth(6)[None] @ np.linalg.cholesky(CORRELATION)
    found = principal_loadings(np.concatenate([white, white]))
    np.testing.assert_allclose(found @ found.T, white[0] @ white[0].T, atol=1e-9)
