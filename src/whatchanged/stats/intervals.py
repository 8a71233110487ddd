"""Confidence intervals for shares and for the difference of two paired shares."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, binom, norm

__all__ = ["clopper_pearson", "median_interval", "newcombe_paired", "tango", "wilson"]

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def _counts(*values: ArrayLike) -> list[NDArray[np.float64]]:
    arrays = np.broadcast_arrays(*[np.asarray(v, dtype=np.float64) for v in values])
    if any(np.any(a < 0) for a in arrays):
        raise ValueError("counts must be 0 or more; got a negative one; pass counts, not differences")
    return list(arrays)


def _level(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha!r}; use 0.05 for 95 % intervals")


def wilson(successes: ArrayLike, trials: ArrayLike, *, alpha: float = 0.05) -> Interval:
    """Wilson score interval of a share.

    Args:
        successes: Number that have it.
        trials: Number looked at; 0 gives (0, 1).
        alpha: One minus the coverage.

    Source: Wilson (1927), JASA 22:209. Checked against ``statsmodels`` in ``tests/stats/test_intervals.py``.
    """
    _level(alpha)
    x, n = _counts(successes, trials)
    z = norm.isf(alpha / 2)
    safe = np.where(n > 0, n, 1.0)
    share = x / safe
    centre = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2)) / (1 + z**2 / safe)
    low = np.where((n > 0) & (x > 0), centre - half, 0.0)
    high = np.where((n > 0) & (x < n), centre + half, 1.0)
    return low, high


def clopper_pearson(
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    alpha: float = 0.05,
    side: Literal["two", "lower", "upper"] = "two",
) -> Interval:
    """Exact interval of a share by inverting the binomial test.

    Args:
        successes: Number that have it.
        trials: Number looked at; 0 gives (0, 1).
        alpha: One minus the coverage.
        side: ``lower`` puts all of alpha below (the upper end is 1), ``upper`` above (the lower is 0).

    Source: Clopper and Pearson (1934), Biometrika 26:404. Checked against ``statsmodels`` in
    ``tests/stats/test_intervals.py``.
    """
    _level(alpha)
    x, n = _counts(successes, trials)
    if np.any(x > n):
        raise ValueError("successes exceed trials; check the order of arguments")
    tail = alpha / 2 if side == "two" else alpha
    # Parameters are kept positive where the end is known, so that no warning is raised there.
    low = np.where(x > 0, beta.ppf(tail, np.maximum(x, 1), n - x + 1), 0.0)
    high = np.where(x < n, beta.isf(tail, x + 1, np.maximum(n - x, 1)), 1.0)
    if side == "lower":
        high = np.ones_like(high)
    if side == "upper":
        low = np.zeros_like(low)
    return low, high


def _tango_upper(
    b: NDArray[np.float64], c: NDArray[np.float64], n: NDArray[np.float64], z: float
) -> NDArray[np.float64]:
    """Largest delta the score test does not reject, by bisection between the estimate and 1."""
    low = (b - c) / n
    high = np.ones_like(low)
    for _ in range(60):
        delta = (low + high) / 2
        # Restricted maximum likelihood estimate of the before-only share, given the difference.
        first = 2 * n
        second = -b - c + (2 * n - b + c) * delta
        third = -c * delta * (1 - delta)
        root = np.sqrt(np.maximum(second**2 - 4 * first * third, 0.0))
        # The stable form of the quadratic's larger root; the plain one cancels where second > 0.
        share = np.where(
            second > 0, -2 * third / np.maximum(second + root, 1e-300), (root - second) / (2 * first)
        )
        variance = n * np.maximum(2 * share + delta * (1 - delta), 0.0)
        rejected = n * delta - (b - c) > z * np.sqrt(variance)
        high = np.where(rejected, delta, high)
        low = np.where(rejected, low, delta)
    return np.where(b - c >= n, 1.0, high)


def tango(n_after: ArrayLike, n_before: ArrayLike, n: ArrayLike, *, alpha: float = 0.05) -> Interval:
    """Tango's score interval of the difference of two paired shares.

    It depends on the discordant counts and the number of units only, keeps its coverage where the
    counts are small, and swapping before and after exactly negates and exchanges its ends.

    Args:
        n_after: Units with it in *after* only.
        n_before: Units with it in *before* only.
        n: All units, concordant ones included; 0 gives (-1, 1).
        alpha: One minus the coverage.

    Returns:
        Lower and upper end of the interval of ``(n_after - n_before) / n``. Without discordant units
        the ends are ``∓ z² / (n + z²)``.

    Raises:
        ValueError: A count is negative, or more units are discordant than there are.

    Source: Tango (1998), Statistics in Medicine 17:891. Checked against published intervals and against
    the score test with a brute-force restricted maximum likelihood in ``tests/stats/test_intervals.py``.
    """
    _level(alpha)
    b, c, total = _counts(n_after, n_before, n)
    if np.any(b + c > total):
        raise ValueError("more discordant units than units; check the order of arguments")
    shape = b.shape
    z = float(norm.isf(alpha / 2))
    # Tens of thousands of rows share a few thousand distinct triples.
    triples, back = np.unique(
        np.stack([b.ravel(), c.ravel(), np.maximum(total.ravel(), 1.0)]), axis=1, return_inverse=True
    )
    ub, uc, un = triples
    low = -_tango_upper(uc, ub, un, z)[back.ravel()].reshape(shape)
    high = _tango_upper(ub, uc, un, z)[back.ravel()].reshape(shape)
    return np.where(total > 0, low, -1.0), np.where(total > 0, high, 1.0)


def newcombe_paired(
    both: ArrayLike, n_after: ArrayLike, n_before: ArrayLike, neither: ArrayLike, *, alpha: float = 0.05
) -> Interval:
    """Newcombe's square-and-add interval (method 10) of the difference of two paired shares.

    Args:
        both: Units with it on both sides.
        n_after: Units with it in *after* only.
        n_before: Units with it in *before* only.
        neither: Units without it.
        alpha: One minus the coverage.

    Source: Newcombe (1998), Statistics in Medicine 17:2635, method 10 (Wilson limits, continuity-
    corrected phi). Checked against a published example in ``tests/stats/test_intervals.py``.
    """
    a, b, c, d = _counts(both, n_after, n_before, neither)
    n = a + b + c + d
    safe = np.where(n > 0, n, 1.0)
    low1, high1 = wilson(a + b, n, alpha=alpha)
    low2, high2 = wilson(a + c, n, alpha=alpha)
    first, second, delta = (a + b) / safe, (a + c) / safe, (b - c) / safe
    product = (a + b) * (c + d) * (a + c) * (b + d)
    cross = a * d - b * c
    corrected = np.where(cross > safe / 2, cross - safe / 2, np.where(cross >= 0, 0.0, cross))
    phi = np.where(product > 0, corrected / np.sqrt(np.where(product > 0, product, 1.0)), 0.0)
    down1, up1, down2, up2 = first - low1, high1 - first, second - low2, high2 - second
    below = np.sqrt(np.maximum(down1**2 - 2 * phi * down1 * up2 + up2**2, 0.0))
    above = np.sqrt(np.maximum(down2**2 - 2 * phi * down2 * up1 + up1**2, 0.0))
    return np.where(n > 0, delta - below, -1.0), np.where(n > 0, delta + above, 1.0)


def median_interval(values: ArrayLike, *, alpha: float = 0.05) -> tuple[float, float]:
    """Exact interval of a median from order statistics, whatever the distribution.

    Args:
        values: Independent draws, ``[n]``.
        alpha: One minus the coverage, half of it on either side.

    Returns:
        Two of the values; an end is infinite where too few values were seen to bound it.

    Source: inversion of the sign test, e.g. Conover, Practical Nonparametric Statistics, section 3.2.
    Checked against `scipy.stats.quantile_test` in ``tests/stats/test_intervals.py``.
    """
    _level(alpha)
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    # Less than alpha / 2 of Binomial(n, 1/2) lies below this rank.
    rank = int(binom.ppf(alpha / 2, n, 0.5)) if n else 0
    if rank == 0:
        return -np.inf, np.inf
    return float(ordered[rank - 1]), float(ordered[n - rank])
