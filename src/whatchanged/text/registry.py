"""The observables by name: what each counts, how a label may call it, where it can stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from whatchanged.text import markup, phrases, punctuation
from whatchanged.text.document import Document
from whatchanged.text.repetition import repeated_sentences
from whatchanged.text.spelling import british_spelling
from whatchanged.text.words import Span

__all__ = ["OBSERVABLES", "OBSERVABLE_WORDS", "Observable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observable:
    """One countable property of an answer.

    Attributes:
        name: Column name.
        description: What is counted, in one line.
        words: Words and phrases by which a label may name it, lower case, hyphens written as blanks.
        opposites: Words and phrases that name less of it: *concise* says that there are fewer words.
        spans: Finds its occurrences; ``None`` for a quantity of the whole answer.
        amount: Measures a quantity of the whole answer; ``None`` for what is counted.
        anchor: Where it can stand. What stands at the end by definition (``closing``) or belongs to
            the whole answer (``whole``) is lost or distorted when an answer is cut to a prefix.
        is_mark: Whether it counts a bare mark or layout. What puts the mark there names a change better:
            a closing question rather than question marks.
        is_length: Whether it is the answer's length itself. Its change is reported, with the tag
            ``length``, and is never a behaviour: the length rule holds length equal, and then nothing of
            it is left.
    """

    name: str
    description: str
    words: tuple[str, ...]
    spans: Callable[[Document], list[Span]] | None = None
    amount: Callable[[Document], float] | None = None
    anchor: Literal["anywhere", "opening", "closing", "whole"] = "anywhere"
    opposites: tuple[str, ...] = ()
    is_mark: bool = False
    is_length: bool = False


_REGISTRY = (
    Observable(
        name="numbered_items",
        description="lines that begin with a number and a full stop or bracket",
        words=("numbered", "numbering", "enumerated", "enumeration", "ordered list", "ordered lists"),
        spans=markup.numbered_items,
    ),
    Observable(
        name="bullets",
        description="lines that begin with a bullet",
        words=("bullet", "bullets", "bulleted", "bulletpoint", "bulletpoints", "unordered"),
        spans=markup.bullets,
    ),
    Observable(
        name="bold",
        description="bold stretches (** or __)",
        words=("bold", "bolded", "boldface", "bolding"),
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
        words=("code", "code block", "code blocks", "codeblock", "fence", "fenced", "snippet", "snippets"),
        spans=lambda document: document.fences,
    ),
    Observable(
        name="inline_code",
        description="code between backticks inside a line",
        words=("inline code", "backtick", "backticks"),
        spans=lambda document: document.inline_code,
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
        spans=punctuation.exclamation_marks,
        is_mark=True,
    ),
    Observable(
        name="question_marks",
        description="question marks",
        words=(
            "question mark",
            "question marks",
            "interrogative",
            "interrogatives",
            "rhetorical question",
            "rhetorical questions",
        ),
        spans=punctuation.question_marks,
        is_mark=True,
    ),
    Observable(
        name="parentheses",
        description="remarks in round brackets",
        words=(
            "parenthesis",
            "parentheses",
            "parenthetical",
            "parentheticals",
            "bracket",
            "brackets",
            "round brackets",
        ),
        spans=punctuation.parentheses,
        is_mark=True,
    ),
    Observable(
        name="quotations",
        description="stretches in double quotation marks",
        words=(
            "quotation",
            "quotations",
            "quotation mark",
            "quotation marks",
            "quote",
            "quotes",
            "quoted",
            "quote marks",
        ),
        spans=punctuation.quotations,
        is_mark=True,
    ),
    Observable(
        name="em_dashes",
        description="dashes between parts of a sentence",
        words=("em dash", "em dashes", "dash", "dashes"),
        spans=punctuation.em_dashes,
        is_mark=True,
    ),
    Observable(
        name="ellipses",
        description="three dots (... or …)",
        words=("ellipsis", "ellipses", "trailing dots", "three dots"),
        spans=punctuation.ellipses,
        is_mark=True,
    ),
    Observable(
        name="capitals",
        description="words in capitals that are no acronyms",
        words=(
            "capitals",
            "capital letters",
            "capitalised",
            "capitalized",
            "capitalization",
            "uppercase",
            "upper case",
            "all caps",
            "shouting",
            "shouted",
        ),
        spans=punctuation.capitals,
        opposites=("lowercase", "lower case"),
    ),
    Observable(
        name="closing_question",
        description="the answer ends with a question",
        words=("question", "questions", "follow up", "followup", "asks", "asking"),
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
        name="praise",
        description="praise of the user or the question (great question, you are absolutely right)",
        words=(
            "praise",
            "praises",
            "praising",
            "flattery",
            "flattering",
            "sycophancy",
            "sycophantic",
            "compliment",
            "compliments",
            "complimenting",
        ),
        spans=phrases.praise,
    ),
    Observable(
        name="closing_offer",
        description="the answer ends with an offer of more help",
        words=(
            "closing offer",
            "offer of help",
            "offers of help",
            "offers help",
            "offering help",
            "offers assistance",
            "offering assistance",
            "offer of assistance",
            "further assistance",
            "let me know",
            "hope this helps",
        ),
        spans=phrases.closing_offer,
        anchor="closing",
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
        words=("hedge", "hedges", "hedging", "hedged", "uncertain", "uncertainty", "tentative"),
        opposites=("confident", "confidence", "certainty", "assertive", "assertiveness"),
        spans=phrases.hedges,
    ),
    Observable(
        name="first_person",
        description="first person (I, me, my, mine, myself)",
        words=("first person", "self reference", "self referential", "pronoun", "pronouns"),
        spans=phrases.first_person,
    ),
    Observable(
        name="as_an_ai",
        description="the model calls itself an AI or disclaims opinions and feelings",
        words=("ai", "self identification", "self description", "language model"),
        spans=phrases.as_an_ai,
    ),
    Observable(
        name="safety_notes",
        description="disclaimers and notes of caution (please note, consult a doctor)",
        words=(
            "disclaimer",
            "disclaimers",
            "safety",
            "safety note",
            "safety notes",
            "warning",
            "warnings",
            "caution",
            "cautions",
            "cautionary",
            "caveat",
            "caveats",
        ),
        spans=phrases.safety_notes,
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
        words=(
            "double space",
            "double spaces",
            "double spacing",
            "extra spaces",
            "spaces",
            "spacing",
            "whitespace",
        ),
        spans=markup.double_spaces,
    ),
    Observable(
        name="repeated_sentences",
        description="sentences the answer has said before",
        words=("repeated", "repetition", "repetitions", "repetitive", "repeating", "repeats"),
        spans=repeated_sentences,
    ),
    Observable(
        name="british_spelling",
        description="words in British spelling",
        words=("british", "british spelling", "british english", "uk spelling"),
        spans=british_spelling,
        opposites=("american spelling", "us spelling", "american english"),
    ),
    Observable(
        name="paragraphs",
        description="breaks between paragraphs",
        words=("paragraph", "paragraphs", "paragraph break", "paragraph breaks"),
        spans=markup.paragraphs,
        is_mark=True,
    ),
    Observable(
        name="template_leak",
        description="pieces of a chat template, such as a line that opens with User:",
        words=(
            "chat template",
            "role marker",
            "role markers",
            "role word",
            "role words",
            "special token",
            "special tokens",
            "template tokens",
        ),
        spans=markup.template_leak,
    ),
    Observable(
        name="non_english",
        description="sentences in another language than English",
        words=(
            "non english",
            "foreign",
            "language",
            "multilingual",
            "spanish",
            "french",
            "german",
            "chinese",
        ),
        spans=lambda document: document.foreign,
    ),
    Observable(
        name="truncation",
        description="the answer stops in mid-sentence, or the provider says it ran out of tokens",
        words=("truncation", "truncated", "cut off", "incomplete", "unfinished"),
        spans=markup.truncation,
        anchor="closing",
    ),
    Observable(
        name="words",
        description="length: number of words",
        words=("length", "longer", "verbose", "verbosity", "lengthy", "long winded", "wordy"),
        opposites=("shorter", "concise", "conciseness", "brevity", "brief", "terse", "succinct"),
        is_length=True,
        amount=lambda document: float(len(document.starts)),
        anchor="whole",
    ),
    Observable(
        name="sentence_length",
        description="length of sentences: mean number of words",
        words=("sentence length", "long sentences", "longer sentences"),
        opposites=("short sentences", "shorter sentences"),
        amount=markup.sentence_length,
        anchor="whole",
    ),
)

OBSERVABLES: Mapping[str, Observable] = MappingProxyType({o.name: o for o in _REGISTRY})
"""Every observable by name, in the order of the columns."""

OBSERVABLE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType({o.name: o.words for o in _REGISTRY})
"""Words (lower case) that a label may use to name each observable."""
