"""Tokens as a reader of the answer sees them: whole words and marks, sorted into a few classes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.interpret.activity import Activity
from whatchanged.text.markup import template_pieces
from whatchanged.text.words import Span

__all__ = ["CLASSES", "TokenText", "Vocabulary"]

CLASSES = ("word", "digits", "punctuation", "markdown", "newline", "whitespace", "other", "capitals")
WORD, DIGITS, PUNCTUATION, MARKDOWN, NEWLINE, WHITESPACE, OTHER, CAPITALS = range(len(CLASSES))

MARK = re.compile(r"[*#`|~]+|_{2,}|\[[ xX]?\]|[-=|: ]{3,}|[*_]+[:.,]?|[:.,]?\*+:?")
ITEM = re.compile(r"[-+*•–>]")
NUMBER = re.compile(r"\d+[.,):%]*|[.,]?\d+")
CORE = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
SHORT = 4  # prompt words below this length (the, of) say nothing about echoing


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenText:
    """The tokens of one answer, read as text.

    Attributes:
        kind: Class of each token, an index into `CLASSES`, ``[tokens]``.
        word: Word or mark each token belongs to, ``[tokens]``.
        echo: Whether that word also stands in the prompt, ``[tokens]``.
        template: Whether it is part of a piece of a chat template, ``[tokens]``.
        layout_word: The same numbering for the words of the layout, ``[words]``.
    """

    kind: NDArray[np.int64]
    word: NDArray[np.int64]
    echo: NDArray[np.bool_]
    template: NDArray[np.bool_]
    layout_word: NDArray[np.int64]


class Vocabulary:
    """Numbers words and marks, and remembers how they are mostly written.

    Case makes no difference, but for words in capitals: *THE* is not told as *the*.
    """

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._forms: list[Counter[str]] = []

    def __len__(self) -> int:
        return len(self._forms)

    def number(self, form: str) -> int:
        """Number of a word or mark; a new one if it has not been seen."""
        key = form if _in_capitals(form) else form.casefold()
        if key not in self._number:
            self._number[key] = len(self._forms)
            self._forms.append(Counter())
        self._forms[self._number[key]][form] += 1
        return self._number[key]

    def name(self, number: int) -> str:
        """The form seen most often."""
        return self._forms[number].most_common(1)[0][0]

    def read(self, side: Activity, prompt: str) -> TokenText:
        """Classify the tokens of one answer and merge word pieces into their words."""
        text, layout = side.layout.text, side.layout
        asked = {m.group().casefold() for m in CORE.finditer(prompt) if len(m.group()) >= SHORT}
        cores = [(m.start(), m.end()) for m in CORE.finditer(text)]
        starts = [c[0] for c in cores]
        named = [self.number(text[s:e]) for s, e in cores]
        echoed = [text[s:e].casefold() in asked for s, e in cores]
        n = len(side.tokens)
        kind, word, echo = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_)
        for i, token in enumerate(side.tokens):
            at = int(side.offsets[0][i])
            kind[i] = _kind(token, opens_line=not text[text.rfind("\n", 0, at) + 1 : at].strip())
            inner = next((k for k, ch in enumerate(token) if ch.isalnum()), 0)
            core = bisect_right(starts, at + inner) - 1
            if kind[i] == WORD and core >= 0:
                word[i], echo[i] = named[core], echoed[core]
                if _in_capitals(text[slice(*cores[core])]):
                    kind[i] = CAPITALS
            else:
                word[i] = self.number(_mark(token))
        whole = [text[s:e] for s, e in zip(layout.start.tolist(), layout.end.tolist(), strict=True)]
        layout_word = np.array([self.number(_core(w)) for w in whole], dtype=np.int64)
        template = _inside(template_pieces(text), side.offsets)
        return TokenText(kind=kind, word=word, echo=echo, template=template, layout_word=layout_word)


def _inside(spans: Sequence[Span], offsets: tuple[NDArray[np.int32], NDArray[np.int32]]) -> NDArray[np.bool_]:
    """Which tokens share a character with one of the spans."""
    start, end = offsets
    inside = np.zeros(len(start), dtype=np.bool_)
    for begin, stop in spans:
        inside |= (start < stop) & (end > begin)
    return inside


def _kind(token: str, *, opens_line: bool) -> int:
    visible = token.strip()
    if not visible:
        return NEWLINE if "\n" in token else WHITESPACE if token else OTHER
    if NUMBER.fullmatch(visible):
        return DIGITS
    if MARK.fullmatch(visible) or (opens_line and ITEM.fullmatch(visible)):
        return MARKDOWN
    if any(ch.isalnum() for ch in visible):
        return WORD
    # emoji and other symbols are neither words nor punctuation
    return PUNCTUATION if all(ord(ch) < 0x2190 for ch in visible) else OTHER


def _in_capitals(word: str) -> bool:
    """Whether a word of two letters or more is written in capitals; *I* and *A* are as usual."""
    return len(word) > 1 and word.isupper()


def _core(run: str) -> str:
    found = CORE.search(run)
    return found.group() if found else run


def _mark(token: str) -> str:
    visible = token.strip()
    if visible:
        return visible
    return "line break" if "\n" in token else f"{len(token)} blanks" if len(token) > 1 else "blank"
