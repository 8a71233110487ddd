"""Prompts that a model wrote, with everything that was thrown away on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from whatchanged.artifacts import PromptSet
from whatchanged.llm import Usage
from whatchanged.prompts.sift import Thrown

__all__ = ["Coverage", "FailedCall", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCall:
    """A call that brought nothing to look at.

    Attributes:
        call: Its number, from 0.
        category: What it asked for.
        reason: ``malformed`` (a reply without a single prompt in JSON), or the kind of the failure
            (``rate_limited``, ``unavailable``, ...).
        detail: The failure, or the beginning of the reply.
    """

    call: int
    category: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far one category was covered.

    Attributes:
        category: Its name.
        wanted: Prompts it should have.
        written: Prompts it has.
        thrown: Drafts thrown away.
        calls: Calls made for it, failed ones included.
        failed: Calls that failed.
    """

    category: str
    wanted: int
    written: int
    thrown: int
    calls: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of asking a model for prompts.

    Every draft in every readable reply is either in `prompts` or in `thrown`.

    Attributes:
        prompts: The prompts, category by category.
        thrown: Drafts thrown away, in the order in which they came.
        failed: Calls that brought nothing.
        coverage: One line for each category.
        calls: Calls made.
        usage: Tokens and cost of all of them as far as the provider said; ``None`` where it never did.
        stopped: Why it ended before every category was covered; ``None`` if it did not.
    """

    prompts: PromptSet
    thrown: tuple[Thrown, ...]
    failed: tuple[FailedCall, ...]
    coverage: tuple[Coverage, ...]
    calls: int
    usage: Usage
    stopped: str | None = None

    @property
    def missing(self) -> dict[str, int]:
        """Prompts still lacking, by category; empty if all are covered."""
        return {c.category: c.wanted - c.written for c in self.coverage if c.written < c.wanted}

    @property
    def counts(self) -> dict[str, int]:
        """How many drafts were thrown away for each reason."""
        return dict(sorted(Counter(t.reason for t in self.thrown).items()))

    def __str__(self) -> str:
        """The coverage as a table, what was thrown away, and what is missing and why."""
        rows = [("category", "wanted", "written", "thrown", "calls", "failed")]
        rows += [
            (c.category, f"{c.wanted}", f"{c.written}", f"{c.thrown}", f"{c.calls}", f"{c.failed}")
            for c in self.coverage
        ]
        wide = max(len(row[0]) for row in rows)
        lines = [f"{row[0]:<{wide}}" + "".join(f"{value:>9}" for value in row[1:]) for row in rows]
        wanted = sum(c.wanted for c in self.coverage)
        lines.append(f"{len(self.prompts)} of {wanted} prompts written in {self.calls} calls")
        if self.counts:
            lines.append("thrown away: " + ", ".join(f"{n} {reason}" for reason, n in self.counts.items()))
        if self.missing:
            lacking = ", ".join(f"{n} of {category}" for category, n in self.missing.items())
            lines.append(f"missing: {lacking} ({self.stopped})")
        return "\n".join(lines)
