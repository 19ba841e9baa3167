"""R-hat, effective sample sizes and Monte Carlo errors of many quantities at once: one sort an element."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

Floats = NDArray[np.float64]

TAILS: Final = (0.05, 0.95)
# Elements at a time: their draws stay in a core's cache, and there is work for every core.
CHUNK: Final = 64
# One standard error to either side of a quantile, as probabilities.
ONE_SD: Final = (0.1586553, 0.8413447)


class Diagnoses(NamedTuple):
    """Diagnostics of every element, arrays of dims (element).

    Parameters
    ----------
    r_hat : array
        Larger of bulk and folded.
    ess_bulk, ess_tail : array
        Effective draws; of the tails the smaller.
    mcse_q5, mcse_q95 : array
        Monte Carlo standard errors of the 5% and 95% quantiles, in the quantity's units.
    """

    r_hat: Floats
    ess_bulk: Floats
    ess_tail: Floats
    mcse_q5: Floats
    mcse_q95: Floats


def rank_normalised(values: Floats) -> Floats:
    r"""Return the normal scores of the ranks over chains and draws, for each element.

    .. math:: z = \Phi^{-1}\left(\frac{r - 3/8}{S + 1/4}\right)

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws.

    Returns
    -------
    array, dims (chain, draw, element)
        Standard normal when the chains agree; ties share their average rank.

    References
    ----------
    Vehtari et al. (2021). Rank-normalization, folding, and localization. Bayesian Analysis 16, eq. 14.

    Examples
    --------
    >>> rank_normalised(np.array([[[3.0], [1.0], [2.0]]])).round(2).ravel().tolist()
    [0.87, -0.87, 0.0]
    """
    chains, draws, size = values.shape
    flat = np.ascontiguousarray(values.reshape(-1, size).T)
    order = np.argsort(flat, axis=1)
    found = _unsorted(_scores_of_sorted(np.take_along_axis(flat, order, axis=1)), order)
    return found.T.reshape(chains, draws, size)


def diagnose(values: Floats) -> dict[str, Floats]:
    """Return R-hat, effective sample sizes and Monte Carlo errors of every element.

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws; an element that never moves gets R-hat 1 and as many effective draws as there are draws.

    Returns
    -------
    dict of arrays, dims (element)
        `r_hat` (larger of bulk and folded), `ess_bulk`, `ess_tail` (smaller of the two tails), `mcse_q5` and
        `mcse_q95` (of those quantiles). NaN where a draw is no number.

    References
    ----------
    Vehtari et al. (2021). Rank-normalization, folding, and localization. Bayesian Analysis 16, sections 3-4.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 200, 1))
    >>> bool(diagnose(draws)["r_hat"][0] < 1.02)
    True
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Chunks are cut out where they are needed: all at once would be a copy of the draws.
        parts = list(
            pool.map(lambda part: _diagnoses(_chunk(values, part)), range(0, values.shape[-1], CHUNK))
        )
    return {
        name: np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0)
        for name in Diagnoses._fields
    }


def effective_draws(values: Floats) -> Floats:
    """Return the effective draws behind the mean of every element.

    Parameters
    ----------
    values : array, dims (chain, draw, element)
        Draws that move.

    Returns
    -------
    array, dims (element)
        Chains are split in half, so that a drift counts against them.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 500, 1))
    >>> bool(1500 < effective_draws(draws)[0] < 2500)
    True
    """
    return _ess(_halves(np.moveaxis(values, -1, 0)))


def _chunk(values: Floats, start: int) -> Floats:
    """Return a chunk of elements, dims (element, chain, draw), contiguous."""
    return np.ascontiguousarray(np.moveaxis(values[..., start : start + CHUNK], -1, 0), dtype=float)


