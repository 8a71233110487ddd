"""How a number is written, in the page, in markdown and in figures.

Minus is U+2212, units follow a no-break space, and what does not exist is an en dash.
"""

from __future__ import annotations

import math

__all__ = ["dollars", "measure", "number", "percent", "pixel", "points", "probability", "signed"]

MINUS = "\u2212"
NONE = "\u2013"


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal: ``0.1234`` is ``12.3 %``."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{100 * value + 0.0:.1f}\u00a0%".replace("-", MINUS)


def signed(value: float | None) -> str:
    """A difference of shares in percentage points, signed, without unit: ``-0.05`` is ``−5.0``."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{100 * value:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", MINUS)


def points(value: float | None) -> str:
    """A difference of shares with its unit: ``0.125`` is ``+12.5 pp`` (percentage points)."""
    return NONE if _missing(value) else f"{signed(value)}\u00a0pp"


def probability(value: float | None) -> str:
    """A p or q: three digits from .001 up, else two with an exponent: ``1.2e-9``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0 or value >= 1e-3:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def measure(value: float | None) -> str:
    """A signed measure with three digits, without unit: ``-0.00012`` is ``−1.2e-4``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 1e-3:
        return f"{value:+.3g}".replace("-", MINUS)
    mantissa, exponent = f"{value:+.1e}".split("e")
    return f"{mantissa.replace('-', MINUS)}e{int(exponent)}"


def dollars(value: float | None) -> str:
    """US dollars, to a hundredth of a cent: ``$0.0123``."""
    return NONE if value is None or not math.isfinite(value) else f"${value:,.4f}"


def number(value: float | None) -> str:
    """A count or a measure: thousands separated by commas, at most one decimal."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace("-", MINUS)


def pixel(value: float) -> str:
    """A position on a drawing, one decimal."""
    return f"{value:.1f}".removesuffix(".0")
