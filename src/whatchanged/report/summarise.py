"""From findings to the page's values: everything is chosen, ordered and counted here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whatchanged.artifacts import DIFF_COLUMNS, Diff, Finding, Findings, Hypotheses, Trend
from whatchanged.report.cards import card_of
from whatchanged.report.chart import Axis, floor_figure
from whatchanged.report.comparable import screened
from whatchanged.report.hypotheses import hypothesis_list
from whatchanged.report.overview import afters, alpha, baseline, head, lengths, limit, trust
from whatchanged.report.rows import line_of, observed
from whatchanged.report.series import series
from whatchanged.report.view import Floor, Observed, Page, Row

__all__ = ["summarise"]

CARDS = 120  # findings with a card; the table and findings.json hold all of them
LEXICAL = 20


def summarise(
    findings: Findings,
    *,
    hypotheses: Hypotheses | None = None,
    trend: Trend | None = None,
    date: str | None = None,
) -> Page:
    """Make the values of the page.

    Args:
        findings: What changed.
        hypotheses: The same in sentences, checked.
        trend: The trend test of an ordered series.
        date: Shown in the head as it is; no clock is read.

    Returns:
        The page; equal arguments give an equal page.

    Raises:
        ValueError: If a finding does not belong to the diff it came with.
    """
    diff = findings.diff
    axis = Axis(v for f in (*findings.items, *findings.aside) for v in (f.lo, f.hi, f.delta))
    rows = _lines(diff, findings.items, axis, "finding", aside=False)
    aside = _lines(diff, findings.aside, axis, "aside", aside=True)
    level = alpha(diff)
    lexical = _lexical(diff)
    verdicts = diff.table["length"].astype(str).to_numpy() if "length" in diff.table else np.array([])
    needed, share = limit(diff)
    return Page(
        head=head(diff, date),
        alpha=level,
        limit=needed,
        limit_share=share,
        lengths=lengths(diff),
        screened=screened(diff.responses, baseline(diff), afters(diff)),
        trust=trust(diff),
        axis=axis.ticks,
        rows=rows,
        cards=tuple(
            card_of(diff, f, r, alpha=level) for f, r in zip(findings.items[:CARDS], rows, strict=False)
        ),
        unlisted=max(len(rows) - CARDS, 0),
        left_out=int(findings.summary.get("left_out", 0)),
        length_driven=int((verdicts == "length-driven").sum()),
        not_identifiable=int((verdicts == "length-not-identifiable").sum()),
        rows_aside=aside,
        cards_aside=tuple(
            card_of(diff, f, r, alpha=level) for f, r in zip(findings.aside[:CARDS], aside, strict=False)
        ),
        floors=tuple(
            f for after in afters(diff) if (f := _floor(diff, findings, rows, aside, after)) is not None
        ),
        observables=_observed(diff, _rows(diff, "observable"), level),
        lexical=_observed(diff, lexical[:LEXICAL], level),
        lexical_rows=sum(1 for kind in diff.table["kind"] if kind == "lexical"),
        lexical_significant=sum(1 for row in lexical if float(row["q"]) <= level),
        columns=DIFF_COLUMNS,
        hypotheses=None
        if hypotheses is None
        else hypothesis_list(hypotheses, findings, rows, cards=CARDS, alpha=level),
        series=series(findings, rows, cards=CARDS, alpha=level, trend=trend),
    )


def _lines(diff: Diff, found: Sequence[Finding], axis: Axis, name: str, *, aside: bool) -> tuple[Row, ...]:
    return tuple(
        line_of(diff, f, rank=i, anchor=f"{name}-{i}", axis=axis, aside=aside) for i, f in enumerate(found, 1)
    )


def _rows(diff: Diff, kind: str) -> list[dict[Any, Any]]:
    """The rows of one kind: smallest q first, then largest |delta|, then name."""
    rows: list[dict[Any, Any]] = diff.table[diff.table["kind"] == kind].to_dict("records")

    def order(row: Mapping[Any, Any]) -> tuple[float, float, str]:
        q, delta = float(row["q"]), float(row["delta"])
        return (q if q == q else 2.0, -abs(delta) if delta == delta else 0.0, str(row["feature"]))

    return sorted(rows, key=order)


def _lexical(diff: Diff) -> list[dict[Any, Any]]:
    """Lexical rows that were tested."""
    return [row for row in _rows(diff, "lexical") if float(row["q"]) == float(row["q"])]


def _observed(diff: Diff, rows: Sequence[Mapping[str, Any]], level: float) -> tuple[Observed, ...]:
    axis = Axis(float(row[name]) for row in rows for name in ("lo", "hi"))
    return tuple(observed(row, axis=axis, alpha=level) for row in rows)


def _floor(
    diff: Diff, findings: Findings, rows: Sequence[Row], aside: Sequence[Row], after: str
) -> Floor | None:
    """The noise-floor figure over every tested row of one comparison."""
    table = diff.table
    named = {f.rows[0] for f in (*findings.items, *findings.aside)}
    tested = np.isfinite(table["p"].to_numpy(dtype=float)) & np.isfinite(table["delta"].to_numpy(dtype=float))
    tested &= (table["after"] == after).to_numpy()
    tested[[i for i in named if i < len(table)]] = False
    other = table[tested]
    return floor_figure(
        diff.noise_of(after),
        (other["n_before"] + other["n_after"]).to_numpy(dtype=float),
        other["delta"].abs().to_numpy(dtype=float),
        [
            (r, is_aside)
            for is_aside, mine in ((True, aside), (False, rows))
            for r in mine
            if r.after == after
        ],
        after=after,
    )
