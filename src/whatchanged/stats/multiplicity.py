"""Corrections for having looked at many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["benjamini_hochberg", "budget_weights", "simes"]


def benjamini_hochberg(
    p: ArrayLike, weight: ArrayLike | None = None, *, tested: int | None = None
) -> NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p (q), every p divided by its weight first.

    Args:
        p: One p per row, ``[rows]``; NaN means not tested and does not count.
        weight: What each row is worth, chosen without looking at which way anything moved, with mean 1
            over the tested rows; all 1 by default.
        tested: Number of rows tested in all, when `p` holds only some of them. Nothing is known of the
            others, which only makes q larger: they count as rows with p 1.

    Returns:
        q of each row in the same order; NaN where p is NaN. Rows at ``q <= alpha`` have a false
        discovery rate of at most alpha under independence or positive dependence.

    Raises:
        ValueError: A p lies outside 0 to 1, weights of tested rows are not positive with mean 1 (any
            mean where only some rows are given), or there are more p than rows tested.

    Source: Benjamini and Hochberg (1995), JRSS B 57:289; weights: Genovese, Roeder and Wasserman (2006),
    Biometrika 93:509. Checked against ``statsmodels`` in ``tests/stats/test_multiplicity.py``.
    """
    values = np.asarray(p, dtype=np.float64)
    q = np.full(values.shape, np.nan)
    given = np.flatnonzero(~np.isnan(values))
    if not len(given):
        return q
    rows = len(given) if tested is None else tested
    if rows < len(given):
        raise ValueError(f"{len(given)} p were given for {rows} rows tested in all")
    kept = values[given]
    if kept.min() < 0 or kept.max() > 1:
        raise ValueError(f"p must lie between 0 and 1; got {kept.min()!r} to {kept.max()!r}")
    if weight is not None:
        worth = np.asarray(weight, dtype=np.float64)[given]
        if not (worth > 0).all() or (tested is None and not np.isclose(worth.mean(), 1.0)):
            raise ValueError(f"weights must be positive with mean 1; got mean {worth.mean()!r}")
        kept = np.minimum(kept / worth, 1.0)
    order = np.argsort(kept, kind="stable")
    scaled = kept[order] * (rows / np.arange(1, len(kept) + 1))
    q[given[order]] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def budget_weights(
    group: NDArray[np.int64], tested: NDArray[np.bool_], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights under which each group of rows has its share of the false discoveries allowed.

    A few rows that say much need not pay for the many rows beside them.

    Args:
        group: Group of each row, ``[rows]``.
        tested: Whether the row is tested, ``[rows]``.
        share: Share of each group, positive, ``[groups]``; those of groups without a tested row go to the
            others in proportion.

    Returns:
        Weights for `benjamini_hochberg`, the same within a group; 1 for rows of groups without a tested row.
    """
    size = np.bincount(group[tested], minlength=len(share))
    wanted = np.where(size > 0, share, 0.0)
    total = wanted.sum()
    each = np.where(size > 0, wanted / max(total, 1e-300) * size.sum() / np.maximum(size, 1), 1.0)
    weights: NDArray[np.float64] = each[group]
    return weights


def simes(p: ArrayLike) -> float:
    """Simes' p of the claim that none of a group's rows changed.

    Args:
        p: The rows' p; NaN means not tested. A group without a tested row gives NaN.

    Source: Simes (1986), Biometrika 73:751. It equals the smallest Benjamini-Hochberg q of the group;
    checked by hand in ``tests/stats/test_multiplicity.py``.
    """
    q = benjamini_hochberg(np.ravel(np.asarray(p, dtype=np.float64)))
    return float(np.nanmin(q)) if np.any(~np.isnan(q)) else float("nan")
