"""The length rule: a behaviour must not be longer or shorter answers in disguise."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.contrast import Contrast, Discoveries
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.given_length import given_length
from whatchanged.diff.prefix import interpolated_counts, lengths_differ, prefix_counts
from whatchanged.diff.truncation import truncation_net
from whatchanged.stats import benjamini_hochberg, sign_test
from whatchanged.text import OBSERVABLES

__all__ = ["DRIVEN", "OK", "UNKNOWN", "Verdicts", "is_length", "length_rule", "observable_rows", "restated"]

OK, DRIVEN, UNKNOWN = "ok", "length-driven", "length-not-identifiable"
_BLOCK = 256
_SHARE = 1 / 3
_WAYS = 4  # presence, opening, closing, amounts
_AMOUNTS = 3  # high presence, log count, log maximum
_PRESENCE, _OPENING, _CLOSING = (STATISTICS.index(name) for name in ("presence", "opening", "closing"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What the length rule says of each row it was asked about.

    Attributes:
        delta_length: Net share of units with more of it when both answers are cut to the shorter
            length; NaN where not asked (no prefix, equal lengths).
        p_prefix: Two-sided sign-test p of that.
        p_firth: p of the row given log length; NaN where not asked or not identifiable.
        q: Benjamini-Hochberg adjusted p, over every row of the report, of the test by which the row is ``ok``;
            NaN for the others and where not asked.
        statistic: Index of the statistic by which the row is reported.
        verdict: ``ok``, ``length-driven`` or ``length-not-identifiable``.
    """

    delta_length: NDArray[np.float64]
    p_prefix: NDArray[np.float64]
    p_firth: NDArray[np.float64]
    q: NDArray[np.float64]
    statistic: NDArray[np.int64]
    verdict: NDArray[np.object_]


def length_rule(
    contrast: Contrast, discoveries: Discoveries, *, flip: NDArray[np.int64] | None = None
) -> Verdicts:
    """Ask of each discovered row whether it survives with length held equal.

    A row is ``ok`` when it keeps its sign and its significance in a test that holds length equal:

    1. presence, or the opening of opening rows, when both answers are cut to the shorter one's length;
    2. the regression of `given_length`. It is asked of closing rows, of presence rows that failed the first
       test and changed as much in the closing, of rows of amounts that failed it but keep a third of their
       change, and its significance, when it is estimated within the shorter length, and of observables that
       belong to the end or the whole of an answer and so have no prefix.

    Significance is that of the report: Benjamini-Hochberg over every row tested, p multiplied by the ways in
    which the row could have passed (4: presence, opening, closing, amounts; the last again by 3). Among the
    discoveries alone, chosen for a change of which these tests see a part, some would survive by that choice.

    Observables that are length itself (the number of words) are ``length-driven`` whatever the tests say:
    nothing of them is left once length is held equal.

    A row is reported by what it passed: rows of amounts by presence where less than a third of their own change
    is left within the shorter length, presence rows by their closing where the regression let that pass.

    Where one side's answers break off more often, by at least half of the row's change, length tells who
    was cut and ends cannot be compared: the first test leaves the shorter answer's closing out, and the
    second is not asked.

    Args:
        contrast: Where the rows come from.
        discoveries: The rows to ask about, and all they were chosen among.
        flip: -1 for units whose labels are swapped, 0 for those left out, ``[units]``.

    Returns:
        One verdict per row; ``ok`` for all where no two answers to a prompt differ in length.
        ``length-driven`` when a test that speaks to the row's statistic was asked and failed, or the
        row is length itself, or too little of it is left within the shorter length;
        ``length-not-identifiable`` when no such test could be asked.
    """
    rows, statistic, direction = discoveries.rows, discoveries.statistic, discoveries.direction
    count = len(rows)
    delta, p_prefix, p_firth = np.full(count, np.nan), np.full(count, np.nan), np.full(count, np.nan)
    verdict = np.full(count, OK, dtype=np.object_)
    if not count or not any(lengths_differ(f) for f in contrast.families):
        return Verdicts(
            delta_length=delta,
            p_prefix=p_prefix,
            p_firth=p_firth,
            q=delta,
            statistic=statistic,
            verdict=verdict,
        )
    turned = np.ones(contrast.pairing.n_units, dtype=np.int64) if flip is None else flip
    family_of = np.searchsorted(contrast.start, rows, side="right") - 1
    column = rows - contrast.start[family_of]
    prefixed = _has_prefix(contrast, family_of, column)
    asked = prefixed & (statistic != _CLOSING)

    more_all, less_all = contrast.signs.select(rows).counts(turned)
    net = more_all - less_all
    whole = np.abs(net)[statistic, np.arange(count)]
    cut = (2 * truncation_net(contrast, turned) >= whole) & (whole > 0)

    for f, index in _blocks(family_of, asked):
        more, less = prefix_counts(contrast.families[f], column[index], statistic[index], turned, cut[index])
        delta[index] = (more - less) / contrast.pairing.n_units
        p_prefix[index] = sign_test(more, less)
    # For presence and opening the prefix test is the row's own test, so it settles the matter within the prefix.
    own = asked & np.isin(statistic, [_PRESENCE, _OPENING])
    q = _adjusted(p_prefix, np.full(count, _WAYS), discoveries)
    survived = (q <= contrast.alpha) & (np.sign(delta) == direction)
    left, p_left = np.zeros(count, dtype=np.int64), np.full(count, np.nan)
    amounts = asked & ~own
    for f, index in _blocks(family_of, amounts):
        up, down = interpolated_counts(contrast.families[f], column[index], statistic[index], turned)
        left[index], p_left[index] = up - down, sign_test(up, down)
    enough = left * direction >= _SHARE * whole
    by_presence = survived & amounts & ~enough
    survived &= ~by_presence | (np.sign(net[_PRESENCE]) == direction)
    at_the_end = asked & (statistic == _PRESENCE) & ~survived & (net[_CLOSING] * direction >= whole)
    reported = np.where(by_presence & survived, _PRESENCE, np.where(at_the_end, _CLOSING, statistic))

    remains = np.where(survived, np.nan, p_left)
    significant = _adjusted(remains, discoveries.tests, discoveries) <= contrast.alpha
    kept = ~asked | (amounts & ~survived & enough & significant) | at_the_end
    regress = ~survived & kept & ~cut
    itself = np.zeros(count, dtype=np.bool_)
    for f, index in _blocks(family_of, regress):
        given = given_length(contrast.families[f], column[index], reported[index], direction[index], turned)
        p_firth[index], itself[index] = given.p, given.itself
    ways = np.where(reported == _CLOSING, _WAYS, _WAYS * _AMOUNTS)
    q_firth = _adjusted(p_firth, np.where(prefixed, ways, discoveries.tests), discoveries)
    q = np.where(survived, q, q_firth)
    survived |= q_firth <= contrast.alpha
    reported = np.where(at_the_end & ~survived, statistic, reported)
    length = is_length(contrast, rows)
    itself, survived = itself | length, survived & ~length
    told = itself | ~np.isnan(p_firth) | own | ~kept
    verdict[~survived & told] = DRIVEN
    verdict[~survived & ~told] = UNKNOWN
    q[~survived] = np.nan
    return Verdicts(
        delta_length=delta, p_prefix=p_prefix, p_firth=p_firth, q=q, statistic=reported, verdict=verdict
    )


