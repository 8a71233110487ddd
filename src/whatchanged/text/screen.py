"""Are the answers fit to be compared? Shares of what could mislead, side by side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from whatchanged.artifacts import Prompt, Responses
from whatchanged.text.document import Document
from whatchanged.text.duplicates import overlap, repeated, shingles
from whatchanged.text.language import language_of
from whatchanged.text.phrases import refusal
from whatchanged.text.words import word_starts

__all__ = ["SHARES", "Screen", "SideScreen", "screen"]

NEAR = 0.9
"""Jaccard similarity of five-character shingles from which two answers are nearly the same."""

SHARES: Mapping[str, str] = {
    "missing": "missing answers",
    "empty": "empty answers",
    "errored": "errored answers",
    "refused_by_api": "answers refused by the API",
    "truncated": "truncated answers",
    "refused": "refused answers",
    "wrong_language": "answers in another language than their prompt",
    "repeated": "answers repeated across prompts",
}
"""The shares of a side that are compared, and what each is a share of, in words."""

_DUE = ("missing", "empty", "errored", "refused_by_api")  # shares of what was asked, the others of what came
_CUT = ("truncated", "partner_truncated")
_SHARE_GAP = 0.02
_LENGTH_RATIO = 1.2
_SAME_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SideScreen:
    """One checkpoint's answers at a glance.

    Attributes:
        model: Checkpoint.
        answers: Usable answers, those to unpaired prompts left out.
        asked: Answers that were due: usable, unpaired, truncated and left out, empty, errored, missing
            ones (those the collection did not come to included) and those the API refused.
        missing, empty, errored, refused_by_api: Shares of ``asked``, 0 to 1.
        duplicate: Number of repeated rows, set aside.
        truncated: Share of answers that ran out of tokens, by finish reason, those left out for it
            included; ``None`` when no answer has a finish reason.
        refused: Share of answers with a phrase of refusal.
        wrong_language: Share of answers whose language is not that of the prompt, where both can be
            told. A prompt all of whose answers are in one other language, on both sides, asks for it.
        repeated: Share of answers that come again, the same or nearly so (`NEAR`), on another prompt
            that is no near-duplicate of this one.
        median_words: Median number of words.
    """

    model: str
    answers: int
    asked: int
    missing: float
    empty: float
    errored: float
    refused_by_api: float
    duplicate: int
    truncated: float | None
    refused: float
    wrong_language: float
    repeated: float
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
        differing: Names of the `SHARES` that differ notably.
        warnings: Sentences about notable differences, for the report.
    """

    before: SideScreen
    after: SideScreen
    prompts: int
    identical: float
    near_identical: float
    clustered: int
    differing: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        return asdict(self) | {"differing": list(self.differing), "warnings": list(self.warnings)}


def screen(responses: Responses, after: str | None = None, *, before: str | None = None) -> Screen:
    """Screens the baseline and one other checkpoint.

    A warning is given when one of the `SHARES` differs by two points or more and by more than twice
    the standard error of the difference; when the median lengths differ by a factor of 1.2 or more;
    when finish reasons are known on one side only; and when half of the answers or more are the same
    on both sides.

    Args:
        responses: The answers.
        after: Checkpoint to compare with the baseline; by default the second.
        before: The baseline; by default the first.

    Raises:
        ValueError: No such checkpoint.
    """
    before = responses.before if before is None else before
    after = responses.after if after is None else after
    rows = responses.rows(before), responses.rows(after)
    wrong = _wrong_language(responses, rows)
    grams = {
        i: shingles(responses.answers[i].text) for side in rows for found in side.values() for i in found
    }
    sides = _side(responses, before, rows[0], wrong, grams), _side(responses, after, rows[1], wrong, grams)
    both = [p for p in rows[0] if p in rows[1]]
    identical = near = 0
    for prompt_id in both:
        old, new = (found[prompt_id] for found in rows)
        same = bool(
            {responses.answers[i].text.strip() for i in old}
            & {responses.answers[i].text.strip() for i in new}
        )
        identical += same
        near += same or any(overlap(grams[i], grams[j]) >= NEAR for i in old for j in new)
    share = identical / len(both) if both else 0.0
    sizes = Counter(p.cluster for p in responses.prompts if p.cluster is not None)
    differing = tuple(name for name in SHARES if _apart(*sides, name))
    return Screen(
        before=sides[0],
        after=sides[1],
        prompts=len(both),
        identical=share,
        near_identical=near / len(both) if both else 0.0,
        clustered=sum(n for n in sizes.values() if n > 1),
        differing=differing,
        warnings=_warnings(*sides, differing, share),
    )


