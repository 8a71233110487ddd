"""Which drafts are new prompts, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from whatchanged.artifacts import Message, Prompt
from whatchanged.prompts.categories import Brief
from whatchanged.prompts.reply import Draft, NotADraft
from whatchanged.tables.cells import text_id
from whatchanged.tables.chat import chat_text
from whatchanged.text.duplicates import shingles
from whatchanged.text.language import language_of

__all__ = ["Reason", "Sieve", "Thrown"]

Reason = Literal[
    "malformed", "too_short", "too_long", "answer", "no_prompt", "one_turn", "english", "duplicate",
    "near_duplicate", "surplus",
]  # fmt: skip

_LABEL = re.compile(r"^(?:[-*•]\s+|\d{1,2}[.)]\s+|(?:prompt|question)\s*#?\d*\s*:\s*)", re.I)
_QUOTED = re.compile(r'^(?:"[^"]*"|“[^“”]*”|«[^«»]*»)$', re.S)
_ANSWER = re.compile(
    r"(?:sure|certainly|of course|absolutely|great question|good question)\s*[,!.:]"
    r"|here(?:'s| is| are) (?:my|the|an?|your) (?:answer|response|reply|summary|translation|corrected)\b"
    r"|as an ai\b|i(?:'m| am) (?:sorry|afraid),? (?:but )?(?:i|that)\b"
    r"|i (?:cannot|can't|can not) (?:help|assist|provide)\b",
    re.I,
)
_STATEMENT = re.compile(r"(?:the|it|there|this|these|those|in)\b[^.?!:\"“„'’\n]+\.?", re.I)
_PERSON = re.compile(r"\b(?:i|me|my|mine|we|us|our|you|your)\b", re.I)
_BLANK = re.compile(
    r"\[(?:insert|your|topic|name of|placeholder|add|fill)\b[^\]]*\]|<(?:insert|your|topic|placeholder)\b[^>]*>"
    r"|\{\{\s*\w+\s*\}\}|\blorem ipsum\b|_{4,}",
    re.I,
)
_ABOUT = re.compile(
    r"(?:an?|the|this|another) (?:\w+ )?(?:prompt|question|request|scenario)s? "
    r"(?:that|which|asking|asks|about|to|in which|where)\b"
    r"|here (?:is|are)\b.{0,60}\b(?:prompts?|questions?)\b"
    r"|(?:more )?prompts? (?:for|about|in) (?:the|this)\b",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """A draft that did not become a prompt.

    Attributes:
        reason: ``malformed`` (cannot be read), ``too_short`` or ``too_long`` for its category, ``answer``
            (answers or states instead of asking), ``no_prompt`` (describes a prompt, or has blanks to
            fill in), ``one_turn`` (a chat was asked for), ``english`` (another language was asked for),
            ``duplicate``, ``near_duplicate``, or ``surplus`` (good, but its category was full).
        category: The category it was asked for.
        call: Number of the call that brought it, from 0.
        text: The draft.
        detail: Id of the prompt it repeats; for ``malformed``, what is wrong.
    """

    reason: Reason
    category: str
    call: int
    text: str
    detail: str | None = None


class Sieve:
    """Lets drafts through that are prompts and unlike every prompt before.

    Args:
        there: Prompts that exist already.
        similarity: Jaccard similarity of five-character shingles from which a prompt is a near-duplicate.
    """

    def __init__(self, there: Iterable[Prompt], similarity: float) -> None:
        self._similarity = similarity
        self._plain: dict[str, str] = {}
        self._shingles: dict[str, frozenset[str]] = {}
        self._ids: set[str] = set()
        for prompt in there:
            self._remember(prompt)

    def sift(
        self, draft: Draft | NotADraft, category: str, brief: Brief, *, call: int, full: bool
    ) -> Prompt | Thrown:
        """The draft as a prompt, which is remembered, or why it is none."""
        if isinstance(draft, NotADraft):
            return Thrown(
                reason="malformed", category=category, call=call, text=draft.text, detail=draft.problem
            )
        messages = draft.messages
        if len(messages) == 1:
            messages = (Message(role="user", content=_bare(messages[0].content)),)
        text = chat_text(messages)
        detail: str | None = None
        reason = _unfit(messages, text, brief)
        if reason is None:
            reason, detail = self._repeats(text)
        if reason is None and full:
            reason = "surplus"
        if reason is not None:
            return Thrown(reason=reason, category=category, call=call, text=text, detail=detail)
        prompt = Prompt(
            id=self._new_id(category, text),
            text=text,
            category=category,
            messages=messages if len(messages) > 1 else (),
            reveals=(draft.reveals or "").strip() or None,
        )
        self._remember(prompt)
        return prompt

    def _repeats(self, text: str) -> tuple[Reason | None, str | None]:
        if (same := self._plain.get(_plain(text))) is not None:
            return "duplicate", same
        grams = shingles(text)
        for other, known in self._shingles.items():
            shared = len(grams & known)
            if shared >= self._similarity * (len(grams) + len(known) - shared):
                return "near_duplicate", other
        return None, None

    def _remember(self, prompt: Prompt) -> None:
        self._ids.add(prompt.id)
        self._plain.setdefault(_plain(prompt.text), prompt.id)
        self._shingles[prompt.id] = shingles(prompt.text)

    def _new_id(self, category: str, text: str) -> str:
        made = f"{category.replace('_', '-').replace(' ', '-')}-{text_id(text).removeprefix('p-')[:8]}"
        while made in self._ids:
            made += "x"
        return made


def _unfit(messages: tuple[Message, ...], text: str, brief: Brief) -> Reason | None:
    """Why a draft can be no prompt of this category, whatever other prompts there are."""
    asked = messages[-1].content.strip()
    turns = sum(m.role != "system" for m in messages)
    if not any(c.isalpha() for c in text) or _BLANK.search(text) or _ABOUT.match(asked):
        return "no_prompt"
    if _ANSWER.match(asked) or (
        len(messages) == 1 and _STATEMENT.fullmatch(asked) and not _PERSON.search(asked)
    ):
        return "answer"
    if (words := _words(text)) < brief.least:
        return "too_short"
    if words > brief.most:
        return "too_long"
    if turns < brief.turns:
        return "one_turn"
    return "english" if brief.foreign and language_of(text) == "en" else None


def _bare(text: str) -> str:
    """The text without a number, label or quotation marks around it as a whole."""
    text = text.strip()
    if "\n" not in text:
        text = _LABEL.sub("", text)
    return text[1:-1].strip() if _QUOTED.match(text) else text


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _words(text: str) -> int:
    """Words; of scripts written without spaces, two characters count as one."""
    dense = sum(
        "\u0e00" <= c <= "\u0eff" or "\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" for c in text
    )
    return dense // 2 + len(text.split())
