"""The default p of every row, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.family import Family
from whatchanged.diff.signs import Signs, signs
from whatchanged.diff.units import Pairing
from whatchanged.stats import SignTestTable, benjamini_hochberg, budget_weights, testable

__all__ = ["SHARES", "Contrast", "Discoveries", "RowTests", "contrast", "kinds", "row_tests"]

SHARES = {"feature": 0.5, "observable": 0.25, "lexical": 0.25}
"""Share of the false discoveries allowed that each kind of row may spend. Observables are few and say most;
among thousands of features and terms alike they would have to be as strong as any of them."""
_PLACE = {kind: i for i, kind in enumerate(SHARES)} | {"group": 0}  # a group of features stands among them
_SHARE = np.array(list(SHARES.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTests:
    """Tests of all rows.

    Attributes:
        kept: Tests that could reach alpha (Tarone within the row), ``[6, rows]``.
        tests: Their number, ``[rows]``; 0 means the row is not tested.
        statistic: Index of the test with the smallest p, the first of equals, 0 where not tested.
        p: ``min(1, smallest p × tests)``; NaN where not tested.
        weight: What the row is worth by its kind's share of the budget (`SHARES`), ``[rows]``.
        q: Benjamini-Hochberg over all tested rows with these weights; NaN where not tested.
    """

    kept: NDArray[np.bool_]
    tests: NDArray[np.int64]
    statistic: NDArray[np.int64]
    p: NDArray[np.float64]
    weight: NDArray[np.float64]
    q: NDArray[np.float64]


def row_tests(
    n_after: NDArray[np.int64],
    n_before: NDArray[np.int64],
    table: SignTestTable,
    alpha: float,
    kind: NDArray[np.int64] | None = None,
) -> RowTests:
    """Bonferroni-minimum p of the testable sign tests of each row, and its q.

    Args:
        n_after: Discordant units with more in after, ``[6, rows]``.
        n_before: The same for before.
        table: Sign-test p up to at least the largest number of discordant units.
        alpha: Level; it decides which tests are worth their cost, by discordant counts alone.
        kind: Position of each row's kind in `SHARES`, ``[rows]``; rows of one kind by default.
    """
    kept = testable(n_after + n_before, alpha)
    tests = kept.sum(axis=0).astype(np.int64)
    p = np.where(kept, table.lookup(n_after, n_before), np.inf)
    statistic = np.argmin(p, axis=0).astype(np.int64)
    smallest = np.take_along_axis(p, statistic[None], axis=0)[0]
    row_p = np.where(tests > 0, np.minimum(1.0, np.where(tests > 0, smallest, 1.0) * tests), np.nan)
    weight = np.ones(len(tests)) if kind is None else budget_weights(kind, tests > 0, _SHARE)
    return RowTests(
        kept=kept,
        tests=tests,
        statistic=statistic,
        p=row_p,
        weight=weight,
        q=benjamini_hochberg(row_p, weight),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Discoveries:
    """The rows at ``q <= alpha``, and all they were chosen among.

    Attributes:
        rows: Their numbers, in table order, ``[discoveries]``.
        statistic: Index of each one's statistic.
        direction: Sign of its net change by that statistic; positive means more in after.
        tests: Number of its tests, among which the statistic was chosen.
        weight: What it is worth by its kind, as in `RowTests`.
        tested: Number of rows tested, discovered or not.
    """

    rows: NDArray[np.int64]
    statistic: NDArray[np.int64]
    direction: NDArray[np.int64]
    tests: NDArray[np.int64]
    weight: NDArray[np.float64]
    tested: int

    @classmethod
    def of(
        cls, tests: RowTests, n_after: NDArray[np.int64], n_before: NDArray[np.int64], alpha: float
    ) -> Discoveries:
        """What `tests` of the same discordant counts (as in `row_tests`) discover."""
        rows = np.flatnonzero(tests.q <= alpha)
        statistic = tests.statistic[rows]
        return cls(
            rows=rows,
            statistic=statistic,
            direction=np.sign(n_after[statistic, rows] - n_before[statistic, rows]),
            tests=tests.tests[rows],
            weight=tests.weight[rows],
            tested=int((tests.tests > 0).sum()),
        )

    def numbered(self, rows: NDArray[np.int64]) -> Discoveries:
        """The same where the rows tested were those of a part: `rows` gives the number of each."""
        return replace(self, rows=rows[self.rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two checkpoints contrasted on every column of every family.

    Rows are the columns of the first family, then of the second, and so on.

    Attributes:
        pairing: Units and rows.
        families: Tables turned by column.
        start: First row of each family, and the number of rows, ``[families + 1]``.
        signs: Signs of all rows.
        n_after: Discordant units with more in after, ``[6, rows]``.
        n_before: The same for before.
        tests: p and q of all rows.
        table: Sign-test look-up.
        alpha: False discovery rate.
    """

    pairing: Pairing
    families: tuple[Family, ...]
    start: NDArray[np.int64]
    signs: Signs
    n_after: NDArray[np.int64]
    n_before: NDArray[np.int64]
    tests: RowTests
    table: SignTestTable
    alpha: float

    @property
    def kind(self) -> NDArray[np.int64]:
        """Position of each row's kind in `SHARES`, ``[rows]``."""
        return kinds(self.families)

    @property
    def discoveries(self) -> Discoveries:
        """Rows at ``q <= alpha``, before the length rule."""
        return Discoveries.of(self.tests, self.n_after, self.n_before, self.alpha)

    def direction(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sign of the net change of each row by its statistic; positive means more in after."""
        s = self.tests.statistic[rows]
        net: NDArray[np.int64] = self.n_after[s, rows] - self.n_before[s, rows]
        return np.sign(net)


def contrast(families: Sequence[Family], alpha: float) -> Contrast:
    """Contrast all columns of all families as one family of tests."""
    found = signs(families)
    n_after, n_before = found.counts()
    table = SignTestTable.up_to(found.n_units)
    sizes = [f.occurrences.n_columns for f in families]
    return Contrast(
        pairing=families[0].pairing,
        families=tuple(families),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        signs=found,
        n_after=n_after,
        n_before=n_before,
        tests=row_tests(n_after, n_before, table, alpha, kinds(families)),
        table=table,
        alpha=alpha,
    )


def kinds(families: Sequence[Family]) -> NDArray[np.int64]:
    """Position in `SHARES` of the kind of every row, ``[rows]``."""
    sizes = [f.occurrences.n_columns for f in families]
    return np.repeat([_PLACE[f.occurrences.kind] for f in families], sizes).astype(np.int64)
