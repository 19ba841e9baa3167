"""Tables of repeated samples: how many of n samples solved each item, and the pass@k of such counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import ITEM, MODEL
from bayes_sloth.tables.files import Source, load_table, named

Floats = NDArray[np.float64]

N: Final = "n"
SUCCESSES: Final = "successes"
COLUMNS: Final = (MODEL, ITEM, N, SUCCESSES)
K: Final = "k"
# Evenly spread in logs, as published curves have them.
GRID: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True, eq=False)
class Counts:
    """Samples and successes of every model on every item.

    Parameters
    ----------
    models, items : tuple of str
        Labels, in order of first appearance.
    n, successes : array, dims (model, item)
        Samples drawn, and how many of them solved the item; 0 samples where a model was not asked.

    Examples
    --------
    >>> read_counts({"model": ["a", "a"], "item": ["p", "q"], "n": [8, 8], "successes": [3, 0]})
    Counts: 1 models, 2 items, 16 samples, 18.8% solved, 1 items by no sample
    """

    models: tuple[str, ...]
    items: tuple[str, ...]
    n: Floats
    successes: Floats

    def __repr__(self) -> str:
        """Say in a line what there is."""
        total, never = self.n.sum(), int((self.successes.sum(axis=0) == 0).sum())
        share = self.successes.sum() / total
        size = f"{len(self.models)} models, {len(self.items)} items, {total:.0f} samples"
        return f"Counts: {size}, {share:.1%} solved, {never} items by no sample"

    def of(self, models: Sequence[str]) -> Counts:
        """Return the counts of some models only."""
        for name in models:
            if name not in self.models:
                raise unknown_name("model", name, self.models)
        places = [self.models.index(name) for name in models]
        return Counts(tuple(models), self.items, self.n[places], self.successes[places])


def read_counts(source: Source | Counts) -> Counts:
    """Read a table of repeated samples, one row a model and item.

    Parameters
    ----------
    source : path, DataFrame or mapping
        Columns model, item, n (samples drawn) and successes (how many of them were right).

    Returns
    -------
    Counts
        Validated; cells that are not in the table have no samples.

    Raises
    ------
    InputError
        If a column is missing, a count is no count, a pair comes twice, or nothing was ever sampled.

    Examples
    --------
    >>> read_counts({"model": ["a"], "item": ["p"], "n": [8], "successes": [9]})
    Traceback (most recent call last):
    ...
    bayes_sloth.errors.InputError: row 1 (a, p): 9 of 8 samples are right: successes go from 0 to n.
    """
    if isinstance(source, Counts):
        return source
    frame = load_table(source)
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise InputError(f"the table of samples has no column {missing[0]!r}: give {', '.join(COLUMNS)}.")
    labels = named(frame, MODEL, ITEM)
    table = labels.assign(n=_whole(frame, N), successes=_whole(frame, SUCCESSES))
    wrong = table[table[SUCCESSES] > table[N]]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"row {wrong.index[0] + 1} ({row[MODEL]}, {row[ITEM]}): {row[SUCCESSES]:.0f} of {row[N]:.0f} "
            "samples are right: successes go from 0 to n."
        )
    if labels.duplicated().any():
        place = int(np.flatnonzero(labels.duplicated())[0])
        who = f"{labels[MODEL].iloc[place]}, {labels[ITEM].iloc[place]}"
        raise InputError(f"row {place + 1} ({who}) repeats a model and item: add their counts up.")
    if not table[N].sum():
        raise InputError("no model was sampled: n is 0 in every row.")
    return _arranged(table)


def _whole(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column of counts."""
    values = np.asarray(pd.to_numeric(frame[name], errors="coerce"), dtype=float)
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.round(values))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"row {place + 1}: {name} is {frame[name].iloc[place]}: give a whole number, 0 or more."
        )
    return values


