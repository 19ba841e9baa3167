"""Every picture refuses what it is not drawn from, and names the call that makes the right thing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import bayes_sloth as bs
from bayes_sloth import plots
from bayes_sloth.plots._style import needs

MODULES = [
    importlib.import_module(f"{plots.__name__}.{found.name}")
    for found in pkgutil.iter_modules(plots.__path__)
]
PICTURES = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if name.startswith("plot_") and value.__module__ == module.__name__
}
WRONG = {"another table": pd.DataFrame({"x": [1.0]}), "no table": [1.0], "nothing": None}


def arguments_of(picture: Callable[..., Any], first: object) -> list[object]:
    """Return one argument for each that has to be given: tables and results all alike, names as words."""
    given: list[object] = []
    for parameter in inspect.signature(picture).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            given.append("tuning" if "str" in str(parameter.annotation) else first)
    return given


@pytest.mark.parametrize("thing", WRONG)
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_refuses_what_it_is_not_drawn_from(name: str, thing: str) -> None:
    with pytest.raises(bs.InputError, match=r"this picture is of .* `\S+"):
        PICTURES[name](*arguments_of(PICTURES[name], WRONG[thing]))


def test_there_are_as_many_pictures_as_the_gallery_tells_of() -> None:
    assert len(PICTURES) >= 24


def test_the_right_table_passes_and_an_empty_one_does_not() -> None:
    table = pd.DataFrame({"model": ["a"], "skill": ["b"]})
    needs(table, "Skills.loadings", "model", "skill")
    with pytest.raises(bs.InputError, match="there are no rows in it"):
        needs(table.iloc[:0], "Skills.loadings", "model", "skill")