def _diagnoses(values: Floats) -> Diagnoses:
    """Return the diagnostics of a chunk, dims (element, chain, draw)."""
    size = values.shape[1] * values.shape[2]
    flat = values.reshape(-1, size)
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    broken, still = ~np.isfinite(flat).all(1), ordered[:, 0] == ordered[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = _moving(values, order, ordered)
    usual = Diagnoses(1.0, float(size), float(size), 0.0, 0.0)  # type: ignore[arg-type]
    return Diagnoses(
        *(
            np.where(broken, np.nan, np.where(still, constant, part))
            for part, constant in zip(found, usual, strict=True)
        )
    )


def _moving(values: Floats, order: NDArray[np.int64], ordered: Floats) -> Diagnoses:
    """Return the diagnostics of elements that move; `order` sorts them, `ordered` are their sorted draws."""
    bulk = _halves(_unsorted(_scores_of_sorted(ordered), order).reshape(values.shape))
    distance = np.abs(ordered - _quantile(ordered, 0.5)[:, None])
    inner = np.argsort(distance, axis=1, kind="stable")  # one fall and one rise, which are merged
    scores = _unsorted(_scores_of_sorted(np.take_along_axis(distance, inner, axis=1)), inner)
    folded = _halves(_unsorted(scores, order).reshape(values.shape))
    tails = [_tail(values, ordered, prob) for prob in TAILS]
    return Diagnoses(
        np.maximum(_r_hat(bulk), _r_hat(folded)),
        _ess(bulk),
        np.minimum(*(ess for ess, _ in tails)),
        *(error for _, error in tails),
    )


def _tail(values: Floats, ordered: Floats, prob: float) -> tuple[Floats, Floats]:
    """Return the effective draws behind a quantile, and its Monte Carlo standard error."""
    below = values <= _quantile(ordered, prob)[:, None, None]
    ess = _ess(_halves(below.astype(float)))
    size = ordered.shape[1]
    at = [special.betaincinv(ess * prob + 1, ess * (1 - prob) + 1, p) * size - 1 for p in ONE_SD]
    places = [np.clip(np.nan_to_num(np.floor(at[0])), 0, size - 1), np.ceil(np.nan_to_num(at[1]))]
    ends = [
        np.take_along_axis(ordered, np.minimum(place, size - 1).astype(int)[:, None], axis=1)[:, 0]
        for place in places
    ]
    return ess, (ends[1] - ends[0]) / 2


def _quantile(ordered: Floats, prob: float) -> Floats:
    """Return a quantile of sorted rows, interpolated."""
    place = prob * (ordered.shape[1] - 1)
    low = int(place)
    high = min(low + 1, ordered.shape[1] - 1)
    return np.asarray(ordered[:, low] + (place - low) * (ordered[:, high] - ordered[:, low]))


def _scores_of_sorted(ordered: Floats) -> Floats:
    """Return the normal scores of sorted rows; ties share the score of their average rank."""
    size = ordered.shape[1]
    ranks = np.arange(1.0, size + 1)
    scores: Floats = np.broadcast_to(special.ndtri((ranks - 0.375) / (size + 0.25)), ordered.shape)
    tied = np.zeros(ordered.shape, dtype=np.int8)  # to the next one; a row's last one never is
    tied[:, :-1] = ordered[:, 1:] == ordered[:, :-1]
    return _shared(scores, tied.ravel()) if tied.any() else scores


def _shared(scores: Floats, tied: NDArray[np.int8]) -> Floats:
    """Give the draws of a tie the score of their average rank; the ties of flattened rows are few."""
    edges = np.diff(tied, prepend=0, append=0)
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    size = scores.shape[1]
    rank = (first % size + last % size) / 2 + 1
    counts = last - first + 1
    places = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    shared = scores.copy().ravel()
    shared[places] = np.repeat(special.ndtri((rank - 0.375) / (size + 0.25)), counts)
    return shared.reshape(scores.shape)


def _unsorted(scores: Floats, order: NDArray[np.int64]) -> Floats:
    found = np.empty(order.shape)
    np.put_along_axis(found, order, scores, axis=1)
    return found


def _halves(values: Floats) -> Floats:
    """Split chains in half, so that a drift counts as disagreement; dims (element, chain, draw)."""
    half = values.shape[2] // 2
    return np.concatenate([values[..., :half], values[..., -half:]], axis=1)


def _variances(values: Floats) -> tuple[Floats, Floats]:
    """Return the variance within chains and the estimate of the whole one."""
    count = values.shape[2]
    within = values.var(axis=2, ddof=1).mean(axis=1)
    between = values.mean(axis=2).var(axis=1, ddof=1) if values.shape[1] > 1 else 0.0
    return within, within * (count - 1) / count + between


def _r_hat(values: Floats) -> Floats:
    within, whole = _variances(values)
    return np.asarray(np.sqrt(whole / within))


def _ess(values: Floats) -> Floats:
    """Return effective sample sizes by Geyer's initial monotone sequence; dims (element, chain, draw)."""
    chains, count = values.shape[1:]
    length = fft.next_fast_len(2 * count, real=True)
    spectrum = fft.rfft(values - values.mean(axis=2, keepdims=True), length, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)  # chains are averaged before going back
    covariance = fft.irfft(power, length, axis=1)[:, :count] / count
    within, whole = _variances(values)
    rho = 1 - (within[:, None] - covariance) / whole[:, None]
    rho[:, 0] = 1
    pairs = rho[:, : count - 1 : 2] + rho[:, 1::2]
    np.clip(pairs[:, 1:], 0, None, out=pairs[:, 1:])
    pairs[:, 1:] = np.minimum.accumulate(pairs[:, 1:], axis=1)
    return np.asarray(chains * count / (2 * pairs.sum(axis=1) - 1))
