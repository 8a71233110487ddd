"""What draws of cut answers come to: shares with bounds, and their rows in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from section import Bar, Grid
from whatchanged.stats import clopper_pearson

__all__ = ["HEAD", "LIMIT", "bar_of", "left_grid", "line_of", "summary"]

LIMIT = 0.05
"""Share of draws that may have any behaviour finding."""


def summary(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over draws: medians of the counts, and how many draws had any behaviour finding, with its bounds."""
    found = sum(d["ok"] > 0 for d in draws)
    names = Counter(name for d in draws for name in d["named"])
    keys = ("presence", "rate", "features", "rows", "ok", "driven", "unknown")
    return {
        "draws": len(draws),
        "median": {k: float(np.median([d[k] for d in draws])) for k in keys},
        "found": found,
        "share": found / len(draws),
        "lower": float(clopper_pearson(found, len(draws), side="lower")[0]),
        "upper": float(clopper_pearson(found, len(draws), side="upper")[1]),
        "named": dict(names.most_common(20)),
    }


def bar_of(claim: str, cell: Mapping[str, Any]) -> Bar:
    """P(any behaviour finding) of one cell against 5 %."""
    s = summary(cell["draws"])
    met = True if s["upper"] <= LIMIT else False if s["share"] > LIMIT else None
    return Bar(
        claim=claim,
        wanted="≤ .05",
        got=f"{s['share']:.3f} ({s['found']} of {s['draws']} draws; 95 % bounds {s['lower']:.3f}, {s['upper']:.3f})",
        met=met,
    )


HEAD = (
    "answers", "prompts in a draw", "cut", "draws by", "left of a cut answer", "rows significant in a draw (median)",
    "features by presence", "by rate", "by default p", "length-driven", "not identifiable",
    "behaviour findings left (most)", "draws with any",
)  # fmt: skip


def line_of(cell: Mapping[str, Any], cut: str) -> tuple[str, ...]:
    """One cell as a row under `HEAD`."""
    s = summary(cell["draws"])
    m = s["median"]
    halves = cell["by"] == "random halves"
    return (
        cell["answers"],
        str(cell["units"] // 2 if halves else cell["units"]),
        cut,
        cell["by"],
        f"{cell['kept']:.2f} ({cell['changed']:.0%} cut)",
        *(f"{m[k]:,.0f}" for k in ("rows", "presence", "rate", "features", "driven", "unknown")),
        f"{max(d['ok'] for d in cell['draws'])}",
        f"{s['found']} of {s['draws']}",
    )


def left_grid(title: str, cells: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[Grid, ...]:
    """Which rows were left as behaviour findings, and in how many draws; no table where none was."""
    rows = [
        (label, name, str(count))
        for label, cell in cells
        for name, count in summary(cell["draws"])["named"].items()
    ]
    return (
        (Grid(title=title, head=("draws of", "row (statistic)", "draws"), rows=tuple(rows)),) if rows else ()
    )
