"""The published rivals: their training against plain NumPy, their laws recovered, and nothing hidden seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from oracles import as_scores

from bayes_sloth.errors import InputError
from bayes_sloth.folds import Fold
from bayes_sloth.laws import lanes
from bayes_sloth.laws.components import ComponentsLaw
from bayes_sloth.laws.dressing import points
from bayes_sloth.laws.factor import LINKS, Problem, fitted_logistic, fitted_network
from bayes_sloth.laws.flops import FlopsLaw
from bayes_sloth.laws.generator import Stream
from bayes_sloth.laws.huber import Plateau, Training, fallen, ready, smooth_l1
from bayes_sloth.laws.network import WEIGHTS, nonnegative, share_reached, started
from bayes_sloth.laws.published_sloth import PublishedSloth
from bayes_sloth.laws.rows import rows_of
from bayes_sloth.laws.size_tokens import SizeTokensLaw
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]

FAMILIES, SIZES = 6, 4
FLOORS = (0.25, 0.0, 0.5)
SHORT = Training(rates=(0.01,), epochs=100)  # so few that 32-bit rounding has not yet grown
LONG = Training(rates=(0.1, 0.01), epochs=3000)
LAWS = (
    FlopsLaw(family=False, pooled=False, training=SHORT),
    SizeTokensLaw(family=True, link="logistic", training=SHORT),
    ComponentsLaw(2),
    PublishedSloth(2, "network", family=True, training=SHORT),
)


def facts() -> pd.DataFrame:
    """Six families of four models, each family with tokens of its own."""
    rng, family = np.random.default_rng(3), np.repeat(np.arange(FAMILIES), SIZES)
    size = np.sort(np.exp(rng.uniform(0, 4, (FAMILIES, SIZES)))).ravel()
    tokens = np.exp(rng.normal(0.5, 0.8, FAMILIES))[family]
    columns = {"model": [f"m{i:02}" for i in range(family.size)], "family": [f"f{k}" for k in family]}
    return read_models(pd.DataFrame(columns | {"params_b": size, "tokens_t": tokens}))


def table(logits: Floats, *, noise: float = 0.0) -> Scores:
    share = 1 / (1 + np.exp(-logits)) + noise * np.random.default_rng(8).normal(size=logits.shape)
    return as_scores(facts(), np.array(FLOORS) + (1 - np.array(FLOORS)) * np.clip(share, 0.01, 0.99), FLOORS)


def logs() -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return log size, log tokens and the number of the family."""
    known = facts()
    size, tokens = (np.log(known[name].to_numpy(dtype=float)) for name in ("params_b", "tokens_t"))
    return size, tokens, np.repeat(np.arange(FAMILIES), SIZES)


def two_skills() -> Floats:
    """Return the logits of a Sloth of two skills."""
    size, tokens, family = logs()
    effects = np.random.default_rng(4).normal(0, 0.5, (FAMILIES, 2))
    skill = effects[family] + np.outer(size, [0.5, 0.2]) + np.outer(tokens, [0.3, 0.6])
    return skill @ np.array([[1.0, 0.2, 0.6], [0.1, 1.0, 0.5]]) - 1.5


def largest(*families: int) -> Fold:
    """Hide the largest model of some families."""
    mask = np.zeros((FAMILIES * SIZES, len(FLOORS)), dtype=bool)
    mask[[SIZES * family + SIZES - 1 for family in families]] = True
    return Fold("largest", mask, mask)


def hidden_error(law: Any, scores: Scores, fold: Fold) -> float:
    found = points(law, scores, [fold], seed=42)[0]
    return float(np.abs(found - scores.data["score"].values)[fold.asked].mean())


def test_the_loss_is_hubers_and_so_is_its_slope() -> None:
    residual = np.array([-0.4, -0.01, -0.003, 0.0, 0.002, 0.0101, 0.7])
    expected = [0.5 * r * r / 0.01 if abs(r) < 0.01 else abs(r) - 0.005 for r in residual]
    np.testing.assert_allclose(smooth_l1(jnp.asarray(residual)), expected, rtol=1e-12)
    step = 1e-7
    slope = (smooth_l1(jnp.asarray(residual + step)) - smooth_l1(jnp.asarray(residual - step))) / (2 * step)
    np.testing.assert_allclose(slope, np.clip(residual / 0.01, -1, 1), atol=1e-5)


def rates_in_numpy(losses: Floats, rate: float, training: Training) -> list[float]:
    """Run PyTorch's documented rule over a list of losses."""
    lowest, waited, rates = np.inf, 0, []
    for loss in losses:
        if loss < lowest * (1 - training.threshold):
            lowest, waited = loss, 0
        else:
            waited += 1
        if waited > training.patience:
            if rate - rate * training.factor > 1e-8:
                rate *= training.factor
            waited = 0
        rates.append(rate)
    return rates


