"""Every method gives the same kind of posterior, reproducibly, with a report that tells the truth."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fits import (
    BENCHMARKS,
    CHAINS,
    DRAWS,
    FAMILIES,
    SPEC,
    WARMUP,
    compiled_quickly,
    hmc_fit,
    ideal_fit,
    laplace_fit,
    map_fit,
    nuts_fit,
    table,
    warned_fit,
    with_groups,
)
from oracles import link, pivot_of
from scipy import stats

import bayes_sloth as bs
from bayes_sloth.convergence import Convergence, diagnose, summarised
from bayes_sloth.distrust import distrust_in_words, distrusted
from bayes_sloth.errors import FitError, FitStatus, FitWarning, InputError, InputWarning
from bayes_sloth.expectation import ExpectedByBenchmark, expected_scores
from bayes_sloth.fitting import NORMAL, POINT, _judged, converged
from bayes_sloth.modes import Modes
from bayes_sloth.names import COVARIATES, SITE_DIMS
from bayes_sloth.space import Space
from bayes_sloth.versions import versions_of_packages

GROUPS = {"posterior", "sample_stats", "observed_data", "constant_data"}
FITS = {"map": (map_fit, 1, 1), "laplace": (laplace_fit, CHAINS, DRAWS), "hmc": (hmc_fit, CHAINS, DRAWS)}


@pytest.fixture(params=FITS)
def fit(request: pytest.FixtureRequest) -> bs.Posterior:
    return FITS[request.param][0]()


@pytest.mark.parametrize("method", FITS)
def test_every_method_gives_the_same_groups_dims_and_labels(method: str) -> None:
    make, chains, draws = FITS[method]
    fit = make()
    assert fit.report.method == method
    assert set(fit.data.children) == GROUPS
    posterior = fit.data["posterior"].dataset
    assert dict(posterior.sizes) == {
        **{"chain": chains, "draw": draws, "model": 25, "benchmark": 3, "family": 6, "skill": 2},
        **{"covariate": 3, "skill_pair": 1, "line": 12},
    }
    assert tuple(posterior["model"].values) == table().models
    assert tuple(posterior["benchmark"].values) == BENCHMARKS
    assert set(posterior["family"].values) == set(FAMILIES)
    assert tuple(posterior["skill"].values) == fit.spec.anchors
    assert tuple(posterior["covariate"].values) == COVARIATES
    assert fit.draws == chains * draws


def test_every_quantity_has_the_dims_that_names_gives_it(fit: bs.Posterior) -> None:
    posterior = fit.data["posterior"].dataset
    scalars = {"tail", "moe_weight", "inheritance"}
    expected = set(SITE_DIMS) - {"bend"} | scalars
    assert set(posterior.data_vars) == expected
    for name, value in posterior.data_vars.items():
        assert value.dims == ("chain", "draw", *SITE_DIMS.get(str(name), ()))
        assert np.isfinite(value.values).all(), name


def test_the_fitted_table_is_in_the_posterior(fit: bs.Posterior) -> None:
    assert fit.scores.digest == table().digest == fit.report.data_digest
    observed, wanted = fit.data["observed_data"]["score"], table().data["score"]
    assert observed.dims == ("model", "benchmark")
    np.testing.assert_array_equal(observed.values, wanted.values)


def scored_by_hand(fit: bs.Posterior, draw: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return expected scores and log likelihood of one draw, from the formulas."""
    at = {name: value.values for name, value in fit.data["posterior"].dataset.isel(draw).data_vars.items()}
    data = table().data
    pivot = pivot_of(data["score"].values, data["floor"].values)
    lines = fit.data["posterior"].dataset["line"].values.tolist()
    pairs = zip(data["family"].values, data["instruct"].values, strict=True)
    own = [lines.index(f"{family}{'*' * int(tuned)}") for family, tuned in pairs]
    eta = at["model_skill"] @ at["loading"].T + at["intercept"] + at["specific"][own]
    share = link(eta, 1 / (1 + np.exp(-pivot)), at["reach"], at["asymmetry"])
    mean = at["lower"] + (1 - at["lower"]) * share
    inside = np.clip(mean, 0.004, 0.996)
    variance = at["misfit"] ** 2 * (4 * share * (1 - share) + 0.02)
    variance = variance + inside * (1 - inside) / data["items"].values
    return mean, stats.t(2 + at["tail"], mean, np.sqrt(variance)).logpdf(data["score"].values)


