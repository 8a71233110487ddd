"""Observables of wording: stock openings, apology, refusal, hedges, first person, self-description."""

from __future__ import annotations

import re
from collections.abc import Callable

from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = ["apology", "as_an_ai", "first_person", "hedges", "opening_phrase", "refusal"]


def _phrases(
    pattern: str, meaning: str, flags: re.RegexFlag = re.IGNORECASE
) -> Callable[[Document], list[Span]]:
    compiled = re.compile(pattern, flags)

    def spans(document: Document) -> list[Span]:
        return [match.span() for match in compiled.finditer(document.plain)]

    spans.__doc__ = meaning
    return spans


_OPENING = re.compile(
    r"[\s*_\"'#>]*(?:"
    r"(?:certainly|sure(?: thing)?|of course|absolutely|definitely|gladly|no problem|okay|ok|alright"
    r"|all right|got it|great|excellent|understood)\b(?=\s*[!,.:;—–-]|\s+(?:here|let|i\b|i'))"
    r"|(?:(?:that's|that is|what) (?:a|an) )?(?:great|good|excellent|interesting|fantastic|wonderful) "
    r"(?:question|choice|idea|topic)"
    r"|(?:i'd|i would|i'll|i will|i am|i'm) be (?:happy|glad|delighted) to"
    r"|(?:i'm|i am) (?:happy|glad|delighted) to"
    r"|(?:happy|glad) to help"
    r"|thank you for (?:your|the|asking)|thanks for (?:your|the|asking))",
    re.IGNORECASE,
)


def opening_phrase(document: Document) -> list[Span]:
    """A stock phrase before the answer proper, at its very start."""
    found = _OPENING.match(document.plain)
    if found is None:
        return []
    start = document.starts[0]
    return [(start, start + 1)]


apology = _phrases(
    r"\b(?:(?:i'm|i am|we're|we are) (?:\w+ly |so |very )?sorry\b|sorry[,!]|sorry (?:for|about|but)\b"
    r"|(?:i|we) (?:\w+ly |do |must )?apologi[sz]e\b|(?:my|our|sincere) apologies\b|apologies (?:for|if)\b)",
    "Words of regret: I'm sorry, I apologise, my apologies.",
)

refusal = _phrases(
    r"\b(?:i|we)(?: |')(?:(?:can(?:'t|not| not)|could not|couldn't|won't|will not"
    r"|(?:am |'?m )?(?:unable|not able|not allowed|not permitted|not programmed|not comfortable)(?: to)?) "
    r"(?:\w+ly )?"
    r"(?:help|assist|provid|comply|fulfil|answer|creat|writ|generat|support|engag|participat|giv|shar|offer"
    r"|complet|do th|discuss|access|brows|open|promot|encourag|endors|continu|respond|predict)\w*"
    r"|(?:must|have to|will have to|need to) (?:\w+ly )?(?:decline|refuse)\b)"
    r"|\b(?:against|violates?) (?:my|our|the) (?:\w+ )?(?:guidelines|programming|polic(?:y|ies)|principles)\b"
    r"|\bnot (?:something|a topic|a request) i (?:can|am able to|'m able to)\b",
    "The speaker declines or says it is unable: I can't help with, I must decline.",
)

_I = r"(?<!War )(?<!Part )(?<!Type )(?<!Phase )(?<!Class )(?<!Chapter )\bI(?='|,?\s+(?:[a-z(]|[A-Z]{2}))"

first_person = _phrases(
    rf"{_I}|\b(?:[Mm]e|[Mm]y|[Mm]ine|[Mm]yself)\b",
    "I, me, my, mine, myself; a roman numeral does not count.",
    re.RegexFlag(0),
)

hedges = _phrases(
    r"\b(?:(?-i:may|MAY)(?! \d)|perhaps|maybe|possibly|probably|presumably|arguably|seemingly|apparently"
    r"|might|could be|likely|seems?|appears? to|tends? to"
    r"|i think|i believe|i guess|i suppose|i could be wrong"
    r"|not (?:\w+ly )?sure|it depends|it(?:'s| is) possible|to some extent|in some cases"
    r"|generally|typically|usually)\b",
    "Words of uncertainty: perhaps, might, it seems, generally; the month of May does not count.",
)

as_an_ai = _phrases(
    r"\b(?:as|i'm(?: just| only)?|i am(?: just| only)?|being) (?:an?|your) "
    r"(?:(?!(?:with|of|in|for|who|and|at|on|to)\b)\w+[ -]){0,3}?"
    r"(?:ai|artificial intelligence|language model|llm|chatbot|virtual assistant|computer program)\b"
    r"|\bi (?:do not|don't) have (?:\w+ ){0,2}?(?:personal|feelings|emotions|opinions|beliefs)\b",
    "The speaker calls itself an AI or says it has no personal opinions or feelings.",
)
