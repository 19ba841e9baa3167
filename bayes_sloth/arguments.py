"""Checks of arguments that many functions take: seeds, counts, probabilities."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable
from typing import Final

from bayes_sloth.errors import InputError

# JAX takes seeds of 32 bits whatever its float width.
MOST: Final = 2**32


def check_whole(owner: str, least: int = 1, /, **given: object) -> None:
    """Refuse what is no whole number, or too small or large to count with.

    Parameters
    ----------
    owner : str
        Who was called, for the message.
    least : int
        The smallest that is taken; a `seed` may be zero whatever this says.
    **given : int
        By the names of the arguments.

    Raises
    ------
    InputError
        Names the argument, its value and what would be taken.

    Examples
    --------
    >>> check_whole("fit", seed=0, chains=4)
    >>> check_whole("fit", chains=0)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: fit: chains is 0: give a whole number from 1 up.
    """
    for name, number in given.items():
        check_number(f"{owner}: {name}", number, 0 if name == "seed" else least)


def check_number(told: str, number: object, least: int = 1) -> None:
    """Refuse what is no whole number, or too small or large to count with.

    Parameters
    ----------
    told : str
        What it is, for the message.
    number : int
        As it was given.
    least : int
        The smallest that is taken.

    Raises
    ------
    InputError
        Names the value and what would be taken.

    Examples
    --------
    >>> check_number("--seed", 0, 0)
    """
    if isinstance(number, bool) or not isinstance(number, numbers.Integral) or int(number) < least:
        raise InputError(f"{told} is {number!r}: give a whole number from {least} up.")
    if int(number) >= MOST:
        raise InputError(f"{told} is {number!r}: give a whole number below {MOST}.")


def check_prob(prob: object, told: str = "prob") -> None:
    """Refuse what is no probability of an interval.

    Parameters
    ----------
    prob : float
        Above 0 and below 1.
    told : str
        What it is, for the message.

    Raises
    ------
    InputError
        With a hint where the number looks like percent.

    Examples
    --------
    >>> check_prob(90)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: prob is 90: give a probability between 0 and 1, such as 0.9.
    """
    if isinstance(prob, bool) or not isinstance(prob, numbers.Real) or not 0 < float(prob) < 1:
        share = float(prob) / 100 if isinstance(prob, numbers.Real) and 1 < float(prob) < 100 else 0.9
        raise InputError(f"{told} is {prob!r}: give a probability between 0 and 1, such as {share:g}.")


def check_scales(owner: str, /, **given: object) -> None:
    """Refuse numbers of a prior that are none, and scales that are not positive.

    Parameters
    ----------
    owner : str
        Whose they are, for the message.
    **given : float
        By name; one that ends in `_mean` may have any sign.

    Raises
    ------
    InputError
        Names the number and what would be taken.

    Examples
    --------
    >>> check_scales("Priors", slope_mean=-1.0, slope_sd=0.7)
    """
    for name, number in given.items():
        if name.endswith("_mean"):
            as_number(f"{owner}: {name}", number, "a finite number")
        else:
            as_number(f"{owner}: {name}", number, "a finite scale above 0", above=0.0)


def check_flag(name: str, given: object) -> None:
    """Refuse what is neither true nor false.

    Parameters
    ----------
    name : str
        Of the argument.
    given : bool
        As it was given; 0 and 1 pass.

    Raises
    ------
    InputError
        Names the value and what would be taken.

    Examples
    --------
    >>> check_flag("instruct", True)
    """
    if not isinstance(given, Hashable) or given not in {0, 1}:
        raise InputError(f"{name} is {given!r}: give True or False.")


def as_number(
    told: str,
    value: object,
    give: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Return an argument as a finite number inside its range.

    Parameters
    ----------
    told : str
        What the argument is, for the message.
    value : float
        As it was given.
    give : str
        What would be taken, for the message.
    least, above, below : float
        The range; only `least` is inside it.

    Returns
    -------
    float
        The number.

    Raises
    ------
    InputError
        If it is no number, not finite or outside the range.

    Examples
    --------
    >>> as_number("flops", 10**24, "a budget above zero", above=0.0)
    1e+24
    >>> as_number("flops", "much", "a budget above zero", above=0.0)
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: flops is 'much': give a budget above zero.
    """
    found = math.nan if isinstance(value, bool) or not isinstance(value, numbers.Real) else float(value)
    if not (math.isfinite(found) and least <= found < below and found > above):
        raise InputError(f"{told} is {value!r}: give {give}.")
    return found


def check_kind(thing: object, kind: type, maker: str) -> None:
    """Refuse a thing that is not what another call makes.

    Parameters
    ----------
    thing : object
        What was given.
    kind : type
        What is needed.
    maker : str
        The call that makes it.

    Raises
    ------
    InputError
        Names both kinds and the call.

    Examples
    --------
    >>> check_kind([0.5], dict, "dict(...)")
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: a dict is needed, not list: pass what dict(...) gives.
    """
    if not isinstance(thing, kind):
        raise InputError(f"a {kind.__name__} is needed, not {type(thing).__name__}: pass what {maker} gives.")
