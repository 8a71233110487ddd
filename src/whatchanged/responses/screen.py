"""Are the answers fit to be compared? Shares of what could mislead, side by side."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import median

from whatchanged.artifacts import Responses
from whatchanged.text import jaccard
from whatchanged.text.document import Document
from whatchanged.text.phrases import refusal
from whatchanged.text.words import word_starts

__all__ = ["Screen", "SideScreen", "screen"]

NEAR = 0.9
"""Jaccard similarity of five-character shingles from which two answers are nearly the same."""

_SHARE_GAP = 0.02
_LENGTH_RATIO = 1.2
_SAME_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SideScreen:
    """One checkpoint's answers at a glance.

    Attributes:
        model: Checkpoint.
        answers: Usable answers, those to unpaired prompts left out.
        asked: Answers that were due: usable, unpaired, empty, errored and missing ones.
        missing, empty, errored: Shares of ``asked``, 0 to 1.
        duplicate: Number of repeated rows, set aside.
        truncated: Share of answers that ran out of tokens, by finish reason; ``None`` when no answer
            has a finish reason.
        refused: Share of answers with a phrase of refusal.
        median_words: Median number of words.
    """

    model: str
    answers: int
    asked: int
    missing: float
    empty: float
    errored: float
    duplicate: int
    truncated: float | None
    refused: float
    median_words: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Two sides compared.

    Attributes:
        before, after: The sides.
        prompts: Prompts answered by both.
        identical: Share of them where some answers of the two sides are equal.
        near_identical: Share of them where some are equal or nearly so (`NEAR`).
        clustered: Prompts that have a near-duplicate among the prompts.
        warnings: Sentences about notable differences, for the report.
    """

    before: SideScreen
    after: SideScreen
    prompts: int
    identical: float
    near_identical: float
    clustered: int
    warnings: tuple[str, ...]


def screen(responses: Responses, after: str | None = None) -> Screen:
    """Screens the baseline and one other checkpoint.

    A warning is given when shares of empty, errored, missing, truncated or refused answers differ by
    two points or more and by more than twice the standard error of their difference; when the
    median lengths differ by a factor of 1.2 or more; when finish reasons are known on one side only;
    and when half of the answers or more are the same on both sides.

    Args:
        responses: The answers.
        after: Checkpoint to compare with the baseline; by default the second.

    Raises:
        ValueError: No such checkpoint.
    """
    after = responses.after if after is None else after
    sides = _side(responses, responses.before), _side(responses, after)
    old, new = responses.rows(responses.before), responses.rows(after)
    both = [p for p in old if p in new]
    identical = near = 0
    for prompt_id in both:
        x = {responses.answers[i].text.strip() for i in old[prompt_id]}
        y = {responses.answers[i].text.strip() for i in new[prompt_id]}
        same = bool(x & y)
        identical += same
        near += same or any(jaccard(a, b) >= NEAR for a in x for b in y)
    share = identical / len(both) if both else 0.0
    sizes = Counter(p.cluster for p in responses.prompts if p.cluster is not None)
    return Screen(
        before=sides[0],
        after=sides[1],
        prompts=len(both),
        identical=share,
        near_identical=near / len(both) if both else 0.0,
        clustered=sum(n for n in sizes.values() if n > 1),
        warnings=_warnings(*sides, share),
    )


def _side(responses: Responses, model: str) -> SideScreen:
    answers = [responses.answers[i] for rows in responses.rows(model).values() for i in rows]
    lost = Counter(d.reason for d in responses.dropped if d.model == model)
    asked = len(answers) + sum(lost[reason] for reason in ("missing", "empty", "errored", "unpaired"))
    told = any(a.finish_reason is not None for a in answers)
    return SideScreen(
        model=model,
        answers=len(answers),
        asked=asked,
        missing=lost["missing"] / asked if asked else 0.0,
        empty=lost["empty"] / asked if asked else 0.0,
        errored=lost["errored"] / asked if asked else 0.0,
        duplicate=lost["duplicate"],
        truncated=sum(a.truncated for a in answers) / len(answers) if told else None,
        refused=sum(bool(refusal(Document(a.text))) for a in answers) / len(answers) if answers else 0.0,
        median_words=median(len(word_starts(a.text)) for a in answers) if answers else 0.0,
    )


def _warnings(before: SideScreen, after: SideScreen, identical: float) -> tuple[str, ...]:
    found = []
    for name, n, m in (
        ("missing", before.asked, after.asked),
        ("empty", before.asked, after.asked),
        ("errored", before.asked, after.asked),
        ("truncated", before.answers, after.answers),
        ("refused", before.answers, after.answers),
    ):
        x, y = getattr(before, name), getattr(after, name)
        if x is not None and y is not None and _apart(x, n, y, m):
            found.append(f"{name} answers: {x:.1%} of {before.model}, {y:.1%} of {after.model}")
    if (before.truncated is None) != (after.truncated is None):
        known = after if before.truncated is None else before
        found.append(f"finish reasons are known for {known.model} only: truncation cannot be compared")
    low, high = sorted((before.median_words, after.median_words))
    if high >= _LENGTH_RATIO * low and high > low:
        found.append(
            f"length: median {before.median_words:g} words in {before.model}, {after.median_words:g} in "
            f"{after.model}; longer answers have more of everything"
        )
    if identical >= _SAME_SHARE:
        found.append(f"{identical:.0%} of the prompts have the same answer on both sides")
    return tuple(found)


def _apart(x: float, n: int, y: float, m: int) -> bool:
    """Whether two shares differ notably: two points, and twice the pooled standard error."""
    if not n or not m:
        return False
    pooled = (x * n + y * m) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return abs(x - y) >= _SHARE_GAP and abs(x - y) > 2 * error
