"""Corrections for having looked at many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["benjamini_hochberg", "simes"]


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p (q).

    Args:
        p: One p per row, ``[rows]``; NaN means not tested and does not count.

    Returns:
        q of each row in the same order; NaN where p is NaN. Rows at ``q <= alpha`` have a false
        discovery rate of at most alpha under independence or positive dependence.

    Raises:
        ValueError: A p lies outside 0 to 1.

    Source: Benjamini and Hochberg (1995), JRSS B 57:289. Checked against ``statsmodels`` in
    ``tests/stats/test_multiplicity.py``.
    """
    values = np.asarray(p, dtype=np.float64)
    q = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    if not len(tested):
        return q
    kept = values[tested]
    if kept.min() < 0 or kept.max() > 1:
        raise ValueError(f"p must lie between 0 and 1; got {kept.min()!r} to {kept.max()!r}")
    order = np.argsort(kept, kind="stable")
    scaled = kept[order] * (len(kept) / np.arange(1, len(kept) + 1))
    q[tested[order]] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def simes(p: ArrayLike) -> float:
    """Simes' p of the claim that none of a group's rows changed.

    Args:
        p: The rows' p; NaN means not tested. A group without a tested row gives NaN.

    Source: Simes (1986), Biometrika 73:751. It equals the smallest Benjamini-Hochberg q of the group;
    checked by hand in ``tests/stats/test_multiplicity.py``.
    """
    q = benjamini_hochberg(np.ravel(np.asarray(p, dtype=np.float64)))
    return float(np.nanmin(q)) if np.any(~np.isnan(q)) else float("nan")