def _adjusted(
    p: NDArray[np.float64], ways: NDArray[np.int64], discoveries: Discoveries
) -> NDArray[np.float64]:
    """Benjamini-Hochberg over every row that was tested; rows not discovered, or not asked, count as p 1.

    Args:
        p: p of each discovery, NaN where not asked.
        ways: What each p is multiplied by.
        discoveries: The rows.
    """
    return benjamini_hochberg(np.minimum(p * ways, 1.0), discoveries.weight, tested=discoveries.tested)


def restated(contrast: Contrast, rows: NDArray[np.int64], verdicts: Verdicts) -> Contrast:
    """The contrast with every row asked under the statistic by which it is reported; p and q stay."""
    statistic = contrast.tests.statistic.copy()
    statistic[rows] = verdicts.statistic
    return replace(contrast, tests=replace(contrast.tests, statistic=statistic))


def is_length(contrast: Contrast, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows are the answer's length itself, by `Observable.is_length`."""
    return np.isin(rows, observable_rows(contrast, {n for n, o in OBSERVABLES.items() if o.is_length}))


def observable_rows(contrast: Contrast, names: Set[str]) -> list[int]:
    """Row numbers of some observables."""
    return [
        int(contrast.start[f]) + column
        for f, family in enumerate(contrast.families)
        if family.occurrences.kind == "observable"
        for column, name in enumerate(family.occurrences.names or ())
        if name in names
    ]


def _has_prefix(
    contrast: Contrast, family_of: NDArray[np.int64], column: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether what stands in the first words of an answer is the same when the answer goes on.

    True of causal features and of words; not of observables that are defined by where the answer ends.
    """
    tables = [f.occurrences for f in contrast.families]
    anchors = [
        OBSERVABLES[name].anchor if tables[f].kind == "observable" and name in OBSERVABLES else "anywhere"
        for f, name in ((f, tables[f].name(int(c))) for f, c in zip(family_of, column, strict=True))
    ]
    return np.array([anchor not in ("closing", "whole") for anchor in anchors], dtype=np.bool_)


def _blocks(
    family_of: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Wanted rows family by family, in blocks that fit dense rows × units."""
    for f in np.unique(family_of):
        index = np.flatnonzero(wanted & (family_of == f))
        for i in range(0, len(index), _BLOCK):
            yield int(f), index[i : i + _BLOCK]
