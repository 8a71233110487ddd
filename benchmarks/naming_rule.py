"""Does a label name what an edit planted? One rule per edit.

The rules follow from the edits' definitions alone. What counts as naming:

* the observable of the planted thing, by its description or, in the brackets of a label, by its name;
* a quoted term with a content word of the planted text (no article, pronoun, preposition, conjunction or
  auxiliary), or with three or more of its words in a row;
* two different words of the planted text, of whatever kind, in a label that also gives their place;
* of edits of style the class of tokens (digits, markdown marks, blanks) or the mark itself as it was planted.

Labels of other edits' findings and of random features tell how often a label passes a rule by chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from edits import BRITISH, EDITS
from whatchanged.text import OBSERVABLES

__all__ = ["RULES", "Rule", "names", "sharing"]

_QUOTED = re.compile(r'"([^"]+)"')
_SUFFIX = re.compile(r" \(\+ ([^()]*)\)$")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_RUN = 3  # words of the planted text in a row that name it whatever they are


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold().replace("’", "'")))


STOP = frozenset(
    _words(
        "a an the this that these those some any no not i i'm me my you your he she it its we us our they them their "
        "and or but if so as than that's of to in into on at by for from with about over under "
        "is are was were be been being am do does did have has had will would can could should may might must "
        "more most very just also there here what which who how when where why all each both other such"
    )
)


def _capitals(term: str) -> bool:
    """A word in capitals that is no usual acronym: four letters or more."""
    return any(len(w) >= 4 and w.isupper() for w in _WORD.findall(term))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What may stand in a label for an edit to count as named.

    Attributes:
        observables: Names of observables that count the planted thing.
        planted: The planted text, if it is the same in every answer.
        place: ``opening`` or ``closing``, where that text stands.
        content: Words of which one is enough.
        marks: Pattern of a whole quoted term that is the planted mark.
        classes: Pattern of what the label may say outside quotes.
        term: A further test of quoted terms.
    """

    observables: tuple[str, ...]
    planted: tuple[str, ...] = ()
    place: str = ""
    content: frozenset[str] = frozenset()
    marks: str = ""
    classes: str = ""
    term: Callable[[str], bool] | None = field(default=None, compare=False)


def _text(
    planted: str, place: str, *observables: str, all_words: bool = False, marks: str = "", classes: str = ""
) -> Rule:
    words = _words(planted)
    content = frozenset(w for w in words if len(w) > 1 and (all_words or w not in STOP))
    return Rule(
        observables=observables, planted=words, place=place, content=content, marks=marks, classes=classes
    )


def _tail(edit: str, *observables: str, marks: str = "", classes: str = "", all_words: bool = False) -> Rule:
    """Of an edit that appends one and the same text."""
    tail = EDITS[edit]("") or ""
    return _text(tail, "closing", *observables, marks=marks, classes=classes, all_words=all_words)


def _head(edit: str, *observables: str) -> Rule:
    """Of an edit that begins with one and the same text."""
    return _text(EDITS[edit]("") or "", "opening", *observables)


_SPELLINGS = frozenset(
    w + ending for pair in BRITISH.items() for w in pair for ending in ("", "s", "d", "ed", "r", "al", "ful")
) | frozenset(w.removesuffix("e") + "ing" for pair in BRITISH.items() for w in pair)

RULES: dict[str, Rule] = {
    "closing_question": _tail("closing_question", "closing_question", "closing_offer"),
    "certainly": _head("certainly", "opening_phrase"),
    "disclaimer": _tail("disclaimer", "safety_notes"),
    "hedge": _text("I could be wrong, but perhaps", "", "hedges"),
    "emoji": Rule(observables=("emoji",), marks=r"[😊✨]+", classes=r"\bemojis?\b"),
    "bold_headings": _text(
        "Overview Details Summary", "", "bold", marks=r"\*\*", classes=r"\bmarkdown marks\b"
    ),
    "bullets_to_numbers": Rule(
        observables=("numbered_items", "bullets"),
        marks=r"\d+[.)]?|[-*•]",
        classes=r"\bdigits\b|\bmarkdown marks\b|\bbullets\b",
    ),
    "table": _tail("table", "tables", marks=r"\|+|[-| ]{3,}", classes=r"\bmarkdown marks\b"),
    "code_fence": _tail("code_fence", "code_fences", marks=r"`{3}", classes=r"\bmarkdown marks\b"),
    "latex": _tail("latex", "latex", marks=r"\$+|\\+|[{}^]|\$\$.*"),
    "foreign_sentence": _tail("foreign_sentence", "non_english", all_words=True),
    "refusal": _head("refusal", "refusal", "apology"),
    "apology": _head("apology", "apology"),
    "capitals": Rule(observables=("capitals",), classes=r"\bcapitals?\b|\bupper ?case\b", term=_capitals),
    "url": _tail("url", "links", marks=r":?//|://.*"),
    "british": Rule(observables=("british_spelling",), content=_SPELLINGS),
    "double_spaces": Rule(observables=("double_spaces",), marks=r" {2,}", classes=r"\bblanks\b"),
    "repeated_sentence": Rule(
        observables=("repeated_sentences",), classes=r"\brepeat(?:s|ed)?\b|\brepetitions?\b|\bsaid before\b"
    ),
    "truncation": Rule(observables=("truncation", "words")),
    "as_an_ai": _head("as_an_ai", "as_an_ai"),
}
"""Rule of each edit."""


def names(edit: str, label: str) -> bool:
    """Whether a label, or a label and the line that explains it, names what the edit planted."""
    rule = RULES[edit]
    suffix = _SUFFIX.search(label)
    members = [part.strip() for part in suffix.group(1).split(",")] if suffix else []
    said = _SUFFIX.sub("", label)
    terms = _QUOTED.findall(said)
    outside = _QUOTED.sub(" ", said)
    for name in rule.observables:
        if name.replace("_", " ") in members or OBSERVABLES[name].description in outside:
            return True
    if rule.classes and re.search(rule.classes, outside):
        return True
    if rule.marks and any(re.fullmatch(rule.marks, t.strip() or t) for t in terms):
        return True
    if rule.term is not None and any(rule.term(t) for t in terms):
        return True
    if edit == "closing_question" and "?" in terms and _place(outside) == "closing":
        return True
    words = [_words(t) for t in terms]
    if any(rule.content.intersection(w) for w in words) or any(_in_a_row(w, rule.planted) for w in words):
        return True
    seen = set().union(*words).intersection(rule.planted) if words else set()
    return len(seen) >= 2 and bool(rule.place) and _place(outside) == rule.place


def _in_a_row(words: tuple[str, ...], planted: tuple[str, ...]) -> bool:
    known = {planted[i : i + _RUN] for i in range(len(planted) - _RUN + 1)}
    return any(words[i : i + _RUN] in known for i in range(len(words) - _RUN + 1))


def _place(outside: str) -> str:
    if re.search(r"\bopening\b|in the first", outside):
        return "opening"
    return "closing" if re.search(r"\bclosing\b|in the last", outside) else ""


def sharing(edit: str, other: str) -> bool:
    """Whether two edits plant the same thing in part, so that a label of one may rightly name the other."""
    a, b = RULES[edit], RULES[other]
    alike = set(a.observables) & set(b.observables) or a.content & b.content
    classes = set(a.classes.split("|")) & set(b.classes.split("|")) - {""}
    return edit == other or bool(alike) or bool(classes)
