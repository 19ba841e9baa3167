"""Laws that hold for every table."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bayes_sloth.catalogue import CATALOGUE
from bayes_sloth.reading import read_scores
from bayes_sloth.scores import Scores
from bayes_sloth.tables.columns import METADATA

NAMES = [b.name for b in CATALOGUE] + ["HumanEval", "my exam", "date of birth"]
shares = st.none() | st.floats(0, 1)
positive = st.none() | st.floats(1e-3, 1e4)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a valid wide table: at least one model has a size and every score."""
    size = draw(st.integers(1, 6))
    column = lambda cells: draw(st.lists(cells, min_size=size, max_size=size))  # noqa: E731
    benchmarks = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    facts = {
        "model": [f"m{i}" for i in range(size)],
        "family": column(st.sampled_from(["llama-3", "qwen", "ünïcode", "a, b"])),
        "params_b": [draw(st.floats(1e-3, 1e4)), *column(positive)[1:]],
        "tokens_t": column(positive),
        "instruct": column(st.sampled_from([0, 1])),
        "parent": column(st.sampled_from(["", "qwen"])),
        "date": column(st.none() | st.floats(2018, 2030)),
        "hf_id": column(st.none() | st.sampled_from(["org/x", 'quoted "name"', "7"])),
    }
    scores = {name: [draw(st.floats(0, 1)), *column(shares)[1:]] for name in benchmarks}
    return pd.DataFrame({**facts, **scores})


@contextmanager
def quiet() -> Iterator[None]:
    """Silence doubts, which these random tables all raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read(frame: pd.DataFrame) -> Scores:
    with quiet():
        return read_scores(frame)


def benchmarks_of(frame: pd.DataFrame) -> list[str]:
    return [c for c in frame.columns if c in NAMES]


@given(tables())
def test_every_frame_and_file_reads_back_equal(frame: pd.DataFrame) -> None:
    table = read(frame)
    assert read(table.to_frame()).equals(table)
    text = pd.read_csv(io.StringIO(table.to_frame().to_csv(index=False)), dtype=str, keep_default_na=False)
    assert read(text).equals(table)


@given(tables(), st.randoms(use_true_random=False))
def test_permuting_rows_and_columns_permutes_the_table(frame: pd.DataFrame, random: object) -> None:
    table = read(frame)
    rows = list(range(len(frame)))
    columns = benchmarks_of(frame)
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    rest = [c for c in frame.columns if c not in columns]
    shuffled = read(frame.iloc[rows][[*columns, *rest]])
    assert shuffled.select(models=table.models, benchmarks=table.benchmarks).equals(table)
    assert shuffled.equals(table.select(models=shuffled.models, benchmarks=shuffled.benchmarks))


@given(tables())
def test_wide_and_long_agree(frame: pd.DataFrame) -> None:
    table = read(frame)
    melted = frame.melt(
        ["model", *METADATA[:2], *METADATA[3:], "hf_id"], benchmarks_of(frame), "benchmark", "score"
    )
    assert read(melted).equals(table)
    seen = read(melted.dropna(subset="score"))
    assert (
        seen.select(models=[m for m in table.models if m in seen.models])
        .data["score"]
        .equals(table.select(models=[m for m in table.models if m in seen.models]).data["score"])
    )


@given(tables(), st.data())
def test_hiding_is_the_same_as_never_having_measured(frame: pd.DataFrame, data: st.DataObject) -> None:
    table = read(frame)
    mask = np.array(
        data.draw(st.lists(st.booleans(), min_size=table.observed.size, max_size=table.observed.size))
    )
    mask = mask.reshape(table.observed.shape)
    mask[0] = False
    emptied = frame.copy()
    emptied[benchmarks_of(frame)] = frame[benchmarks_of(frame)].astype(float).mask(mask)
    assert read(emptied).digest == table.hide(mask).digest


@given(tables())
def test_denormalising_undoes_normalising(frame: pd.DataFrame) -> None:
    table = read(frame)
    floor = table.data["floor"].values
    scores = np.clip(table.data["score"].values, floor, 1)
    normalised = frame.copy()
    normalised[list(table.benchmarks)] = (scores - floor) / (1 - floor)
    with quiet():
        back = read_scores(normalised, denormalise=table.benchmarks)
    assert np.allclose(back.data["score"], scores, atol=1e-12, equal_nan=True)
