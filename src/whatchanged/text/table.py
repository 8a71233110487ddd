"""From per-answer entries to an `Occurrences` table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whatchanged.artifacts import Occurrences

__all__ = ["Entry", "occurrences"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that occurs in one answer.

    Attributes:
        column: Its column.
        amount: How much of it there is (its count, or a mean for measured things), > 0.
        count: How often, as a whole number >= 1.
        first: Word position of its first occurrence.
        last: Word position of its last.
    """

    column: int
    amount: float
    count: int
    first: int
    last: int


def occurrences(
    kind: Literal["observable", "lexical"],
    names: Sequence[str],
    rows: Sequence[Sequence[Entry]],
    n_units: Sequence[int],
) -> Occurrences:
    """The table of the entries of each answer; entries of a row must ascend by column."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    flat = [entry for row in rows for entry in row]
    amount = np.array([e.amount for e in flat], dtype=np.float32)
    return Occurrences(
        kind=kind,
        names=tuple(names),
        n_columns=len(names),
        n_units=np.array(n_units, dtype=np.int32),
        indptr=indptr,
        column=np.array([e.column for e in flat], dtype=np.int32),
        maximum=amount,
        count=np.array([e.count for e in flat], dtype=np.int32),
        total=amount.copy(),
        first=np.array([e.first for e in flat], dtype=np.int32),
        last=np.array([e.last for e in flat], dtype=np.int32),
        graded=False,
    )
