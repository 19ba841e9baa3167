"""Checks of what many functions take: what passes, and the one sentence that what does not gets."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from bayes_sloth.arguments import check_flag, check_prob, check_whole
from bayes_sloth.errors import InputError
from bayes_sloth.passk import ItemPriors
from bayes_sloth.spec import Priors


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "4", None, np.float64(4), float("nan")])
def test_others_are_named(number: object) -> None:
    with pytest.raises(InputError, match=r"^fit: draws is .*: give a whole number from 1 up\.$"):
        check_whole("fit", draws=number)


def test_a_seed_may_be_zero_and_a_least_is_kept() -> None:
    check_whole("fit", 10, seed=0, draws=10)
    with pytest.raises(InputError, match=r"draws is 9: give a whole number from 10 up"):
        check_whole("fit", 10, draws=9)
    with pytest.raises(InputError, match=r"seed is -1: give a whole number from 0 up"):
        check_whole("fit", 10, seed=-1)
    with pytest.raises(InputError, match=r"seed is 4294967296: give a whole number below 4294967296"):
        check_whole("fit", seed=2**32)
    check_whole("WholeFamilies", least=2, owner=3)  # names of arguments may be its own


@pytest.mark.parametrize("largest", [2**32 - 1, np.int64(2**32 - 1)])
def test_the_largest_number_passes_and_the_next_does_not(largest: int) -> None:
    check_whole("fit", draws=largest, seed=largest)
    with pytest.raises(InputError, match="below 4294967296"):
        check_whole("fit", draws=largest + 1)


@pytest.mark.parametrize(
    ("prob", "instead"),
    [(80, 0.8), (0, 0.9), (1.0, 0.9), ("90%", 0.9), (None, 0.9), (True, 0.9), (float("nan"), 0.9)],
)
def test_others_get_a_number_that_would_pass(prob: object, instead: float) -> None:
    with pytest.raises(InputError, match=rf"prob is .*: give a probability .* such as {instead}\.$"):
        check_prob(prob)


@pytest.mark.parametrize("prob", [0.5, np.float32(0.9), 1e-9])
def test_a_probability_passes_and_what_is_over_one_does_not(prob: float) -> None:
    check_prob(prob)
    with pytest.raises(InputError, match=r"^--prob is "):
        check_prob(prob + 1, "--prob")


@pytest.mark.parametrize("flag", [True, 0, np.bool_(False), np.int64(1)])
def test_a_flag_passes_and_larger_numbers_do_not(flag: Any) -> None:
    check_flag("instruct", flag)
    with pytest.raises(InputError, match=r"^instruct is .*: give True or False\.$"):
        check_flag("instruct", int(flag) + 2)


@pytest.mark.parametrize("word", ["yes", "", None, 0.5, []])
def test_words_are_no_flags(word: object) -> None:
    with pytest.raises(InputError, match="give True or False"):
        check_flag("instruct", word)


@pytest.mark.parametrize("made", [Priors, ItemPriors])
@pytest.mark.parametrize("value", ["wide", None, np.inf, np.nan, 0.0, -1.0])
def test_priors_are_finite_and_their_scales_positive(made: Any, value: object) -> None:
    """Every number of every prior; a mean may have any sign."""
    for name in (entry.name for entry in fields(made)):
        if name.endswith("_mean") and value in (0.0, -1.0):
            assert getattr(made(**{name: value}), name) == value
        else:
            with pytest.raises(InputError, match=rf"^{made.__name__}: {name} is .*: give a finite"):
                made(**{name: value})