@pytest.mark.parametrize("rate", [0.1, 2.1e-7])  # the second falls once, and then by too little
def test_the_rate_falls_as_pytorchs_does(rate: float) -> None:
    training = Training(patience=3)
    noise = np.random.default_rng(1).normal(0, 0.05, 300)
    losses = np.exp(-np.arange(300) / 100) + np.abs(noise)
    plateau, found = Plateau(jnp.asarray(rate), jnp.asarray(np.inf), jnp.asarray(0)), []
    for loss in losses:
        plateau = fallen(plateau, jnp.asarray(loss), training)
        found.append(float(plateau.rate))
    expected = rates_in_numpy(losses, rate, training)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert len(set(expected)) > (20 if rate > 0.01 else 1)


def line(parameters: dict[str, Any], design: Any) -> Any:
    return design @ parameters["slope"]


def trained_in_numpy(
    design: Floats, target: Floats, weight: Floats, training: Training
) -> tuple[Floats, float, int]:
    """Train a line by the published loop, written out."""
    slope = mean = square = np.zeros((2, 1))
    rate, lowest, waited, kept, least, stale = training.rates[0], np.inf, 0, slope, np.inf, 0
    for epoch in range(1, training.epochs + 1):
        residual = design @ slope - target
        size = np.abs(residual)
        loss = (weight * np.where(size < 0.01, 50 * residual**2, size - 0.005)).sum() / weight.sum()
        error = (weight * size).sum() / weight.sum()
        gradient = design.T @ (weight * np.clip(residual / 0.01, -1, 1)) / weight.sum()
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        scaled = np.sqrt(square / (1 - 0.999**epoch)) + 1e-8
        slope = slope - rate * mean / (1 - 0.9**epoch) / scaled
        waited = 0 if loss < lowest * (1 - 1e-4) else waited + 1
        lowest = min(lowest, loss) if waited == 0 else lowest
        if waited > training.patience:
            rate, waited = rate * training.factor, 0
        if least > error + training.tolerance:
            kept, least, stale = slope, error, 0
        else:
            stale += 1
        if stale >= training.stop_patience:
            return kept, least, epoch
    return kept, least, training.epochs


def test_training_is_the_published_loop() -> None:
    rng = np.random.default_rng(6)
    design = np.stack([np.ones(12), rng.normal(size=12)], axis=1).astype(np.float32)
    target = (design @ np.array([[0.03], [-0.02]]) + 0.002 * rng.normal(size=(12, 1))).astype(np.float32)
    target[3] += 0.5  # beyond the threshold at every epoch
    weight = (np.arange(12) % 3 != 1).astype(np.float32)[:, None]
    training = Training(rates=(0.01,), factor=0.5, patience=5, stop_patience=40, tolerance=2e-3)
    expected, least, epochs = trained_in_numpy(*(a.astype(float) for a in (design, target, weight)), training)
    begun = jax.tree.map(lambda value: value[None], ready({"slope": np.zeros((2, 1), np.float32)}, 0.01))
    cells = target[None], weight[None], design
    after = lanes._round(begun, *cells, curve=line, bound=nonnegative, training=training)
    assert abs(int(after.epoch[0]) - epochs) <= 2 and epochs < lanes.ROUND
    np.testing.assert_allclose(after.kept["slope"][0], expected, atol=2e-5)
    np.testing.assert_allclose(after.error[0], least, rtol=1e-4)


def test_the_stream_is_pytorchs() -> None:
    # Printed by PyTorch after torch.manual_seed: rand(3), randn(6), randn(16)[:4], nn.Linear(1, 1).
    np.testing.assert_allclose(Stream(0).uniforms(3, low=0, high=1), [0.4963, 0.7682, 0.0885], atol=5e-5)
    few = [1.5410, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986]
    np.testing.assert_allclose(Stream(0).normals(6), few, atol=5e-5)
    np.testing.assert_allclose(Stream(42).normals(16)[:4], [1.9269, 1.4873, 0.9007, -2.1055], atol=5e-5)
    np.testing.assert_allclose(Stream(42).uniforms(2, low=-1, high=1), [0.7645, 0.8300], atol=5e-5)


def test_normals_are_normal_whatever_their_number() -> None:
    drawn = Stream(1).normals(40_007)
    assert abs(drawn.mean()) < 0.02 and abs(drawn.std() - 1) < 0.02
    one_by_one = np.concatenate([Stream(2).normals(15), Stream(2).normals(15)])
    assert (one_by_one[:15] == one_by_one[15:]).all()