def _arranged(table: pd.DataFrame) -> Counts:
    models, items = (tuple(table[name].drop_duplicates()) for name in (MODEL, ITEM))
    wide = table.pivot(index=MODEL, columns=ITEM, values=[N, SUCCESSES]).fillna(0.0)
    n, successes = (wide[name].loc[list(models), list(items)].to_numpy() for name in (N, SUCCESSES))
    return Counts(models, items, n, successes)


def observed(source: Source | Counts, k: Sequence[int] = GRID) -> pd.DataFrame:
    r"""Return the pass@k that was observed, without bias, averaged over a model's sampled items.

    .. math:: 1 - \binom{n - c}{k} \Big/ \binom{n}{k}

    for c successes in n samples: the share of draws of k out of the n samples that hold a success.

    Parameters
    ----------
    source : path, DataFrame, mapping or Counts
        As `read_counts` takes it.
    k : sequence of int
        Numbers of samples; a k above a model's smallest n is left out for that model.

    Returns
    -------
    DataFrame
        Columns model, k, observed (share of items), items.

    Raises
    ------
    InputError
        If the table or a k is not valid.

    References
    ----------
    Chen et al. (2021). Evaluating large language models trained on code. arXiv 2107.03374, equation 1.

    Examples
    --------
    >>> table = {"model": ["a", "a"], "item": ["p", "q"], "n": [4, 4], "successes": [2, 0]}
    >>> observed(table, k=[1, 2])["observed"].round(3).tolist()
    [0.25, 0.417]
    """
    counts = read_counts(source)
    ks = check_k(k)
    found = []
    for name, n, c in zip(counts.models, counts.n, counts.successes, strict=True):
        asked = n > 0
        for one in ks:
            if asked.any() and one <= n[asked].min():
                share = float(_unbiased(n[asked], c[asked], one).mean())
                found.append((name, int(one), share, int(asked.sum())))
    return pd.DataFrame(found, columns=[MODEL, K, "observed", "items"])


def _unbiased(n: Floats, c: Floats, k: float) -> Floats:
    """Return one less the chance that k of the n samples are all wrong, in logs of factorials."""
    wrong = np.maximum(n - c, k)
    log_miss = gammaln(wrong + 1) - gammaln(wrong - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return np.asarray(np.where(n - c < k, 1.0, -np.expm1(log_miss)))


def check_k(k: Sequence[int] | Sequence[float] | Floats) -> Floats:
    """Return numbers of samples in order, or refuse them.

    Raises
    ------
    InputError
        If there is none, or one is below 1 or no whole number.

    Examples
    --------
    >>> check_k([10, 1]).tolist()
    [1.0, 10.0]
    """
    try:
        values = np.unique(np.asarray(k, dtype=float))
    except (TypeError, ValueError):
        values = np.array([])
    if not values.size or not (np.isfinite(values) & (values >= 1) & (values == np.round(values))).all():
        raise InputError(f"k is {k!r}: give whole numbers of samples, from 1 up.")
    return values


def pass_at(solve_rate: Floats, k: Sequence[float] | Floats) -> Floats:
    r"""Return pass@k of known solve rates, averaged over items.

    .. math:: \frac{1}{Q} \sum_q 1 - (1 - p_q)^k

    in a form that keeps rates far below 1e-16 apart from 0.

    Parameters
    ----------
    solve_rate : array, dims (..., item)
        Chance that one sample solves the item.
    k : array, dims (k)
        Numbers of samples.

    Returns
    -------
    array, dims (..., k)
        Shares of items.

    References
    ----------
    Maia Polo et al. (2024). Sloth. arXiv 2412.06540, section 5.3.

    Examples
    --------
    >>> pass_at(np.array([0.5, 0.0]), [1, 2]).tolist()
    [0.25, 0.375]
    """
    with np.errstate(divide="ignore"):  # a rate of 1 is solved at once
        log_miss = np.log1p(-solve_rate)
    each = [-np.expm1(np.minimum(one * log_miss, 0.0)).mean(axis=-1) for one in k]
    return np.stack(each, axis=-1)
