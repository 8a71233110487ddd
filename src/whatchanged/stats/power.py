"""The smallest change an exact paired test can find."""

from __future__ import annotations

import math

from scipy.stats import norm

__all__ = ["exact_limit"]


def exact_limit(
    rows: int, *, alpha: float = 0.05, together: int = 1, tests: int = 1, background: float = 0.0
) -> int:
    """Discordant units, all in one direction, that a row needs to be discovered.

    Args:
        rows: Rows tested in the report.
        alpha: False discovery rate.
        together: Rows that move together; Benjamini-Hochberg spends alpha on all of them.
        tests: Tests whose smallest p is taken per row (six for the default p of graded features).
        background: Discordant units that run-to-run noise adds, split evenly over both directions.

    Returns:
        ``1 + ceil(log2(m / (alpha g)))`` without background; with it the normal approximation
        ``(z² + sqrt(z⁴ + 4 z² n0)) / 2``, rounded up. 0 for a family without rows.

    Raises:
        ValueError: A number is out of range.

    Source: smallest attainable sign-test p ``2^(1 - k)`` at the first Benjamini-Hochberg step. The
    numbers for 4,096 to 65,536 rows are hand-checked in ``tests/stats/test_power.py``.
    """
    if rows < 0 or together < 1 or tests < 1 or background < 0 or not 0 < alpha < 1:
        raise ValueError(
            "rows and background must be 0 or more, together and tests 1 or more, alpha between 0 and 1; got "
            f"rows={rows}, background={background}, together={together}, tests={tests}, alpha={alpha}"
        )
    if rows == 0:
        return 0
    level = min(1.0, alpha * together / (rows * tests))
    alone = 1 + math.ceil(math.log2(1 / level))
    if background == 0:
        return alone
    z = float(norm.isf(level / 2))
    return math.ceil((z**2 + math.sqrt(z**4 + 4 * z**2 * background)) / 2)
