"""Behaviours that changed, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from whatchanged.artifacts.diff import Diff
from whatchanged.artifacts.features import Kind

__all__ = ["Evidence", "Finding", "Findings", "LabelScore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A stretch of one answer and how strongly the finding is active on each token.

    Attributes:
        model: Checkpoint that wrote it.
        prompt_id: Prompt it answers.
        sample: Sample index.
        tokens: Text of each token; their concatenation is the stretch.
        activations: Activation on each token, 0 where inactive, in the SAE's units.
        cut_left: Whether the answer goes on to the left of the stretch.
        cut_right: Whether it goes on to the right.
    """

    model: str
    prompt_id: str
    sample: int
    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    cut_left: bool = False
    cut_right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """How well a label tells answers apart that it has never seen.

    Attributes:
        value: Share of balanced decisions that were right; 0.5 is a coin.
        lo: Lower end of its 95 % Wilson interval.
        hi: Upper end.
        n: Decisions made.
        method: Who decided and how, in words.
        missing: Decisions that a judge owed and did not give; they count neither way.
    """

    value: float
    lo: float
    hi: float
    n: int
    method: str
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One behaviour that changed, or one row set aside, with its evidence.

    Attributes:
        id: Stable name within the report, such as ``feature:123``.
        kind: Kind of the leading row.
        label: Short words for what it fires on.
        label_source: How the label was made (``lexical``, ``observable``, an importer's name).
        statement: One sentence with the numbers.
        rows: Index in `Diff.table` of the leading row, then of its redundant members.
        statistic, rate_before, rate_after, delta, lo, hi, p, q: Those of the leading row.
        tags: Artefact and length tags.
        notes: Plain-language lines about tags, position and observables.
        evidence: Stretches from both sides, strongest first.
        agrees: Names of observables that moved the same way on the same answers.
        contradicts: Names of observables the label names that moved the other way.
        label_score: Can texts with it be told from texts without by the label alone (detection); ``None``
            where nobody asked or there is nothing to ask (an observable or a term is what it says).
        fuzzing_score: Are the marked tokens the ones the label means; asked of an LLM only.
    """

    id: str
    kind: Kind
    label: str
    label_source: str
    statement: str
    rows: tuple[int, ...]
    statistic: str
    rate_before: float
    rate_after: float
    delta: float
    lo: float
    hi: float
    p: float
    q: float
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    agrees: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    label_score: LabelScore | None = None
    fuzzing_score: LabelScore | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The behaviours that changed, strongest first, and the rows set aside.

    Attributes:
        diff: Where they came from.
        items: Behaviour findings, ranked by q, then by absolute delta.
        aside: Length-driven and artefact rows that are significant but are no behaviour.
        summary: Counts of significant rows, of those shown, and of those left out by the limit.
    """

    diff: Diff
    items: tuple[Finding, ...]
    aside: tuple[Finding, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)
