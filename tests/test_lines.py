"""Lines of families, and what is drawn for lines that nobody has measured."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayes_sloth.effects import drawn_specific, handed_on
from bayes_sloth.lines import asked_lines, lines_in

# Family 0 has base and tuned models, family 1 tuned ones alone, family 2 base ones alone.
FAMILY = np.array([0, 2, 0, 1, 0])
INSTRUCT = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
DRAWS = 4000


def drawn(family: list[int], instruct: list[float], seed: int = 0) -> np.ndarray:
    """Return draws of models asked about, dims (draw, model, benchmark), for a fit with known effects."""
    asked = asked_lines(lines_in(FAMILY, INSTRUCT), np.array(family), np.array(instruct))
    noise = jax.random.normal(jax.random.key(seed), (DRAWS, asked.fitted.size, SCALE.size))
    return np.asarray(
        jax.vmap(lambda n: drawn_specific(asked, jnp.asarray(EFFECT), jnp.asarray(SCALE), n))(noise)
    )


EFFECT = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0], [70.0, 80.0]])
SCALE = np.array([0.5, 2.0])


def test_lines_are_numbered_family_by_family_base_first() -> None:
    lines = lines_in(FAMILY, INSTRUCT)
    assert lines.family.tolist() == [0, 0, 1, 2] and lines.tuned.tolist() == [0, 1, 1, 0]
    assert lines.model.tolist() == [1, 3, 0, 2, 1]
    assert lines.base.tolist() == [-1, 0, -1, -1]  # the tuned line of family 1 has no base to stand on
    assert lines.names(("a", "b", "c")) == ["a", "a*", "b*", "c"]


def test_a_tuned_line_has_its_own_on_top_of_its_base() -> None:
    own = np.arange(8.0).reshape(4, 2)
    found = handed_on(jnp.asarray(own), jnp.asarray(lines_in(FAMILY, INSTRUCT).base))
    np.testing.assert_array_equal(found, own + np.array([[0, 0], own[0], [0, 0], [0, 0]]))


def test_fitted_lines_keep_their_effects() -> None:
    found = drawn([2, 0, 0], [0.0, 0.0, 1.0])
    for place, line in enumerate((3, 0, 1)):
        assert (found[:, place] == EFFECT[line]).all()


@pytest.mark.parametrize(("family", "instruct", "beside"), [(1, 0.0, 2), (2, 1.0, 3), (7, 1.0, None)])
def test_an_unknown_line_scatters_around_the_other_of_its_family(
    family: int, instruct: float, beside: int | None
) -> None:
    """Kolmogorov-Smirnov against the normal law at one in a thousand for each benchmark."""
    found = drawn([family], [instruct])[:, 0]
    center = 0.0 if beside is None else EFFECT[beside]
    for own in ((found - center) / SCALE).T:
        assert stats.kstest(own, stats.norm.cdf).pvalue > 1e-3


def test_models_of_one_new_line_share_its_draw_and_tuned_ones_stand_on_base_ones() -> None:
    found = drawn([7, 7, 7, 8], [0.0, 0.0, 1.0, 0.0])
    assert (found[:, 0] == found[:, 1]).all() and (found[:, 0] != found[:, 3]).all()
    for own in ((found[:, 2] - found[:, 0]) / SCALE).T:
        assert stats.kstest(own, stats.norm.cdf).pvalue > 1e-3
    assert abs(stats.spearmanr(found[:, 0, 0], found[:, 3, 0]).statistic) < 4 / DRAWS**0.5
