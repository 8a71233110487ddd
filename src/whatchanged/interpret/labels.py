"""Short words for what a row fires on, made from the text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from whatchanged.interpret.candidates import CLOSING, OPENING, Candidate
from whatchanged.interpret.context import Context
from whatchanged.interpret.profile import Profile
from whatchanged.interpret.statement import percent
from whatchanged.text import OBSERVABLES

__all__ = ["Label", "label", "term_label", "within"]

LIFT = 2.0  # a telling word takes at least twice its share of the tokens
LEAST = 0.05  # of the activation, to be named at all
ENOUGH = 0.7  # of the activation, to stop naming
MOST = 4  # words named
DIFFUSE = 0.25  # of the activation; below it the words are only examples

_WORDS = re.compile(r'"[^"]*\w[^"]*"|\bwords\b')  # in a label: a quoted word, or words as a class

CLASS_WORDS = {
    "digits": "digits",
    "punctuation": "punctuation",
    "markdown": "markdown marks",
    "newline": "line breaks",
    "whitespace": "blanks",
    "capitals": "words in capitals",
    "other": "symbols",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label and where it came from.

    Attributes:
        text: The label.
        source: ``lexical``, ``observable``, or the name of an importer.
        note: A line that says how much of the activation the label covers; empty where it covers all.
    """

    text: str
    source: str
    note: str = ""


def term_label(term: str) -> str:
    """A lexical term as people read it: openings, bullets and paragraph breaks in words."""
    if term.startswith("^") and len(term) > 1:
        return f'opening "{term[1:]}"'
    if term.strip(" \t") == "\n\n":
        return "paragraph breaks"
    if term.startswith("\n"):
        return f'bullets "{term[1:]}"'
    return f'"{term}"'


def label(candidate: Candidate, profile: Profile) -> Label:
    """Label of one row: the term, the observable's description, or what the feature fires on.

    A feature's label names up to four words or marks that take most of its activation and are at
    least twice as frequent there as among all tokens of the same answers; then its place, if at least
    80 % of the activation stands in the opening or the closing.
    """
    place = f" · {profile.place}" if profile.place else ""
    if candidate.kind == "observable":
        known = OBSERVABLES.get(candidate.name)
        said = known.description if known else candidate.name.replace("_", " ")
        tested = candidate.statistic if candidate.statistic in {"opening", "closing"} else ""
        elsewhere = tested and not (known and known.anchor == tested)
        return Label(text=f"{said} · {tested}" if elsewhere else said, source="observable")
    if candidate.kind == "lexical":
        anchored = candidate.name.startswith("^") and len(candidate.name) > 1
        return Label(text=term_label(candidate.name) + ("" if anchored else place), source="lexical")
    if not profile.answers:
        return Label(
            text=f"feature {candidate.name}", source="lexical", note="No activation was found to describe."
        )
    named, covered = _telling(profile)
    quoted = ", ".join(_quoted(w) for w in named)
    where = {"opening": f", in the first {OPENING} tokens", "closing": f", in the last {CLOSING} tokens"}
    note = f"Fires on {quoted} ({percent(covered)} of its activation){where.get(profile.place, '')}."
    main = max(profile.classes, key=lambda name: profile.classes[name])
    if covered >= DIFFUSE:
        return Label(text=quoted + place, source="lexical", note=note)
    if main in CLASS_WORDS and profile.classes[main] >= 0.5:
        note = f"Fires on {CLASS_WORDS[main]} ({percent(profile.classes[main])} of its activation)."
        return Label(text=CLASS_WORDS[main] + place, source="lexical", note=note)
    if not named:
        return Label(
            text=f"many words{place}", source="lexical", note="No word stands out in what it fires on."
        )
    examples = f"many words, such as {quoted}"
    return Label(text=examples + place, source="lexical", note=note)


def within(said: Label, context: Context | None) -> Label:
    """The label of a feature with the words in which it is new, unless the label quotes them itself.

    They go before the place (``"that" in "please note that this is" · closing``). The label still says all
    that the feature fires on; the context says where the change is, so a line says how much of it is there.
    A single word is no context of a word, only of a mark.
    """
    if context is None or f'"{context.words}"'.casefold() in said.text.casefold():
        return said
    if " " not in context.words and _WORDS.search(said.text):
        return said
    what, dot, place = said.text.partition(" · ")
    share = (
        f"Where it is new, it stands in “{context.words}” in {percent(context.share)} of "
        f"{context.pairs} pairs looked at."
    )
    return replace(said, text=f'{what} in "{context.words}"{dot}{place}', note=f"{said.note} {share}".strip())


def _telling(profile: Profile) -> tuple[list[str], float]:
    """Words worth naming, largest share first, and the share they cover together."""
    telling = [w for w in profile.words if w[1] >= max(LEAST, LIFT * w[2])]
    telling = telling[:MOST] or list(profile.words[:3])
    named: list[str] = []
    covered = 0.0
    for word, share, _ in telling:
        named.append(word)
        covered += share
        if covered >= ENOUGH:
            break
    return named, min(covered, 1.0)


def _quoted(word: str) -> str:
    return word if word.endswith(("line break", "blank", "blanks")) else f'"{word}"'
