"""Names of dimensions, coordinates and variables: one spelling for the whole package."""

from __future__ import annotations

from typing import Final

CHAIN: Final = "chain"
DRAW: Final = "draw"
MODEL: Final = "model"
BENCHMARK: Final = "benchmark"
FAMILY: Final = "family"
SKILL: Final = "skill"
PROB: Final = "prob"
COVARIATE: Final = "covariate"
LINE: Final = "line"
ITEM: Final = "item"

PARAMS_B: Final = "params_b"
ACTIVE_PARAMS_B: Final = "active_params_b"
TOKENS_T: Final = "tokens_t"
INSTRUCT: Final = "instruct"
PARENT: Final = "parent"
DATE: Final = "date"
SCORE: Final = "score"
ITEMS: Final = "items"
FLOOR: Final = "floor"

UNITS: Final = {
    PARAMS_B: "billions of parameters",
    ACTIVE_PARAMS_B: "billions of parameters used per token",
    TOKENS_T: "trillions of pre-training tokens",
    INSTRUCT: "0 = base, 1 = instruction-tuned",
    DATE: "calendar year, with fraction",
    SCORE: "share of items solved, 0 to 1",
    ITEMS: "number of test items behind a score",
    FLOOR: "score of a guesser, 0 to 1",
}

# Dims of every sampled or derived quantity after (chain, draw); one that is not named here is a scalar.
SITE_DIMS: Final = {
    "slope": (SKILL, COVARIATE),
    "size_curvature": (SKILL,),
    "token_curvature": (SKILL,),
    "skill_mean": (SKILL,),
    "family_scale": (SKILL,),
    "family_correlation": ("skill_pair",),
    "family_skill": (FAMILY, SKILL),
    "efficiency": (FAMILY, SKILL),
    "tuning": (SKILL,),
    "tuning_slope": (SKILL,),
    "tuning_scale": (SKILL,),
    "family_tuning": (FAMILY, SKILL),
    "deviation_scale": (SKILL,),
    "deviation": (MODEL, SKILL),
    "model_skill": (MODEL, SKILL),
    "log_size": (MODEL,),
    "log_tokens": (MODEL,),
    "specific_scale": (BENCHMARK,),
    "specific": (LINE, BENCHMARK),
    "loading": (BENCHMARK, SKILL),
    "intercept": (BENCHMARK,),
    "lower": (BENCHMARK,),
    "upper": (BENCHMARK,),
    "reach": (BENCHMARK,),
    "asymmetry": (BENCHMARK,),
    "bend": (BENCHMARK, "knot"),
    "misfit": (BENCHMARK,),
}
COVARIATES: Final = ("log_size", "log_tokens", "log_size_x_log_tokens")
