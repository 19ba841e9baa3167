"""Which models belong together: lines of one family, families of one descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bayes_sloth.errors import InputError, unknown_name
from bayes_sloth.names import FAMILY, INSTRUCT, PARENT
from bayes_sloth.scores import Scores

Words = NDArray[np.object_]
Bools = NDArray[np.bool_]


def lines_of(scores: Scores, column: str | None) -> Words:
    """Return the line of every model: its family and whether it is tuned, or what a column says.

    Parameters
    ----------
    scores : Scores
        The table.
    column : str, optional
        A fact of the models or a note.

    Returns
    -------
    array of str, dims (model)
        Such as `llama-3 0` for the base models of llama-3.

    Raises
    ------
    InputError
        If there is no such column, or it is empty for a model.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> lines_of(load_leaderboard().select(models=["llama-2-7b"]), None).tolist()
    ['llama-2 0']
    """
    if column is not None:
        return labels_of(scores, column, "line")
    pairs = zip(scores.metadata[FAMILY], scores.metadata[INSTRUCT], strict=True)
    return np.array([f"{family} {tuned:g}" for family, tuned in pairs], dtype=object)


def labels_of(scores: Scores, column: str, kind: str) -> Words:
    """Return what a column says of every model.

    Parameters
    ----------
    scores : Scores
        The table.
    column : str
        A fact of the models or a note.
    kind : str
        What the column names, for messages.

    Returns
    -------
    array of str, dims (model)
        Its cells as text.

    Raises
    ------
    InputError
        If there is no such column, or it is empty for a model.

    Examples
    --------
    >>> from bayes_sloth.datasets import load_leaderboard
    >>> labels_of(load_leaderboard().select(models=["llama-3.1-8b"]), "lineage", "kin").tolist()
    ['llama-3']
    """
    table = scores.metadata
    frame = table if column in table else scores.notes
    if column not in frame:
        raise unknown_name("column", column, [*table.columns, *scores.notes.columns])
    empty = (frame[column].isna() | (frame[column].astype(str).str.strip() == "")).to_numpy(dtype=bool)
    if empty.any():
        model = scores.models[int(np.argmax(empty))]
        raise InputError(f"column {column!r} names no {kind} for {model}: fill it for every model.")
    return np.asarray(frame[column].astype(str), dtype=object)


def relatives(table: pd.DataFrame, *labels: Words) -> Words:
    """Return a name for the group of every model: families joined by a parent or a label share one.

    Parameters
    ----------
    table : DataFrame
        With `family` and `parent`.
    *labels : array of str, dims (model)
        Lines or kin that may run through several families.

    Returns
    -------
    array of str, dims (model)
        The oldest family of the group, one without a parent; of several one that is a label, or else the
        first of the table.

    Examples
    --------
    >>> relatives(pd.DataFrame({"family": ["a", "b", "c"], "parent": ["", "a", "b"]})).tolist()
    ['a', 'a', 'a']
    """
    families = table[FAMILY].to_numpy(dtype=object)
    descents = [(child, parent) for child, parent in zip(families, table[PARENT], strict=True) if parent]
    names = list(dict.fromkeys([*families, *(parent for _, parent in descents)]))
    numbers = {name: number for number, name in enumerate(names)}
    shared = [families[own] for words in labels for _, own in groups(words)]
    ties = descents + [(together[0], name) for together in shared for name in together]
    ends = np.array([[numbers[a], numbers[b]] for a, b in ties], dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(names), len(names)))
    label = connected_components(graph, directed=False)[1]
    born = {child for child, _ in descents}
    named = {str(name) for words in labels for name in words}
    oldest: dict[int, str] = {}
    for name in sorted(names, key=lambda name: (name in born, name not in named)):  # stable
        oldest.setdefault(int(label[numbers[name]]), name)
    return np.array([oldest[int(label[numbers[name]])] for name in families], dtype=object)


def groups(labels: Sequence[Any] | Words) -> list[tuple[str, Bools]]:
    """Return every label with the mask of its rows, in order of first appearance.

    Examples
    --------
    >>> [(name, mask.tolist()) for name, mask in groups(["b", "a", "b"])]
    [('b', [True, False, True]), ('a', [False, True, False])]
    """
    array = np.asarray(labels, dtype=object)
    return [(str(name), array == name) for name in dict.fromkeys(array)]
