"""Observables of punctuation: marks, brackets, quotations, dashes, shouting. Code and links never count."""

from __future__ import annotations

import re

from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = [
    "capitals",
    "ellipses",
    "em_dashes",
    "exclamation_marks",
    "parentheses",
    "question_marks",
    "quotations",
]

_EXCLAMATION = re.compile(r"[!！](?![=\[])")
_QUESTION = re.compile(r"[?？؟]")
_BRACKETS = re.compile(r"(?<!\w)[(（](?!\s)[^()（）\n]{2,400}[)）]")
_QUOTED = re.compile(
    r"(?<![\w\"])\"(?=[^\s\"])[^\"\n]{1,400}(?<=\S)\"(?!\w)"
    r"|“[^“”\n]{1,400}”|„[^„“”\n]{1,400}[“”]|«[^«»\n]{1,400}»|「[^「」\n]{1,400}」"
)
_DASH = re.compile(r"[—―]+|(?<=\w) -- (?=\w)|(?<=[^\W\d]) – (?=\w)")
_ELLIPSIS = re.compile(r"…+|(?<!\.)\.{3,}|(?<!\.)\. \. \.|。{3,}")

_CAPITAL = "[A-ZÀ-ÖØ-Þ]"
_RUN = re.compile(
    rf"(?<![\w'-]){_CAPITAL}(?:{_CAPITAL}|'(?={_CAPITAL}))*(?![\w'-])"
    rf"(?:[ ,]{{1,2}}{_CAPITAL}(?:{_CAPITAL}|'(?={_CAPITAL}))*(?![\w'-]))*"
)
_CAPITALISED = re.compile(rf"{_CAPITAL}[{_CAPITAL[1:-1]}']*")
_VOWEL = re.compile("[AEIOUYÀ-ÖØ-Ý]")
_ROMAN = re.compile(r"[IVXLCDM]+")
# Short words that nobody takes for an acronym; AM, IT, OR, US and the like are left out.
_ORDINARY_WORDS = (
    "ALL ALSO ALWAYS AND ANY ANYONE ARE AVOID BEFORE BEST BIG BUT BUY CAN CAN'T CLICK DAY DID DO DON'T EACH "
    "EVEN EVER EVERY FIRST FOR FREE FROM GET GO GOOD GREAT HAVE HERE HOW JUST KEEP KNOW LAST LESS LIFE LIKE "
    "LOVE MAKE MANY MAY MIGHT MORE MOST MUCH MUST NEED NEVER NEW NO NONE NOT NOTE NOW OFF ONE ONLY OUR OUT "
    "OVER PLEASE READ REAL REALLY SAME SHOULD SO SOME STILL STOP SURE TAKE THAT THE THEIR THEN THERE THEY "
    "THIS TIME TO TODAY TOO VERY WANT WAS WHAT WHEN WHERE WHO WHY WILL WITH WITHIN WON'T YES YOU YOUR"
)
_ORDINARY = frozenset(_ORDINARY_WORDS.split())
_LONG = 7  # letters; hardly any acronym has as many
_SENTENCE = 3  # capitalised words in a row


def _spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [match.span() for match in pattern.finditer(text)]


def exclamation_marks(document: Document) -> list[Span]:
    """Exclamation marks outside code, formulas and links, each one counted."""
    return _spans(_EXCLAMATION, document.plain)


def question_marks(document: Document) -> list[Span]:
    """Question marks outside code, formulas and links, each one counted."""
    return _spans(_QUESTION, document.plain)


def parentheses(document: Document) -> list[Span]:
    """Remarks in round brackets; what follows a word without a space (``f(x)``, ``item(s)``) is none."""
    return _spans(_BRACKETS, document.plain)


def quotations(document: Document) -> list[Span]:
    """Stretches in double quotation marks of any country; inch marks and apostrophes are none."""
    return _spans(_QUOTED, document.plain)


def em_dashes(document: Document) -> list[Span]:
    """Dashes between parts of a sentence: an em dash, or a spaced en dash or double hyphen.

    Hyphens, ranges of numbers and bullets do not count.
    """
    return _spans(_DASH, document.plain)


def ellipses(document: Document) -> list[Span]:
    """Three dots or more, or the character for them."""
    return _spans(_ELLIPSIS, document.plain)


def _shouted(word: str) -> bool:
    return word in _ORDINARY or (len(word) >= _LONG and len(_VOWEL.findall(word)) > 1)


def capitals(document: Document) -> list[Span]:
    """Words in capitals that are not acronyms, each one counted.

    Common short words (NOT, NEVER), words of seven letters or more with two vowels, and every word of a row
    of three or more that holds one of these. ``NASA``, ``HTML`` and Roman numerals alone do not count.
    """
    found: list[Span] = []
    for run in _RUN.finditer(document.plain):
        words = [m for m in _CAPITALISED.finditer(document.plain, *run.span()) if len(m.group()) > 1]
        words = [m for m in words if not _ROMAN.fullmatch(m.group())]
        loud = [m for m in words if _shouted(m.group())]
        found += [m.span() for m in (words if loud and len(words) >= _SENTENCE else loud)]
    return found
