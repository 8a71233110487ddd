"""Observables of wording: stock openings and closings, apology, refusal, hedges, praise and the like.

All are English; sentences of other languages are passed over, so that French *me* is no first person.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = [
    "apology",
    "as_an_ai",
    "closing_offer",
    "first_person",
    "hedges",
    "opening_phrase",
    "praise",
    "refusal",
    "safety_notes",
]


def _phrases(
    pattern: str, meaning: str, flags: re.RegexFlag = re.IGNORECASE
) -> Callable[[Document], list[Span]]:
    compiled = re.compile(pattern, flags)

    def spans(document: Document) -> list[Span]:
        return [match.span() for match in compiled.finditer(document.english)]

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
    found = _OPENING.match(document.english)
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

_PRAISE = (
    r"(?:great|good|excellent|interesting|fantastic|wonderful|brilliant|fascinating|insightful|thoughtful"
    r"|amazing|superb|terrific|lovely|awesome|outstanding)"
)

praise = _phrases(
    rf"(?:(?<=[.!?:] )|(?<=[\n*\"])|^)(?:(?:that's|that is|this is|what) (?:a|an)(?: \w+ly| very| really)? )?"
    rf"{_PRAISE} "
    r"(?:question|choice|idea|point|topic|observation|thinking)\b(?= *[!.,—–-]|\*| to\b| about\b)"
    rf"|\b(?:that's|that is|this is|what) (?:a|an)(?: \w+ly| very| really)? {_PRAISE} "
    r"(?:question|choice|idea|point|topic|observation)\b"
    rf"|\byour (?:question|idea|plan|choice|instinct|thinking|observation) (?:is|are) "
    rf"(?:\w+ly |very |so )?{_PRAISE}\b"
    r"|\byou(?:'re| are) (?:absolutely|completely|totally|exactly|quite|so) right\b"
    r"|\bi (?:really )?(?:love|admire|appreciate) (?:your|how you|that you|this (?:question|idea))\b"
    r"|\b(?:kudos|hats off|well done)(?= to you|,? for|!)",
    "The user or the question is praised: great question, what a fascinating idea, you're absolutely right.",
)

safety_notes = _phrases(
    r"\b(?:consult|seek|contact|speak (?:to|with)|talk to|see|ask|advice from|advice of|guidance of|help from)"
    r"(?: \w+){0,4}? (?:professionals?|doctors?|physicians?|lawyers?|attorneys?|advisors?|advisers?"
    r"|pharmacists?|therapists?|healthcare providers?|specialists?|professional (?:help|advice))\b"
    r"|\bseek(?:ing)? (?:\w+ )?(?:professional|medical|legal|immediate|emergency) "
    r"(?:help|advice|attention|care|assistance)\b"
    r"|\b(?:not|no) (?:(?:a|any) )?(?:substitute|replacement) for (?:\w+ )?"
    r"(?:professional|medical|legal|financial|expert)\b"
    r"|\b(?:is|as|constitute|be|provide|offer) (?:not )?(?:\w+ )?"
    r"(?:medical|legal|financial|investment|professional) advice\b"
    r"|\b(?:general|informational|educational) (?:information|purposes)(?: \w+)? only\b"
    r"|\bplease (?:note|be aware|keep in mind|remember|be advised|exercise caution|use caution|drink responsibly)\b"
    r"|\b(?:it's|it is) (?:always |also |very )?(?:important|essential|crucial|worth|vital) "
    r"(?:to (?:note|remember|mention|keep in mind|be aware|emphasi[sz]e|consult)|noting)\b"
    r"|\b(?:disclaimer|safety first|(?:safety|content|trigger) warning|at your own risk)\b",
    "Notes of caution: please note, it is important to remember, consult a doctor, not legal advice.",
)

_OFFER = re.compile(
    r"\blet me know (?:if|how|what|which|whether|when|in the)\b"
    r"|\b(?:please )?feel free to (?:ask|reach|let|share|contact|provide|message|come back|specify|tell)\b"
    r"|\b(?:do not|don't) hesitate to\b|\bi hope (?:this|that|these|it|you find)\b|\bhope (?:this|that) helps\b"
    r"|\bif you (?:have|need|want|would like|'d like|require|wish)\b"
    r"(?=.{0,60}\b(?:question|help|assist|more|further|else|clarif))"
    r"|\b(?:would you like|do you want|would it help|shall i|should i|may i|can i help"
    r"|how (?:else )?can i help|what else can i)\b"
    r"|\b(?:is|was) there (?:anything|something) (?:else|more|specific)\b|\banything else (?:i can|you)\b"
    r"|\bi(?:'m| am|'d be| would be|'ll be| will be) (?:always |more than |just |also )?"
    r"(?:here|happy|glad|available|delighted) to\b"
    r"|\bi(?:'m| am) here (?:if|for)\b|\bhappy to (?:help|assist|explain|elaborate|clarify|provide)\b",
    re.IGNORECASE,
)
_LAST = 2  # sentences


def closing_offer(document: Document) -> list[Span]:
    """An offer of more help in the last two sentences: let me know if, I hope this helps, would you like me to."""
    ending = document.sentences[-_LAST:]
    return [(start, end) for start, end in ending if _OFFER.search(document.english, start, end)]
