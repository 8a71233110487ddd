"""One table of occurrences, turned column by column, for the answers that are paired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from whatchanged.artifacts import Occurrences
from whatchanged.diff.units import Pairing

__all__ = ["CLOSING", "OPENING", "STATISTICS", "Family", "step_size", "turn"]

STATISTICS = ("presence", "high_presence", "log_count", "log_maximum", "opening", "closing")
"""The six statistics of a column in an answer, in the order that breaks ties."""

OPENING = 16
"""Units at the start of an answer that count as its opening."""

CLOSING = 24
"""Units at the end of an answer that count as its closing."""

FIXED_POINT = 2**16
"""Logarithms are compared in steps of 1/65,536, so that equal means of samples cancel exactly."""

_HIGH = 0.8
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The paired entries of one table, sorted by column and, within a column, by unit.

    Attributes:
        occurrences: The table.
        pairing: The rows that take part.
        indptr: Where each column's entries begin, ``[columns + 1]``.
        entry: Positions in the arrays of `occurrences`, ``[entries]``.
        row: Rows of `pairing`, ``[entries]``.
        threshold: Pooled 80th percentile of each column's positive maxima over both sides; swapping
            before and after within a prompt leaves it as it is, ``[columns]``.
    """

    occurrences: Occurrences
    pairing: Pairing
    indptr: NDArray[np.int64]
    entry: NDArray[np.int64]
    row: NDArray[np.int64]
    threshold: NDArray[np.float32]

    @property
    def n_units(self) -> NDArray[np.int64]:
        """Length of each paired row in this table's own units, ``[rows]``."""
        return self.occurrences.n_units[self.pairing.answers].astype(np.int64)

    def column_of(self, start: int, stop: int) -> NDArray[np.int64]:
        """Column of each entry of the columns from `start` up to `stop`."""
        return np.repeat(np.arange(start, stop), np.diff(self.indptr[start : stop + 1]))

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Ranges of columns that hold a bounded number of entries each."""
        start, columns = 0, len(self.indptr) - 1
        while start < columns:
            stop = int(np.searchsorted(self.indptr, self.indptr[start] + _CHUNK, side="right")) - 1
            stop = min(max(stop, start + 1), columns)
            yield start, stop
            start = stop

    def gather(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Entries of some columns: their places in `entry`, and which of `columns` each belongs to."""
        sizes = self.indptr[columns + 1] - self.indptr[columns]
        which = np.repeat(np.arange(len(columns)), sizes)
        begin = np.cumsum(sizes) - sizes
        return np.arange(int(sizes.sum())) - begin[which] + self.indptr[columns][which], which

    def values(
        self, statistic: str, place: NDArray[np.int64], column: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Value of a statistic at some entries, as integers (logarithms in steps of 1/65,536).

        Args:
            statistic: One of `STATISTICS`.
            place: Places in `entry`.
            column: Column of each of them.
        """
        table, entry = self.occurrences, self.entry[place]
        if statistic == "presence":
            return np.ones(len(place), dtype=np.int64)
        if statistic == "high_presence":
            return (table.maximum[entry] > self.threshold[column]).astype(np.int64)
        if statistic == "log_count":
            return _steps(table.count[entry])
        if statistic == "log_maximum":
            return _steps(table.maximum[entry])
        if statistic == "opening":
            return (table.first[entry] < OPENING).astype(np.int64)
        assert statistic == "closing", f"unknown statistic {statistic!r}"
        length = table.n_units[self.pairing.answers[self.row[place]]]
        return (table.last[entry] >= length - CLOSING).astype(np.int64)

    def own_values(
        self, columns: NDArray[np.int64], statistic: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Value of each column's own statistic wherever the column occurs.

        Args:
            columns: Columns to look at.
            statistic: Index of each column's statistic.

        Returns:
            Of each entry: the row of `pairing`, which of `columns`, and the value as in `values`.
        """
        place, which = self.gather(columns)
        value = np.zeros(len(place), dtype=np.int64)
        for s, name in enumerate(STATISTICS):
            mine = statistic[which] == s
            value[mine] = self.values(name, place[mine], columns[which[mine]])
        return self.row[place], which, value


def step_size(statistic: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many integer steps make 1, for each statistic by its index: 65,536 for logarithms, else 1."""
    logs = np.array([name.startswith("log_") for name in STATISTICS])
    return np.where(logs[statistic], float(FIXED_POINT), 1.0)


def _steps(value: NDArray[np.floating] | NDArray[np.int32]) -> NDArray[np.int64]:
    """log(1 + value) in steps of 1/65,536."""
    logs: NDArray[np.float64] = np.log1p(value.astype(np.float64))
    return np.rint(logs * FIXED_POINT).astype(np.int64)


def turn(occurrences: Occurrences, pairing: Pairing) -> Family:
    """Select the paired answers of a table and sort its entries by column.

    Only entries that occur are touched, never answers × columns.

    Raises:
        ValueError: The table has no row for an answer that is paired.
    """
    if int(pairing.answers.max()) >= len(occurrences.n_units):
        raise ValueError(
            f"the {occurrences.kind} table has {len(occurrences.n_units)} rows, but answer "
            f"{int(pairing.answers.max())} is compared; build it from the same responses"
        )
    entries = len(occurrences.column)
    rows = csr_matrix(
        (np.arange(entries), occurrences.column, occurrences.indptr),
        shape=(len(occurrences.n_units), occurrences.n_columns),
    )
    by_column = rows[pairing.answers].tocsc()
    entry = by_column.data.astype(np.int64, copy=False)
    indptr = by_column.indptr.astype(np.int64)
    size = np.diff(indptr)
    threshold = np.full(occurrences.n_columns, np.inf, dtype=np.float32)
    if len(entry) and occurrences.graded:
        maximum = occurrences.maximum[entry]
        column = np.repeat(np.arange(occurrences.n_columns), size)
        ranked = maximum[np.lexsort((maximum, column))]
        filled = np.flatnonzero(size)
        # The smallest value at or below which 80 % lie; no interpolation, so no rounding.
        rank = np.ceil(_HIGH * size[filled]).astype(np.int64) - 1
        threshold[filled] = ranked[indptr[filled] + rank]
    return Family(
        occurrences=occurrences,
        pairing=pairing,
        indptr=indptr,
        entry=entry,
        row=by_column.indices.astype(np.int64),
        threshold=threshold,
    )
