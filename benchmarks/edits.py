"""Deterministic edits of an answer, each planting one behaviour of known kind.

An edit returns the changed text, or ``None`` where it does not apply (only one answer in ten has
bullets to renumber). Nothing here is random: the same answer is always edited in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["BRITISH", "EDITS", "Edit", "cut_sentences", "cut_words"]

Edit = Callable[[str], "str | None"]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
# After a digit a full stop mostly numbers an item.
_STOP = re.compile(r"(?<=[^\d\s][.!?])\s+")
_BULLET = re.compile(r"^(\s*)[-*•]\s+", re.MULTILINE)
BRITISH = {
    "color": "colour", "favorite": "favourite", "organize": "organise", "realize": "realise",
    "center": "centre", "behavior": "behaviour", "analyze": "analyse", "recognize": "recognise",
    "flavor": "flavour", "honor": "honour", "labor": "labour", "neighbor": "neighbour",
    "theater": "theatre", "traveling": "travelling", "humor": "humour", "utilize": "utilise",
    "emphasize": "emphasise", "customize": "customise", "optimize": "optimise",
    "minimize": "minimise", "maximize": "maximise", "prioritize": "prioritise",
    "apologize": "apologise", "summarize": "summarise", "specialize": "specialise",
    "program": "programme", "fiber": "fibre", "gray": "grey", "catalog": "catalogue",
}  # fmt: skip
_BRITISH_WORD = re.compile(r"\b(" + "|".join(BRITISH) + r")(s|d|r|ing|al|ed|ful|able)?\b", re.IGNORECASE)


def _append(tail: str) -> Edit:
    return lambda text: f"{text.rstrip()}{tail}"


def _prepend(head: str) -> Edit:
    return lambda text: f"{head}{text.lstrip()}"


def _hedge(text: str) -> str | None:
    parts = _SENTENCE_END.split(text, maxsplit=2)
    if len(parts) < 2:
        return None
    first, second, *rest = parts
    softened = f"I could be wrong, but perhaps {second[0].lower()}{second[1:]}"
    return " ".join([first, softened, *rest])


def _headings(text: str) -> str | None:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    names = ("**Overview**", "**Details**", "**Summary**")
    headed = [f"{name}\n\n{p}" for name, p in zip(names, paragraphs, strict=False)]
    return "\n\n".join(headed + paragraphs[len(headed) :])


def _number_bullets(text: str) -> str | None:
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"{match.group(1)}{count}. "

    edited = _BULLET.sub(number, text)
    return edited if count >= 2 else None


def _british(text: str) -> str | None:
    def spell(match: re.Match[str]) -> str:
        stem, ending = match.group(1), match.group(2) or ""
        word = BRITISH[stem.lower()]
        if ending == "ing" and word.endswith("e"):
            word = word[:-1]
        return (word.capitalize() if stem[0].isupper() else word) + ending

    edited, count = _BRITISH_WORD.subn(spell, text)
    return edited if count else None


def _capitals(text: str) -> str | None:
    parts = _SENTENCE_END.split(text, maxsplit=1)
    return " ".join([parts[0].upper(), *parts[1:]]) if len(parts) == 2 else text.upper()


def _double_spaces(text: str) -> str | None:
    edited, count = re.subn(r"(?<=[.!?]) (?=[A-Z])", "  ", text)
    return edited if count else None


def _repeat(text: str) -> str | None:
    parts = _SENTENCE_END.split(text)
    return f"{text.rstrip()} {parts[0]} {parts[0]}" if len(parts) >= 2 else None


def cut_words(share: float) -> Edit:
    """Break an answer of 20 words or more off in mid-sentence, after a share of its words."""

    def cut(text: str) -> str | None:
        words = text.split(" ")
        return " ".join(words[: max(1, int(len(words) * share))]) if len(words) >= 20 else None

    return cut


def cut_sentences(share: float) -> Edit:
    """End an answer of 20 words or more at the end of the sentence nearest to a share of its words."""

    def cut(text: str) -> str | None:
        words = len(text.split())
        ends = [m.start() for m in _STOP.finditer(text.rstrip())]
        if words < 20 or not ends:
            return None
        return text[: min(ends, key=lambda end: abs(len(text[:end].split()) - share * words))]

    return cut


EDITS: dict[str, Edit] = {
    "closing_question": _append("\n\nWould you like me to go into more detail on any of this?"),
    "certainly": _prepend("Certainly! "),
    "disclaimer": _append(
        "\n\nPlease note that this is general information and not a substitute for professional advice."
    ),
    "hedge": _hedge,
    "emoji": _append(" 😊✨"),
    "bold_headings": _headings,
    "bullets_to_numbers": _number_bullets,
    "table": _append(
        "\n\n| Point | Summary |\n| --- | --- |\n| First | The main idea |\n| Second | A useful detail |"
    ),
    "code_fence": _append('\n\n```python\nresult = compute(value)\nprint("done", result)\n```'),
    "latex": _append("\n\nIn symbols: $$x = \\frac{a + b}{2} \\cdot \\sqrt{n}$$"),
    "foreign_sentence": _append("\n\nEspero que esta respuesta le resulte útil y quedo a su disposición."),
    "refusal": _prepend("I'm sorry, but I can't help with that request. "),
    "apology": _prepend("I apologize for any confusion. "),
    "capitals": _capitals,
    "url": _append("\n\nYou can read more at https://www.example.org/articles/guide.html."),
    "british": _british,
    "double_spaces": _double_spaces,
    "repeated_sentence": _repeat,
    "truncation": cut_words(0.6),
    "as_an_ai": _prepend("As an AI language model, I do not have personal opinions. "),
}
"""Name of each edit and the function that makes it."""
