"""What a rule looks at, as one column over the answers."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Features, Occurrences, Responses
from whatchanged.gate.rules import Rule
from whatchanged.text import observables
from whatchanged.text.table import Entry, occurrences
from whatchanged.text.words import word_starts

__all__ = ["column", "word_counts"]

_Number = TypeVar("_Number", np.float32, np.int32)


def column(rule: Rule, responses: Responses, features: Features | None) -> Occurrences:
    """The one column that a rule (not one about length) guards, ``[answers, 1]``.

    Raises:
        ValueError: The rule names features, and the answers were not encoded or the SAE has no such feature.
    """
    if rule.pattern is not None:
        return _matches(rule.pattern, responses)
    if rule.observable is not None:
        table = observables(responses)
        assert table.names is not None, "observables have names"
        return _union(table, [table.names.index(rule.observable)])
    assert rule.features, "a rule that is not about length has a target"
    if features is None:
        raise ValueError(f"rule {rule.name!r} names SAE features; encode the answers first")
    wrong = [f for f in rule.features if not 0 <= f < features.occurrences.n_columns]
    if wrong:
        raise ValueError(
            f"rule {rule.name!r} names features {wrong}; the SAE has 0 to {features.occurrences.n_columns - 1}"
        )
    return _union(features.occurrences, list(rule.features))


def word_counts(responses: Responses) -> NDArray[np.int64]:
    """Words of each answer, ``[answers]``."""
    return np.array([len(word_starts(a.text)) for a in responses.answers], dtype=np.int64)


def _matches(pattern: str, responses: Responses) -> Occurrences:
    compiled = re.compile(pattern, re.IGNORECASE)
    rows, units = [], []
    for answer in responses.answers:
        starts = word_starts(answer.text)
        found = [m.start() for m in compiled.finditer(answer.text)]
        first, last = (
            (max(0, bisect_right(starts, c) - 1) for c in (found[0], found[-1])) if found else (0, 0)
        )
        entry = Entry(column=0, amount=len(found), count=len(found), first=first, last=last)
        rows.append([entry] if found else [])
        units.append(max(1, len(starts)))
    return occurrences("lexical", [pattern], rows, units)


def _union(table: Occurrences, columns: list[int]) -> Occurrences:
    """One column that is active where any of some columns is; counts and totals add up."""
    kept = np.flatnonzero(np.isin(table.column, columns))
    row = table.row[kept]
    has, place = np.unique(row, return_inverse=True)

    start = np.flatnonzero(np.diff(place, prepend=-1))  # entries stand in order of their rows

    def gather(values: NDArray[_Number], how: np.ufunc) -> NDArray[_Number]:
        mine = values[kept]
        return how.reduceat(mine, start).astype(mine.dtype) if len(mine) else mine

    present = np.zeros(len(table.n_units), dtype=np.int64)
    present[has] = 1
    return Occurrences(
        kind="group",
        n_columns=1,
        n_units=table.n_units,
        indptr=np.concatenate([[0], np.cumsum(present)]).astype(np.int64),
        column=np.zeros(len(has), dtype=np.int32),
        maximum=gather(table.maximum, np.maximum),
        count=gather(table.count, np.add),
        total=gather(table.total, np.add),
        first=gather(table.first, np.minimum),
        last=gather(table.last, np.maximum),
        graded=False,
    )
