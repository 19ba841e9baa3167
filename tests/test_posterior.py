"""A saved fit is complete; a file that is no fit is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from fits import asked, compiled_quickly, forecast, hmc_fit, laplace_fit, map_fit, table, with_groups

import bayes_sloth as bs
from bayes_sloth.convergence import summarised
from bayes_sloth.errors import FitStatus, InputError
from bayes_sloth.expectation import ExpectedByBenchmark
from bayes_sloth.fitting import converged
from bayes_sloth.posterior import FORMAT, GROUPS, FitReport, labelled
from bayes_sloth.score_curves import link_curves


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "fit.nc"
    map_fit().save(path)
    return path


@pytest.mark.parametrize("make", [map_fit, laplace_fit, hmc_fit])
def test_a_saved_fit_comes_back_whole(make: Any, tmp_path: Path) -> None:
    fit = make()
    fit.save(tmp_path / "fit.nc")
    back = bs.load(tmp_path / "fit.nc")
    assert set(back.data.children) == set(GROUPS)
    for name, group in fit.data.children.items():
        xr.testing.assert_equal(back.data[name].dataset, group.dataset)
    assert back.report == fit.report
    assert back.spec == fit.spec
    assert back.scores.digest == table().digest
    assert repr(back) == repr(fit)


def test_a_file_of_before_likelihoods_were_computed_on_demand_is_read(saved: Path) -> None:
    old = xr.Dataset(
        {"score": (("chain", "draw", "model", "benchmark"), np.zeros((1, 1, 25, 3), np.float32))}
    )
    old.to_netcdf(saved, mode="a", group="log_likelihood", engine="h5netcdf")
    with h5py.File(saved) as file:
        assert set(file) >= {*GROUPS, "log_likelihood"}
    back = bs.load(saved)
    assert set(back.data.children) == set(GROUPS)
    xr.testing.assert_equal(back.data["posterior"].dataset, map_fit().data["posterior"].dataset)


def test_a_loaded_fit_predicts_the_same_without_the_table(saved: Path) -> None:
    with compiled_quickly():
        again = bs.predict(bs.load(saved), asked(), seed=0)
    xr.testing.assert_identical(again.data, forecast().data)


def test_saving_replaces_an_old_file_and_leaves_nothing_beside_it(saved: Path) -> None:
    saved.write_bytes(b"old")
    map_fit().save(str(saved))
    assert bs.load(str(saved)).report == map_fit().report
    assert [path.name for path in saved.parent.iterdir()] == ["fit.nc"]


def test_saving_changes_nothing_in_the_fit(saved: Path) -> None:
    assert map_fit().data.attrs == {}
    assert bs.load(saved).data.attrs == {}


def test_numbers_of_numpy_can_be_saved(saved: Path) -> None:
    """A seed taken from an array is a plain number in the report."""
    with compiled_quickly():
        fit = bs.fit(table(), map_fit().spec, method="map", seed=np.int64(1), progress=False)  # type: ignore[arg-type]
    fit.save(saved)
    assert bs.load(saved).report.seed == 1


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*no_such_folder.*; choose another place"):
        map_fit().save(tmp_path / "no_such_folder" / "fit.nc")


def relabelled(path: Path, change: Any) -> Path:
    """Change what a file says of itself."""
    with h5py.File(path, "r+") as file:
        file.attrs["bayes_sloth"] = json.dumps(change(json.loads(file.attrs["bayes_sloth"])))
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        bs.load(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "fit.nc")
    assert "there is no file" in refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert "is not a readable fit" in refused(saved)


@pytest.mark.parametrize("content", [b"model,family\na,b\n", b"\x89HDF\r\n\x1a\n" + b"\0" * 4000])
def test_a_file_of_another_kind_is_refused(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    assert "is not a readable fit" in refused(saved)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    hmc_fit().save(path)
    with h5py.File(path) as file:
        place = file["posterior/model_skill"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 20 : place.byte_offset + place.size // 2] = b"\xff" * (place.size // 2 - 20)
    path.write_bytes(content)
    assert "is not a readable fit" in refused(path)


def test_somebody_elses_netcdf_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert "is not a fit of bayes_sloth" in refused(tmp_path / "a.nc")


@pytest.mark.parametrize("label", [[1], None, {"kind": "another"}, "text"])
def test_a_foreign_label_is_refused(saved: Path, label: object) -> None:
    assert "is not a fit of bayes_sloth" in refused(relabelled(saved, lambda _: label))


def test_a_later_layout_is_refused_with_its_remedy(saved: Path) -> None:
    relabelled(saved, lambda about: about | {"format": FORMAT + 1, "novelty": 1})
    assert "was written by a later version of bayes_sloth: upgrade, or fit again" in refused(saved)


DAMAGE = {
    "no format": lambda a: {k: v for k, v in a.items() if k != "format"},
    "strange format": lambda a: a | {"format": "one"},
    "no spec": lambda a: {k: v for k, v in a.items() if k != "spec"},
    "wrong spec": lambda a: a | {"spec": a["spec"] | {"link": "cubic"}},
    "unknown setting": lambda a: a | {"spec": a["spec"] | {"colour": "red"}},
    "no messages": lambda a: a | {"report": {}},
    "strange status": lambda a: a | {"report": a["report"] | {"status": 7}},
    "report of another kind": lambda a: a | {"report": None},
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_label_is_refused(saved: Path, kind: str) -> None:
    assert "is a damaged fit" in refused(relabelled(saved, DAMAGE[kind]))


@pytest.mark.parametrize("group", GROUPS)
def test_a_fit_without_one_of_its_groups_is_refused(saved: Path, group: str) -> None:
    with h5py.File(saved, "r+") as file:
        del file[group]
    assert "is a damaged fit" in refused(saved)


def test_a_fit_and_its_report_print_in_a_dozen_lines() -> None:
    text = repr(map_fit())
    assert "25 models of 6 families, 3 benchmarks; 1 chains of 1 draws, 2 skills (anchors " in text
    assert "fit by map, seed 0" in text and "not to be trusted as it stands" in text
    assert len(text.splitlines()) <= 12
    fine = FitReport("hmc", 3, FitStatus.FINE, ("chains agree.",), 81.4, {}, "")
    assert repr(fine) == "fit by hmc, seed 3, 81 s: to be trusted\n  chains agree."


def in_32_bits() -> bs.Posterior:
    """Return a fit with its draws as large fits keep their largest quantities."""
    fit = hmc_fit()
    draws = fit.data["posterior"].dataset
    return with_groups(fit, posterior=draws.assign({n: v.astype(np.float32) for n, v in draws.items()}))


WAYS: tuple[Callable[[bs.Posterior], Any], ...] = (
    lambda fit: bs.predict(fit, asked(), seed=0).data["expected"].values,
    lambda fit: bs.log_likelihood(fit)["log_likelihood"]["score"].values,
    lambda fit: bs.skills(fit).data["loading"].values,
    lambda fit: bs.skills(fit).loadings()["median"],
    lambda fit: link_curves(fit).curves["median"],
    lambda fit: ExpectedByBenchmark(fit.data, fit.spec),
)


@pytest.mark.filterwarnings("ignore:chains disagree on skill:bayes_sloth.FitWarning")
@pytest.mark.parametrize("way", WAYS, ids=range(len(WAYS)))
def test_draws_in_32_bits_say_what_those_in_64_say(way: Callable[[bs.Posterior], Any]) -> None:
    """Seven digits of a draw are more than any result needs; each result is computed in 64 bits."""
    with compiled_quickly():
        found, wanted = (np.array(list(way(fit)), dtype=float) for fit in (in_32_bits(), hmc_fit()))
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)
    assert not np.array_equal(found, wanted)


def test_convergence_of_draws_in_32_bits_is_judged_alike() -> None:
    """Ranks of a few draws are the same but for ties."""
    found, wanted = (
        converged(fit.data, summarised(ExpectedByBenchmark(fit.data, fit.spec)))
        for fit in (in_32_bits(), hmc_fit())
    )
    assert found.status is wanted.status
    for column in ("r_hat", "ess_bulk", "ess_tail"):
        np.testing.assert_allclose(found.table[column], wanted.table[column], rtol=0.02)


def test_a_posterior_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        map_fit().spec = bs.ModelSpec()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        map_fit().report.seed = 1  # type: ignore[misc]
    assert replace(map_fit().report, seed=1).seed == 1


def test_arrays_without_named_dims_get_dims_of_their_own() -> None:
    found = labelled(
        {"a": np.zeros((2, 3, 4)), "b": np.zeros((2, 3, 5))}, {"b": ("skill",)}, {"skill": list("abcde")}
    )
    assert found["a"].dims == ("chain", "draw", "a_dim_0")
    assert found["b"].dims == ("chain", "draw", "skill")
    assert list(found.coords) == ["skill"]
