"""Evaluations of laws whose draws are known: every table against a loop, and every mistake named."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fake_laws import FakeLaw
from fits import table as packaged
from oracles import plain_table

from bayes_sloth import evaluation as module
from bayes_sloth.errors import FitWarning, InputError
from bayes_sloth.evaluation import Evaluation, evaluate
from bayes_sloth.folds import Fold
from bayes_sloth.protocols import LargerSiblings, RandomCells, WholeFamilies
from bayes_sloth.scores import Scores
from bayes_sloth.scoring import LEVELS

LAWS = (FakeLaw("right"), FakeLaw("narrow", 0.3))
MEASURES = {"MAE": "absolute_error", "CRPS": "crps", "log score": "log_score"}
OF_NINETY = {"interval score": "interval_score", "width": "width"}


def run(laws: Any = LAWS, protocol: Any = None, scores: Scores | None = None, **options: Any) -> Evaluation:
    table = plain_table() if scores is None else scores
    settings = {"seed": 0, "jobs": 1, "progress": False} | options
    return evaluate(table, laws, protocol or RandomCells(parts=3), **settings)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    """Two laws on single cells of 25 models."""
    return run(scores=packaged(), protocol=RandomCells(parts=5, seed=1))


def by_hand(data: xr.Dataset, law: str, chosen: Any) -> dict[str, float]:
    """Average every measure over the cells of a law that are chosen, one after the other."""
    one = data.sel(law=law)
    cells = []
    for fold, model, benchmark in product(*(one[name].values for name in ("fold", "model", "benchmark"))):
        cell = one.sel(fold=fold, model=model, benchmark=benchmark)
        if np.isfinite(cell["truth"]) and chosen(
            str(fold), str(model), str(benchmark), str(cell["family"].values)
        ):
            row = {title: float(cell[name]) for title, name in MEASURES.items()}
            row |= {title: float(cell[name].sel(prob=0.9)) for title, name in OF_NINETY.items()}
            cells.append(row | {f"{p:.0%}": float(cell["inside"].sel(prob=p)) for p in LEVELS})
    return {"scores": len(cells)} | pd.DataFrame(cells).mean().to_dict()


def test_every_asked_score_is_forecast_once_by_every_law(found: Evaluation) -> None:
    scores = packaged()
    data = found.data
    assert set(data["crps"].dims) == {"law", "fold", "model", "benchmark"}
    assert set(data["inside"].dims) == {"law", "fold", "prob", "model", "benchmark"}
    assert list(data["law"].values) == ["right", "narrow"] and list(data["fold"].values) == [
        f"part {i}" for i in range(1, 6)
    ]
    assert list(data["model"].values) == list(scores.models) and list(data["benchmark"].values) == list(
        scores.benchmarks
    )
    assert list(data["family"].values) == list(scores.metadata["family"])
    truth = data["truth"].transpose("law", "fold", "model", "benchmark").values
    for row, fold in enumerate(RandomCells(parts=5, seed=1).folds(scores)):
        wanted = np.where(fold.asked, scores.data["score"].values, np.nan)
        np.testing.assert_array_equal(truth[:, row], [wanted, wanted])
    assert (data["seconds"] == 0.5).all()


def test_models_that_are_never_asked_for_are_left_out_and_the_others_keep_their_order() -> None:
    scores = packaged()
    data = run(scores=scores, protocol=WholeFamilies(least=5)).data
    counts = scores.metadata["family"].value_counts()
    kin = {"llama-3": "llama-2"}  # the table's only descent
    size = {f: sum(counts[g] for g in counts.index if kin.get(g, g) == kin.get(f, f)) for f in counts.index}
    wanted = [m for m, f in zip(scores.models, scores.metadata["family"], strict=True) if size[f] >= 5]
    assert list(data["model"].values) == wanted and 5 < len(wanted) < len(scores.models)


def test_folds_may_arrive_in_any_order() -> None:
    """Each forecast is scored against its own fold: the draws are of that fold's truth."""
    data = run(FakeLaw()).data.isel(law=0)
    scores, folds = plain_table(), RandomCells(parts=3).folds(plain_table())
    law = FakeLaw()
    for fold in folds:
        draws = np.median(law.draws(scores, fold, 0).astype(np.float32), axis=0)
        one = data["median"].sel(fold=fold.name, model=np.array(scores.models)[fold.models])
        np.testing.assert_allclose(
            one.values[fold.asked[fold.models]], draws[fold.asked[fold.models]], rtol=1e-6
        )


