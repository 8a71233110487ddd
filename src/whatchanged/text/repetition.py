"""Observable: sentences that the answer has said before."""

from __future__ import annotations

import re

from whatchanged.text.document import Document
from whatchanged.text.words import Span, word_starts

__all__ = ["repeated_sentences"]

_WORDS = 4  # *I see.* and *Total: 5* come back without anybody repeating themselves
_BLANKS = re.compile(r"\s+")


def _core(sentence: str) -> str:
    """From the first letter or digit to the last; by hand, as a search for a long tail is quadratic."""
    start, end = 0, len(sentence)
    while start < end and not sentence[start].isalnum():
        start += 1
    while end > start and not sentence[end - 1].isalnum():
        end -= 1
    return sentence[start:end]


def repeated_sentences(document: Document) -> list[Span]:
    """Sentences of four words or more that stand in the answer for the second time or more.

    Case, spacing and marks at either end are passed over; what a sentence quotes as code, formula or link
    is compared too. Lines of tables do not count.
    """
    seen: set[str] = set()
    found: list[Span] = []
    for start, end in document.sentences:
        if "|" in document.plain[start:end]:
            continue
        said = _BLANKS.sub(" ", _core(document.text[start:end])).casefold()
        if len(word_starts(said)) < _WORDS:
            continue
        if said in seen:
            found.append((start, end))
        seen.add(said)
    return found
