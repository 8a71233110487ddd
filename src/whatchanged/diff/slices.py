"""The same contrast within each category of prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.contrast import Contrast
from whatchanged.stats import tango

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SLICE_COLUMNS", "heterogeneity", "slices"]

SLICE_COLUMNS = ("kind", "feature", "category", "n", "delta", "lo", "hi", "p_heterogeneity")
_FEWEST = 5
_PERMUTATIONS = 2000
_ROWS_AT_ONCE = 64


def heterogeneity(
    n_after: NDArray[np.int64], discordant: NDArray[np.int64], *, seed: int, permutations: int = _PERMUTATIONS
) -> NDArray[np.float64]:
    """Whether the direction of change differs between categories.

    Category labels are permuted among each row's discordant units (a sign flip would test "no change"
    instead). A permutation only moves counts, so it is drawn as a multivariate hypergeometric.

    Args:
        n_after: Discordant units with more in after, ``[rows, categories]``.
        discordant: Discordant units, same shape.
        seed: Of the random generator.
        permutations: Number of draws.

    Returns:
        ``(r + 1) / (permutations + 1)`` with r the draws whose chi-square is at least the observed one,
        ``[rows]``; NaN where fewer than two categories have discordant units.

    Source: Monte Carlo permutation test (Phipson and Smyth, 2010). Checked against full enumeration in
    ``tests/diff/test_slices.py``.
    """
    p = np.full(len(n_after), np.nan)
    generator = np.random.default_rng(seed)
    asked = np.flatnonzero((discordant > 0).sum(axis=1) >= 2)
    for begin in range(0, len(asked), _ROWS_AT_ONCE):
        rows = asked[begin : begin + _ROWS_AT_ONCE]
        total, size = discordant[rows].sum(axis=1), discordant[rows]
        after = n_after[rows].sum(axis=1)
        # The rarer direction is drawn, so swapping before and after draws the very same numbers.
        rarer = np.where((after * 2 > total)[:, None], size - n_after[rows], n_after[rows])
        expected = size * (rarer.sum(axis=1) / total)[:, None]
        safe = np.maximum(size, 1)
        observed = ((rarer - expected) ** 2 / safe).sum(axis=1)
        left = np.repeat(total[:, None], permutations, axis=1)
        todo = np.repeat(rarer.sum(axis=1)[:, None], permutations, axis=1)
        drawn = np.zeros((len(rows), permutations))
        for c in range(size.shape[1]):
            left = left - size[:, c : c + 1]
            got = generator.hypergeometric(np.broadcast_to(size[:, c : c + 1], left.shape), left, todo)
            todo = todo - got
            drawn += (got - expected[:, c : c + 1]) ** 2 / safe[:, c : c + 1]
        as_far = (drawn >= observed[:, None] * (1 - 1e-9) - 1e-12).sum(axis=1)
        p[rows] = (as_far + 1) / (permutations + 1)
    return p


def slices(contrast: Contrast, rows: NDArray[np.int64], *, seed: int) -> pd.DataFrame:
    """Contrast of the discovered rows per category with at least 5 units.

    Args:
        contrast: The contrast on all units.
        rows: Discovered rows.
        seed: Of the permutations.

    Returns:
        One line per row and category: ``kind, feature, category, n, delta, lo, hi, p_heterogeneity``, by
        each row's own statistic. Empty without categories. Units without a category, or in a smaller
        one, take no part.
    """
    import pandas as pd

    labels = contrast.pairing.category
    sizes = {c: labels.count(c) for c in sorted({c for c in labels if c is not None})}
    names = [c for c, n in sizes.items() if n >= _FEWEST]
    if not names or not len(rows):
        return pd.DataFrame({name: [] for name in SLICE_COLUMNS})
    member = np.array([[c == name for name in names] for c in labels], dtype=np.float32)
    more, less = contrast.signs.select(rows).counts(member)
    s, index = contrast.tests.statistic[rows], np.arange(len(rows))
    n_after, n_before = more[s, index], less[s, index]
    n = np.array([sizes[c] for c in names])
    low, high = tango(n_after, n_before, np.broadcast_to(n, n_after.shape))
    p = heterogeneity(n_after, n_after + n_before, seed=seed)
    family_of = np.searchsorted(contrast.start, rows, side="right") - 1
    tables = [contrast.families[f].occurrences for f in family_of]
    columns = rows - contrast.start[family_of]
    repeat = len(names)
    return pd.DataFrame(
        {
            "kind": np.repeat([t.kind for t in tables], repeat),
            "feature": np.repeat([t.name(int(c)) for t, c in zip(tables, columns, strict=True)], repeat),
            "category": np.tile(names, len(rows)),
            "n": np.tile(n, len(rows)),
            "delta": ((n_after - n_before) / n).ravel(),
            "lo": low.ravel(),
            "hi": high.ravel(),
            "p_heterogeneity": np.repeat(p, repeat),
        }
    )
