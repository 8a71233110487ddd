"""Observable: words in British spelling."""

from __future__ import annotations

import re
from functools import lru_cache

from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = ["british_spelling"]

_OUR = (
    "arm|behavi|cand|clam|col|demean|endeav|fav|ferv|flav|harb|hon|hum|lab|neighb|od|parl|ranc|rum|sav|splend|"
    "tum|val|vap|vig"
)
# Stems by name: *exercise*, *promise* and *surprise* are spelt alike everywhere.
_ISE = (
    "acclimat|agon|alphabet|amort|anaesthet|antagon|apolog|author|bapt|brutal|capital|categor|central|character|civil|"
    "colon|commercial|computer|conceptual|contextual|critic|crystall|custom|decentral|democrat|demon|"
    "deputi|destabil|digit|dramat|econom|emphas|energ|equal|external|familiar|fantas|fertil|final|formal|"
    "general|global|harmon|hospital|hypothes|ideal|immobil|immun|incentiv|individual|industrial|initial|"
    "institutional|internal|item|jeopard|legal|liberal|local|marginal|material|maxim|mechan|memor|mesmer|minim|"
    "mobil|modern|moistur|monet|motor|national|natural|neutral|normal|optim|organ|ostrac|oxid|pasteur|patron|penal|"
    "personal|philosoph|polar|popular|pressur|priorit|privat|public|pulver|random|rational|real|recogn|"
    "reorgan|revital|revolution|romantic|sanit|scrutin|sensit|serial|social|special|stabil|standard|steril|"
    "stigmat|subsid|summar|symbol|sympath|synchron|synthes|theor|token|traumat|trivial|urban|util|"
    "vandal|vapor|verbal|victim|visual|vocal|weapon|western"
)
_BRITISH = re.compile(
    r"(?:"
    rf"(?:dis|mis|un|re|multi|water)?(?:{_OUR})our(?:s|ed|ing|ful|fully|less|able|ably|ably|al|ally|ite|ites|er|ers|hood|"
    r"hoods|ly|y|ism|ist)?"
    rf"|(?:re|de|un|over|under)?(?:{_ISE})is(?:e[drs]?|ers|ing|ations?|ational)"
    r"|(?:(?:psycho)?anal|paral|catal|dial)ys(?:e|ed|er|ers|ing)"
    r"|(?:centi|kilo|milli|deci)?(?:metre|litre)s?|(?:epi)?centre[ds]?|fibres?|theatres?|calibre|lustre|meagre|"
    r"sabres?|sombre|spectres?"
    r"|(?:defence|offence|pretence|licence)s?|practis(?:e[drs]?|ing)"
    r"|(?:travel|cancel|label|model|marvel|signal|fuel|counsel|jewel|level|quarrel|channel|dial|equal|"
    r"total|tunnel|rival)(?:led|ling|ler|lers)|marvellous(?:ly)?|jewellery|woollen"
    r"|(?:enrol|fulfil|instil|distil)(?:s|ment|ments)?|skilful(?:ly)?|wilful(?:ly)?"
    r"|grey(?:s|er|ish)?|catalogues?|aluminium|cheques?|tyres?|pyjamas|mum(?:s|my)?|maths|programmes?|sceptic(?:s|al|ism)?|"
    r"plough(?:s|ed|ing)?|mould(?:s|ed|ing|y)?|moustaches?|manoeuvr(?:e|es|ed|ing)|judgements?|ageing|"
    r"acknowledgements?|storeys?|kerbs?|draughts?|cosy|whilst|amongst|learnt|spelt|dreamt|"
    r"oestrogen|foetus(?:es)?|anaem(?:ia|ic)|paediatric(?:s|ian|ians)?|"
    r"haemoglobin|diarrhoea|orthopaedic|encyclopaedia"
    r")"
)
_WORD = re.compile(r"\b[^\W\d_]{4,}\b|\b[Mm]um\b")
_KNOWN = 50_000  # words whose spelling is remembered


@lru_cache(maxsize=_KNOWN)
def _is_british(word: str) -> bool:
    return _BRITISH.fullmatch(word) is not None


def british_spelling(document: Document) -> list[Span]:
    """Words spelt the British way, each one counted; sentences of other languages do not count.

    A closed list of endings and words: what both sides of the Atlantic spell alike (*exercise*, *your*) is
    none, nor is *analyses*, which is also an American plural.
    """
    words = _WORD.finditer(document.english)
    return [match.span() for match in words if _is_british(match.group().lower())]
