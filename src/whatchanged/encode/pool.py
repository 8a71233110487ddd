"""From active features per token to one row per answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Occurrences
from whatchanged.encode.shards import Document

__all__ = ["Pooled", "join", "pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Features of one answer, ascending: see `Occurrences` for what each value means."""

    n_tokens: int
    column: NDArray[np.int32]
    maximum: NDArray[np.float32]
    count: NDArray[np.int32]
    total: NDArray[np.float32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]


def pool(document: Document) -> Pooled:
    """Maximum, number of tokens, sum, first and last position of every feature active in an answer."""
    position = np.repeat(np.arange(len(document.nnz), dtype=np.int32), document.nnz)
    order = np.argsort(document.column, kind="stable")  # keeps positions ascending within a feature
    column, value, position = document.column[order], document.value[order], position[order]
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(column)) - 1
    return Pooled(
        n_tokens=len(document.token_ids),
        column=column[starts],
        maximum=np.maximum.reduceat(value, starts) if len(starts) else np.zeros(0, np.float32),
        count=(ends - starts + 1).astype(np.int32),
        total=np.add.reduceat(value, starts) if len(starts) else np.zeros(0, np.float32),
        first=position[starts],
        last=position[ends],
    )


def join(rows: Iterable[Pooled], n_columns: int) -> Occurrences:
    """One table of many answers, in the order given."""
    parts = list(rows)

    def integers(name: str) -> NDArray[np.int32]:
        return np.concatenate([getattr(p, name) for p in parts] or [[]]).astype(np.int32, copy=False)

    def floats(name: str) -> NDArray[np.float32]:
        return np.concatenate([getattr(p, name) for p in parts] or [[]]).astype(np.float32, copy=False)

    return Occurrences(
        kind="feature",
        n_columns=n_columns,
        n_units=np.array([p.n_tokens for p in parts], dtype=np.int32),
        indptr=np.concatenate([[0], np.cumsum([len(p.column) for p in parts])]).astype(np.int64),
        column=integers("column"),
        maximum=floats("maximum"),
        count=integers("count"),
        total=floats("total"),
        first=integers("first"),
        last=integers("last"),
    )
