"""Observables: properties of an answer that anyone can check with a regular expression."""

from __future__ import annotations

from whatchanged.artifacts import Occurrences, Responses
from whatchanged.text.document import Document
from whatchanged.text.registry import OBSERVABLE_WORDS, OBSERVABLES, Observable
from whatchanged.text.table import Entry, occurrences
from whatchanged.text.words import locate

__all__ = ["OBSERVABLES", "OBSERVABLE_WORDS", "Observable", "measure", "observables"]


def measure(document: Document) -> list[Entry]:
    """The observables that occur in one answer, by column."""
    entries = []
    for column, observable in enumerate(OBSERVABLES.values()):
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
