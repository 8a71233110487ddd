"""Model text made safe to look at: nothing invisible, nothing that reorders, nothing endless.

Escaping for HTML is the template engine's work and happens after this.
"""

from __future__ import annotations

import re

__all__ = ["clip", "first_words", "line", "show_space", "visible"]

# C0 and C1 controls except tab and newline; soft hyphen, joiners' plane and zero-width spaces; bidi
# marks, embeddings, overrides and isolates; separators that break lines; surrogates; specials,
# noncharacters and the tag characters, which can carry hidden text.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)
# Joiners are part of emoji and of several scripts; beside ASCII or a space they are only hidden.
_STRAY_JOINER = re.compile(r"(?:(?<![^\x00-\x7f\s])[\u200c\u200d])|(?:[\u200c\u200d](?![^\x00-\x7f\s]))")

# White space at which a line may break; the no-break spaces inside "5 %" stay what they are.
_BREAK = re.compile(r"[^\S\u00a0\u202f]+")


def _code(found: re.Match[str]) -> str:
    return f"\u27e8U+{ord(found.group()):04X}\u27e9"


def visible(text: str) -> str:
    r"""The text with every invisible or reordering character spelled out, as in ``⟨U+202E⟩``.

    Tabs and newlines stay (``\r\n`` becomes a newline); the result can always be encoded.
    """
    text = text.replace("\r\n", "\n")
    return _STRAY_JOINER.sub(_code, _HIDDEN.sub(_code, text))


def clip(text: str, limit: int) -> tuple[str, int]:
    """At most `limit` characters of the text, and how many were left out."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)


def line(text: str, limit: int = 240) -> str:
    """The text on one line: white space runs become one space; cut with an ellipsis at `limit`."""
    short, hidden = clip(text, 4 * limit)
    short = _BREAK.sub(" ", visible(short)).strip()
    return short[: limit - 1] + "\u2026" if hidden or len(short) > limit else short


def first_words(text: str, limit: int = 90) -> str:
    """The first words of a text on one line, cut between words where that is possible."""
    short = line(text, limit)
    if not short.endswith("\u2026") or len(text) <= limit:
        return short
    words = short[:-1].rsplit(" ", 1)[0]
    return (words if len(words) > limit // 2 else short[:-1]) + "\u2026"


def show_space(text: str) -> str:
    """White space of an active token drawn: ``␣``, ``⇥``, ``↵``; a single leading space stays.

    A token that is nothing but white space, or holds a run, a tab or a newline, is drawn whole.
    """
    if text.strip() and not re.search(r"\s\s|[\t\n]", text):
        return text
    return text.replace(" ", "\u2423").replace("\t", "\u21e5").replace("\n", "\u21b5\n")
