"""One sentence per row; every number in it comes from the diff's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatchanged.interpret.candidates import CLOSING, OPENING

__all__ = ["level", "percent", "points", "statement"]


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def level(value: float, name: str = "q") -> str:
    """A p or q as text: two digits, in powers of ten below a thousandth."""
    if value < 1e-300:
        return f"{name} < 1e-300"
    return f"{name} = {value:.1e}" if value < 1e-3 else f"{name} = {value:.2g}"


def points(delta: float) -> str:
    """A difference of shares in percentage points, signed."""
    return f"{100 * delta:+.1f}".replace("-", "−")  # a true minus sign


def _prompts(n: int) -> str:
    return "prompt" if n == 1 else "prompts"


def statement(row: Mapping[str, Any], *, one_sample: bool) -> str:
    """Say what a row found, by the meaning of the statistic that found it.

    Args:
        row: The row of `Diff.table`.
        one_sample: Whether every prompt has one answer per checkpoint. Then rates of presence-like
            statistics are shares of answers; else all rates are shares of prompts.
    """
    before, after, statistic = str(row["before"]), str(row["after"]), str(row["statistic"])
    low, high = float(row["rate_before"]), float(row["rate_after"])
    gained, lost, n = int(row["n_after"]), int(row["n_before"]), int(row["n"])
    unit = "tokens" if row["kind"] == "feature" else "words"
    presence = {
        "presence": "present in {} of answers",
        "high_presence": "strongly active (maximum above the 80th percentile) in {} of answers",
        "opening": f"in the first {OPENING} {unit} of {{}} of answers",
        "closing": f"in the last {CLOSING} {unit} of {{}} of answers",
    }
    rates = f"{percent(low)} → {percent(high)}"
    if statistic in presence and one_sample:
        said = presence[statistic].format(rates)
        counts = f"{gained} {_prompts(gained)} gained it and {lost} lost it, of {n}"
    else:
        more = {
            "high_presence": "strongly active in more of the samples of {}",
            "opening": f"in the first {OPENING} {unit} of more of the samples of {{}}",
            "closing": f"in the last {CLOSING} {unit} of more of the samples of {{}}",
            "presence": "present in more of the samples of {}",
            "log_maximum": "its peak is stronger in {}",
        }.get(statistic, "more of it in {}")
        said = f"{more.format(after)} for {percent(high)} of prompts, in {before} for {percent(low)}"
        counts = f"{gained} {_prompts(gained)} against {lost}, of {n}"
    side = after if float(row["delta"]) > 0 else before
    interval = f"95 % CI {points(float(row['lo']))} to {points(float(row['hi']))}"
    delta = f"Δ {points(float(row['delta']))} points"
    return f"More in {side}: {said} ({delta}, {interval}; {counts}; {level(float(row['q']))})"
