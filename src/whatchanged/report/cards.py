"""Each finding with its evidence from both sides, its members and its slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from whatchanged.artifacts import Diff, Evidence, Finding
from whatchanged.report.chart import Axis
from whatchanged.report.conditions import conditions_of
from whatchanged.report.overview import baseline
from whatchanged.report.rows import observed, record
from whatchanged.report.view import Card, Row, Side, Slice, Snippet, Token
from whatchanged.report.visible import clip

__all__ = ["card_of"]

TOKEN = 400  # characters of one token
SNIPPET = 2400  # characters of one stretch


def card_of(diff: Diff, finding: Finding, row: Row, *, alpha: float) -> Card:
    """Everything about one finding; evidence of other checkpoints than the row's two is left out."""
    maximum = max((a for e in finding.evidence for a in e.activations if math.isfinite(a)), default=0.0)
    members = [record(diff, i) for i in finding.rows[1:]]
    axis = Axis(float(m[name]) for m in members for name in ("lo", "hi"))
    slices, heterogeneity = _slices(diff, finding, row)
    return Card(
        row=row,
        statement=finding.statement,
        notes=finding.notes,
        agrees=finding.agrees,
        contradicts=finding.contradicts,
        members=tuple(observed(m, axis=axis, alpha=alpha) for m in members),
        sides=(
            _side(diff, finding, "before", baseline(diff), finding.rate_before, maximum),
            _side(diff, finding, "after", row.after, finding.rate_after, maximum),
        ),
        maximum=maximum,
        slices=slices,
        heterogeneity=heterogeneity,
        conditions=conditions_of(diff, record(diff, finding.rows[0])),
    )


def _side(diff: Diff, finding: Finding, role: str, model: str, rate: float, maximum: float) -> Side:
    found = tuple(_snippet(diff, e, maximum) for e in finding.evidence if e.model == model)
    return Side(role=role, model=model, rate=rate, snippets=found)


def _snippet(diff: Diff, evidence: Evidence, maximum: float) -> Snippet:
    """A stretch with each token's strength; what is cut for length is counted."""
    prompt = diff.responses.prompts.by_id.get(evidence.prompt_id)
    tokens, hidden, room = [], 0, SNIPPET
    for text, activation in zip(evidence.tokens, evidence.activations, strict=True):
        shown, left_out = clip(text, min(TOKEN, room))
        hidden, room = hidden + left_out, room - len(shown)
        if shown or not left_out:
            strength = activation / maximum if maximum > 0 and math.isfinite(activation) else 0.0
            tokens.append(Token(text=shown, activation=activation, strength=max(strength, 0.0)))
    return Snippet(
        prompt_id=evidence.prompt_id,
        prompt=prompt.text if prompt else "",
        sample=evidence.sample,
        category=prompt.category if prompt else None,
        tokens=tuple(tokens),
        cut_left=evidence.cut_left,
        cut_right=evidence.cut_right,
        hidden=hidden,
        maximum=max((a for a in evidence.activations if math.isfinite(a)), default=0.0),
    )


def _slices(diff: Diff, finding: Finding, row: Row) -> tuple[tuple[Slice, ...], float | None]:
    """The finding's rows of the slices table, and the p that its categories differ."""
    table = diff.slices
    if not len(table):
        return (), None
    leading = record(diff, finding.rows[0])
    chosen = (table["kind"] == leading["kind"]) & (table["feature"].astype(str) == str(leading["feature"]))
    if "after" in table:
        chosen &= table["after"] == row.after
    rows: list[dict[Any, Any]] = table[chosen].to_dict("records")
    axis = Axis(float(r[name]) for r in rows for name in ("lo", "hi"))
    p = [float(r["p_heterogeneity"]) for r in rows if not math.isnan(float(r["p_heterogeneity"]))]
    return tuple(_slice(r, axis) for r in rows), (p[0] if p else None)


def _slice(row: Mapping[Any, Any], axis: Axis) -> Slice:
    delta, lo, hi = float(row["delta"]), float(row["lo"]), float(row["hi"])
    return Slice(
        category=str(row["category"]), n=int(row["n"]), delta=delta, lo=lo, hi=hi, bar=axis.bar(delta, lo, hi)
    )
