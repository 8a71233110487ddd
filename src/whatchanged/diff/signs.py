"""Six signs per unit and column: which side has more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from whatchanged.diff.family import STATISTICS, Family

__all__ = ["Signs", "Tallies", "signs", "tallies"]

# A count that merely repeats another test would raise the number of tests for nothing.
_NOT_GRADED = ("presence", "log_count", "opening", "closing")
_PRESENCE_LIKE = ("presence", "high_presence", "opening", "closing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Signs of after minus before, sparse, all families' columns one after another.

    Attributes:
        n_units: Number of units.
        indptr: Where each column's cells begin, ``[columns + 1]``.
        unit: Unit of each cell, ascending within a column, ``[cells]``.
        sign: -1, 0 or +1 by statistic, ``[6, cells]``; a statistic that is not defined for a column
            is 0 everywhere. A cell that is not stored is 0 in all of them.
    """

    n_units: int
    indptr: NDArray[np.int64]
    unit: NDArray[np.int32]
    sign: NDArray[np.int8]

    @property
    def n_columns(self) -> int:
        """Number of columns, those without cells included."""
        return len(self.indptr) - 1

    def matrix(self, statistic: int, *, absolute: bool = False) -> csr_matrix:
        """Columns × units as a float32 sparse matrix (exact: the entries are -1, 0 and 1)."""
        values = np.abs(self.sign[statistic]) if absolute else self.sign[statistic]
        return csr_matrix(
            (values.astype(np.float32), self.unit, self.indptr), shape=(self.n_columns, self.n_units)
        )

    def select(self, columns: NDArray[np.int64]) -> Signs:
        """The same for some columns only, in the order given."""
        size = self.indptr[columns + 1] - self.indptr[columns]
        begin = np.cumsum(size) - size
        cell = np.arange(int(size.sum())) + np.repeat(self.indptr[columns] - begin, size)
        return Signs(
            n_units=self.n_units,
            indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
            unit=self.unit[cell],
            sign=self.sign[:, cell],
        )

    def counts(
        self, weights: NDArray[np.floating] | NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Discordant units with more in after and in before.

        Args:
            weights: Per unit, ``[units]`` or ``[units, k]``: 1 takes it as it is, -1 with its labels
                swapped, 0 leaves it out. ``None`` means all 1.

        Returns:
            ``n_after`` and ``n_before``, ``[6, columns]`` or ``[6, columns, k]``.
        """
        w = np.ones(self.n_units) if weights is None else weights
        w = np.asarray(w, dtype=np.float32)
        net = np.stack([self.matrix(s) @ w for s in range(len(STATISTICS))])
        total = np.stack([self.matrix(s, absolute=True) @ np.abs(w) for s in range(len(STATISTICS))])
        return ((total + net) / 2).astype(np.int64), ((total - net) / 2).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What a table counts besides signs, per column.

    Attributes:
        answers_before: Before-answers that have it, for presence-like statistics, ``[6, columns]``.
        units_before: Active units (tokens, words) in all before-answers, ``[columns]``.
        units_after: The same in after, ``[columns]``.
        constant: Whether every paired answer has the very same value of every statistic, ``[columns]``.
    """

    answers_before: NDArray[np.int64]
    units_before: NDArray[np.float64]
    units_after: NDArray[np.float64]
    constant: NDArray[np.bool_]


def _of(family: Family) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Cells per column, their units and their signs."""
    defined = STATISTICS if family.occurrences.graded else _NOT_GRADED
    per_column = np.zeros(family.occurrences.n_columns, dtype=np.int64)
    units: list[NDArray[np.int32]] = []
    found: list[NDArray[np.int8]] = []
    for start, stop in family.chunks():
        place = np.arange(family.indptr[start], family.indptr[stop])
        if not len(place):
            continue
        column, row = family.column_of(start, stop), family.row[place]
        unit, weight = family.pairing.unit[row], family.pairing.weight[row]
        new = np.ones(len(place), dtype=np.bool_)
        new[1:] = (column[1:] != column[:-1]) | (unit[1:] != unit[:-1])
        begin = np.flatnonzero(new)
        sign = np.zeros((len(STATISTICS), len(begin)), dtype=np.int8)
        for s, name in enumerate(STATISTICS):
            if name in defined:
                value = family.values(name, place, column) * weight
                sign[s] = np.sign(np.add.reduceat(value, begin))
        kept = np.any(sign != 0, axis=0)
        per_column += np.bincount(column[begin[kept]], minlength=len(per_column))
        units.append(unit[begin[kept]].astype(np.int32))
        found.append(sign[:, kept])
    if not found:
        return per_column, np.zeros(0, dtype=np.int32), np.zeros((len(STATISTICS), 0), dtype=np.int8)
    return per_column, np.concatenate(units), np.concatenate(found, axis=1)


def signs(families: Sequence[Family]) -> Signs:
    """The signs of every column of every family, from entries alone and in blocks of columns."""
    parts = [_of(f) for f in families]
    size = np.concatenate([p[0] for p in parts])
    return Signs(
        n_units=families[0].pairing.n_units,
        indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        unit=np.concatenate([p[1] for p in parts]),
        sign=np.concatenate([p[2] for p in parts], axis=1),
    )


def tallies(family: Family) -> Tallies:
    """Shares, rates and constancy of the columns of one family."""
    columns, rows = family.occurrences.n_columns, len(family.pairing.answers)
    answers = np.zeros((len(STATISTICS), columns), dtype=np.int64)
    per_side = np.zeros((2, columns))
    size = np.diff(family.indptr)
    constant = size == 0
    for start, stop in family.chunks():
        place = np.arange(family.indptr[start], family.indptr[stop])
        column = family.column_of(start, stop)
        local, after = column - start, family.pairing.side[family.row[place]] > 0
        count = family.occurrences.count[family.entry[place]]
        for side in (0, 1):
            weights = np.where(after == bool(side), count, 0)
            per_side[side, start:stop] = np.bincount(local, weights=weights, minlength=stop - start)
        for name in _PRESENCE_LIKE:
            has = (family.values(name, place, column) > 0) & ~after
            answers[STATISTICS.index(name), start:stop] = np.bincount(local[has], minlength=stop - start)
        full = np.flatnonzero(size[start:stop] == rows) + start
        if len(full):
            inside, which = family.gather(full)
            same = np.ones(len(full), dtype=np.bool_)
            for name in STATISTICS:
                value = family.values(name, inside, full[which]).reshape(len(full), rows)
                same &= (value == value[:, :1]).all(axis=1)
            constant[full] = same
    return Tallies(
        answers_before=answers, units_before=per_side[0], units_after=per_side[1], constant=constant
    )
