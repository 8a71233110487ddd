"""An answer taken apart once: code, maths and links masked, sentences found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from whatchanged.text.words import Span, word_starts

__all__ = ["MASK", "Document"]

MASK = "\ufffc"
"""Stands for a masked character: neither a word character, nor space, nor punctuation we look for."""

_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]+\1(?!`)")
_MATHS = re.compile(
    r"\$\$[^$]{1,4000}\$\$"
    r"|\\\[(?:[^\\]|\\(?![\[\]])){1,4000}\\\]"
    r"|\\\((?:[^\\]|\\(?![()])){1,1000}\\\)"
    r"|\\begin\{(\w+\*?)\}"
    r"|(?<![\\$\w])\$(?=[^$\n]*[\\^_={}]|[A-Za-z]!?\$)(?![\s$])[^$\n]{0,300}(?<![\s\\])\$(?![\w$])"
)
_COMMAND = re.compile(
    r"\\(?:frac|sqrt|sum|int|prod|lim|cdot|times|text|mathbb|left|leq|geq|infty)(?![a-zA-Z])"
)
_LINK = re.compile(
    r"!?\[[^\]\n]{0,300}\]\((?:https?://|www\.|/|#)[^)\s]*\)|https?://[^\s)>\]]+|\bwww\.\w[^\s)>\]]+"
)
_MARKER = re.compile(r"[ \t>]*(?:#{1,6}[ \t]+)?(?:[-*+•][ \t]+|\*{0,2}\d{1,3}[.)]\*{0,2}[ \t]+)?")
_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"'”’)\]*_]*+(?=\s|$|[^\x00-\u2fff])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Inc|approx|a\.m|p\.m)|\b[A-Z])\.$"
)
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})


def _mask(text: str, spans: Iterable[Span]) -> str:
    """The text with every character of the spans but line ends replaced; same length."""
    parts, at = [], 0
    for start, end in sorted(spans):
        start = max(start, at)
        if end <= start:
            continue
        parts += [text[at:start], re.sub(r"[^\n]", MASK, text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


@dataclass(frozen=True)
class Document:
    """One answer and its parts; all positions are characters of `text`.

    Attributes:
        text: The answer as it came.
        cut: Whether the model ran out of tokens; ``None`` when nobody said.
    """

    text: str
    cut: bool | None = None

    @cached_property
    def starts(self) -> list[int]:
        """Where each word begins."""
        return word_starts(self.text)

    @cached_property
    def fences(self) -> list[Span]:
        """Fenced code blocks, from fence to fence; one left open runs to the end."""
        spans: list[Span] = []
        opened: tuple[int, str] | None = None
        for match in _FENCE.finditer(self.text):
            marker = match.group(1)
            if opened is None:
                opened = (match.start(1), marker)
            elif marker.startswith(opened[1]) and not match.group(2).strip():
                spans.append((opened[0], match.end()))
                opened = None
        return [*spans, (opened[0], len(self.text))] if opened else spans

    @cached_property
    def _unfenced(self) -> str:
        """The text with code blocks masked and apostrophes straightened; same length."""
        return _mask(self.text, self.fences).translate(_STRAIGHT)

    @cached_property
    def inline_code(self) -> list[Span]:
        """Code between backticks inside a line."""
        return [m.span() for m in _INLINE.finditer(self._unfenced)]

    @cached_property
    def prose(self) -> str:
        """The text with code masked and apostrophes straightened; same length."""
        return _mask(self._unfenced, self.inline_code)

    @cached_property
    def maths(self) -> list[Span]:
        """LaTeX: delimited formulas and environments, and bare commands outside them."""
        delimited = [m.span() for m in _MATHS.finditer(self.prose)]
        rest = _mask(self.prose, delimited)
        return sorted(delimited + [m.span() for m in _COMMAND.finditer(rest)])

    @cached_property
    def links(self) -> list[Span]:
        """Web addresses and markdown links."""
        return [m.span() for m in _LINK.finditer(self.prose)]

    @cached_property
    def plain(self) -> str:
        """The prose with maths and links masked too; same length."""
        return _mask(self.prose, [*self.maths, *self.links])

    @cached_property
    def foreign(self) -> list[Span]:
        """Sentences in another language than English."""
        from whatchanged.text.language import non_english  # which reads documents itself

        return non_english(self)

    @cached_property
    def english(self) -> str:
        """The plain text with sentences of other languages masked too; same length."""
        return _mask(self.plain, self.foreign)

    @cached_property
    def sentences(self) -> list[Span]:
        """Sentences of the plain text, list markers left out; a line end always ends one."""
        spans: list[Span] = []
        for line in re.finditer(r"[^\n]+", self.plain):
            marker = _MARKER.match(self.plain, line.start(), line.end())
            begin = marker.end() if marker else line.start()
            for stop in _END.finditer(self.plain, begin, line.end()):
                after = self.plain[stop.end() : line.end()].lstrip()
                before = self.plain[max(begin, stop.end() - 8) : stop.end()]
                if after and (after[0].islower() or _ABBREVIATION.search(before)):
                    continue
                spans.append((begin, stop.end()))
                begin = stop.end()
            spans.append((begin, line.end()))
        return [(s, e) for s, e in spans if any(c.isalnum() for c in self.plain[s:e])]
