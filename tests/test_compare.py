"""One word compares models, families, fits and numbers of skills, in Python and in the shell."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fits import BENCHMARKS, laplace_fit, with_groups
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth import comparing
from bayes_sloth.cli import app
from bayes_sloth.skill_counts import compare_skill_counts
from bayes_sloth.skill_tables import Skills

MODELS = ("llama-3-8b", "falcon-7b")
FAMILIES = ("llama-3", "falcon")


@cache
def found(rotation: str = "geomin") -> Skills:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.FitWarning)  # so few draws
        return bs.skills(laplace_fit(), rotation=rotation)


@cache
def prediction() -> bs.Prediction:
    return bs.predict(laplace_fit(), laplace_fit().scores.select(models=MODELS), seed=0)


def turned_over() -> bs.Posterior:
    """Return the same fit with the signs and the order of its skills turned round."""
    posterior = laplace_fit().data["posterior"].dataset.copy(deep=True)
    for name in ("loading", "model_skill"):
        posterior[name].values[:] = -posterior[name].values[..., ::-1]
    return with_groups(laplace_fit(), posterior=posterior)


@pytest.mark.parametrize(
    ("by_one_word", "by_its_own"),
    [
        (
            lambda: bs.compare(prediction(), *MODELS, floors=dict.fromkeys(BENCHMARKS, 0.25)),
            lambda: comparing.compare_models(prediction(), *MODELS, floors=dict.fromkeys(BENCHMARKS, 0.25)),
        ),
        (
            lambda: bs.compare(found(), *FAMILIES, prob=0.5),
            lambda: comparing.compare_families(found(), *FAMILIES, prob=0.5),
        ),
        (
            lambda: bs.compare(found(), found("varimax")),
            lambda: comparing.compare_loadings(found(), found("varimax")),
        ),
        (
            lambda: bs.compare({"a": laplace_fit(), "b": laplace_fit()}, progress=False),
            lambda: compare_skill_counts({"a": laplace_fit(), "b": laplace_fit()}, progress=False),
        ),
    ],
    ids=["models", "families", "skills", "counts"],
)
def test_what_is_given_decides_what_is_compared(
    by_one_word: Callable[[], pd.DataFrame], by_its_own: Callable[[], pd.DataFrame]
) -> None:
    pd.testing.assert_frame_equal(by_one_word(), by_its_own())


@pytest.mark.filterwarnings("ignore::bayes_sloth.FitWarning")
def test_fits_are_rotated_alike_before_their_loadings_are_compared() -> None:
    """Whatever the signs and the order of the second fit's skills: nothing differs but by draws' noise."""
    table = bs.compare(laplace_fit(), turned_over())
    assert table["congruence"].to_numpy() == pytest.approx(np.ones(len(table)))
    assert ((table["lower"] < 0) & (table["upper"] > 0)).all()
    assert set(table["skill"]) == set(found().names)


@pytest.mark.parametrize(
    "given",
    [
        lambda: (prediction(),),
        lambda: (prediction(), "llama-3-8b"),
        lambda: (laplace_fit(), *MODELS),
        lambda: (laplace_fit(), "other.nc"),
        lambda: (found(), laplace_fit()),
        lambda: ({"a": laplace_fit()}, laplace_fit()),
        lambda: ("llama-3-8b", "falcon-7b"),
    ],
)
def test_what_is_no_pair_is_refused(given: Callable[[], Any]) -> None:
    with pytest.raises(bs.InputError, match=r"compare: got .*: give two fits or"):
        bs.compare(*given())


@pytest.mark.filterwarnings("ignore::bayes_sloth.FitWarning")
def test_fits_of_different_numbers_of_skills_are_refused() -> None:
    one = laplace_fit().data["posterior"].dataset.isel(skill=[0])
    with pytest.raises(bs.InputError, match="the fits have 2 and 1 skills"):
        bs.compare(laplace_fit(), with_groups(laplace_fit(), posterior=one))


# --- the command -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    laplace_fit().save(path)
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_compares_models(saved: Path) -> None:
    code, shown, _ = run(saved, *MODELS, "--csv", "--prob", 0.5)
    assert code == 1  # a normal approximation is not to be trusted as it stands
    wanted = bs.compare(prediction(), *MODELS, prob=0.5)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(shown)), wanted, check_dtype=False)


@pytest.mark.parametrize("forced", [(), ("--families",)])
def test_the_command_compares_families(saved: Path, forced: tuple[str, ...]) -> None:
    code, shown, _ = run(saved, *FAMILIES, "--json", *forced)
    told, wanted = json.loads(shown), bs.compare(found(), *FAMILIES)
    assert code == 1 and told["fit"]["status"] == "not_trusted"
    assert pd.DataFrame(told["families"])["better"].tolist() == pytest.approx(wanted["better"].tolist())


def test_the_command_compares_fits(saved: Path) -> None:
    code, shown, said = run(saved, saved)
    assert code == 1 and said == ""
    assert shown.startswith("loadings of") and "congruence" in shown and "NOT to be trusted" in shown


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("llama-3", "falcon-7b"), "give two models or two families, not one of each"),
        (("llama-3", "falcon-8b"), "unknown model or family 'falcon-8b'"),
        (("llama-3-8b", "falcon-7b", "--families"), "unknown family 'llama-3-8b'"),
        (("a", "b", "c"), "3 names: give two models, two families, or one other fit"),
        (("nothere.nc",), "there is no file nothere.nc"),
    ],
)
def test_the_command_says_what_it_wants(saved: Path, names: tuple[str, ...], message: str) -> None:
    code, shown, said = run(saved, *names)
    assert code == 2 and shown == "" and message in " ".join(said.split())
