"""Skills with one meaning over all draws, and the tables that answer questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_sloth.errors import unknown_name
from bayes_sloth.names import BENCHMARK, CHAIN, DRAW, FAMILY, INSTRUCT, MODEL, PARAMS_B, SKILL, TOKENS_T
from bayes_sloth.posterior import Posterior
from bayes_sloth.summaries import ranks, summary_table

OTHER: Final = "other_skill"
PART: Final = "part"
POPULATION: Final = "all families"
SHOWN: Final = 3  # benchmarks a skill is described by


@dataclass(frozen=True, eq=False)
class Skills:
    """The skills of a fit, rotated and aligned: every loading has a posterior.

    Skills have mean 0 and standard deviation 1 over the models of the fitted table, in every draw.

    Parameters
    ----------
    data : Dataset
        Draws, dims chain, draw and more: `loading` (benchmark, skill), in logits for one standard deviation
        of a skill; `correlation` (skill, other_skill) over models; `model_skill` (model, skill);
        `efficiency` and `family_tuning` (family, skill); `tuning`, `tuning_slope` (skill); `slope` (skill,
        covariate), what one standard deviation of log size or log tokens adds at the centre; `variance`
        (benchmark, part), shares of each benchmark's variance; `to_skills` (fitted_skill, skill).
    alignment : DataFrame
        Columns skill, congruence (median over draws of Tucker's congruence with the reference), alike (share
        of draws whose congruence is at least 0.85), simplest (share of draws for which no other rotation is
        better by the criterion), r_hat and ess_bulk (worst over the skill's loadings).
    reference : DataFrame
        The loadings that draws were aligned to, a row a benchmark.
    rotation : str
        How they were rotated.
    findings : tuple of str
        What not to read, and why; empty where every skill is identified.
    posterior : Posterior
        The fit.
    """

    data: xr.Dataset
    alignment: pd.DataFrame
    reference: pd.DataFrame
    rotation: str
    findings: tuple[str, ...]
    posterior: Posterior

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the skills."""
        return tuple(str(name) for name in self.data[SKILL].values)

    def loadings(self, prob: float = 0.9) -> pd.DataFrame:
        """Return what one standard deviation of each skill adds to each benchmark, in logits.

        Columns benchmark, skill, median, lower, upper, prob, direction.
        """
        return summary_table(self.data["loading"], prob)

    def correlations(self, prob: float = 0.9) -> pd.DataFrame:
        """Return the correlation over models of every pair of skills.

        Columns skill, other_skill, median, lower, upper, prob, direction.
        """
        table = summary_table(self.data["correlation"], prob)
        place = {name: number for number, name in enumerate(self.names)}
        kept = table[SKILL].map(place) < table[OTHER].map(place)
        return table[kept].reset_index(drop=True)

    def models(self, prob: float = 0.9) -> pd.DataFrame:
        """Return the skills of every model, in standard deviations over models.

        Columns model, family, skill, median, lower, upper, prob, direction.
        """
        table = summary_table(self.data["model_skill"], prob)
        families = dict(zip(self.data[MODEL].values, self.data["model_family"].values, strict=True))
        table.insert(1, FAMILY, table[MODEL].map(families))
        return table

    def families(self, prob: float = 0.9) -> pd.DataFrame:
        """Return the ranking of families by efficiency: skill at equal size, tokens and tuning.

        Columns skill, family, median (0 = the average family, in standard deviations over models), lower,
        upper, prob, direction, rank (its median), best (probability of being the most efficient).
        """
        efficiency = self.data["efficiency"]
        rank = ranks(efficiency, FAMILY)
        table = summary_table(efficiency, prob)
        table["rank"] = np.median(rank.values.reshape(-1, *rank.shape[2:]), axis=0).ravel()
        table["best"] = (rank == 1).mean((CHAIN, DRAW)).values.ravel()
        place = {name: number for number, name in enumerate(self.names)}
        table = table.assign(order=table[SKILL].map(place)).sort_values(
            ["order", "median"], ascending=[True, False]
        )
        first = [SKILL, FAMILY]
        return table[first + [c for c in table if c not in (*first, "order")]].reset_index(drop=True)

    def tuning(self, prob: float = 0.9) -> pd.DataFrame:
        """Return what instruction tuning adds to each skill, at average size.

        Of the population of families (its mean) and of each family with base and tuned models. Columns
        family, skill, median, lower, upper, prob, direction.
        """
        table = self.posterior.scores.metadata
        both = table.groupby(FAMILY)[INSTRUCT].nunique() > 1
        told = [name for name in self.data[FAMILY].values if both[name]]
        population = summary_table(self.data["tuning"].expand_dims({FAMILY: [POPULATION]}, axis=2), prob)
        if not told:
            return population
        families = summary_table(self.data["family_tuning"].sel({FAMILY: told}), prob)
        return pd.concat([population, families], ignore_index=True)

    def pairs(self, prob: float = 0.9, *, tuned_of: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return what tuned models have more than base models of their family, size and tokens.

        Where a table keeps base and tuned models in families of different names, `tuned_of` names the pairs:
        base model to tuned model. The last rows are the average over pairs. Columns base, tuned, family (of
        the base model), skill, median, lower, upper, prob, direction.
        """
        known = self.posterior.scores.metadata
        pairs = list(matched_pairs(known) if tuned_of is None else named_pairs(known, tuned_of))
        skill = self.data["model_skill"]
        columns = ["base", "tuned", FAMILY]
        if not pairs:
            return summary_table(skill.isel({MODEL: slice(0)}), prob).rename(columns={MODEL: "base"})
        bases, tuned, families = (list(column) for column in zip(*pairs, strict=True))
        gain = skill.sel({MODEL: tuned}).assign_coords({MODEL: range(len(pairs))}) - skill.sel(
            {MODEL: bases}
        ).assign_coords({MODEL: range(len(pairs))})
        each = summary_table(gain, prob)
        for name, labels in zip(columns, (bases, tuned, families), strict=True):
            each[name] = np.asarray(labels, dtype=object)[each[MODEL].to_numpy(dtype=int)]
        average = summary_table(gain.mean(MODEL), prob).assign(
            base="average", tuned="average", family=POPULATION
        )
        found = pd.concat([each, average], ignore_index=True)
        return found[[*columns, *(c for c in found if c not in (*columns, MODEL))]]

    def slopes(self, prob: float = 0.9) -> pd.DataFrame:
        """Return what a standard deviation of log size, or of log tokens, adds at the table's centre.

        Columns skill, covariate, median, lower, upper, prob, direction.
        """
        return summary_table(self.data["slope"], prob)

    def variance(self, prob: float = 0.9) -> pd.DataFrame:
        """Return the shares of each benchmark's variance over models that its parts make up.

        Parts are the skills, what families' lines have of their own on it (`specific`) and what the law
        leaves unexplained (`misfit`); they add up to one in each draw. Of correlated skills a share may be
        negative. Columns benchmark, part, median, lower, upper, prob.
        """
        return summary_table(self.data["variance"], prob).drop(columns="direction")

    def __repr__(self) -> str:
        """Show each skill's leading benchmarks, its identification, and what not to read."""
        sizes = self.data.sizes
        head = f"Skills: {sizes[SKILL]} by {self.rotation} from {sizes[CHAIN]} chains of {sizes[DRAW]} draws"
        wide = max(map(len, self.names))
        lines = []
        for row in self.alignment.itertuples():
            share = float(self.data["variance"].sel({PART: row.skill}).mean())
            lines.append(
                f"  {row.skill:<{wide}}  {self._leading(str(row.skill))}; {share:.0%} of variance; "
                f"congruence {row.congruence:.2f}, R-hat {row.r_hat:.2f}"
            )
        return "\n".join([head, *lines, *(f"  {finding}" for finding in self.findings)])

    def _leading(self, skill: str) -> str:
        """Return the largest median loadings of a skill, in words."""
        draws = self.data["loading"].sel({SKILL: skill})
        median = draws.median((CHAIN, DRAW)).to_series()
        leading = median[median.abs().sort_values(ascending=False).index[:SHOWN]]
        return ", ".join(f"{name} {value:.2f}" for name, value in leading.items())


def matched_pairs(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield every base model with each tuned model of its family, size and tokens.

    Parameters
    ----------
    table : DataFrame
        Of models: model, family, params_b, tokens_t, instruct. Tokens that nobody knows are taken as equal.

    Yields
    ------
    tuple of str
        Base model, tuned model, family.

    Examples
    --------
    >>> rows = {"model": ["a", "a-it"], "family": "a", "params_b": 7.0, "tokens_t": 1.0, "instruct": [0, 1]}
    >>> list(matched_pairs(pd.DataFrame(rows)))
    [('a', 'a-it', 'a')]
    """
    keys = [FAMILY, PARAMS_B, TOKENS_T]
    for key, group in table.dropna(subset=[PARAMS_B]).groupby(keys, sort=False, dropna=False):
        tuned = group[INSTRUCT] > 0
        for base in group[MODEL][~tuned]:
            for model in group[MODEL][tuned]:
                yield str(base), str(model), str(key[0])


def named_pairs(table: pd.DataFrame, tuned_of: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield pairs of base and tuned models with the base model's family.

    Parameters
    ----------
    table : DataFrame
        Of models: model, family.
    tuned_of : mapping of str to str
        Base model to tuned model.

    Yields
    ------
    tuple of str
        Base model, tuned model, family.

    Raises
    ------
    InputError
        If a model is not in the table.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": ["a", "a-it"], "family": ["a", "a-it"]})
    >>> list(named_pairs(rows, {"a": "a-it"}))
    [('a', 'a-it', 'a')]
    """
    family = dict(zip(table[MODEL], table[FAMILY], strict=True))
    for base, tuned in tuned_of.items():
        for name in (base, tuned):
            if name not in family:
                raise unknown_name("model", name, tuple(family))
        yield base, tuned, str(family[base])


def part_names(skills: tuple[str, ...]) -> list[str]:
    """Return the parts of a benchmark's variance: the skills, then what they leave.

    Examples
    --------
    >>> part_names(("maths",))
    ['maths', 'specific', 'misfit']
    """
    return [*skills, "specific", "misfit"]


def skill_names(reference: pd.DataFrame) -> tuple[str, ...]:
    r"""Return a name for each skill: the two benchmarks that tell most of it and least of the others.

    A benchmark tells a skill by :math:`\lambda_{jk}^2 / \lVert\lambda_j\rVert` where its loading is positive.

    Parameters
    ----------
    reference : DataFrame
        Loadings, a row a benchmark and a column a skill.

    Returns
    -------
    tuple of str
        Distinct names; one benchmark where the second tells less than a third of the first.

    Examples
    --------
    >>> skill_names(pd.DataFrame([[2.0, 0.0], [1.5, 0.1], [0.2, 1.0]], index=["MATH", "GSM8K", "IFEval"]))
    ('MATH + GSM8K', 'IFEval')
    """
    loading = reference.to_numpy(dtype=float)
    lengths = np.linalg.norm(loading, axis=1, keepdims=True)
    telling = np.maximum(loading, 0.0) ** 2 / np.where(lengths > 0, lengths, 1.0)
    names: list[str] = []
    for column in telling.T:
        first, *rest = np.argsort(-column, kind="stable")[:2]
        chosen = [first, *(other for other in rest if column[other] > column[first] / 3)]
        name = " + ".join(str(reference.index[place]) for place in chosen)
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return tuple(names)


def labelled_reference(loading: np.ndarray, benchmarks: list[str], names: tuple[str, ...]) -> pd.DataFrame:
    """Return reference loadings with their labels.

    Examples
    --------
    >>> labelled_reference(np.eye(1), ["MMLU"], ("facts",)).to_dict()
    {'facts': {'MMLU': 1.0}}
    """
    return pd.DataFrame(loading, index=pd.Index(benchmarks, name=BENCHMARK), columns=list(names))
