"""Unknown sizes and tokens: the regression that fills them, against conditioning written out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from oracles import conditioned, regression
from scipy import stats

from bayes_sloth.covariates import (
    SD_RANGE,
    Features,
    Scaling,
    _fitted_sds,
    features_of,
    scale_of,
    scaling_of,
    unknown_given,
)

FAMILY = np.array(["a", "a", "a", "b", "b", "b", "c", "c", "d", "d", "e", "a"], dtype=object)


def example(seed: int) -> tuple[Features, np.ndarray, np.ndarray]:
    """Twelve rows with four features; the last four of them, a new family among them, are not known."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=12)
    linear = np.stack([np.ones(12), rng.normal(size=12), rng.integers(0, 2, 12), size], axis=-1)
    level = dict(zip("abcde", rng.normal(size=5), strict=True))
    value = 0.6 * size + np.array([level[f] for f in FAMILY]) + rng.normal(0, 0.3, 12)
    return Features(linear, FAMILY), value, np.arange(12) < 8


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unknown_covariates_are_plain_gaussian_conditioning(seed: int) -> None:
    features, value, known = example(seed)
    found = unknown_given(features.rows(known), value[known], features.rows(~known))
    sds = _fitted_sds(features.rows(known), value[known])
    mean, left = conditioned(regression(features.linear, FAMILY, sds), known, value[known])
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.lower @ found.lower.T, left, atol=1e-9)
    np.testing.assert_allclose(found.weights @ value[known], found.mean, atol=1e-12)


def test_few_known_rows_use_fixed_spreads() -> None:
    features, value, _ = example(0)
    known = np.arange(12) < 2
    found = unknown_given(features.rows(known), value[known], features.rows(~known))
    mean, left = conditioned(regression(features.linear, FAMILY, np.array([1.0, 0.5])), known, value[known])
    np.testing.assert_allclose(found.mean, mean, atol=1e-10)
    np.testing.assert_allclose(found.lower @ found.lower.T, left, atol=1e-10)


def test_with_nothing_known_the_prior_is_left() -> None:
    features, value, _ = example(0)
    none = np.zeros(12, dtype=bool)
    found = unknown_given(features.rows(none), value[none], features)
    assert (found.mean == 0).all() and found.size_effect == 0
    joint = regression(features.linear, FAMILY, np.array([1.0, 0.5]))
    np.testing.assert_allclose(found.lower @ found.lower.T, joint, atol=1e-10)


def test_with_nothing_unknown_there_is_nothing_to_draw() -> None:
    features, value, _ = example(0)
    none = np.zeros(12, dtype=bool)
    assert unknown_given(features, value, features.rows(none)).mean.shape == (0,)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_spreads_maximise_the_marginal_likelihood(seed: int) -> None:
    """No point of a fine grid beats the search by more than a thousandth of a log unit."""
    features, value, _ = example(seed)

    def log_likelihood(family: float, noise: float) -> float:
        joint = regression(features.linear, FAMILY, np.array([family, noise]))
        return float(stats.multivariate_normal.logpdf(value, cov=joint))

    found = _fitted_sds(features, value)
    grid = np.geomspace(*SD_RANGE, 12)
    best = max(log_likelihood(a, b) for a in grid for b in grid)
    assert log_likelihood(*found) > best - 1e-3
    assert (found >= SD_RANGE[0] - 1e-12).all() and (found <= SD_RANGE[1] + 1e-12).all()


def test_size_moves_unknown_tokens_along_the_regression() -> None:
    features, value, known = example(3)
    found = unknown_given(features.rows(known), value[known], features.rows(~known))
    larger = features.linear.copy()
    larger[~known, 3] += 0.5
    moved = unknown_given(features.rows(known), value[known], Features(larger, FAMILY).rows(~known))
    np.testing.assert_allclose(moved.mean - found.mean, 0.5 * found.size_effect, atol=1e-10)
    assert found.size_effect > 0.2