def test_log_likelihood_on_demand_is_that_of_the_formulas(fit: bs.Posterior) -> None:
    last = {"chain": -1, "draw": -1}
    tree = bs.log_likelihood(fit)
    assert set(tree.children) == GROUPS | {"log_likelihood"} and set(fit.data.children) == GROUPS
    found = tree["log_likelihood"]["score"]
    assert found.dims == ("chain", "draw", "observation")
    observed = table().observed
    assert found.sizes["observation"] == observed.sum() < observed.size
    by_hand = scored_by_hand(fit, last)[1]
    np.testing.assert_allclose(found.isel(last).values, by_hand[observed], rtol=1e-5, atol=1e-5)  # in 32 bits
    assert (
        found["benchmark"].values.tolist() == np.broadcast_to(BENCHMARKS, observed.shape)[observed].tolist()
    )
    assert found["model"].values.tolist() == np.repeat(table().models, observed.sum(axis=1)).tolist()


def test_a_fit_holds_no_number_for_every_draw_of_every_score(fit: bs.Posterior) -> None:
    every = {"chain", "draw", "model", "benchmark"}
    variables = [v for node in fit.data.children.values() for v in node.dataset.variables.values()]
    assert variables and not [v.dims for v in variables if every <= set(v.dims)]


def test_expected_scores_are_those_of_the_formulas() -> None:
    fit = hmc_fit()
    found = expected_scores(fit.data, fit.spec)
    assert found.shape == (CHAINS, DRAWS, 25, 3)
    for chain, draw in ((0, 0), (1, DRAWS - 1)):
        by_hand = scored_by_hand(fit, {"chain": chain, "draw": draw})[0]
        np.testing.assert_allclose(found[chain, draw], by_hand, atol=1e-10)


