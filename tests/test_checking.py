"""The verdict on a fit: chains that agree are trusted, others not, and fits without chains never."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from fits import hmc_fit, ideal_fit, laplace_fit, map_fit, with_groups

import bayes_sloth as bs
from bayes_sloth.checking import Check
from bayes_sloth.errors import FitStatus

COLUMNS = ["quantity", "where", "r_hat", "ess_bulk", "ess_tail", "mcse_q5", "mcse_q95", "verdict"]


def test_chains_that_agree_are_trusted() -> None:
    found = bs.check(ideal_fit())
    assert found.status is FitStatus.FINE and found.advice == ()
    assert found.verdict.startswith("to be trusted: worst R-hat of an expected score 1.0")
    assert list(found.table) == COLUMNS
    assert found.table["quantity"].iloc[0] == "expected_score"
    assert set(ideal_fit().data["posterior"].data_vars) < set(found.table["quantity"])
    told = found.table.set_index("quantity").loc[["expected_score", "loading", "slope"], "verdict"]
    assert (told == "fine").all()


def test_a_chain_that_disagrees_is_not_trusted() -> None:
    posterior = ideal_fit().data["posterior"].dataset.copy(deep=True)
    posterior["model_skill"].values[1] += 0.02
    found = bs.check(with_groups(ideal_fit(), posterior=posterior))
    assert found.status is FitStatus.NOT_TRUSTED
    assert found.verdict.startswith("not to be trusted as it stands: 1 problem; worst R-hat")
    assert found.table["verdict"].iloc[0] == "bad"
    assert found.table["r_hat"].iloc[0] > 1.1
    assert found.advice[0].startswith("expected_score has not converged")


def test_the_verdict_is_on_the_draws_and_not_on_what_the_report_says() -> None:
    posterior = ideal_fit().data["posterior"].dataset.copy(deep=True)
    posterior["slope"].values[2] += 0.05
    spoiled = with_groups(ideal_fit(), posterior=posterior)
    assert spoiled.report.status is FitStatus.FINE
    assert bs.check(spoiled).status is FitStatus.NOT_TRUSTED


def test_a_loading_between_the_limits_is_a_caution_and_no_problem() -> None:
    posterior = ideal_fit().data["posterior"].dataset.copy(deep=True)
    posterior["loading"].values[0] += 0.00085  # a quarter of the draws' spread: R-hat near 1.015
    found = bs.check(with_groups(ideal_fit(), posterior=posterior))
    row = found.table.set_index("quantity").loc["loading"]
    assert 1.01 < row["r_hat"] <= 1.02
    assert row["verdict"] == "caution"


def test_a_short_run_is_not_trusted_and_agrees_with_its_report() -> None:
    found = bs.check(hmc_fit())
    assert found.status is hmc_fit().report.status is FitStatus.NOT_TRUSTED
    assert len(found.advice) == len(hmc_fit().report.messages)
    assert f"{len(found.advice)} problems" in found.verdict


@pytest.mark.parametrize("make", [map_fit, laplace_fit])
def test_a_fit_without_chains_is_never_trusted(make: object) -> None:
    fit = make()  # type: ignore[operator]
    found = bs.check(fit)
    assert found.status is FitStatus.NOT_TRUSTED
    assert (
        found.verdict == f"not to be trusted as it stands: fitted by {fit.report.method}, which has no chains"
    )
    assert found.advice == fit.report.messages
    assert found.table.empty


def test_a_check_prints_verdict_advice_and_table() -> None:
    table = pd.DataFrame({"quantity": ["slope"], "r_hat": [1.2345]})
    shown = Check(table, FitStatus.NOT_TRUSTED, "no", ("do this",))
    assert repr(shown).splitlines()[:2] == ["no", "do this"]
    assert "1.234" in repr(shown) or "1.235" in repr(shown)
    assert repr(replace(shown, table=pd.DataFrame())) == "no\ndo this"
