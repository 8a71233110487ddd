"""What can be counted of a label or a finding: terms, marks and observables, without an LLM."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from whatchanged.artifacts import Answer, Diff, Finding
from whatchanged.interpret.candidates import CLOSING, OPENING
from whatchanged.interpret.concordance import named_observables
from whatchanged.interpret.matches import observable_spans, term_spans
from whatchanged.text import OBSERVABLES
from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = ["Matcher", "label_matcher", "matcher", "observable_matcher", "read_matcher", "terms_matcher"]

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”')
_CONTEXT = re.compile(r' in "[^"]+"(?= · |$)')
_SUFFIX = re.compile(r" \(\+ [^()]*\)$")
_BLANKS = re.compile(r"\b(\d+) blanks\b")
_CLASSES = {
    "line breaks": r"\n",
    "line break": r"\n",
    "digits": r"\d+",
    "punctuation": r"[^\w\s*#`|~]",
    "markdown marks": r"\*\*|^#+ |^[-*+] |`+|\|",
    "blanks": r" {2,}",
}
_TERM = re.compile(r'(opening|bullets) "(.*)"', re.DOTALL)
_LESS, _NUMBER = "less of ", "number of "
_COUNTED = frozenset({"log_count", "log_maximum", "high_presence"})

Finder = Callable[[Document], list[Span]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Counts one thing in an answer.

    Attributes:
        name: What is counted, in words.
        sense: 1, or -1 where a label speaks of having less of what is counted.
        place: ``opening`` (first 16 words), ``closing`` (last 24), or empty for anywhere.
        counted: Whether more of it is more, and not only having it.
        spans: Where it stands in a text; ``None`` for a quantity of the whole answer.
        amount: That quantity.
    """

    name: str
    sense: int = 1
    place: str = ""
    counted: bool = False
    spans: Finder | None = field(default=None, compare=False)
    amount: Callable[[Document], float] | None = field(default=None, compare=False)

    @property
    def said(self) -> str:
        """All it takes to count the same again (`read_matcher`), in words: ``number of bullets · closing``."""
        number = _NUMBER if self.counted and self.amount is None else ""
        place = f" · {self.place}" if self.place else ""
        return f"{_LESS if self.sense < 0 else ''}{number}{self.name}{place}"

    def value(self, answer: Answer) -> float:
        """How much of it an answer has; 0 or 1 where only having it counts."""
        document = Document(answer.text, None if answer.finish_reason is None else answer.truncated)
        if self.amount is not None:
            return float(self.amount(document))
        assert self.spans is not None, "a matcher counts or measures"
        found = self.spans(document)
        if self.place and found:
            starts = document.starts
            edge = len(starts) - CLOSING
            words = [max(bisect_right(starts, start) - 1, 0) for start, _ in found]
            found = [
                span
                for span, word in zip(found, words, strict=True)
                if (word < OPENING if self.place == "opening" else word >= edge)
            ]
        return float(len(found)) if self.counted else float(bool(found))


def label_matcher(label: str) -> Matcher | None:
    """What a label lets one count: its quoted terms, the class it names, or the observable it names.

    A place after `` · `` narrows it; the words in which a feature is new do not, as it fires elsewhere too.
    ``None`` where the label names nothing countable.
    """
    said, place = _CONTEXT.sub("", _SUFFIX.sub("", label)).partition(" · ")[::2]
    place = place if place in {"opening", "closing"} else ""
    terms = [a or b for a, b in _QUOTED.findall(said)]
    outside = _QUOTED.sub(" ", said)
    patterns = [_term(t) for t in terms]
    patterns += [rf"(?<! ) {{{n}}}(?! )" for n in _BLANKS.findall(outside)]
    named = {part.strip() for part in outside.split(",")}
    patterns += [pattern for name, pattern in _CLASSES.items() if name in named]
    if patterns:
        return _patterns(said, patterns, place=place)
    for name, sense in named_observables(label).items():
        return observable_matcher(name, sense=sense)
    return None


