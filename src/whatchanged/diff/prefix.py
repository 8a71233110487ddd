"""Presence when both answers to a prompt are cut to the shorter one's length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.family import CLOSING, FIXED_POINT, OPENING, STATISTICS, Family

__all__ = ["interpolated_counts", "lengths_differ", "prefix_counts", "shortest"]


def shortest(family: Family) -> NDArray[np.int64]:
    """Length of the shortest answer to each prompt, over both sides and all samples, ``[prompts]``."""
    low = np.full(len(family.pairing.prompts), np.iinfo(np.int64).max)
    np.minimum.at(low, family.pairing.prompt, family.n_units)
    return low


def lengths_differ(family: Family) -> bool:
    """Whether any two answers to one prompt differ in length."""
    return bool(np.any(family.n_units != shortest(family)[family.pairing.prompt]))


def prefix_counts(
    family: Family,
    columns: NDArray[np.int64],
    statistic: NDArray[np.int64],
    flip: NDArray[np.int64],
    cut: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Units with more of a column within the shorter length, in after and in before.

    The reader is causal, so what is active within the first tokens does not depend on what follows:
    positions suffice and nothing is encoded again.

    Args:
        family: Table the columns belong to.
        columns: Columns to look at.
        statistic: Index of each column's statistic; for ``opening`` the opening within the shorter
            length is compared, for all others presence.
        flip: -1 for units whose labels are swapped, 0 for those left out, ``[units]``.
        cut: Columns for which the shorter answer's closing is left out too, because one side's answers
            break off: the end of a whole answer is not to be compared with the middle of a cut one.
    """
    place, which = family.gather(columns)
    row = family.row[place]
    limit = shortest(family)[family.pairing.prompt[row]]
    opening = statistic[which] == STATISTICS.index("opening")
    limit = np.where(opening, np.minimum(limit, OPENING), limit - CLOSING * cut[which])
    present = family.occurrences.first[family.entry[place]] < limit
    return _counts(family, which, row, present.astype(np.int64), flip, len(columns))


def interpolated_counts(
    family: Family, columns: NDArray[np.int64], statistic: NDArray[np.int64], flip: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Units with more of a column, by its own statistic, within the shorter length: an estimate.

    Presence and opening are exact. Of what goes on beyond the shorter length only the first and last positions
    are known, so the estimate leans against the longer answer: of the occurrences between them, those spread
    evenly over the shorter length, rounded down; of the maximum, that share of it; a high presence only where
    nothing goes on. What leans against the longer answer makes no length into a behaviour.

    Args:
        family: Table the columns belong to.
        columns: Columns to look at.
        statistic: Index of each column's statistic; closing has no prefix.
        flip: -1 for units whose labels are swapped, 0 for those left out, ``[units]``.
    """
    place, which = family.gather(columns)
    row, entry, table = family.row[place], family.entry[place], family.occurrences
    limit = shortest(family)[family.pairing.prompt[row]]
    first, last, count = (a[entry].astype(np.int64) for a in (table.first, table.last, table.count))
    inner = np.maximum(count - 2, 0) * np.maximum(limit - first, 0) / np.maximum(last - first, 1)
    left = np.where(last < limit, count, np.where(first < limit, 1 + np.floor(inner), 0))
    value = np.zeros(len(place))
    for s, name in enumerate(STATISTICS):
        mine = statistic[which] == s
        if name == "presence":
            value[mine] = left[mine] > 0
        elif name == "opening":
            value[mine] = first[mine] < np.minimum(limit[mine], OPENING)
        elif name == "high_presence":
            value[mine] = (family.values(name, place[mine], columns[which[mine]]) > 0) & (
                last[mine] < limit[mine]
            )
        elif name == "log_count":
            value[mine] = np.log1p(left[mine])
        else:
            whole = family.values(name, place[mine], columns[which[mine]])
            value[mine] = whole * left[mine] / count[mine]
    steps = np.rint(value * FIXED_POINT).astype(np.int64)
    return _counts(family, which, row, steps, flip, len(columns))


def _counts(
    family: Family,
    which: NDArray[np.int64],
    row: NDArray[np.int64],
    value: NDArray[np.int64],
    flip: NDArray[np.int64],
    columns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Units with more in after and in before, from integer values of entries."""
    pairing = family.pairing
    net = np.zeros((columns, pairing.n_units), dtype=np.int64)
    np.add.at(net, (which, pairing.unit[row]), value * pairing.weight[row])
    sign = np.sign(net) * flip
    return (sign > 0).sum(axis=1), (sign < 0).sum(axis=1)
