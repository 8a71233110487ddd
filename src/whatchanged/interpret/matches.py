"""Every place at which a term or an observable stands in an answer.

`whatchanged.text` pools them to count, first and last position; evidence and grouping need them all.
The scan of terms follows the rules of `whatchanged.text.lexical.terms`, and a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from whatchanged.text import OBSERVABLES
from whatchanged.text.document import Document
from whatchanged.text.words import IDEOGRAPHS, Span

__all__ = ["observable_spans", "term_spans"]

_PIECE = re.compile(
    r"(?P<paragraph>\n[ \t]*\n)"
    r"|^[ \t]*(?P<bullet>[-*+•‣◦▪●])(?=[ \t])"
    r"|^[ \t]*(?P<mark>\d{1,3}[.)](?=[ \t])|#{1,6}(?=[ \t]))"
    rf"|(?P<word>[{IDEOGRAPHS}]|[^\W_{IDEOGRAPHS}]+(?:['’][^\W_{IDEOGRAPHS}]+)*)"
    r"|(?P<sign>\*\*|__|`{3,}|~{3,}|\$\$|-{2,}|\.{3}|[^\w\s]|_)",
    re.MULTILINE,
)


def term_spans(text: str, wanted: Container[str]) -> Iterator[tuple[str, Span]]:
    """Each occurrence of the wanted lexical terms, in characters.

    Args:
        text: The answer.
        wanted: Terms as the lexical table names them (``^`` marks an opening).
    """
    previous: tuple[str, int] | None = None
    opening: list[tuple[str, Span]] = []
    for match in _PIECE.finditer(text):
        group = str(match.lastgroup)
        start, end = match.span(group)
        if group != "word":
            previous = None
            term = {"paragraph": "\n\n", "bullet": f"\n{text[start:end]}"}.get(group, text[start:end])
            if term in wanted:
                yield term, (start, end)
            continue
        word = text[start:end].replace("’", "'").casefold()
        found = [(word, (start, end))]
        if previous:
            found.append((f"{previous[0]} {word}", (previous[1], end)))
        previous = (word, start)
        if len(opening) < 2:
            opening.append((word, (start, end)))
            found.append(("^" + " ".join(w for w, _ in opening), (opening[0][1][0], end)))
        yield from ((term, span) for term, span in found if term in wanted)


def observable_spans(name: str, document: Document) -> list[Span]:
    """Each occurrence of an observable, in characters; none for a quantity of the whole answer."""
    observable = OBSERVABLES.get(name)
    return list(observable.spans(document)) if observable and observable.spans else []
