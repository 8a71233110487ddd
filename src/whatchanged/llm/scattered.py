"""Secrets that come in pieces: split over several outputs, broken over lines, set between quotes or colours."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from whatchanged.llm.redact import Redactor

__all__ = ["redact_scattered"]

_BETWEEN = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\s'\"`,;|+\\()\[\]{}<>]|\.\.\.|&quot;|&#\d+;")
_Span = tuple[int, int, str, tuple[int, int]]  # in a piece, the secret's name, in the text as a whole
_SHORTEST = 10
_LONG = 24


def redact_scattered(redactor: Redactor, pieces: Sequence[str]) -> list[str]:
    """Redact texts that are read one after the other.

    White space, quotes, commas, brackets and colour codes do not count, neither within a piece nor between two.
    A part of a secret is taken out as well if it has at least 10 characters and a third of the secret (24 are
    always enough), so that two halves with words between them tell nothing.

    What this cannot see: a secret that a program transformed in another way, or drew into an image.

    Args:
        redactor: The secrets.
        pieces: The texts, in the order in which they are read.

    Returns:
        As many texts; where a part was taken out, the secret's name stands in each piece that held some of it.
    """
    whole = [redactor(piece) for piece in pieces]
    if not redactor.forms:
        return whole
    kept: list[str] = []
    starts: list[int] = []  # where each kept run begins in the text without what does not count
    origins: list[tuple[int, int]] = []  # its piece, and its place there
    length = 0
    for number, piece in enumerate(whole):
        at = 0
        for gap in (*_BETWEEN.finditer(piece), None):
            end = gap.start() if gap else len(piece)
            if end > at:
                kept.append(piece[at:end])
                starts.append(length)
                origins.append((number, at))
                length += end - at
            at = gap.end() if gap else end
    spans: list[list[_Span]] = [[] for _ in whole]
    for start, stop, name in _found(redactor, "".join(kept)):
        for run in range(bisect_right(starts, start) - 1, bisect_right(starts, stop - 1)):
            number, place = origins[run]
            left = place + max(0, start - starts[run])
            right = place + min(len(kept[run]), stop - starts[run])
            earlier = spans[number]
            if earlier and earlier[-1][2] == name and earlier[-1][3] == (start, stop):
                left = earlier.pop()[0]
            earlier.append((left, right, name, (start, stop)))
    return [_without(piece, taken) for piece, taken in zip(whole, spans, strict=True)]


def _found(redactor: Redactor, text: str) -> Iterator[tuple[int, int, str]]:
    """Places of parts of secrets long enough to matter."""
    for form, name in redactor.forms.items():
        yield from ((start, stop, name) for start, stop in _parts(_BETWEEN.sub("", form), text))


def _parts(needle: str, text: str) -> Iterator[tuple[int, int]]:
    """Stretches of `text` that are stretches of `needle` and long enough.

    Every stretch of 2g - 1 characters holds one of the needle's blocks of g that begin at multiples of g, so
    looking for these finds them all.
    """
    least = max(_SHORTEST, min(len(needle) // 3, _LONG))
    if len(needle) < least:
        return
    size = (least + 1) // 2
    for begin in range(0, len(needle) - size + 1, size):
        block = needle[begin : begin + size]
        at = text.find(block)
        while at >= 0:
            left, right = 0, size
            while min(at, begin) > left and text[at - left - 1] == needle[begin - left - 1]:
                left += 1
            room = min(len(text) - at, len(needle) - begin)
            while right < room and text[at + right] == needle[begin + right]:
                right += 1
            if left + right >= least:
                yield at - left, at + right
            at = text.find(block, at + right)


def _without(piece: str, spans: Sequence[_Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, stop, name, _ in sorted(spans):
        if start >= at:
            parts += [piece[at:start], name]
        at = max(at, stop)
    return "".join([*parts, piece[at:]])
