"""Texts as countable things: observables, lexical terms, near-duplicates. No model, no network."""

from __future__ import annotations

from whatchanged.artifacts import Occurrences, Responses
from whatchanged.text.duplicates import clusters, jaccard
from whatchanged.text.lexical import lexical
from whatchanged.text.observables import OBSERVABLE_WORDS, OBSERVABLES, Observable, observables

__all__ = [
    "OBSERVABLES",
    "OBSERVABLE_WORDS",
    "Observable",
    "clusters",
    "families",
    "jaccard",
    "lexical",
    "observables",
]


def families(responses: Responses) -> tuple[Occurrences, ...]:
    """The tables that need no model: observables, then lexical terms."""
    return observables(responses), lexical(responses)
