"""Models asked about find their places: families known and new, parents, unknown covariates, flags."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from fits import asked, table

from bayes_sloth.datasets import load_leaderboard
from bayes_sloth.design import design_of
from bayes_sloth.deviations import NUGGET
from bayes_sloth.questions import Questions, questions_of
from bayes_sloth.reading import read_models

DESIGN = design_of(table(), ("MMLU", "GSM8K"))


def questions(rows: pd.DataFrame) -> Questions:
    return questions_of(DESIGN, table().metadata, read_models(rows), table())


def rows(*extra: dict[str, object]) -> pd.DataFrame:
    usual = {"params_b": 30.0, "tokens_t": 2.0}
    return pd.DataFrame([{"model": f"m{i}", **usual, **row} for i, row in enumerate(extra)])


def test_known_families_keep_their_numbers_and_new_ones_follow() -> None:
    found = questions(
        rows({"family": "yi"}, {"family": "z"}, {"family": "llama-2"}, {"family": "z"}, {"family": "q"})
    )
    assert found.new_families == ("z", "q")
    number = table().families.index
    assert found.family.tolist() == [number("yi"), 6, number("llama-2"), 6, 7]


def test_parents_of_new_families_may_be_known_or_new_in_any_order() -> None:
    found = questions(
        rows(
            {"family": "child", "parent": "new parent"},
            {"family": "new parent", "parent": "falcon"},
            {"family": "orphan", "parent": "nobody"},
            {"family": "llama-3", "parent": "falcon"},
        )
    )
    assert found.new_families == ("child", "new parent", "orphan")
    # What a known family inherits is already in its fitted effect.
    assert found.parent.tolist() == [-1] * 6 + [7, table().families.index("falcon"), -1]


def test_families_that_descend_from_each_other_are_no_loop() -> None:
    found = questions(rows({"family": "a", "parent": "b"}, {"family": "b", "parent": "a"}))
    assert sorted(found.parent[6:].tolist()) == [-1, 7] or sorted(found.parent[6:].tolist()) == [-1, 6]


def test_known_covariates_are_scaled_as_the_fitted_ones() -> None:
    found = questions(rows({"family": "llama-2", "params_b": 13.016}))
    fitted = table().models.index("llama-2-13b")
    assert found.log_size.value[0] == pytest.approx(DESIGN.log_size.value[fitted])
    assert found.log_tokens.value[0] == pytest.approx(DESIGN.log_tokens.value[fitted])
    assert found.log_size.missing.size == found.log_tokens.missing.size == 0
    drawn = found.log_size.filled(DESIGN.log_size.value, 0.0, np.zeros(0))
    np.testing.assert_array_equal(drawn, found.log_size.value)


def test_unknown_covariates_are_drawn_and_known_ones_stay() -> None:
    found = questions(
        rows(
            {"family": "llama-2", "tokens_t": None}, {"family": "llama-3", "tokens_t": None}, {"family": "yi"}
        )
    )
    assert found.log_tokens.missing.tolist() == [0, 1]
    noise = jax.random.normal(jax.random.key(1), (2000, 2))
    drawn = np.asarray(jax.vmap(lambda n: found.log_tokens.filled(DESIGN.log_tokens.value, 0.0, n))(noise))
    assert (drawn[:, 2] == found.log_tokens.value[2]).all()
    sd = np.sqrt(np.diag(found.log_tokens.lower @ found.log_tokens.lower.T))
    np.testing.assert_allclose(drawn[:, :2].std(0), sd, rtol=0.1)  # six standard errors of 2,000 draws
    np.testing.assert_allclose(
        drawn[:, :2].mean(0), found.log_tokens.value[:2], atol=6 * sd.max() / 2000**0.5
    )
    # The siblings tell: llama-2 saw 2 trillion tokens, llama-3 fifteen.
    assert found.log_tokens.value[1] - found.log_tokens.value[0] > 0.33


def test_unknown_tokens_move_with_the_drawn_size() -> None:
    found = questions(rows({"family": "new", "tokens_t": None}, {"family": "yi"})).log_tokens
    noise, shift = np.array([0.5]), np.array([0.3, 0.3])
    moved = np.asarray(found.filled(DESIGN.log_tokens.value, shift, noise))
    still = np.asarray(found.filled(DESIGN.log_tokens.value, 0.0, noise))
    np.testing.assert_allclose(moved - still, [0.3, 0.0], atol=1e-12)  # a known value never moves


def test_active_parameters_count_for_mixtures_alone() -> None:
    found = questions(rows({"family": "mixtral", "active_params_b": 10.0}, {"family": "mixtral"}))
    assert found.log_active_share[0] == pytest.approx(np.log(10 / 30) / DESIGN.scaling.size.sd)
    assert found.log_active_share[1] == 0


def test_departures_grow_with_the_distance_from_the_siblings() -> None:
    sizes = [{"family": "llama-2", "params_b": size} for size in (13.0, 70.0, 400.0, 4000.0)]
    found = questions(rows(*sizes, {"family": "new"}))
    variance = (found.deviation_lower**2).sum(1)
    assert (np.diff(variance[:4]) > 0).all()
    assert (variance > NUGGET - 1e-9).all()
    # A lone model of a new family stands at its family's centre: what it departs by is its family's own.
    assert variance[4] == pytest.approx(NUGGET)
    assert (found.deviation_weights[4] == 0).all()


def test_item_counts_are_the_tables_typical_ones_and_tuning_a_number() -> None:
    found = questions(asked())
    items = np.median(table().data["items"].values, axis=0)
    np.testing.assert_array_equal(found.items, items[None])
    assert found.instruct.tolist() == [0, 1] + [0] * (len(asked()) - 2)


def test_unknown_tokens_scatter_as_the_fit_learned_not_as_its_own_guesses_do() -> None:
    """Guesses lie closer together than tokens do; to learn from them would narrow every forecast."""
    scores = load_leaderboard()
    design = design_of(scores, ("MMLU",))
    new = read_models({"model": "n", "family": "new", "params_b": 7.0, "tokens_t": np.nan})
    drawable = questions_of(design, scores.metadata, new, scores).log_tokens
    family, within = design.log_tokens.unknown.sds
    assert np.isnan(scores.metadata["tokens_t"]).sum() > 50
    assert drawable.lower[0, 0] ** 2 >= family**2 + within**2
