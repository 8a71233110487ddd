"""Several checkpoints side by side: findings at every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatchanged.artifacts import Diff, Findings, Trend
from whatchanged.report.curves import Scale
from whatchanged.report.overview import afters, baseline
from whatchanged.report.rows import standing
from whatchanged.report.trends import Slopes, trend_list
from whatchanged.report.view import Behaviour, Cell, Row, Series
from whatchanged.report.words import LEVELS, STATISTICS

__all__ = ["series"]

SHOWN = 60  # behaviours in the table
Key = tuple[str, str]
Record = Mapping[Any, Any]


def series(
    findings: Findings, rows: Sequence[Row], *, cards: int, alpha: float, trend: Trend | None
) -> Series | None:
    """The findings at every checkpoint; ``None`` where two checkpoints are compared and no trend was tested.

    Args:
        findings: What the report is on.
        rows: The findings' lines.
        cards: How many of them have a card.
        alpha: Level of q.
        trend: The trend test of these checkpoints in order.
    """
    diff = findings.diff
    names = afters(diff)
    if len(names) < 2 and trend is None:
        return None
    chosen, covered = _chosen(findings, rows)
    shown = chosen[:SHOWN]
    scale = Scale(float(r[name]) for lead in shown for r in lead.side for name in ("lo", "hi", "delta"))
    slopes = None if trend is None else Slopes(trend)
    place = _Places(findings, rows, {lead.key for lead in shown}, cards)
    return Series(
        before=baseline(diff),
        afters=names,
        behaviours=tuple(_behaviour(lead, place, scale, slopes, alpha) for lead in shown),
        unlisted=len(chosen) - len(shown),
        low=scale.low,
        high=scale.high,
        trend=None if trend is None or slopes is None else trend_list(trend, slopes, covered=covered),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lead:
    """A behaviour: the line of its strongest comparison, and its records at every checkpoint."""

    key: Key
    row: Row
    side: tuple[Record, ...]


def _chosen(findings: Findings, rows: Sequence[Row]) -> tuple[list[_Lead], set[Key]]:
    """One behaviour per finding that no stronger one stands for, and all rows these stand for."""
    table = findings.diff.table
    side: dict[Key, list[Record]] = {}
    records: list[dict[Any, Any]] = findings.diff.checkpoints.to_dict("records")
    for record in records:
        side.setdefault((str(record["kind"]), str(record["feature"])), []).append(record)
    chosen: list[_Lead] = []
    covered: set[Key] = set()
    for finding, row in zip(findings.items, rows, strict=True):
        keys = [(str(table["kind"].iloc[i]), str(table["feature"].iloc[i])) for i in finding.rows]
        if keys[0] in side and keys[0] not in covered:
            chosen.append(_Lead(key=keys[0], row=row, side=tuple(side[keys[0]])))
            covered.update(keys)
    return chosen, covered


class _Places:
    """Where the wanted rows stand in each comparison, and on which card."""

    def __init__(self, findings: Findings, rows: Sequence[Row], wanted: set[Key], cards: int) -> None:
        diff = findings.diff
        table = diff.table
        near: list[dict[Any, Any]] = table[table["feature"].isin({f for _, f in wanted})].to_dict("records")
        self.record: dict[tuple[str, Key], Record] = {
            (str(r["after"]), key): r for r in near if (key := (str(r["kind"]), str(r["feature"]))) in wanted
        }
        self.anchor: dict[tuple[str, Key], str] = {}
        for finding, line in zip(findings.items, rows, strict=True):
            for i in finding.rows:
                key = (str(table["kind"].iloc[i]), str(table["feature"].iloc[i]))
                self.anchor.setdefault((line.after, key), line.anchor if line.rank <= cards else "")
        self.leading = {line.anchor: line.anchor if line.rank <= cards else "" for line in rows}
        self.single = _single(diff)


def _behaviour(lead: _Lead, place: _Places, scale: Scale, slopes: Slopes | None, alpha: float) -> Behaviour:
    cells = tuple(_cell(record, lead.key, place, alpha) for record in lead.side)
    statistic = str(lead.side[0]["statistic"])
    before = {float(record["rate_before"]) for record in lead.side}
    # A share of answers is one number per checkpoint only where each comparison has the same baseline.
    level = place.single and statistic in LEVELS and len(before) == 1
    return Behaviour(
        label=lead.row.label,
        bad_label=lead.row.bad_label,
        kind=lead.row.kind,
        anchor=place.leading[lead.row.anchor],
        by=STATISTICS.get(statistic, f"by {statistic}"),
        rates=(*before, *(float(record["rate_after"]) for record in lead.side)) if level else (),
        cells=cells,
        curve=scale.curve([(c.delta, c.lo, c.hi, c.found) for c in cells]),
        slope=None if slopes is None else slopes.of(lead.key),
    )


def _cell(record: Record, key: Key, place: _Places, alpha: float) -> Cell:
    after = str(record["after"])
    own = place.record[after, key]
    found, note = standing(own, alpha=alpha)
    return Cell(
        after=after,
        delta=float(record["delta"]),
        lo=float(record["lo"]),
        hi=float(record["hi"]),
        n=int(record["n"]),
        n_after=int(record["n_after"]),
        n_before=int(record["n_before"]),
        q=float(own["q"]),
        found=found,
        note=note,
        anchor=place.anchor.get((after, key), ""),
    )


def _single(diff: Diff) -> bool:
    """Whether every prompt is a unit by itself, with one answer of each checkpoint."""
    each = diff.summary.get("comparisons", {})
    alone = all(one["n_units"] == one["n_pairs"] for one in each.values())
    return alone and all(a.sample == 0 for a in diff.responses.answers)