def test_the_pooled_table_is_a_mean_over_scores(found: Evaluation) -> None:
    table = found.table()
    assert list(table.index) == ["right", "narrow"] and table.index.name == "law"
    for law in ("right", "narrow"):
        assert table.loc[law].to_dict() == pytest.approx(by_hand(found.data, law, lambda *_: True))


@pytest.mark.parametrize("by", ["benchmark", "family", "fold", "model"])
def test_tables_apart_are_means_over_their_part(found: Evaluation, by: str) -> None:
    table = found.table(by)
    assert list(table.index.names) == ["law", by]
    place = ["fold", "model", "benchmark", "family"].index(by)
    for label in list(dict.fromkeys(table.index.get_level_values(by)))[:2]:
        wanted = by_hand(found.data, "narrow", lambda *names, label=label: names[place] == label)
        assert table.loc[("narrow", label)].to_dict() == pytest.approx(wanted)
    assert table["scores"].sum() == 2 * packaged().observed.sum()


def test_tables_may_be_apart_in_two_ways(found: Evaluation) -> None:
    table = found.table(["family", "benchmark"])
    assert list(table.index.names) == ["law", "family", "benchmark"]
    wanted = by_hand(
        found.data, "right", lambda fold, model, benchmark, family: (family, benchmark) == ("yi", "ARC")
    )
    assert table.loc[("right", "yi", "ARC")].to_dict() == pytest.approx(wanted)


def test_family_averages_weigh_folds_alike() -> None:
    """Folds of unequal size: the mean of means is not the mean."""
    found = run(scores=packaged(), protocol=LargerSiblings())
    by_fold, averaged, pooled = found.table("fold"), found.family_averaged(), found.table()
    for law in ("right", "narrow"):
        wanted = by_fold.loc[law].drop(columns="scores").mean()
        pd.testing.assert_series_equal(averaged.loc[law], wanted, check_names=False)
    assert by_fold["scores"].nunique() > 1 and averaged["MAE"].iloc[0] != pytest.approx(pooled["MAE"].iloc[0])


def test_cases_are_one_row_a_score_asked_for(found: Evaluation) -> None:
    cases = found.cases()
    assert len(cases) == 2 * packaged().observed.sum()
    assert set(cases) >= {
        "law",
        "fold",
        "model",
        "benchmark",
        "family",
        "truth",
        "median",
        "crps",
        "rank",
        "width",
    }
    assert cases.notna().all().all()
    row = cases.iloc[17]
    cell = found.data.sel({name: row[name] for name in ("law", "fold", "model", "benchmark")})
    assert row["truth"] == float(cell["truth"]) and row["upper"] == float(cell["upper"].sel(prob=0.9))
    assert row["inside_0.5"] == float(cell["inside"].sel(prob=0.5))


def test_narrow_intervals_are_flagged_and_right_ones_are_not() -> None:
    found = run(scores=packaged(), protocol=RandomCells(parts=12))
    told = found.calibrated()
    assert list(told) == ["law", "level", "inside", "p_value", "verdict"] and len(told) == 2 * len(LEVELS)
    verdicts = told.groupby("law", sort=False)["verdict"].agg(set)
    assert verdicts["right"] == {"fine"} and verdicts["narrow"] == {"too narrow"}
    shares = told[told["law"] == "narrow"].set_index("level")["inside"]
    assert shares[0.9] == pytest.approx(found.table().loc["narrow", "90%"])


def test_notes_of_a_law_are_kept_and_a_law_without_them_has_none() -> None:
    class Quiet(FakeLaw):
        def forecasts(self, scores: Scores, folds: Any, **options: Any) -> Any:
            for forecast in super().forecasts(scores, folds, **options):
                forecast.notes.clear()
                yield forecast

    scores = plain_table()
    data = run([FakeLaw(), Quiet("quiet")]).data
    models = [fold.models.size for fold in RandomCells(parts=3).folds(scores)]
    assert data["r_hat"].sel(law="fake").values.tolist() == [1.0 + n / 10_000 for n in models]
    assert data["r_hat"].sel(law="quiet").isnull().all()


