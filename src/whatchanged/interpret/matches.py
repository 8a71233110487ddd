"""Every place at which a term or an observable stands in an answer.

`whatchanged.text` pools them to count, first and last position; evidence and grouping need them all.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from whatchanged.text import OBSERVABLES
from whatchanged.text.document import Document
from whatchanged.text.lexical import occurrences_of_terms
from whatchanged.text.words import Span

__all__ = ["observable_spans", "term_spans"]


def term_spans(text: str, wanted: Container[str]) -> Iterator[tuple[str, Span]]:
    """Each occurrence of the wanted lexical terms, in characters.

    Args:
        text: The answer.
        wanted: Terms as the lexical table names them (``^`` marks an opening).
    """
    for term, start, end in occurrences_of_terms(text):
        if term in wanted:
            yield term, (start, end)


def observable_spans(name: str, document: Document) -> list[Span]:
    """Each occurrence of an observable, in characters; none for a quantity of the whole answer."""
    observable = OBSERVABLES.get(name)
    return list(observable.spans(document)) if observable and observable.spans else []