def _side(
    responses: Responses,
    model: str,
    rows: Mapping[str, Sequence[int]],
    wrong: frozenset[int],
    grams: Mapping[int, frozenset[str]],
) -> SideScreen:
    numbers = [i for found in rows.values() for i in found]
    answers = [responses.answers[i] for i in numbers]
    lost = Counter(d.reason for d in responses.dropped if d.model == model)
    asked = len(answers) + sum(lost[reason] for reason in (*_DUE, *_CUT, "unasked", "unpaired"))
    said = len(answers) + sum(lost[reason] for reason in _CUT)
    told = bool(lost["truncated"]) or any(a.finish_reason is not None for a in answers)
    prompt = responses.prompts.by_id
    again = repeated(
        [grams[i] for i in numbers],
        [prompt[a.prompt_id].cluster or f"prompt {a.prompt_id}" for a in answers],
        threshold=NEAR,
    )
    lost["missing"] += lost["unasked"]
    due = {reason: lost[reason] / asked if asked else 0.0 for reason in _DUE}
    n = max(len(answers), 1)
    return SideScreen(
        model=model,
        answers=len(answers),
        asked=asked,
        **due,
        duplicate=lost["duplicate"],
        truncated=(lost["truncated"] + sum(a.truncated for a in answers)) / said if told else None,
        refused=sum(bool(refusal(Document(a.text))) for a in answers) / n,
        wrong_language=sum(i in wrong for i in numbers) / n,
        repeated=sum(again) / n,
        median_words=median(len(word_starts(a.text)) for a in answers) if answers else 0.0,
    )


def _wrong_language(responses: Responses, sides: Sequence[Mapping[str, Sequence[int]]]) -> frozenset[int]:
    """Which answers are in another language than their prompt, unless the prompt seems to ask for it."""
    wrong: set[int] = set()
    for prompt in responses.prompts:
        expected = language_of(_question(prompt))
        if expected is None:
            continue
        told = [
            {i: code for i in rows.get(prompt.id, ()) if (code := language_of(responses.answers[i].text))}
            for rows in sides
        ]
        codes = {code for found in told for code in found.values()}
        if all(told) and len(codes) == 1:
            continue
        wrong |= {i for found in told for i, code in found.items() if code != expected}
    return frozenset(wrong)


def _question(prompt: Prompt) -> str:
    """What the user said last."""
    asked = [m.content for m in prompt.messages if m.role == "user"]
    return asked[-1] if asked else prompt.text


def _warnings(
    before: SideScreen, after: SideScreen, differing: Sequence[str], identical: float
) -> tuple[str, ...]:
    found = [
        f"{SHARES[name]}: {getattr(before, name):.1%} of {before.model}, {getattr(after, name):.1%} of {after.model}"
        for name in differing
    ]
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


def _apart(before: SideScreen, after: SideScreen, name: str) -> bool:
    """Whether a share differs notably: two points, and twice the pooled standard error."""
    x: float | None = getattr(before, name)
    y: float | None = getattr(after, name)
    n, m = (side.asked if name in _DUE else side.answers for side in (before, after))
    if x is None or y is None or not n or not m:
        return False
    pooled = (x * n + y * m) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return abs(x - y) >= _SHARE_GAP and abs(x - y) > 2 * error
