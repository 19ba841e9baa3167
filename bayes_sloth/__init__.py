"""Forecast a future language model's benchmark scores, with honest intervals.

Five words do the job: read, fit, predict, check, plan. Names load on first use, so that importing the package
is quick and does not start JAX, whose number of devices is fixed once it runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayes_sloth import passk as passk
    from bayes_sloth import plan as plan
    from bayes_sloth.calibration import calibrate as calibrate
    from bayes_sloth.checking import check as check
    from bayes_sloth.checks.prior import prior_predictive as prior_predictive
    from bayes_sloth.comparing import compare as compare
    from bayes_sloth.conditioning import condition as condition
    from bayes_sloth.datasets import load_leaderboard as load_leaderboard
    from bayes_sloth.equivalents import equivalent_flops as equivalent_flops
    from bayes_sloth.errors import BayesSlothError as BayesSlothError
    from bayes_sloth.errors import FitError as FitError
    from bayes_sloth.errors import FitStatus as FitStatus
    from bayes_sloth.errors import FitWarning as FitWarning
    from bayes_sloth.errors import InputError as InputError
    from bayes_sloth.errors import InputWarning as InputWarning
    from bayes_sloth.evaluation import evaluate as evaluate
    from bayes_sloth.fitting import fit as fit
    from bayes_sloth.pointwise import log_likelihood as log_likelihood
    from bayes_sloth.posterior import Posterior as Posterior
    from bayes_sloth.posterior import load as load
    from bayes_sloth.prediction import Prediction as Prediction
    from bayes_sloth.prediction import intervals as intervals
    from bayes_sloth.prediction import predict as predict
    from bayes_sloth.reading import read_models as read_models
    from bayes_sloth.reading import read_scores as read_scores
    from bayes_sloth.scarce import downstream as downstream
    from bayes_sloth.scores import Scores as Scores
    from bayes_sloth.simulation import simulate as simulate
    from bayes_sloth.skill_draws import skills as skills
    from bayes_sloth.spec import ModelSpec as ModelSpec
    from bayes_sloth.spec import Priors as Priors

__version__ = "0.1.0"

# Public name -> module that holds it. The imports above say the same to type checkers; a test compares them.
_HOMES = {
    "BayesSlothError": "errors",
    "FitError": "errors",
    "FitStatus": "errors",
    "FitWarning": "errors",
    "InputError": "errors",
    "InputWarning": "errors",
    "ModelSpec": "spec",
    "Posterior": "posterior",
    "Prediction": "prediction",
    "Priors": "spec",
    "Scores": "scores",
    "calibrate": "calibration",
    "check": "checking",
    "compare": "comparing",
    "condition": "conditioning",
    "downstream": "scarce",
    "equivalent_flops": "equivalents",
    "evaluate": "evaluation",
    "fit": "fitting",
    "intervals": "prediction",
    "load": "posterior",
    "load_leaderboard": "datasets",
    "log_likelihood": "pointwise",
    "predict": "prediction",
    "prior_predictive": "checks.prior",
    "read_models": "reading",
    "read_scores": "reading",
    "simulate": "simulation",
    "skills": "skill_draws",
}

# Modules of verbs that go together: `bs.plan.target`, `bs.passk.fit`.
_GROUPS = ("passk", "plan")

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name in _GROUPS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # the next look-up skips this function
    return value


def __dir__() -> list[str]:
    return [*__all__, *_GROUPS, "__version__"]
