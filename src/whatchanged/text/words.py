"""Words: the unit in which text observables and lexical terms give their positions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

__all__ = ["IDEOGRAPHS", "Span", "locate", "word_starts"]

Span = tuple[int, int]
"""Start and end of a stretch, in characters."""

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Character class of scripts written without spaces: every character is a word of its own."""

_WORD = re.compile(rf"[{IDEOGRAPHS}][\u3000-\u303f\uff01-\uff1f]*|[^\s{IDEOGRAPHS}]+")


def word_starts(text: str) -> list[int]:
    """Where each word of a text begins, in characters.

    A word is a run of visible characters (as ``wc -w`` counts), a Chinese or Japanese character
    alone. Every visible character belongs to exactly one word, so that any mark has a position.
    """
    return [match.start() for match in _WORD.finditer(text)]


def locate(spans: Iterable[Span], starts: Sequence[int]) -> tuple[int, int, int] | None:
    """Word positions of the first and last character of any span, and the number of spans.

    A span of white space belongs to the word before it. ``None`` when there is no span.
    """
    first = last = -1
    count = 0
    for start, end in spans:
        begin = max(bisect_right(starts, start) - 1, 0)
        finish = max(bisect_right(starts, end - 1) - 1, begin)
        first = begin if count == 0 else min(first, begin)
        last = max(last, finish)
        count += 1
    return (first, last, count) if count else None
