"""Observables of form: lists, headings, tables, emoji, spacing, endings. Code never counts as markup."""

from __future__ import annotations

import re

from whatchanged.text.document import MASK, Document
from whatchanged.text.words import Span

__all__ = [
    "bold",
    "bullets",
    "closing_question",
    "double_spaces",
    "emoji",
    "headings",
    "numbered_items",
    "paragraphs",
    "sentence_length",
    "tables",
    "template_leak",
    "template_pieces",
    "truncation",
]

_NUMBERED = re.compile(r"^[ \t>]*(?:#{1,6}[ \t]+)?\*{0,2}\d{1,3}[.)]\*{0,2}[ \t]+\S", re.MULTILINE)
_BULLET = re.compile(r"^[ \t>]*(?:[-*+][ \t]+(?![-*+ \t]+$)|[•‣◦▪●][ \t]*)\S", re.MULTILINE)
_BOLD = re.compile(
    r"\*\*(?=[^\s*])(?:[^*\n]|\*(?!\*))+?(?<=\S)\*\*|(?<!\w)__(?=[^\s_])[^_\n]+?(?<=\S)__(?!\w)"
)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S[^\n]*", re.MULTILINE)
_DELIMITER_ROW = re.compile(r"^[ \t]*+\|?[ \t]*+:?-{2,}:?[ \t]*+(?:\|[ \t]*+:?-{2,}:?[ \t]*+)+\|?[ \t]*+$|"
                            r"^[ \t]*+\|[ \t]*+:?-{2,}:?[ \t]*+\|[ \t]*+$", re.MULTILINE)  # fmt: skip
_PIPE_LINES = re.compile(r"(?:\n[^\n]*\|[^\n]*)*")
_PICTURE = (
    "[\U0001f300-\U0001faff\u2600-\u26ff\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u2728\u2733\u2734"
    "\u2744\u274c\u274e\u2753-\u2757\u2763\u2764\u2795-\u2797\u27a1\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55]"
)
_EMOJI = re.compile(
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|"
    rf"{_PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d{_PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
_GAP = re.compile(r"(?<=[^\s|]) {2,}(?=[^\s|])")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+(?=\S)")
_TEMPLATE = re.compile(
    r"<\|[A-Za-z_]{2,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start_of_turn|end_of_turn|bos|eos)>"
    r"|^[ \t]*(?:#{2,4} (?:Instruction|Response|Input|User|Human|Assistant|System)\b:?"
    r"|\*{0,2}(?:User|Human|USER|HUMAN|ASSISTANT|Assistant|AI|System|SYSTEM):(?=\*{0,2}(?:\s|$)))",
    re.MULTILINE,
)
_LIST_MARKER = re.compile(r"[ \t>]*(?:[-*+•‣◦▪●]|#{1,6}|\*{0,2}\d{1,3}[.)]\*{0,2})$")
_TRAILING = re.compile(rf"[\s*_\"')\]”’~]|{_PICTURE}|[\ufe0f\u200d\U0001f3fb-\U0001f3ff]")
_COMPLETE = re.compile(r"[.!?…。！？][\"'”’)\]*_]*+$")


def _spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [match.span() for match in pattern.finditer(text)]


def numbered_items(document: Document) -> list[Span]:
    """Lines that begin with a number of up to three digits and ``.`` or ``)``."""
    return _spans(_NUMBERED, document.prose)


def bullets(document: Document) -> list[Span]:
    """Lines that begin with a bullet; horizontal rules such as ``* * *`` do not count."""
    return _spans(_BULLET, document.prose)


def bold(document: Document) -> list[Span]:
    """Stretches between double asterisks or double underscores on one line."""
    return _spans(_BOLD, document.plain)


def headings(document: Document) -> list[Span]:
    """Markdown headings (``#`` to ``######``)."""
    return _spans(_HEADING, document.prose)


def tables(document: Document) -> list[Span]:
    """Markdown tables: a line with a bar, a row of dashes, and the lines with bars below."""
    found: list[Span] = []
    for rule in _DELIMITER_ROW.finditer(document.prose):
        header = document.prose.rfind("\n", 0, max(rule.start() - 1, 0)) + 1
        if "|" in document.prose[header : rule.start()]:
            rows = _PIPE_LINES.match(document.prose, rule.end())
            found.append((header, rows.end() if rows else rule.end()))
    return found


def emoji(document: Document) -> list[Span]:
    """Emoji; a joined sequence, a flag or a skin tone counts once."""
    return _spans(_EMOJI, document.prose)


def closing_question(document: Document) -> list[Span]:
    """The last mark of the answer when it is a question mark; closing quotes and emoji are passed over."""
    last = len(document.prose)
    while last and _TRAILING.match(document.prose, last - 1):
        last -= 1
    end = len(document.text.rstrip())
    return [(end - 1, end)] if document.prose[:last].endswith(("?", "？", "؟")) else []


def double_spaces(document: Document) -> list[Span]:
    """Two or more spaces inside a line; indentation, the gap after a list marker and tables are not."""
    text = document.plain
    found = []
    for start, end in _spans(_GAP, text):
        line = text.rfind("\n", 0, start) + 1
        stop = text.find("\n", start)
        whole = text[line : stop if stop >= 0 else len(text)]
        if "|" not in whole and not _LIST_MARKER.match(text[line:start]) and text[start - 1] != MASK:
            found.append((start, end))
    return found


def paragraphs(document: Document) -> list[Span]:
    """Breaks between paragraphs: one or more blank lines outside code, with text before and after."""
    begin = len(document.prose) - len(document.prose.lstrip())
    return [
        (start, end)
        for start, end in _spans(_BLANK_LINES, document.prose)
        if start > begin and not any(opened < start and end <= closed for opened, closed in document.fences)
    ]


def template_leak(document: Document) -> list[Span]:
    """Pieces of a chat template: special tokens, and role words such as ``User:`` that open a line."""
    return template_pieces(document.prose)


def template_pieces(text: str) -> list[Span]:
    """The same in any text, code included."""
    return _spans(_TEMPLATE, text)


def truncation(document: Document) -> list[Span]:
    """The end of an answer that stops in mid-sentence.

    The provider's word counts where it is known (`Document.cut`). Else the last line must have six
    words or more and end in a letter, a digit, a comma or an opening mark, or a code fence must be
    left open; a short last line without a full stop (a list item, a title) is taken for complete.
    """
    end = len(document.text.rstrip())
    if document.cut is not None:
        return [(end - 1, end)] if document.cut and end else []
    if document.fences and document.fences[-1][1] == len(document.text):
        last = document.text[document.fences[-1][0] :].rstrip()
        return [] if "\n" in last and last.endswith(("```", "~~~")) else [(end - 1, end)]
    line = document.plain.rstrip().rpartition("\n")[2]
    prose = len(line.split()) >= 6 and "|" not in line and not line.lstrip().startswith("#")
    return [(end - 1, end)] if prose and (line[-1].isalnum() or line[-1] in ',;-–([{"“') else []


def sentence_length(document: Document) -> float:
    """Mean number of words in a complete sentence; of all sentences when none is complete; 0 for none.

    The unfinished last sentence of a truncated answer would make truncation look like terseness.
    """
    sizes: list[int] = []
    complete: list[int] = []
    for start, end in document.sentences:
        sentence = document.plain[start:end]
        size = sum(any(c.isalnum() for c in word) for word in sentence.split())
        sizes.append(size)
        if _COMPLETE.search(sentence.rstrip()):
            complete.append(size)
    used = complete or sizes
    return sum(used) / len(used) if used else 0.0