def test_expected_scores_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that do not divide the draws."""
    fit = hmc_fit()
    whole = expected_scores(fit.data, fit.spec)
    monkeypatch.setattr("bayes_sloth.expectation.MOST_DRAWS", 7)
    np.testing.assert_allclose(expected_scores(fit.data, fit.spec), whole, atol=1e-12)


def test_expected_scores_by_benchmark_are_the_whole_ones() -> None:
    fit = hmc_fit()
    blocks, whole = ExpectedByBenchmark(fit.data, fit.spec), expected_scores(fit.data, fit.spec)
    for _ in range(2):  # as often as wanted
        np.testing.assert_array_equal(np.stack(list(blocks), axis=-1), whole)
    summary = summarised(blocks)
    np.testing.assert_allclose(summary.mean, whole.mean(axis=(0, 1)), atol=1e-12)
    np.testing.assert_allclose(summary.average, whole.mean(axis=2), atol=1e-12)
    for name, value in diagnose(whole.reshape(CHAINS, DRAWS, -1)).items():
        np.testing.assert_array_equal(summary.diagnoses[name], value.reshape(25, 3))


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    with compiled_quickly():
        again = bs.fit(table(), SPEC, method="map", seed=0, progress=False)
    xr.testing.assert_identical(again.data["posterior"].dataset, map_fit().data["posterior"].dataset)
    assert again.spec == map_fit().spec
    other = map_fit(seed=1)
    assert not other.data["posterior"].dataset.equals(again.data["posterior"].dataset)
    assert other.report.seed == 1


def test_laplace_draws_scatter_around_a_mode() -> None:
    found = expected_scores(laplace_fit().data, laplace_fit().spec)
    spread = found.std(axis=(0, 1))
    assert (spread > 1e-4).all() and (spread < 0.15).all()
    mode = expected_scores(map_fit().data, map_fit().spec)[0, 0]
    assert np.abs(found.mean(axis=(0, 1)) - mode).max() < 0.1


def test_a_point_estimate_and_an_approximation_say_what_they_miss() -> None:
    for fit, words in ((map_fit(), POINT), (laplace_fit(), NORMAL)):
        assert fit.report.status is FitStatus.NOT_TRUSTED
        assert fit.report.messages[0] == words
        assert 'method="hmc"' in repr(fit.report)
        assert fit.data["sample_stats"].dataset.data_vars.keys() == set()


def test_a_report_carries_seed_versions_settings_and_the_tables_digest() -> None:
    report = hmc_fit().report
    assert (report.method, report.seed, report.data_digest) == ("hmc", 0, table().digest)
    assert report.versions == versions_of_packages()
    assert report.settings == {"chains": CHAINS, "draws": DRAWS, "warmup": WARMUP}
    assert report.seconds > 0


def judged(data: xr.DataTree, spec: bs.ModelSpec) -> Convergence:
    return converged(data, summarised(ExpectedByBenchmark(data, spec)))


def test_too_few_draws_are_reported_with_real_problems_and_remedies() -> None:
    fit, warned = warned_fit()
    assert fit.report.status is FitStatus.NOT_TRUSTED
    with compiled_quickly():  # as the fit was: draws that stayed in place are tied to the last digit
        assert warned == fit.report.messages == judged(fit.data, fit.spec).messages
    assert any(m.startswith("expected_score has not converged (R-hat ") for m in fit.report.messages)
    # 20 draws of 2 chains can never give the 200 effective draws wanted.
    short = [m for m in fit.report.messages if "effective draws of the 200 wanted" in m]
    assert {m.split()[0] for m in short} >= {"expected_score", "loading", "slope"}
    assert all("fit again with" in m for m in fit.report.messages)


@pytest.mark.parametrize(("fit", "more"), [(hmc_fit, set()), (nuts_fit, {"tree_depth"})])
def test_a_fit_keeps_the_statistics_of_its_trajectories(fit: Any, more: set[str]) -> None:
    found = fit().data["sample_stats"].dataset
    assert set(found.data_vars) == {"n_steps", "diverging", "acceptance_rate", "lp", "energy"} | more
    assert {value.dims for value in found.data_vars.values()} == {("chain", "draw")}
    assert 0 < float(found["acceptance_rate"].mean()) <= 1
    assert (found["energy"] >= -found["lp"]).all()  # momenta have energy too
    assert (found["n_steps"] >= 1).all()
    if more:
        # Completed doublings of an average tree since the last kept draw.
        completed, steps = 2 ** found["tree_depth"] - 1, found["n_steps"]
        assert ((completed <= steps) & (steps < 2 * completed + 1)).all()


def test_chains_that_agree_pass_and_one_that_is_shifted_does_not() -> None:
    fit = ideal_fit()
    found = judged(fit.data, fit.spec)
    assert (found.status, found.messages) == (FitStatus.FINE, ())
    posterior = fit.data["posterior"].dataset.copy(deep=True)
    posterior["model_skill"].values[0, :, 3, :] += 0.02
    shifted = with_groups(fit, posterior=posterior)
    found = judged(shifted.data, fit.spec)
    assert found.status is FitStatus.NOT_TRUSTED
    assert found.messages[0].startswith("expected_score has not converged")
    assert table().models[3] in found.messages[0]


def test_divergences_alone_make_a_fit_doubtful() -> None:
    fit = ideal_fit()
    statistics = fit.data["sample_stats"].dataset.copy(deep=True)
    statistics["diverging"].values[1, 7] = True
    found = judged(with_groups(fit, sample_stats=statistics).data, fit.spec)
    assert found.status is FitStatus.NOT_TRUSTED
    assert len(found.messages) == 1 and found.messages[0].startswith("1 step diverged")


def test_anchors_load_on_their_own_skill_alone(fit: bs.Posterior) -> None:
    assert fit.spec.anchors is not None
    at = fit.data["posterior"].dataset["loading"].sel(benchmark=list(fit.spec.anchors))
    assert (at.values == np.eye(2)).all()


BAD = {
    "method": (
        {"method": "nutz"},
        r"unknown method 'nutz': choose from hmc, nuts, map, laplace. Did you mean 'nuts'\?",
    ),
    "chains": ({"chains": 0}, "fit: chains is 0: give a whole number from 1 up"),
    "draws": ({"draws": 9}, "fit: draws is 9: give a whole number from 10 up"),
    "warmup": ({"warmup": 2.5}, "fit: warmup is 2.5: give a whole number from 1 up"),
    "seed": ({"seed": -1}, "fit: seed is -1: give a whole number from 0 up"),
    "truth": ({"chains": True}, "fit: chains is True: give a whole number"),
    "words": ({"draws": "100"}, "fit: draws is '100': give a whole number"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_arguments_are_named_before_any_work(case: str) -> None:
    arguments, message = BAD[case]
    with pytest.raises(InputError, match=message):
        bs.fit(table(), **{"seed": 0, "progress": False, **arguments})


def test_an_unknown_anchor_is_an_error_that_offers_the_nearest() -> None:
    spec = bs.ModelSpec(skills=1, anchors=("MMLUU",))
    with pytest.raises(InputError, match=r"unknown anchor 'MMLUU': .*Did you mean 'MMLU'\?"):
        bs.fit(table(), spec, seed=0)


def test_a_benchmark_without_scores_is_refused() -> None:
    nothing = np.zeros((25, 3), bool)
    nothing[:, 1] = True
    with pytest.raises(InputError, match="benchmark 'ARC' has no score left: drop it"):
        bs.fit(table().hide(nothing), SPEC, method="map", seed=0)


def stop(*_: object, **__: object) -> None:
    raise FitError("stopped before the work")


def test_more_skills_than_benchmarks_warn_and_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = []
    monkeypatch.setattr("bayes_sloth.starting.find_modes", lambda _, spec, **__: (specs.append(spec), stop()))
    words = r"4 skills cannot be told apart by 3 benchmark\(s\): fitted with skills=3"
    with pytest.warns(InputWarning, match=words) as seen, pytest.raises(FitError):
        bs.fit(table(), bs.ModelSpec(skills=4), method="map", seed=0)
    assert seen[0].filename == __file__
    assert specs[0].skills == len(specs[0].anchors) == 3


def test_as_many_skills_as_benchmarks_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayes_sloth.starting.find_modes", stop)
    with warnings.catch_warnings(), pytest.raises(FitError, match="stopped"):
        warnings.simplefilter("error", InputWarning)
        bs.fit(table(), bs.ModelSpec(skills=3), method="map", seed=0)


def test_named_anchors_are_kept_whatever_the_modes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = []

    def one_mode(_: object, spec: bs.ModelSpec, **__: object) -> Modes:
        specs.append(spec)
        return Modes(Space(None, spec), np.zeros((1, 3)), np.zeros(1))  # type: ignore[arg-type]

    monkeypatch.setattr("bayes_sloth.starting.find_modes", one_mode)
    monkeypatch.setattr("bayes_sloth.fitting.run_chains", stop)
    with pytest.raises(FitError, match="stopped"):
        bs.fit(table(), replace(SPEC, anchors=("GSM8K", "ARC")), method="hmc", seed=0, chains=1)
    assert [spec.anchors for spec in specs] == [("GSM8K", "ARC")]


def test_a_mode_that_is_an_answer_is_that_of_the_model_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that chains only start at is that of a firmer model; whoever gets it sees the model asked for."""
    sought, sampled = [], []

    def one_mode(_: object, spec: bs.ModelSpec, **__: object) -> Modes:
        sought.append(spec.priors)
        return Modes(Space(None, spec), np.zeros((1, 3)), np.zeros(1))  # type: ignore[arg-type]

    def chains(modes: Modes, *_: object, **__: object) -> None:
        sampled.append(modes.space.spec.priors)
        raise FitError("stopped")

    monkeypatch.setattr("bayes_sloth.starting.find_modes", one_mode)
    monkeypatch.setattr("bayes_sloth.fitting.run_chains", chains)
    monkeypatch.setattr("bayes_sloth.fitting._without_sampling", chains)
    monkeypatch.setattr("bayes_sloth.modes.MANY_SCORES", 5)
    for method in ("map", "laplace", "hmc", "nuts"):
        with pytest.raises(FitError, match="stopped"):
            bs.fit(table(), replace(SPEC, anchors=("GSM8K", "ARC")), method=method, seed=0, chains=1)
    assert sought[:2] == [SPEC.priors] * 2
    assert sought[2].lower_sd == sought[3].lower_sd < SPEC.priors.lower_sd / 2
    assert sampled == [SPEC.priors] * 4