@pytest.mark.parametrize(
    "laws", [LAWS[0], [LAWS[0]], (LAWS[0],), {"right": LAWS[0]}], ids=["law", "list", "tuple", "dict"]
)
def test_one_law_may_be_given_in_any_way(laws: Any) -> None:
    xr.testing.assert_identical(run(laws).data, run(LAWS).data.sel(law=["right"]))


def test_a_mapping_names_laws_anew() -> None:
    data = run({"one": FakeLaw("same"), "two": FakeLaw("same", 0.3)}).data
    assert list(data["law"].values) == ["one", "two"]
    assert not data["width"].sel(law="one").identical(data["width"].sel(law="two"))


def test_the_seed_reaches_every_law() -> None:
    first, again, other = run(seed=3).data, run(seed=3).data, run(seed=4).data
    xr.testing.assert_identical(first, again)
    assert not (first["median"] == other["median"]).any()
    np.testing.assert_array_equal(first["truth"], other["truth"])


def test_laws_are_told_how_many_jobs_and_whether_anybody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []

    class Listening(FakeLaw):
        def forecasts(self, scores: Scores, folds: Any, **options: Any) -> Any:
            told.append(options)
            return super().forecasts(scores, folds, **options)

    for watched, progress in ((True, True), (True, False), (False, True)):
        monkeypatch.setattr(module, "watched", lambda watched=watched: watched)
        run(Listening(), progress=progress, jobs=3)
    assert [options["progress"] for options in told] == [True, False, False]
    assert {options["jobs"] for options in told} == {3} and {options["seed"] for options in told} == {0}


def test_an_evaluation_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(run())


def test_folds_whose_chains_do_not_agree_are_told_of_and_named() -> None:
    with pytest.warns(FitWarning) as told:
        found = run([FakeLaw(), FakeLaw("restless", apart=("part 1", "part 2"))])
    sentence = (
        "restless: the chains of 2 of 3 folds do not agree (R-hat up to 1.600, in 'part 2'): "
        "evaluate again with a longer `length`."
    )
    assert [str(each.message) for each in told] == [sentence]
    assert repr(found).splitlines()[-1] == sentence
    assert found.unsettled().to_numpy().tolist() == [
        ["restless", "part 2", pytest.approx(1.6)],
        ["restless", "part 1", pytest.approx(1.5)],
    ]


def test_laws_without_chains_leave_no_doubt_of_them() -> None:
    found = run()
    assert found.unsettled().empty
    assert list(Evaluation(found.data.drop_vars("r_hat")).unsettled()) == ["law", "fold", "r_hat"]


def test_an_evaluation_prints_its_pooled_table(found: Evaluation) -> None:
    lines = repr(found).splitlines()
    assert lines[0] == "Evaluation: 2 laws, 5 folds, 25 models asked for"
    assert "MAE" in lines[1] and lines[-1].startswith("narrow") and len(lines) <= 12


class Nothing:
    def folds(self, scores: Scores) -> tuple[Fold, ...]:
        return ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"laws": [FakeLaw(), FakeLaw()]}, "two laws share a name: pass a mapping of names to laws."),
        ({"laws": []}, "there is no law to evaluate: pass one, such as SlothLaw()."),
        ({"laws": {}}, "there is no law to evaluate: pass one, such as SlothLaw()."),
        (
            {"protocol": Nothing()},
            "the protocol asks for no score of this table: test other families, or see fewer.",
        ),
        (
            {"laws": FakeLaw(lost="part 2")},
            "law 'fake' forecast nothing for fold 'part 2': it has to yield every fold.",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        run(**change)
    assert str(error.value) == message


@pytest.mark.parametrize("by", ["skill", ["benchmark", "skill"]])
def test_an_unknown_dim_is_named(found: Evaluation, by: Any) -> None:
    with pytest.raises(InputError) as error:
        found.table(by)
    assert (
        str(error.value)
        == "evaluation: cannot keep 'skill' apart; choose from benchmark, family, fold, model."
    )
