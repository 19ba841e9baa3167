"""One word compares models, families, fits and numbers of skills, in Python and in the shell."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fits import BENCHMARKS, laplace_fit, with_groups
from scipy import stats
from typer.testing import CliRunner

import bayes_sloth as bs
from bayes_sloth import comparing
from bayes_sloth.alignment import congruence
from bayes_sloth.cli import app
from bayes_sloth.comparing.skills import _by_chance
from bayes_sloth.expectation import pivots
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
            lambda: bs.compare(found(), found(), prob=0.8),
            lambda: comparing.compare_loadings(found(), found(), prob=0.8),
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


def with_one_odd_benchmark() -> bs.Posterior:
    """Return the same fit, but for one benchmark's loadings, which pull a criterion's rotation elsewhere."""
    posterior = laplace_fit().data["posterior"].dataset.copy(deep=True)
    posterior["loading"].values[..., 0, :] += (0.5, -0.5)
    return with_groups(laplace_fit(), posterior=posterior)


@pytest.mark.filterwarnings("ignore::bayes_sloth.FitWarning")
def test_the_second_fit_is_turned_towards_the_first() -> None:
    """Nearer than a criterion, which one benchmark pulls elsewhere, brings the two."""
    odd = with_one_odd_benchmark()
    turned = bs.compare(laplace_fit(), odd)
    apart = comparing.compare_loadings(found(), bs.skills(odd))
    assert turned["congruence"].mean() > apart["congruence"].mean() + 0.05


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


def slope_constant(pivot: np.ndarray, reach: np.ndarray, asymmetry: np.ndarray) -> np.ndarray:
    """Return k of Richards' curve in plain NumPy."""
    share = 1 / (1 + np.exp(-pivot))
    return np.asarray((1 - share) / asymmetry / (1 - (share / reach) ** (1 / asymmetry)))


def at_other_typical_scores() -> bs.Posterior:
    """Return the same curves of the same skills, told at other typical scores: the lower half is not seen."""
    fit = laplace_fit()
    posterior = fit.data["posterior"].dataset.copy(deep=True)
    seen = fit.data["observed_data"].dataset.copy(deep=True)
    seen["score"] = seen["score"].where(seen["score"] >= seen["score"].median("model"))
    changed = with_groups(fit, observed_data=seen)
    shape = posterior["reach"].values, posterior["asymmetry"].values
    unit = slope_constant(pivots(fit.data), *shape) / slope_constant(pivots(changed.data), *shape)
    posterior["loading"].values *= unit[..., None]
    return with_groups(changed, posterior=posterior)


@pytest.mark.filterwarnings("ignore::bayes_sloth.FitWarning")
def test_loadings_are_compared_at_the_same_scores() -> None:
    """A fit whose typical scores lie elsewhere on the same curves differs by draws' noise alone."""
    elsewhere = bs.skills(at_other_typical_scores(), rotation="none")
    mine, theirs = found("none"), elsewhere
    apart = comparing.compare_loadings(mine, theirs)
    alone = comparing.compare_loadings(mine, mine)
    np.testing.assert_allclose(
        apart[["median", "lower", "upper"]], alone[["median", "lower", "upper"]], atol=1e-9
    )
    raw = mine.data["loading"].median(("chain", "draw")) - theirs.data["loading"].median(("chain", "draw"))
    assert abs(raw).max() > 0.01  # and the numbers as they stand differ


def test_unrelated_loadings_seldom_pass_what_chance_reaches() -> None:
    """Of 200 pairs one in twenty at most passes, but for a false-alarm rate of 1 in 1,000; real kin do."""
    rng, passed = np.random.default_rng(0), 0
    for _ in range(200):
        mine, theirs = rng.normal(0.7, 0.6, (2, 12, 1))
        passed += int(congruence(theirs[None], mine)[0, 0] > _by_chance(theirs, mine)[0])
    assert passed <= stats.binom.isf(1e-3, 200, 0.05)
    kin = mine + 0.1 * rng.normal(size=mine.shape)
    assert congruence(kin[None], mine)[0, 0] > _by_chance(kin, mine)[0]


def spoiled(**changes: Any) -> Skills:
    """Return the skills of a fit that differs in its settings."""
    fit = replace(laplace_fit(), spec=replace(laplace_fit().spec, **changes))
    return replace(found(), posterior=fit)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: found("varimax"), "rotated by geomin and varimax: rotate both alike"),
        (lambda: spoiled(link="logistic"), "the links richards and logistic: fit both with the same"),
        (
            lambda: replace(found(), reference=found().reference.iloc[:2]),
            "share 2 benchmarks: 2 skills are told alike by 3 or more",
        ),
    ],
)
def test_loadings_that_mean_different_things_are_refused(other: Callable[[], Skills], message: str) -> None:
    with pytest.raises(bs.InputError, match=message):
        bs.compare(found(), other())


def test_floors_are_named_one_by_one() -> None:
    with pytest.raises(bs.InputError, match=r"floors is 0\.25: give one for every benchmark"):
        bs.compare(prediction(), *MODELS, floors=0.25)


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
    assert told["findings"] == list(found().findings)
    assert pd.DataFrame(told["families"])["better"].tolist() == pytest.approx(wanted["better"].tolist())


def test_the_command_compares_fits(saved: Path) -> None:
    code, shown, said = run(saved, saved)
    assert code == 1 and said == ""
    assert shown.startswith("loadings of") and "congruence" in shown
    assert shown.count("fit: NOT to be trusted") == 2  # the verdict on either
    told = json.loads(run(saved, saved, "--json")[1])
    assert told["other_fit"]["status"] == told["fit"]["status"] == "not_trusted"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("llama-3", "falcon-7b"), "give two models or two families, not one of each"),
        (("llama-3", "falcon-8b"), "unknown model or family 'falcon-8b'"),
        (("llama-3-8b", "falcon-7b", "--families"), "unknown family 'llama-3-8b'"),
        (("a", "b", "c"), "3 names: give two models, two families, or one other fit"),
        (("nothere.nc",), "there is no file nothere.nc"),
        (("llama-3-8b",), "'llama-3-8b' is one name: give a second one"),
    ],
)
def test_the_command_says_what_it_wants(saved: Path, names: tuple[str, ...], message: str) -> None:
    code, shown, said = run(saved, *names)
    assert code == 2 and shown == "" and message in " ".join(said.split())
