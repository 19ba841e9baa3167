"""From valid arrays to the frozen table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayes_sloth.catalogue import Benchmark
from bayes_sloth.names import BENCHMARK, FLOOR, INSTRUCT, ITEMS, MODEL, SCORE
from bayes_sloth.scores import Scores
from bayes_sloth.tables.columns import METADATA, NUMERIC


def assemble(
    metadata: pd.DataFrame,
    benchmarks: Sequence[Benchmark],
    score: ArrayLike,
    *,
    items: ArrayLike | None = None,
    notes: pd.DataFrame | None = None,
) -> Scores:
    """Build a table of scores from arrays that are already valid.

    Parameters
    ----------
    metadata : DataFrame
        As `read_models` returns it: one row per model.
    benchmarks : sequence of Benchmark, length J
        Names, floors and item counts.
    score : array, dims (model, benchmark)
        Shares in [0, 1], NaN where not observed.
    items : array, dims (model, benchmark), optional
        Item counts per score; the benchmarks' own where None.
    notes : DataFrame, optional
        Further columns, indexed by model.

    Returns
    -------
    Scores
        The frozen table.

    Raises
    ------
    InputError
        If names repeat or columns are missing.

    Examples
    --------
    >>> from bayes_sloth.reading import read_models
    >>> models = read_models({"model": "a", "family": "f", "params_b": 7, "tokens_t": 2})
    >>> assemble(models, [Benchmark("exam", 0.25, 100)], [[0.5]]).benchmarks
    ('exam',)
    """
    values = np.array(score, dtype=np.float64)
    usual = np.array([np.nan if b.items is None else b.items for b in benchmarks])
    counts = np.broadcast_to(usual, values.shape) if items is None else np.array(items, dtype=np.float64)
    coords: dict[str, Any] = {
        MODEL: list(metadata[MODEL]),
        BENCHMARK: [b.name for b in benchmarks],
        FLOOR: (BENCHMARK, [b.floor for b in benchmarks]),
    }
    for name in METADATA:
        dtype = np.float64 if name in NUMERIC else np.int64 if name == INSTRUCT else np.str_
        coords[name] = (MODEL, np.array(list(metadata[name]), dtype=dtype))
    dims = (MODEL, BENCHMARK)
    data = xr.Dataset({SCORE: (dims, values), ITEMS: (dims, counts)}, coords=coords)
    return Scores(data, pd.DataFrame() if notes is None else notes)
