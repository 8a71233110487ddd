"""Whether two yes-or-no properties of units have to do with one another, by exact exchange."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

__all__ = ["exchange_test", "smallest_exchange"]


def exchange_test(
    hits: NDArray[np.int64], members: NDArray[np.int64], marked: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Exact p of a yes-or-no attribute that is exchanged at random among units.

    Permuting the attribute makes the number of marked units that have it hypergeometric, so all
    permutations are counted and none is drawn.

    Args:
        hits: Marked units with the attribute.
        members: Units with the attribute.
        marked: Marked units.
        total: Units.

    Returns:
        Twice the smaller tail, at most 1.

    Source: Fisher's exact test, its two-sided p by doubling. Checked against full enumeration and
    ``scipy.stats.fisher_exact`` in ``tests/stats/test_exchange.py``.
    """
    return _doubled(hits, hits, members, marked, total)


def smallest_exchange(
    members: NDArray[np.int64], marked: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Smallest p that `exchange_test` can have with these margins."""
    margins, place = np.unique(np.stack([members, marked, total]), axis=1, return_inverse=True)
    m, k, n = margins
    least = _doubled(np.maximum(0, m + k - n), np.minimum(m, k), m, k, n)
    return least[place]


def _doubled(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    members: NDArray[np.int64],
    marked: NDArray[np.int64],
    total: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Twice the smaller of P(X <= low) and P(X >= high), at most 1."""
    tails = np.minimum(
        hypergeom.cdf(low, total, marked, members), hypergeom.sf(high - 1, total, marked, members)
    )
    result: NDArray[np.float64] = np.minimum(2 * tails, 1.0)
    return result
