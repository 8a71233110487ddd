"""What changed in sentences, each with what held-out pairs say of it."""

from __future__ import annotations

from dataclasses import dataclass

from whatchanged.report.view.drawing import Bar, Tick
from whatchanged.report.view.overview import Count

__all__ = ["Asked", "HypothesisLine", "HypothesisList", "Link", "Part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A finding that a hypothesis was made from.

    Attributes:
        id: As the hypothesis names it.
        label: Of the finding of this report that has the row; empty where none has.
        rank: Of that finding; 0 where there is none.
        anchor: Fragment name of its card; empty without one.
    """

    id: str
    label: str
    rank: int
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the held-out units: how many, and where they stand on a bar from 0 to 100."""

    name: str
    count: int
    at: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisLine:
    """One hypothesis.

    Attributes:
        id: As in hypotheses.json.
        behaviour: What an answer does.
        side, role: The checkpoint that is said to do it more, and whether it is before or after.
        verdict: In the words of the artefact.
        meaning: The verdict in words.
        links: Findings it was made from.
        method: Who decided, or what was counted.
        n: Held-out units (prompts, near-duplicates as one) that were decided.
        parts: All held-out units: after does it more, before does, neither does, no decision.
        delta, lo, hi: Net share of the decided units, and its 95 % interval.
        p, q: Of the exact sign test; over the list.
        bar: The interval on the list's axis.
    """

    id: str
    behaviour: str
    side: str
    role: str
    verdict: str
    meaning: str
    links: tuple[Link, ...]
    method: str
    n: int
    parts: tuple[Part, ...]
    delta: float
    lo: float
    hi: float
    p: float
    q: float
    bar: Bar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking a chat model took.

    Attributes:
        model: Its name.
        calls: Calls made, failed ones included.
        kept: Questions answered from replies kept before.
        malformed: Replies that were not what was asked for.
        failures: Calls that failed, by kind.
        unanswered: Questions left without an answer.
        prompt_tokens, completion_tokens: As far as the provider said.
        cost: US dollars, or ``None`` where nobody told.
        unknown: Calls whose cost nobody told.
    """

    model: str
    calls: int
    kept: int
    malformed: int
    failures: tuple[Count, ...]
    unanswered: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisList:
    """Every hypothesis, what was verified first.

    Attributes:
        before, after: The two checkpoints they are about.
        items: The hypotheses.
        counts: How many have each verdict, in the order of `items`.
        axis: Ticks of the common axis of their intervals.
        alpha: Level of q.
        fresh: Whether no prompt they were checked on had a part in findings, labels or writing;
            ``None`` where the artefact does not say.
        prompts, units: Prompts they were checked on, and the same with near-duplicates counted once.
        writer, judge: Chat models asked; ``None`` where templates wrote, and where it was counted.
        dropped: What became no hypothesis, by reason, the reason in words.
    """

    before: str
    after: str
    items: tuple[HypothesisLine, ...]
    counts: tuple[Count, ...]
    axis: tuple[Tick, ...]
    alpha: float
    fresh: bool | None
    prompts: int
    units: int
    writer: Asked | None
    judge: Asked | None
    dropped: tuple[Count, ...]
