"""Power scaling of the prior: the log density against SciPy's, and priors that pull are named."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fits import SPEC, ideal_fit, map_fit, with_groups
from scipy import stats

from bayes_sloth.checks.finding import Case
from bayes_sloth.checks.sensitivity import _table, check_sensitivity, log_prior
from bayes_sloth.expectation import ExpectedByBenchmark


def test_log_prior_of_slopes_and_misfits_is_scipys() -> None:
    """Draws that differ in slopes and misfit alone differ by the densities of these."""
    fit = ideal_fit()
    group = fit.data["posterior"].dataset.isel(draw=slice(0, 3), chain=slice(0, 1)).copy(deep=True)
    for name in group.data_vars:
        group[name].values[:] = group[name].values[:, :1]
    group["slope"].values[0, 1, 0, 0] += 1.0
    group["misfit"].values[0, 2] *= 2.0
    found = log_prior(with_groups(fit, posterior=group))
    p = SPEC.priors
    slope = stats.norm(p.slope_mean, p.slope_sd).logpdf(group["slope"].values[0, :, 0, 0])
    misfit = stats.lognorm(p.misfit_sd, scale=np.exp(p.misfit_mean)).logpdf(group["misfit"].values[0]).sum(-1)
    assert found[1] - found[0] == pytest.approx(slope[1] - slope[0])
    assert found[2] - found[0] == pytest.approx(misfit[2] - misfit[0])


@pytest.mark.parametrize(("prior", "verdict"), [(2.0, "conflict"), (1e6, "fine")])
def test_a_prior_that_pulls_against_the_data_is_told(prior: float, verdict: str) -> None:
    """A standard normal as the product of priors and likelihoods centred ten apart, or of a flat prior."""
    draws = np.random.default_rng(0).normal(size=(4, 1000))
    dims = ("chain", "draw")
    densities = [xr.Dataset({"total": (dims, -((draws + c) ** 2) / w)}) for c, w in ((5, 2 * prior), (-5, 4))]
    found = _table(xr.Dataset({"slope": (dims, draws)}), *densities)
    assert found["quantity"].tolist() == ["slope"] and found["verdict"].tolist() == [verdict]


def test_every_quantity_gets_its_sensitivities() -> None:
    fit = ideal_fit()
    rng, group = (
        np.random.default_rng(0),
        map_fit().data["posterior"].dataset.squeeze(("chain", "draw"), drop=True),
    )
    drawn = {
        name: (("chain", "draw", *v.dims), v.values * np.exp(0.003 * rng.standard_normal((4, 400, *v.shape))))
        for name, v in group.data_vars.items()
    }
    fit = with_groups(fit, posterior=xr.Dataset(drawn, coords=group.coords))
    found = check_sensitivity(Case(fit, ExpectedByBenchmark(fit.data, fit.spec)))
    assert list(found.table) == ["quantity", "prior", "likelihood", "verdict"]
    skill = (fit.spec.anchors or ())[0]
    assert {"tail", "average_score[MMLU]", f"slope[{skill}, log_size]"} <= set(found.table["quantity"])
    assert np.isfinite(found.table[["prior", "likelihood"]]).all().all()
