"""What changed in sentences, with what held-out pairs say of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from whatchanged.artifacts import Diff, Findings, Hypotheses, Hypothesis
from whatchanged.report.chart import Axis
from whatchanged.report.rows import record
from whatchanged.report.view import Asked, Count, HypothesisLine, HypothesisList, Link, Part, Row
from whatchanged.report.words import DROPPED_HYPOTHESES, VERDICTS

__all__ = ["hypothesis_list"]


def hypothesis_list(
    made: Hypotheses, findings: Findings, rows: Sequence[Row], *, cards: int, alpha: float
) -> HypothesisList:
    """The list as the page shows it.

    Args:
        made: The hypotheses.
        findings: What the report is on.
        rows: The findings' lines.
        cards: How many of them have a card.
        alpha: Level of q where the hypotheses do not say theirs.
    """
    said, responses = made.summary, findings.diff.responses
    before, after = str(said.get("before", responses.before)), str(said.get("after", responses.after))
    axis = Axis(v for h in made for v in (h.lo, h.hi, h.delta))
    links = _links(findings, rows, cards)
    order = list(VERDICTS)
    items = [
        _line(h, (after, "after") if h.direction > 0 else (before, "before"), links, axis)
        for h in sorted(made, key=lambda h: order.index(h.verdict))
    ]
    fresh = said.get("fresh")
    return HypothesisList(
        before=before,
        after=after,
        items=tuple(items),
        counts=tuple(Count(name=v, count=n) for v, n in Counter(h.verdict for h in items).items()),
        axis=axis.ticks,
        alpha=float(said.get("alpha", alpha)),
        fresh=None if fresh is None else bool(fresh),
        prompts=int(said.get("prompts", 0)),
        units=int(said.get("units", 0)),
        writer=_asked(said.get("writer")),
        judge=_asked(said.get("judge")),
        dropped=tuple(
            Count(name=DROPPED_HYPOTHESES.get(reason, reason), count=int(n))
            for reason, n in (said.get("dropped") or {}).items()
        ),
    )


def _line(one: Hypothesis, side: tuple[str, str], links: Mapping[str, Link], axis: Axis) -> HypothesisLine:
    return HypothesisLine(
        id=one.id,
        behaviour=one.behaviour,
        side=side[0],
        role=side[1],
        verdict=one.verdict.replace("_", " "),
        meaning=VERDICTS[one.verdict],
        links=tuple(links.get(i, Link(id=i, label="", rank=0, anchor="")) for i in one.findings),
        method=one.method,
        n=one.n,
        parts=_parts(one),
        delta=one.delta,
        lo=one.lo,
        hi=one.hi,
        p=one.p,
        q=one.q,
        bar=axis.bar(one.delta, one.lo, one.hi),
    )


def _parts(one: Hypothesis) -> tuple[Part, ...]:
    """Every held-out unit by what was decided on it; what did not occur has no width."""
    counts = {
        "after": one.n_after,
        "tie": one.n - one.n_after - one.n_before,
        "before": one.n_before,
        "missing": one.missing,
    }
    total = max(sum(counts.values()), 1)
    parts, at = [], 0.0
    for name, count in counts.items():
        width = 100 * count / total
        parts.append(Part(name=name, count=count, at=at, width=width))
        at += width
    return tuple(parts)


def _links(findings: Findings, rows: Sequence[Row], cards: int) -> dict[str, Link]:
    """Every row of every finding by the name a hypothesis would call it.

    Hypotheses are made from half of the prompts, where another row of the same finding may lead.
    """
    links: dict[str, Link] = {}
    for finding, line in zip(findings.items, rows, strict=True):
        anchor = line.anchor if line.rank <= cards else ""
        for name in (finding.id, *(_name(findings.diff, i) for i in finding.rows)):
            links.setdefault(name, Link(id=name, label=line.label, rank=line.rank, anchor=anchor))
    return links


def _name(diff: Diff, index: int) -> str:
    """A row's name, as findings are named by their leading row."""
    row = record(diff, index)
    name = f"{row['kind']}:{row['feature']}".replace("\n", "\\n")
    return name if len(diff.responses.models) == 2 else f"{name}@{row['after']}"


def _asked(said: Mapping[str, Any] | None) -> Asked | None:
    """What an asker's summary says; a count that is not there is 0."""
    if said is None:
        return None
    cost = said.get("cost")
    counts = {
        name: int(said.get(key, 0))
        for name, key in (
            ("calls", "calls"),
            ("kept", "from_store"),
            ("malformed", "malformed"),
            ("unanswered", "unanswered"),
            ("prompt_tokens", "prompt_tokens"),
            ("completion_tokens", "completion_tokens"),
            ("unknown", "calls_of_unknown_cost"),
        )
    }
    failures = tuple(Count(name=k, count=int(n)) for k, n in (said.get("failures") or {}).items())
    return Asked(
        model=str(said["model"]), failures=failures, cost=None if cost is None else float(cost), **counts
    )
