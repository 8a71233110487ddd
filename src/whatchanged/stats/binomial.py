"""The paired sign test, its exact tails, and which tests can say anything at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

__all__ = ["SignTestTable", "sign_test", "smallest_attainable", "testable", "upper_tail"]

_TINY = float(np.finfo(np.float64).tiny)


def sign_test(n_after: ArrayLike, n_before: ArrayLike) -> NDArray[np.float64]:
    """Exact two-sided p of the paired sign test (McNemar's exact test).

    Args:
        n_after: Discordant units with more in *after*, any shape.
        n_before: Discordant units with more in *before*, broadcast against `n_after`.

    Returns:
        ``min(1, 2 P(X <= min(n_after, n_before)))`` with ``X ~ Binomial(n_after + n_before, 1/2)``;
        1 where nothing is discordant. Never below 2.2e-308, so that logarithms stay finite.

    Raises:
        ValueError: A count is negative.

    Source: exact binomial; McNemar (1947). Checked against ``scipy.stats.binomtest`` in
    ``tests/stats/test_binomial.py``.
    """
    after, before = np.asarray(n_after, dtype=np.int64), np.asarray(n_before, dtype=np.int64)
    if np.any(after < 0) or np.any(before < 0):
        raise ValueError(
            "discordant counts must be 0 or more; got a negative one; pass counts, not differences"
        )
    tail = 2.0 * bdtr(np.minimum(after, before).astype(np.float64), after + before, 0.5)
    return np.clip(np.asarray(tail, dtype=np.float64), _TINY, 1.0)


def upper_tail(successes: ArrayLike, trials: ArrayLike) -> NDArray[np.float64]:
    """One-sided p of the sign test: ``P(X >= successes)`` with ``X ~ Binomial(trials, 1/2)``.

    Args:
        successes: Discordant units in the predicted direction.
        trials: All discordant units; 0 gives p = 1.

    Source: exact binomial. Checked against ``scipy.stats.binomtest`` in ``tests/stats/test_binomial.py``.
    """
    hits, total = np.asarray(successes, dtype=np.int64), np.asarray(trials, dtype=np.int64)
    if np.any(hits > total) or np.any(hits < 0):
        raise ValueError(
            "successes must lie between 0 and trials; got one outside; check the order of arguments"
        )
    # By symmetry P(X >= k) = P(X <= trials - k), which has no cancellation in the far tail.
    tail = bdtr((total - hits).astype(np.float64), total, 0.5)
    return np.clip(np.asarray(tail, dtype=np.float64), _TINY, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignTestTable:
    """Every two-sided sign-test p up to a number of units, for repeated look-ups.

    Attributes:
        offset: Where the values of ``d`` discordant units begin, ``[n + 1]``.
        p: p by ``offset[d] + min(n_after, n_before)``, one flat array of about n²/4 values.
    """

    offset: NDArray[np.int64]
    p: NDArray[np.float64]

    @classmethod
    def up_to(cls, n_units: int) -> SignTestTable:
        """Table for all counts of at most `n_units` discordant units."""
        discordant = np.arange(n_units + 1)
        size = discordant // 2 + 1
        offset = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
        total = np.repeat(discordant, size)
        fewer = np.arange(int(size.sum())) - np.repeat(offset, size)
        return cls(offset=offset, p=sign_test(fewer, total - fewer))

    def lookup(self, n_after: NDArray[np.integer], n_before: NDArray[np.integer]) -> NDArray[np.float64]:
        """The same values as `sign_test`, bit for bit."""
        fewer = np.minimum(n_after, n_before)
        found: NDArray[np.float64] = self.p[self.offset[n_after + n_before] + fewer]
        return found


def smallest_attainable(discordant: ArrayLike) -> NDArray[np.float64]:
    """Smallest two-sided p a sign test with so many discordant units can have: ``2^(1 - d)``, at most 1."""
    return np.minimum(1.0, np.exp2(1.0 - np.asarray(discordant, dtype=np.float64)))


def testable(discordant: NDArray[np.integer], alpha: float) -> NDArray[np.bool_]:
    """Which of the tests of each row could reach `alpha` after correction for the number kept.

    Tarone's procedure within each row: with K the smallest number for which at most K tests can reach
    ``alpha / K``, those tests are kept. A row none of whose tests is kept could not be discovered
    whatever its signs were, so leaving it out costs no power; and because only numbers of discordant
    units enter, the choice does not change when before and after are swapped within any unit.

    Args:
        discordant: Discordant units, ``[tests, rows]``.
        alpha: Level, between 0 and 1.

    Returns:
        Mask of the same shape.

    Source: Tarone (1990), Biometrics 46:515. Hand-worked cases in ``tests/stats/test_binomial.py``.
    """
    least = smallest_attainable(discordant)
    kept = np.zeros(least.shape, dtype=np.bool_)
    open_rows = np.ones(least.shape[1], dtype=np.bool_)
    for k in range(1, least.shape[0] + 1):
        reach = least <= alpha / k
        settled = open_rows & (reach.sum(axis=0) <= k)
        kept[:, settled] = reach[:, settled]
        open_rows &= ~settled
    assert not open_rows.any(), "at most all tests reach alpha over all tests"
    return kept


# Pytest collects functions by prefix where a test module imports this one by name.
testable.__test__ = False  # type: ignore[attr-defined]