@pytest.mark.parametrize("benchmarks", [1, 3])
def test_the_network_never_falls(benchmarks: int) -> None:
    layers = started(Stream(42), benchmarks)
    assert all((layers[name] >= 0).all() for name in WEIGHTS)
    grid = jnp.tile(jnp.linspace(-4, 4, 101, dtype=jnp.float32)[:, None], (1, benchmarks))
    share = np.asarray(share_reached(layers, grid))
    assert (np.diff(share, axis=0) >= 0).all() and (share[-1] > share[0]).all()
    turned = layers | {"weight_in": -layers["weight_in"]}
    assert (np.diff(np.asarray(share_reached(turned, grid)), axis=0) <= 0).all()
    flat = np.asarray(share_reached(nonnegative(turned), grid))
    assert (flat == flat[:1]).all()


def test_the_network_is_the_formula() -> None:
    layers, eta = started(Stream(3), 2), np.array([[-1.0, 0.3], [0.2, 2.0], [0.0, -0.7]])
    for j in range(2):
        one = {name: value[j].astype(float) for name, value in layers.items()}
        for i in range(3):
            hidden = np.tanh(one["weight_in"] * np.tanh(eta[i, j]) + one["bias_in"])
            hidden = np.tanh(one["weight_hidden"] @ hidden + one["bias_hidden"])
            share = 1 / (1 + np.exp(-(one["weight_out"] @ hidden + one["bias_out"])))
            found = share_reached(layers, jnp.asarray(eta, jnp.float32))[i, j]
            np.testing.assert_allclose(found, share, rtol=1e-5)


def test_noiseless_tables_are_recovered() -> None:
    size, tokens, family = logs()
    compute = size + tokens
    level = np.random.default_rng(5).normal(0, 0.7, FAMILIES)[family]
    along = np.outer(level + 0.6 * compute - 2, np.ones(3)) - [0, 0.5, 1]
    own = np.outer((0.4 + 0.1 * family) * compute - 2, np.ones(3))
    fold = largest(1, 4)
    cases: list[tuple[Any, Floats]] = [
        (FlopsLaw(family=True, training=LONG), along),
        (FlopsLaw(family=False, pooled=False, training=LONG), own),
        (PublishedSloth(2, "logistic", family=True, training=LONG), two_skills()),
    ]
    for law, logits in cases:
        assert hidden_error(law, table(logits), fold) < 0.01, law.name
    wrong = FlopsLaw(family=False, training=LONG)
    assert hidden_error(wrong, table(along), fold) > 0.05


def test_a_network_learns_what_a_logistic_curve_cannot() -> None:
    size, tokens, _ = logs()
    share = 0.1 + 0.5 / (1 + np.exp(-3 * (size + tokens - 3)))  # from a tenth of the range to six tenths
    bent = table(np.outer(np.log(share / (1 - share)), np.ones(3)))
    training = replace(LONG, rates=(0.01,))
    laws = [PublishedSloth(1, link, family=False, training=training) for link in LINKS]
    logistic, network = (hidden_error(law, bent, largest(1, 4)) for law in laws)
    assert network < 0.005 and logistic > 0.02


def problem_of(scores: Scores, fold: Fold) -> Problem:
    rows = rows_of(scores, [fold])
    cells = rows.score[None].astype(np.float32), rows.seen.astype(np.float32)
    return Problem(rows.recipes.terms, rows.recipes.family, *cells, rows.floor[None], 42, SHORT)


def test_floors_stay_unless_they_are_free() -> None:
    problem = problem_of(table(two_skills()), largest(0))
    floors = [fitted_logistic(problem, 2, free=free)["floor"][0] for free in (False, True)]
    np.testing.assert_allclose(1 / (1 + np.exp(-floors[0].astype(float))), FLOORS, atol=2e-5)
    assert (np.abs(floors[1] - floors[0]) > 0.01).all()


def test_a_trained_network_stays_monotone() -> None:
    problem = problem_of(table(two_skills(), noise=0.2), largest(0))
    found = fitted_network(problem, fitted_logistic(problem, 2, free=False))
    weights = np.concatenate([found[name].ravel() for name in WEIGHTS])
    assert (weights >= 0).all() and (weights == 0).any()  # some would have gone below