@pytest.mark.parametrize("seen", [True, False])
def test_every_long_part_of_a_fit_shows_how_far_it_is(
    seen: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bayes_sloth.fitting.watched", lambda: seen)
    with compiled_quickly():
        bs.fit(table(), SPEC, method="map", seed=0)
    shown = capsys.readouterr().err
    assert ("finding modes" in shown, "judging" in shown) == (seen, seen)
    fit = hmc_fit()
    expected: Any = summarised(ExpectedByBenchmark(fit.data, fit.spec))
    with pytest.warns(FitWarning):
        _judged(fit.data, expected, None, "hmc", progress=seen)  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    assert ("judging" in shown, "quantity" in shown) == (seen, seen)


def test_no_finite_start_is_a_fit_error(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Modes(None, np.zeros((2, 3)), np.array([np.inf, np.nan]))  # type: ignore[arg-type]
    monkeypatch.setattr("bayes_sloth.starting.find_modes", lambda *_, **__: lost)
    with pytest.raises(FitError, match="no start has a finite posterior density: check the priors"):
        bs.fit(table(), replace(SPEC, anchors=("MMLU", "ARC")), method="map", seed=0)


def test_warnings_of_a_fit_are_of_their_own_kind() -> None:
    assert issubclass(FitWarning, UserWarning) and not issubclass(FitWarning, InputWarning)


@pytest.mark.parametrize("fit", [map_fit, hmc_fit])
def test_a_report_says_how_many_modes_were_found_and_which_rows_look_wrong(fit: Any) -> None:
    modes, *rows = fit().report.findings
    assert modes.startswith(
        ("one mode was found: all 4 starts", "several modes were found before sampling: 4 starts ended at")
    )
    expected = expected_scores(fit().data, fit().spec).mean(axis=(0, 1))
    assert tuple(rows) == distrust_in_words(distrusted(fit().data, fit().spec, expected))
    assert modes in repr(fit())
