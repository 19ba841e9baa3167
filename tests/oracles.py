"""The whole mean of a score in plain NumPy, written from the formulas, and small tables to try it on.

Nothing here uses the package's law, links, design or covariates: where both agree, both are right or both
misread the same formula.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayes_sloth.assembly import assemble
from bayes_sloth.catalogue import Benchmark
from bayes_sloth.reading import read_models
from bayes_sloth.scores import Scores

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]

# A line of descent (a, b, c), two children of one family (b, e), families of one model, a mixture of experts,
# unknown sizes, tokens and dates, tuned and base models.
FACTS = {
    "model": ["a1", "a2", "a3", "b1", "b2", "c1", "d1", "d2", "e1", "f1", "f2"],
    "family": ["a", "a", "a", "b", "b", "c", "d", "d", "e", "f", "f"],
    "params_b": [1.0, 7.0, 30.0, 3.0, None, 70.0, 45.0, 8.0, 13.0, None, 2.0],
    "active_params_b": [None, None, None, None, None, None, 12.0, None, None, None, 0.5],
    "tokens_t": [2.0, 2.0, 2.5, 1.0, 1.5, None, 6.0, 8.0, None, 0.3, None],
    "instruct": [0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0],
    "parent": ["", "", "", "a", "a", "b", "", "", "a", "", ""],
    "date": [2023.0, 2023.1, 2023.2, 2023.5, None, 2024.5, 2024.0, 2024.2, 2023.9, 2022.0, None],
}
FLOORS = (0.25, 0.0, 0.3, 0.0)


def facts_table() -> pd.DataFrame:
    return read_models(pd.DataFrame(FACTS))


def as_scores(
    facts: pd.DataFrame,
    score: Any,
    floors: Sequence[float] = FLOORS,
    *,
    items: int | None = 500,
    names: Sequence[str] | None = None,
) -> Scores:
    names = names or [f"exam {j}" for j in range(len(floors))]
    exams = [Benchmark(name, floor, items) for name, floor in zip(names, floors, strict=True)]
    return assemble(facts, exams, score)


def small_table(*, holes: bool = True) -> Scores:
    """Return a table of eleven models and four benchmarks that uses every part of the model."""
    facts, rng = facts_table(), np.random.default_rng(5)
    size = np.log(facts["params_b"].fillna(10).to_numpy(dtype=float))
    floors = np.array(FLOORS)
    logit = -2 + 0.7 * size[:, None] + rng.normal(0, 0.5, (size.size, floors.size)) - 0.5 * np.arange(4)
    score = floors + (0.97 - floors) / (1 + np.exp(-logit))
    if holes:
        score[[0, 3, 5, 9], [1, 0, 2, 3]] = np.nan
    return as_scores(facts, score)


def plain_table() -> Scores:
    """Six dense models of known size and tokens, two unrelated families, two benchmarks: quick to compile."""
    facts = {
        "model": list("abcdef"),
        "family": list("xxxyyy"),
        "params_b": [1.0, 7.0, 30.0, 2.0, 9.0, 70.0],
        "tokens_t": [2.0, 2.0, 3.0, 1.0, 1.5, 6.0],
        "instruct": [0, 0, 1, 0, 1, 1],
    }
    score = np.array([[0.3, 0.1], [0.5, 0.3], [0.66, np.nan], [0.33, 0.12], [0.47, 0.3], [0.74, 0.7]])
    return as_scores(read_models(pd.DataFrame(facts)), score, (0.25, 0.0))


def standardised(values: Floats, known: Floats) -> Floats:
    """(x - mean) / sd with the population's sd of the known values."""
    told = known[~np.isnan(known)]
    return (values - told.mean()) / np.sqrt(((told - told.mean()) ** 2).mean())


def typical_logit(score: Floats, floor: Floats) -> Floats:
    """Return the mean logit of the observed shares of the range up to 97 percent, kept 2% off its ends."""
    pivots = []
    for j in range(floor.size):
        logits = []
        for value in score[:, j][~np.isnan(score[:, j])]:
            share = min(max((value - floor[j]) / (0.97 - floor[j]), 0.02), 0.98)
            logits.append(np.log(share / (1 - share)))
        pivots.append(sum(logits) / len(logits))
    return np.array(pivots)


def pivot_of(score: Floats, floor: Floats) -> Floats:
    """Return where curves are told: typical logits, no higher than four fifths of the best tenth's share."""
    pivots = []
    for j, typical in enumerate(typical_logit(score, floor)):
        seen = score[:, j][~np.isnan(score[:, j])]
        shares = np.sort(np.clip((seen - floor[j]) / (0.97 - floor[j]), 0.02, 0.98))
        logits = np.log(shares / (1 - shares))
        share = 0.8 / (1 + np.exp(-np.interp(0.9 * (seen.size - 1), np.arange(seen.size), logits)))
        pivots.append(min(typical, np.log(share / (1 - share))))
    return np.array(pivots)