def read_matcher(said: str) -> Matcher | None:
    """The matcher that `Matcher.said` describes; ``None`` where the words name nothing countable."""
    rest = said.removeprefix(_LESS)
    sense = 1 if rest == said else -1
    name, _, place = rest.removeprefix(_NUMBER).partition(" · ")
    counted = rest.startswith(_NUMBER)
    known = observable_matcher(name.replace(" ", "_"), sense=sense, place=place, counted=counted)
    if known is not None:
        return known
    if term := _TERM.fullmatch(name):
        wanted = frozenset({("^" if term[1] == "opening" else "\n") + term[2]})
    elif name == "paragraph breaks":
        wanted = frozenset({"\n\n"})
    else:
        found = label_matcher(name)
        return None if found is None else replace(found, sense=sense, place=place, counted=counted)
    return Matcher(
        name=name,
        sense=sense,
        place=place,
        counted=counted,
        spans=lambda d: [span for _, span in term_spans(d.text, wanted)],
    )


def terms_matcher(terms: Sequence[str], *, place: str = "", counted: bool = False) -> Matcher:
    """Counts words, marks or phrases, each whole and whatever its case.

    Raises:
        ValueError: No term, or one that is empty.
    """
    if not terms or not all(term.strip() for term in terms):
        raise ValueError(f"terms to count are words, marks or phrases; got {list(terms)!r}; name one or more")
    said = ", ".join(f'"{term}"' for term in terms)
    return _patterns(said, list(map(_term, terms)), place=place, counted=counted)


def _patterns(name: str, patterns: Sequence[str], *, place: str = "", counted: bool = False) -> Matcher:
    joined = re.compile("|".join(dict.fromkeys(patterns)), re.IGNORECASE | re.MULTILINE)
    return Matcher(
        name=name,
        place=place,
        counted=counted,
        spans=lambda d: [m.span() for m in joined.finditer(d.text)],
    )


def matcher(finding: Finding, diff: Diff) -> Matcher | None:
    """What can be counted of a finding of a diff; ``None`` where there is nothing to count.

    That is its observable or term, and of a feature what its label names, else an observable that moved
    with it.
    """
    counted = finding.statistic in _COUNTED
    place = finding.statistic if finding.statistic in {"opening", "closing"} else ""
    name = str(diff.table["feature"].iloc[finding.rows[0]])
    if finding.kind == "observable":
        return observable_matcher(name, place=place, counted=counted)
    if finding.kind == "lexical":
        wanted = frozenset({name})
        return Matcher(
            name=_SUFFIX.sub("", finding.label).partition(" · ")[0],
            place=place,
            counted=counted,
            spans=lambda d: [span for _, span in term_spans(d.text, wanted)],
        )
    found = label_matcher(finding.label)
    if found is None:
        agreed = next((name for name in finding.agrees if name in OBSERVABLES), None)
        return observable_matcher(agreed, counted=counted) if agreed else None
    if found.amount is not None:
        return found
    return Matcher(
        name=found.name, sense=found.sense, place=found.place or place, counted=counted, spans=found.spans
    )


def observable_matcher(
    name: str, *, sense: int = 1, place: str = "", counted: bool = False
) -> Matcher | None:
    """Counts an observable by its name in `whatchanged.text.OBSERVABLES`; ``None`` where there is none of it."""
    observable = OBSERVABLES.get(name)
    if observable is None:
        return None
    said = name.replace("_", " ")
    if observable.spans is None:
        return Matcher(name=said, sense=sense, counted=True, amount=observable.amount)
    return Matcher(
        name=said,
        sense=sense,
        place=place,
        counted=counted,
        spans=lambda d: observable_spans(name, d),
    )


def _term(term: str) -> str:
    """A pattern for one quoted word or mark, which must not be a piece of a longer word or number."""
    before = r"(?<!\w)" if term[0].isalnum() else ""
    after = r"(?!\w)" if term[-1].isalnum() else ""
    return before + re.escape(term) + after
