"""Findings as lines of the table, and rows of the diff as lines of the other tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whatchanged.artifacts import Diff, Finding, LabelScore
from whatchanged.report.chart import Axis
from whatchanged.report.view import Bar, Observed, Row, Score, Tag
from whatchanged.report.words import LENGTH, REASONS, SHARES, TAGS

__all__ = ["line_of", "observed", "record", "standing"]

COIN = 0.5  # share of right decisions that a label which says nothing reaches


def record(diff: Diff, index: int) -> Mapping[str, Any]:
    """One row of the diff's table, by position.

    Raises:
        ValueError: If there is no such row.
    """
    if not 0 <= index < len(diff.table):
        raise ValueError(
            f"a finding names row {index}, but the diff has {len(diff.table)} rows; interpret this diff again"
        )
    return {str(name): value for name, value in diff.table.iloc[index].items()}


def line_of(diff: Diff, finding: Finding, *, rank: int, anchor: str, axis: Axis, aside: bool) -> Row:
    """A finding as a line of the table.

    Raises:
        ValueError: If the finding's delta or q is not that of its leading row.
    """
    if not finding.rows:
        raise ValueError(f"finding {finding.id!r} names no row of the diff; interpret this diff again")
    row = record(diff, finding.rows[0])
    for name, column in (("delta", "delta"), ("q", "q_length")):
        mine, theirs = float(getattr(finding, name)), _number(row, column)
        if not (
            math.isclose(mine, theirs, rel_tol=1e-6, abs_tol=1e-12) or (mine != mine and theirs != theirs)
        ):
            raise ValueError(
                f"finding {finding.id!r} says {name} = {mine:g}, its row {finding.rows[0]} says {theirs:g}; "
                "interpret this diff again"
            )
    replication = _number(row, "replication")
    length = _text(row, "length")
    tags = tuple(Tag(name=t, meaning=_tag(t)) for t in finding.tags)
    return Row(
        rank=rank,
        anchor=anchor,
        id=finding.id,
        after=_text(row, "after"),
        kind=finding.kind,
        label=finding.label,
        label_source=finding.label_source,
        statistic=finding.statistic,
        share=SHARES.get(finding.statistic, f"prompts with more of it by {finding.statistic}"),
        rate_before=finding.rate_before,
        rate_after=finding.rate_after,
        delta=finding.delta,
        lo=finding.lo,
        hi=finding.hi,
        p=finding.p,
        q=finding.q,
        n=_count(row, "n"),
        n_before=_count(row, "n_before"),
        n_after=_count(row, "n_after"),
        per_1000_before=_number(row, "per_1000_before"),
        per_1000_after=_number(row, "per_1000_after"),
        delta_length=_number(row, "delta_length"),
        p_prefix=_number(row, "p_prefix"),
        p_firth=_number(row, "p_firth"),
        length=length,
        replication=replication if math.isfinite(replication) else None,
        bar=axis.bar(finding.delta, finding.lo, finding.hi),
        tags=tags,
        why=_why(length, tags) if aside else (),
        scores=tuple(
            _score(score, does)
            for score, does in (
                (finding.label_score, "tells held-out texts apart"),
                (finding.fuzzing_score, "picks the right tokens"),
            )
            if score is not None
        ),
    )


def _score(score: LabelScore, does: str) -> Score:
    """A label's score; its axis runs from 0 to 1, with a coin in the middle."""
    at = Axis([1.0])
    low, mid, high, coin = (at.at(2 * v - 1) for v in (score.lo, score.value, score.hi, COIN))
    return Score(
        does=does,
        value=score.value,
        lo=score.lo,
        hi=score.hi,
        n=score.n,
        missing=score.missing,
        method=score.method,
        bad=score.lo <= COIN,
        bar=Bar(lo=low, mid=mid, hi=high, zero=coin),
    )


def _why(length: str, tags: Sequence[Tag]) -> tuple[str, ...]:
    """The reasons a row is set aside, the length rule's first; each is said once."""
    said = [LENGTH[length]] if length in LENGTH and length != "ok" else []
    said += [t.meaning for t in tags if t.name != length]
    return tuple(dict.fromkeys(said)) or ("an artefact; see its notes",)


def standing(row: Mapping[str, Any], *, alpha: float) -> tuple[bool, str]:
    """Whether a row is a finding, and if it is significant and none, or was not tested, why; else nothing."""
    q, length, reason = _number(row, "q"), _text(row, "length"), _text(row, "reason")
    if q <= alpha:
        return length in {"", "ok"}, "" if length == "ok" else length
    return False, REASONS.get(reason, reason) if math.isnan(q) else ""


def _tag(name: str) -> str:
    key = name if name in TAGS else name.replace("-", "_")
    return TAGS.get(key, name.replace("_", " ").replace("-", " "))


def observed(row: Mapping[str, Any], *, axis: Axis, alpha: float) -> Observed:
    """A row of the diff as a line of the observables', lexical or members' table."""
    delta, lo, hi, q = (_number(row, name) for name in ("delta", "lo", "hi", "q"))
    reason = _text(row, "reason")
    return Observed(
        after=_text(row, "after"),
        kind=_text(row, "kind"),
        name=_text(row, "feature"),
        statistic=_text(row, "statistic"),
        rate_before=_number(row, "rate_before"),
        rate_after=_number(row, "rate_after"),
        delta=delta,
        lo=lo,
        hi=hi,
        per_1000_before=_number(row, "per_1000_before"),
        per_1000_after=_number(row, "per_1000_after"),
        q=q,
        significant=q <= alpha,
        length=_text(row, "length"),
        reason=REASONS.get(reason, reason),
        bar=axis.bar(delta, lo, hi),
    )


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return math.nan if value is None else float(value)


def _count(row: Mapping[str, Any], name: str) -> int:
    value = _number(row, name)
    return int(value) if math.isfinite(value) else 0


def _text(row: Mapping[str, Any], name: str) -> str:
    """A cell's text; empty where the cell is empty."""
    value = row.get(name)
    return "" if value is None or value != value else str(value)