def test_a_familys_known_tokens_tell_its_unknown_ones() -> None:
    """Families of 1, 2, 4 and 16 trillion tokens, one model of each unknown: recovered within a fifth."""
    tokens = {"a": 1.0, "b": 4.0, "c": 16.0, "d": 2.0}
    family = np.repeat(list(tokens), 4)
    truth = np.array([tokens[f] for f in family])
    given = np.where(np.arange(16) % 4 == 3, np.nan, truth)
    table = pd.DataFrame({"family": family, "params_b": 7.0, "tokens_t": given, "date": np.nan})
    scaling = scaling_of(table)
    value = scaling.tokens.scaled(np.log(given))
    known = ~np.isnan(value)
    features = features_of(table, scaling)
    found = unknown_given(features.rows(known), value[known], features.rows(~known))
    recovered = np.exp(found.mean * scaling.tokens.sd + scaling.tokens.mean)
    np.testing.assert_allclose(recovered, truth[~known], rtol=0.2)
    assert np.ptp(found.mean) > 1
    assert (np.diag(found.lower) > 0).all()


def test_a_later_date_moves_unknown_tokens() -> None:
    years = np.linspace(2020, 2024, 12)
    table = pd.DataFrame(
        {
            "family": [f"f{i}" for i in range(14)],
            "params_b": 7.0,
            "tokens_t": [*np.exp(years - 2022), np.nan, np.nan],
            "date": [*years, 2020.0, 2024.0],
        }
    )
    scaling = scaling_of(table)
    value = scaling.tokens.scaled(np.log(table["tokens_t"].to_numpy()))
    known = ~np.isnan(value)
    features = features_of(table, scaling)
    old, new = unknown_given(features.rows(known), value[known], features.rows(~known)).mean
    assert new - old > 2


def test_the_order_of_known_rows_does_not_matter() -> None:
    features, value, known = example(1)
    order = np.random.default_rng(0).permutation(8)
    one = unknown_given(features.rows(known), value[known], features.rows(~known))
    shuffled = Features(features.linear[:8][order], FAMILY[:8][order])
    other = unknown_given(shuffled, value[:8][order], features.rows(~known))
    np.testing.assert_allclose(other.mean, one.mean, atol=1e-5)  # the two searches stop a rounding apart
    np.testing.assert_allclose(other.weights[:, np.argsort(order)], one.weights, atol=1e-5)


def test_scales_standardise_and_survive_constants_and_gaps() -> None:
    values = np.array([1.0, 2.0, 6.0, np.nan])
    scaled = scale_of(values).scaled(values)
    assert np.nanmean(scaled) == pytest.approx(0) and np.nanstd(scaled) == pytest.approx(1)
    assert (scale_of(values).low, scale_of(values).high) == (1.0, 6.0)
    assert scale_of(np.array([3.0, 3.0])).scaled(np.array([3.0, 4.0])).tolist() == [0.0, 1.0]
    assert scale_of(np.array([np.nan])).mean == 0.0


def test_scaling_survives_a_file() -> None:
    table = pd.DataFrame({"params_b": [1.0, 8.0], "tokens_t": [2.0, np.nan], "date": [2023.0, 2024.5]})
    scaling = scaling_of(table)
    assert Scaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


def test_a_missing_date_is_a_feature_not_a_value() -> None:
    table = pd.DataFrame(
        {"params_b": 1.0, "tokens_t": 1.0, "date": [2020.0, 2024.0, np.nan], "family": ["a", "b", "c"]}
    )
    found = features_of(table, scaling_of(table)).linear
    np.testing.assert_allclose(found, [[1, -1, 0], [1, 1, 0], [1, 0, 1]])
    with_size = features_of(table, scaling_of(table), np.array([5.0, 6.0, 7.0])).linear
    assert with_size[:, 3].tolist() == [5.0, 6.0, 7.0]
