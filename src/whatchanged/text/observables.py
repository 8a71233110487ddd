"""Observables: properties of an answer that anyone can check with a regular expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from whatchanged.artifacts import Occurrences, Responses
from whatchanged.text import markup, phrases
from whatchanged.text.document import Document
from whatchanged.text.language import non_english
from whatchanged.text.table import Entry, occurrences
from whatchanged.text.words import Span, locate

__all__ = ["OBSERVABLES", "OBSERVABLE_WORDS", "Observable", "measure", "observables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observable:
    """One countable property of an answer.

    Attributes:
        name: Column name.
        description: What is counted, in one line.
        words: Words by which a label may name it, lower case.
        spans: Finds its occurrences; ``None`` for a quantity of the whole answer.
        amount: Measures a quantity of the whole answer; ``None`` for what is counted.
        anchor: Where it can stand. What stands at the end by definition (``closing``) or belongs to
            the whole answer (``whole``) is lost or distorted when an answer is cut to a prefix.
    """

    name: str
    description: str
    words: tuple[str, ...]
    spans: Callable[[Document], list[Span]] | None = None
    amount: Callable[[Document], float] | None = None
    anchor: Literal["anywhere", "opening", "closing", "whole"] = "anywhere"


_REGISTRY = (
    Observable(
        name="numbered_items",
        description="lines that begin with a number and a full stop or bracket",
        words=("numbered", "numbering", "enumerated", "enumeration", "ordered"),
        spans=markup.numbered_items,
    ),
    Observable(
        name="bullets",
        description="lines that begin with a bullet",
        words=("bullet", "bullets", "bulleted", "bulletpoint", "unordered"),
        spans=markup.bullets,
    ),
    Observable(
        name="bold",
        description="bold stretches (** or __)",
        words=("bold", "bolded", "boldface"),
        spans=markup.bold,
    ),
    Observable(
        name="headings",
        description="markdown headings (#)",
        words=("heading", "headings", "header", "headers"),
        spans=markup.headings,
    ),
    Observable(
        name="tables",
        description="markdown tables",
        words=("table", "tables", "tabular"),
        spans=markup.tables,
    ),
    Observable(
        name="code_fences",
        description="fenced code blocks",
        words=("code", "codeblock", "fence", "fenced", "snippet", "snippets"),
        spans=lambda document: document.fences,
    ),
    Observable(
        name="latex",
        description="LaTeX formulas, environments and commands",
        words=("latex", "formula", "formulas", "equation", "equations"),
        spans=lambda document: document.maths,
    ),
    Observable(name="emoji", description="emoji", words=("emoji", "emojis", "emoticon"), spans=markup.emoji),
    Observable(
        name="exclamation_marks",
        description="exclamation marks",
        words=("exclamation", "exclamations", "exclamatory"),
        spans=markup.exclamation_marks,
    ),
    Observable(
        name="closing_question",
        description="the answer ends with a question",
        words=("question", "questions", "follow-up", "followup", "asks", "asking"),
        spans=markup.closing_question,
        anchor="closing",
    ),
    Observable(
        name="opening_phrase",
        description="a stock opening such as Certainly or Great question",
        words=("opening", "opener", "certainly", "sure", "absolutely", "affirmation", "pleasantry"),
        spans=phrases.opening_phrase,
        anchor="opening",
    ),
    Observable(
        name="apology",
        description="words of regret (sorry, apologise)",
        words=("apology", "apologies", "apologizing", "apologising", "apologetic", "sorry", "regret"),
        spans=phrases.apology,
    ),
    Observable(
        name="refusal",
        description="the model declines or says it is unable",
        words=("refusal", "refusals", "refuse", "refuses", "refusing", "decline", "declines", "declining"),
        spans=phrases.refusal,
    ),
    Observable(
        name="hedges",
        description="words of uncertainty (perhaps, might, it seems)",
        words=("hedge", "hedges", "hedging", "hedged", "uncertain", "uncertainty", "tentative", "caveat"),
        spans=phrases.hedges,
    ),
    Observable(
        name="first_person",
        description="first person (I, me, my, mine, myself)",
        words=("first-person", "self-reference", "self-referential", "pronoun", "pronouns"),
        spans=phrases.first_person,
    ),
    Observable(
        name="as_an_ai",
        description="the model calls itself an AI or disclaims opinions and feelings",
        words=("ai", "self-identification", "self-description", "disclaimer", "disclaimers"),
        spans=phrases.as_an_ai,
    ),
    Observable(
        name="links",
        description="web addresses and markdown links",
        words=("link", "links", "url", "urls", "hyperlink", "hyperlinks", "website"),
        spans=lambda document: document.links,
    ),
    Observable(
        name="double_spaces",
        description="two or more spaces between words inside a line",
        words=("space", "spaces", "spacing", "double-space", "whitespace"),
        spans=markup.double_spaces,
    ),
    Observable(
        name="non_english",
        description="sentences in another language than English",
        words=(
            "non-english",
            "foreign",
            "language",
            "multilingual",
            "spanish",
            "french",
            "german",
            "chinese",
        ),
        spans=non_english,
    ),
    Observable(
        name="truncation",
        description="the answer stops in mid-sentence, or the provider says it ran out of tokens",
        words=("truncation", "truncated", "cut-off", "incomplete", "unfinished"),
        spans=markup.truncation,
        anchor="closing",
    ),
    Observable(
        name="words",
        description="length: number of words",
        words=("length", "longer", "shorter", "verbose", "verbosity", "concise", "brevity", "lengthy"),
        amount=lambda document: float(len(document.starts)),
        anchor="whole",
    ),
    Observable(
        name="sentence_length",
        description="length of sentences: mean number of words",
        words=("sentence", "sentences"),
        amount=markup.sentence_length,
        anchor="whole",
    ),
)

OBSERVABLES: Mapping[str, Observable] = MappingProxyType({o.name: o for o in _REGISTRY})
"""Every observable by name, in the order of the columns."""

OBSERVABLE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType({o.name: o.words for o in _REGISTRY})
"""Words (lower case) that a label may use to name each observable."""


def measure(document: Document) -> list[Entry]:
    """The observables that occur in one answer, by column."""
    entries = []
    for column, observable in enumerate(_REGISTRY):
        if observable.spans is not None:
            place = locate(observable.spans(document), document.starts)
            if place is not None:
                first, last, count = place
                entries.append(Entry(column, float(count), count, first, last))
        else:
            assert observable.amount is not None, "an observable is counted or measured"
            amount = observable.amount(document)
            if amount > 0:
                last = max(len(document.starts) - 1, 0)
                entries.append(Entry(column, amount, max(1, round(amount)), 0, last))
    return entries


def observables(responses: Responses) -> Occurrences:
    """Every observable in every answer.

    Counted things have ``maximum = total = count``. For ``sentence_length`` maximum and total are
    the mean itself and count is its rounding; ``words`` and ``sentence_length`` span the answer.
    ``truncation`` goes by the finish reasons only where every answer has one, else by the text alone:
    two sides must not be judged by different rules.

    Args:
        responses: The answers.

    Returns:
        One row per answer; positions and ``n_units`` count words.
    """
    told = all(a.finish_reason is not None for a in responses.answers)
    rows, n_units = [], []
    for answer in responses.answers:
        document = Document(answer.text, answer.truncated if told else None)
        rows.append(measure(document))
        n_units.append(len(document.starts))
    return occurrences("observable", tuple(OBSERVABLES), rows, n_units)