def regression(features: Floats, family: Sequence[str], sds: Floats) -> Floats:
    """Joint covariance of y = X c + a_family + e, c ~ N(0, 1), family and noise sds given."""
    rows = len(family)
    joint = np.zeros((rows, rows))
    for i in range(rows):
        for j in range(rows):
            joint[i, j] = sum(features[i] * features[j]) + (family[i] == family[j]) * sds[0] ** 2
            joint[i, j] += (i == j) * sds[1] ** 2
    return joint


def conditioned(joint: Floats, known: NDArray[np.bool_], values: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the other entries of a centred Gaussian, by its precision matrix."""
    precision = np.linalg.inv(joint)
    left = np.linalg.inv(precision[np.ix_(~known, ~known)])
    return -left @ precision[np.ix_(~known, known)] @ values, left


def filled(value: Floats, columns: list[Floats], family: Sequence[str], sds: Floats, raw: Floats) -> Floats:
    """Fill the unknown entries of a scaled covariate from the regression on `columns`, noise `raw`."""
    known = ~np.isnan(value)
    joint = regression(np.stack(columns, axis=1), family, sds)
    mean, left = conditioned(joint, known, value[known])
    out = value.copy()
    out[~known] = mean + np.linalg.cholesky(left) @ raw
    return out


def covariates(
    facts: pd.DataFrame, values: Values, sds: Mapping[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Scale log size, log tokens and log active share; the first two as drawn and as expected."""
    raw_size, raw_tokens = (np.log(facts[name].to_numpy(dtype=float)) for name in ("params_b", "tokens_t"))
    date = facts["date"].to_numpy(dtype=float)
    scaled_date = standardised(date, date)
    undated = np.isnan(date)
    columns = [np.ones(len(facts)), np.where(undated, 0.0, scaled_date), undated.astype(float)]
    family = list(facts["family"])

    def with_noise(name: str, value: Floats, of: list[Floats], noise: Floats) -> Floats:
        return filled(value, of, family, sds[name], noise)

    size, tokens = standardised(raw_size, raw_size), standardised(raw_tokens, raw_tokens)
    no_size, no_tokens = np.isnan(size), np.isnan(tokens)
    expected_size = with_noise("log_size", size, columns, np.zeros(no_size.sum()))
    drawn_size = with_noise("log_size", size, columns, values.get("log_size_raw", np.zeros(no_size.sum())))
    of = [*columns, expected_size]
    expected_tokens = with_noise("log_tokens", tokens, of, np.zeros(no_tokens.sum()))
    raw = values.get("log_tokens_raw", np.zeros(no_tokens.sum()))
    drawn_tokens = with_noise("log_tokens", tokens, of, raw)
    # The mean of unknown tokens moves with the drawn size along the regression's expected slope.
    joint = regression(np.stack(of, axis=1), family, sds["log_tokens"])
    known = ~no_tokens
    slope = expected_size[known] @ np.linalg.inv(joint[np.ix_(known, known)]) @ tokens[known]
    drawn_tokens = drawn_tokens + np.where(no_tokens, slope * (drawn_size - expected_size), 0.0)
    return np.stack([drawn_size, expected_size]), np.stack([drawn_tokens, expected_tokens]), _share(facts)


def _share(facts: pd.DataFrame) -> Floats:
    total, active = (facts[name].to_numpy(dtype=float) for name in ("params_b", "active_params_b"))
    log_total = np.log(total)
    spread = np.sqrt(np.nanmean((log_total - np.nanmean(log_total)) ** 2))
    pairs = zip(total, active, strict=True)
    return np.array([0.0 if np.isnan(t) or np.isnan(a) else np.log(a / t) / spread for t, a in pairs])


def departures(family: Sequence[str], instruct: Floats, size: Floats, tokens: Floats) -> Floats:
    """Prior covariance of the departures, nugget included, families centred at their means.

    Base and tuned models of a family share half of it.
    """
    place = np.stack([size, tokens], axis=1)
    names = np.array(family)
    offset = np.stack([place[i] - place[names == names[i]].mean(0) for i in range(len(names))])
    cov = 0.2 * np.eye(len(names))
    for i in range(len(names)):
        for j in range(len(names)):
            if names[i] != names[j]:
                continue
            alike = 1.0 if instruct[i] == instruct[j] else 0.5
            cov[i, j] += alike * 0.5 * offset[i, 0] * offset[j, 0]
            for u, v in zip(offset[i], offset[j], strict=True):
                cov[i, j] += alike * min(abs(u), abs(v)) if u * v > 0 else 0.0
    return cov


def link(eta: Floats, typical: Floats, reach: Floats, asymmetry: Floats) -> Floats:
    """Richards' curve, u / (1 + q exp(-k (eta - p)))^nu, through (p, s) with slope s (1 - s)."""
    q = (reach / typical) ** (1 / asymmetry) - 1
    # Slope of u (1 + q e^{-k x})^{-nu} at x = 0 is u nu q k (1 + q)^{-nu - 1} = s nu k q / (1 + q).
    k = (1 - typical) * (1 + q) / (asymmetry * q)
    pivot = np.log(typical / (1 - typical))
    return reach / (1 + q * np.exp(-k * (eta - pivot))) ** asymmetry


def mean_scores(
    scores: Scores,
    anchors: Sequence[str],
    values: Values,
    sds: Mapping[str, Floats],
    *,
    law: str = "richards",
) -> dict[str, Floats]:
    """Skills and expected scores of every model from the sampled sites, one formula after the other."""
    facts, floor = scores.metadata, np.asarray(scores.data["floor"].values)
    score = np.asarray(scores.data["score"].values)
    families = list(dict.fromkeys(facts["family"]))
    f = [families.index(name) for name in facts["family"]]
    (size, size_0), (tokens, tokens_0), share = covariates(facts, values, sds)
    size = size + values.get("moe_weight", np.array(0.0)) * share
    slope = values["slope"]

    def grown(s: Floats, t: Floats) -> Floats:
        columns = []
        for b, k, m in zip(slope, values["size_curvature"], values["token_curvature"], strict=True):
            g, h = (1 - np.exp(-k * s)) / k, (1 - np.exp(-m * t)) / m
            columns.append(sum(c * x for c, x in zip(b, (g, h, g * h), strict=False)))
        return np.stack(columns, axis=1)

    instruct = facts["instruct"].to_numpy(dtype=float)
    # Tuning does more, or less, for larger models.
    tuned = _tuning(facts, families, values)[f] + np.outer(size, values["tuning_slope"])
    skill = grown(size, tokens) + instruct[:, None] * tuned
    if "deviation_raw" in values:
        root = np.linalg.cholesky(departures(list(facts["family"]), instruct, size_0 + 0.5 * share, tokens_0))
        skill = skill + values["deviation_scale"] * (root @ values["deviation_raw"])
    # Sampled is the average skill of a family's models, each of its scores counted once.
    seen = (~np.isnan(score)).sum(axis=1)
    for k, sampled in enumerate(values["family_skill"]):
        own = np.array(f) == k
        average = (seen[own] @ skill[own]) / seen[own].sum() if seen[own].any() else 0.0
        skill[own] += sampled - average
    central = typical_logit(score, floor)
    eta = _predictor(skill, scores.benchmarks, anchors, central, values)
    eta = eta + _specific(facts, families, scores.benchmarks, anchors, values)
    least = 1 / (1 + np.exp(-pivot_of(score, floor)))
    reach = least + (1 - least) / (1 + np.exp(-values["reach_logit"]))
    asymmetry = values["asymmetry"] if law == "richards" else np.ones(central.size)
    reached = link(eta, least, reach, asymmetry)
    lower = values["lower"]
    return {"model_skill": skill, "share": reached, "expected": lower + (1 - lower) * reached}


def _tuning(facts: pd.DataFrame, families: list[str], values: Values) -> Floats:
    rows = []
    for k, name in enumerate(families):
        kinds = set(facts.loc[facts["family"] == name, "instruct"])
        raw = values["family_tuning_raw"][k]
        rows.append(raw if len(kinds) == 2 else values["tuning"] + values["tuning_scale"] * raw)
    return np.array(rows)


def _specific(
    facts: pd.DataFrame,
    families: list[str],
    benchmarks: Sequence[str],
    anchors: Sequence[str],
    values: Values,
) -> Floats:
    """Return what lines have of their own: base before tuned, family by family, tuned on top of base.

    Nothing at the anchors.
    """
    pairs = list(zip(facts["family"], facts["instruct"] > 0, strict=True))
    lines = [(name, tuned) for name in families for tuned in (False, True) if (name, tuned) in pairs]
    if "specific_raw" not in values:
        return np.zeros((len(pairs), values["lower"].size))
    own = np.zeros((len(lines), len(benchmarks)))
    free = [j for j, name in enumerate(benchmarks) if name not in anchors]
    own[:, free] = values["specific_raw"] * values["specific_scale_free"]
    total = {line: own[n] for n, line in enumerate(lines)}
    for name, tuned in lines:
        if tuned and (name, False) in total:
            total[name, True] = own[lines.index((name, True))] + own[lines.index((name, False))]
    return np.array([total[pair] for pair in pairs])


def _predictor(
    skill: Floats, benchmarks: Sequence[str], anchors: Sequence[str], central: Floats, values: Values
) -> Floats:
    """Give each anchor its skill; the others load on all and meet their own typical predictor."""
    typical_skill = np.array([central[list(benchmarks).index(name)] for name in anchors])
    columns, free = [], 0
    for name in benchmarks:
        if name in anchors:
            columns.append(skill[:, list(anchors).index(name)])
            continue
        loading, at_typical = values["loading_free"][free], values["predictor_free"][free]
        columns.append(at_typical + (skill - typical_skill) @ loading)
        free += 1
    return np.stack(columns, axis=1)