def test_as_many_components_as_benchmarks_are_least_squares() -> None:
    scores, fold = table(two_skills(), noise=0.02), largest(0, 2)
    rows = rows_of(scores, [fold])
    seen = ~fold.hidden.any(axis=1)
    design = np.column_stack([rows.recipes.log_flops, rows.recipes.family])
    weights = np.linalg.lstsq(design[seen], rows.score[seen], rcond=None)[0]
    np.testing.assert_allclose(
        points(ComponentsLaw(3), scores, [fold], seed=0)[0], design @ weights, atol=1e-9
    )
    one = points(ComponentsLaw(1), scores, [fold], seed=0)[0]
    assert np.linalg.matrix_rank(one - rows.score[seen].mean(axis=0), tol=1e-9) == 1


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_what_is_hidden_changes_nothing(law: Any) -> None:
    scores, folds = table(two_skills(), noise=0.02), [largest(0, 2), largest(5)]
    found = points(law, scores, folds, seed=42)
    assert found.shape == (2, FAMILIES * SIZES, 3) and np.isfinite(found).all()
    spoiled = scores.data["score"].values.copy()
    spoiled[folds[0].hidden] = 0.99
    again = points(law, as_scores(facts(), spoiled, FLOORS), folds, seed=42)
    assert (again[0] == found[0]).all()
    assert not np.allclose(again[1], found[1], atol=1e-4)  # the other fold sees them


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_hidden_row_is_an_absent_row(law: Any) -> None:
    scores, gone = table(two_skills(), noise=0.02), largest(0, 2, 3)
    other = [i for i in range(FAMILIES * SIZES) if not gone.hidden[i].any()]
    left = scores.select(models=[scores.models[i] for i in other])
    # The last row of the smaller table is kept from both fits, for a fold has to ask for something.
    mask, small = gone.hidden.copy(), np.zeros((len(other), 3), dtype=bool)
    mask[other[-1]], small[-1] = True, True
    whole = points(law, scores, [Fold("whole", mask, mask)], seed=42)[0]
    part = points(law, left, [Fold("part", small, small)], seed=42)[0]
    np.testing.assert_allclose(whole[other], part, atol=2e-4)


def test_a_missing_score_is_a_hidden_score() -> None:
    scores, fold = table(two_skills(), noise=0.02), largest(3)
    hole = np.zeros_like(fold.hidden)
    hole[[2, 9], [0, 1]] = True
    law = PublishedSloth(2, "logistic", family=True, training=SHORT)
    missing = points(law, scores.hide(hole), [fold], seed=42)
    hidden = points(law, scores, [Fold("holes", fold.hidden | hole, fold.asked)], seed=42)
    assert (missing == hidden).all()


def test_a_fit_does_not_depend_on_its_neighbours() -> None:
    scores = table(two_skills(), noise=0.02)
    folds = [largest(k % FAMILIES, (k + 1 + k // FAMILIES) % FAMILIES) for k in range(12)]
    assert len(folds) * len(FLOORS) > lanes.WIDTHS[0]  # some wait for room
    law = SizeTokensLaw(family=True, link="logistic", training=SHORT)
    together = points(law, scores, folds, seed=42)
    for k in (0, 5, 11):
        np.testing.assert_allclose(together[k], points(law, scores, [folds[k]], seed=42)[0], atol=2e-4)


def test_a_second_table_of_the_same_shape_compiles_nothing() -> None:
    law = SizeTokensLaw(family=True, link="logistic", training=SHORT)
    points(law, table(two_skills()), [largest(0)], seed=42)
    before = lanes._round._cache_size()
    points(law, table(two_skills(), noise=0.02), [largest(4)], seed=7)
    assert lanes._round._cache_size() == before


def test_rows_without_tokens_and_benchmarks_without_scores_are_not_forecast() -> None:
    known = facts()
    known.loc[5, "tokens_t"] = np.nan
    score = table(two_skills()).data["score"].values.copy()
    score[:, 1] = np.nan
    law = PublishedSloth(2, "logistic", family=True, training=SHORT)
    fold = largest(0)
    asked = fold.asked & ~np.isnan(score)
    found = points(law, as_scores(known, score, FLOORS), [Fold("one", fold.hidden, asked)], seed=42)[0]
    assert np.isnan(found[5]).all() and np.isnan(found[:, 1]).all()
    assert np.isfinite(np.delete(found, 5, axis=0)[:, [0, 2]]).all()


def test_what_cannot_be_fitted_is_an_input_error() -> None:
    scores, fold = table(two_skills()), largest(0)
    with pytest.raises(InputError, match="unknown link 'tanh'"):
        SizeTokensLaw(family=True, link="tanh")
    with pytest.raises(InputError, match="4 skills for 3 benchmarks"):
        points(PublishedSloth(4, "logistic", family=True), scores, [fold], seed=42)
    with pytest.raises(InputError, match="0 components for 3 benchmarks"):
        points(ComponentsLaw(0), scores, [fold], seed=42)
    every = np.ones_like(fold.hidden)
    with pytest.raises(InputError, match="no model has every score"):
        points(ComponentsLaw(1), scores, [Fold("all", every, every)], seed=42)
    with pytest.raises(InputError, match="need a fold"):
        points(FlopsLaw(family=True), scores, [], seed=42)


def test_labels_tell_the_laws_apart() -> None:
    laws = [*LAWS, SizeTokensLaw(family=False, link="logistic"), PublishedSloth(2, "network", family=False)]
    assert len({law.name for law in laws}) == len(laws)
    assert FlopsLaw(family=True).name == "FLOPs + family"
