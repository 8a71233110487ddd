"""Words, sentences and lines of one answer: the common ruler of tokens, terms and observables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from whatchanged.text.words import word_starts

__all__ = ["Layout", "lay_out", "token_offsets"]

SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]*_]*$")
ITEM_NUMBER = re.compile(r"\W*\d+[.)]\W*")
REACH = 12  # words of its own sentence that an occurrence speaks for, to either side
TOLERANCE = 3  # words of its own line, whatever the sentence

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the words of an answer stand.

    A word is a run of visible characters, as everywhere in `whatchanged.text`.

    Attributes:
        text: The answer.
        start: Character at which each word starts, ``[words]``; an answer without a word counts as one.
        end: Character after its last, ``[words]``.
        sentence: Sentence of each word, ascending, ``[words]``.
        line: Line of each word, ascending, ``[words]``.
        reach_from: First word that an occurrence on each word speaks for, ``[words]``.
        reach_to: The word after the last it speaks for, ``[words]``.
    """

    text: str
    start: Ints
    end: Ints
    sentence: Ints
    line: Ints
    reach_from: Ints
    reach_to: Ints

    def __len__(self) -> int:
        return len(self.start)

    def word_at(self, position: NDArray[np.integer]) -> Ints:
        """Word that each character belongs to; white space belongs to the word before it, ``[positions]``."""
        before = np.searchsorted(self.start, position, side="right") - 1
        return np.clip(before, 0, len(self) - 1).astype(np.int32)

    def around(self, active: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Words that an occurrence on the active words speaks for, ``[words]``.

        These are the words of the same sentence within `REACH`, and of the same line within
        `TOLERANCE`: the features of one inserted sentence fire on different words of it. Where a
        stretch begins a line, the word before it belongs to it as well, for the break that opens it.
        """
        active = np.unique(active)
        first, end = self.reach_from[active], self.reach_to[active]
        steps = np.bincount(first, minlength=len(self) + 1)
        steps -= np.bincount(end, minlength=len(self) + 1)
        covered: NDArray[np.bool_] = np.cumsum(steps)[:-1] > 0
        # white space belongs to the word before it, but a line break opens what follows
        covered[:-1] |= covered[1:] & (np.diff(self.line) > 0)
        return covered


def lay_out(text: str) -> Layout:
    """Split an answer into words, sentences and lines."""
    begin = word_starts(text) or [0]
    start = np.array(begin, dtype=np.int32)
    end = np.array([b + len(text[b:e].rstrip()) for b, e in pairwise([*begin, len(text)])], dtype=np.int32)
    sentence, line = np.zeros(len(begin), np.int32), np.zeros(len(begin), np.int32)
    for i in range(1, len(begin)):
        previous = text[begin[i - 1] : end[i - 1]]
        new_line = "\n" in text[end[i - 1] : begin[i]]
        # "1. Wash" is one sentence: a number before the stop is an item's mark
        stop = bool(SENTENCE_END.search(previous)) and not ITEM_NUMBER.fullmatch(previous)
        line[i] = line[i - 1] + new_line
        sentence[i] = sentence[i - 1] + (new_line or stop)
    word = np.arange(len(begin), dtype=np.int32)
    ends = [
        (np.searchsorted(part, part, side="left"), np.searchsorted(part, part, side="right"), near)
        for part, near in ((sentence, REACH), (line, TOLERANCE))
    ]
    return Layout(
        text=text,
        start=start,
        end=end,
        sentence=sentence,
        line=line,
        reach_from=np.minimum(*(np.maximum(first, word - near) for first, _, near in ends)).astype(np.int32),
        reach_to=np.maximum(*(np.minimum(last, word + near + 1) for _, last, near in ends)).astype(np.int32),
    )


def token_offsets(text: str, tokens: Sequence[str]) -> tuple[Ints, Ints]:
    """First character of each token and the one after its last, ``[tokens]`` each.

    Tokens that are not in the text where they should be (the bytes of an emoji, a marker the
    tokeniser adds) get an empty stretch, and the next token is looked for a little further on.
    """
    start, end = np.zeros(len(tokens), np.int32), np.zeros(len(tokens), np.int32)
    cursor, lost = 0, 0
    for i, token in enumerate(tokens):
        found = cursor if text.startswith(token, cursor) else text.find(token, cursor, cursor + 16 + 4 * lost)
        if not token or found < 0:
            start[i] = end[i] = cursor
            lost += 1
            continue
        start[i], end[i] = found, found + len(token)
        cursor, lost = found + len(token), 0
    return np.minimum(start, max(len(text) - 1, 0)), end
