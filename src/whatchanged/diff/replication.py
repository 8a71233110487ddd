"""Discover on half of the units, confirm on the other half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.contrast import Contrast, Discoveries, row_tests
from whatchanged.diff.length import OK, length_rule
from whatchanged.stats import upper_tail

__all__ = ["Replication", "replicate"]

_CONFIRMED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """How discoveries on one half fare on the other.

    Attributes:
        share: For each asked row, the share of half splits, in both directions, on which the statistic
            and sign chosen on one half hold at one-sided p <= .05 on the other, ``[rows]``.
        rate: Share of all discoveries on a half (q <= alpha there) that the other half confirms;
            NaN without any.
        slope: Regression through the origin of their delta on the other half on their delta on the
            half that discovered them; below 1 means shrinkage.
        n: Number of discoveries on halves, over all splits and directions.
    """

    share: NDArray[np.float64]
    rate: float
    slope: float
    n: int


def replicate(
    contrast: Contrast, rows: NDArray[np.int64], *, splits: int, seed: int, length: bool = False
) -> Replication:
    """Split the units in halves several times and confirm each half's discoveries on the other.

    Args:
        contrast: The contrast on all units.
        rows: Rows to report a share for.
        splits: Number of splits; each is used in both directions.
        seed: Of the random generator.
        length: Whether a discovery on a half must also survive the length rule on that half; it is then confirmed by
            the statistic under which that half would report it.

    Raises:
        ValueError: `splits` is negative.
    """
    if splits < 0:
        raise ValueError(f"splits must be 0 or more; got {splits}; 10 is usual")
    units = contrast.pairing.n_units
    tested = np.flatnonzero(contrast.tests.tests)
    signs = contrast.signs.select(tested)
    place, kind = np.searchsorted(tested, rows), contrast.kind[tested]
    generator = np.random.default_rng(seed)
    confirmed_rows = np.zeros(len(rows))
    found, confirmed, product, square = 0, 0, 0.0, 0.0
    for _ in range(splits):
        first = np.zeros(units, dtype=np.float32)
        first[generator.permutation(units)[: units // 2]] = 1
        halves = np.stack([first, 1 - first], axis=1)
        more, less = signs.counts(halves)
        size = np.array([units // 2, units - units // 2])
        for a, b in ((0, 1), (1, 0)):
            tests = row_tests(more[..., a], less[..., a], contrast.table, contrast.alpha, kind)
            s, index = tests.statistic.copy(), np.arange(len(tested))
            mine = tests.q <= contrast.alpha
            if length:
                chosen = Discoveries.of(tests, more[..., a], less[..., a], contrast.alpha).numbered(tested)
                verdicts = length_rule(contrast, chosen, flip=halves[:, a].astype(np.int64))
                s[mine] = verdicts.statistic
                mine[mine] = verdicts.verdict == OK
            net_a = more[s, index, a] - less[s, index, a]
            direction = np.sign(net_a)
            net_b = more[s, index, b] - less[s, index, b]
            total = more[s, index, b] + less[s, index, b]
            hits = (total + direction * net_b) // 2
            holds = (direction != 0) & (tests.tests > 0) & (upper_tail(hits, total) <= _CONFIRMED)
            confirmed_rows += holds[place]
            found += int(mine.sum())
            confirmed += int((mine & holds).sum())
            delta_a, delta_b = net_a[mine] / size[a], net_b[mine] / size[b]
            product += float(delta_a @ delta_b)
            square += float(delta_a @ delta_a)
    return Replication(
        share=confirmed_rows / (2 * splits) if splits else np.full(len(rows), np.nan),
        rate=confirmed / found if found else float("nan"),
        slope=product / square if square else float("nan"),
        n=found,
    )
