"""What changed in a sentence, and whether it was verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Hypotheses", "Hypothesis", "Verdict"]

Verdict = Literal["verified", "consistent", "unconfirmed", "contradicted", "not_judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One sentence about what changed, and what held-out pairs say of it.

    Attributes:
        id: Stable name within its list, such as ``h1``.
        behaviour: What an answer does, without naming a checkpoint.
        direction: 1 if *after* is said to do it more, -1 if *before* is.
        findings: Ids of the findings it was made from.
        method: How it was checked: the judge's name, or what was counted; empty where it could not be.
        verdict: ``verified`` (q <= alpha, as predicted, on prompts nothing was made from), ``consistent``
            (the same on prompts that discovery had seen), ``contradicted`` (q <= alpha the other way),
            ``unconfirmed``, or ``not_judged`` (no pair was decided).
        n: Units (prompts, near-duplicates as one) that were decided, ties included.
        n_after: Those in which the after-answers do it more.
        n_before: Those in which the before-answers do.
        missing: Units for which no decision came; they count neither way.
        delta: ``(n_after - n_before) / n``; NaN without a decision.
        lo: Lower end of its 95 % Tango interval.
        hi: Upper end.
        p: Exact two-sided sign-test p; NaN without a decision.
        q: Benjamini-Hochberg adjusted p over the list.
    """

    id: str
    behaviour: str
    direction: int
    findings: tuple[str, ...]
    method: str
    verdict: Verdict
    n: int
    n_after: int
    n_before: int
    missing: int
    delta: float
    lo: float
    hi: float
    p: float
    q: float


@dataclass(frozen=True, kw_only=True)
class Hypotheses:
    """What changed in sentences, each checked.

    Attributes:
        items: The hypotheses, in the order in which they were written.
        summary: Writer, judge, seed, alpha, prompts held out, whether these were fresh, what was dropped
            and why, and calls, tokens and cost.
    """

    items: tuple[Hypothesis, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Hypothesis]:
        return iter(self.items)
