"""The lexical baseline: words, pairs of words, marks and openings, through the same contrast."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Occurrences, Responses
from whatchanged.text.words import IDEOGRAPHS, word_starts

__all__ = ["MAX_TERMS", "OPENING_WORDS", "lexical", "occurrences_of_terms", "terms"]

MAX_TERMS = 20_000
"""Most terms kept by default, those found under the most prompts."""

OPENING_WORDS = 4
"""Openings are the first word, the first two, three and four."""

_TOKEN = re.compile(
    r"(?P<paragraph>\n[ \t]*\n)"
    r"|^[ \t]*(?P<bullet>[-*+•‣◦▪●])(?=[ \t])"
    r"|^[ \t]*(?P<mark>\d{1,3}[.)](?=[ \t])|#{1,6}(?=[ \t]))"
    rf"|(?P<word>[{IDEOGRAPHS}]|[^\W_{IDEOGRAPHS}]+(?:['’][^\W_{IDEOGRAPHS}]+)*)"
    r"|(?P<sign>\*\*|__|`{3,}|~{3,}|\$\$|-{2,}|\.{3}|[^\w\s]|_)",
    re.MULTILINE,
)
_MARKS = {"paragraph": "\n\n", "bullet": "\n"}


def occurrences_of_terms(text: str) -> Iterator[tuple[str, int, int]]:
    r"""Every occurrence of every term of a text, in characters: term, start and end.

    Terms are casefolded words; pairs of adjacent words with nothing but white space between them;
    punctuation and markup (``?``, ``**``, ``##``, ``1.``, ``\n-`` for a bullet, ``\n\n`` for a
    paragraph); and the openings of one to four words, marked with ``^``, whatever marks stand between
    these.
    """
    opening: list[str] = []
    begin, previous, before = 0, "", 0
    for match in _TOKEN.finditer(text):
        group = match.lastgroup
        assert group is not None, "every alternative is named"
        start, end = match.span(group)
        if group != "word":
            previous = ""
            yield _MARKS.get(group, "") + ("" if group == "paragraph" else text[start:end]), start, end
            continue
        word = text[start:end].replace("’", "'").casefold()
        yield word, start, end
        if previous:
            yield f"{previous} {word}", before, end
        if len(opening) < OPENING_WORDS:
            begin = start if not opening else begin
            opening.append(word)
            yield "^" + " ".join(opening), begin, end
        previous, before = word, start


def terms(text: str) -> tuple[dict[str, list[int]], int]:
    """Terms of one text with their count, first and last word position, and the number of words.

    See `occurrences_of_terms` for what a term is. Openings stand at position 0.
    """
    starts = word_starts(text)
    found: dict[str, list[int]] = {}
    for term, start, end in occurrences_of_terms(text):
        anchored = len(term) > 1 and term[0] == "^"
        first = 0 if anchored else max(bisect_right(starts, start) - 1, 0)
        last = 0 if anchored else max(bisect_right(starts, end - 1) - 1, first)
        entry = found.get(term)
        if entry is None:
            found[term] = [1, first, last]
        else:
            entry[0] += 1
            entry[2] = last
    return found, len(starts)


def lexical(
    responses: Responses, *, min_prompts: int | None = None, max_terms: int = MAX_TERMS
) -> Occurrences:
    """Every frequent enough term in every answer.

    A term is kept when it occurs in the answers, of either side, to at least ``min_prompts``
    prompts; of more than ``max_terms`` the ones under the most prompts are kept, ties in the order of
    the terms. An opening that always goes on in the same way says less than the longer one, which has
    the same answers, and is left out. None of this changes when before and after are swapped within
    any prompt.

    Args:
        responses: The answers.
        min_prompts: Fewest prompts a term must occur under; by default 5 or one prompt in a
            hundred, whichever is more (fewer could never be significant among so many terms).
        max_terms: Most terms to keep.

    Returns:
        One row per answer, columns sorted by term; positions and ``n_units`` count words.

    Raises:
        ValueError: ``min_prompts`` or ``max_terms`` is below 1.
    """
    if min_prompts is None:
        min_prompts = max(5, math.ceil(0.01 * len(responses.prompts)))
    for name, value in (("min_prompts", min_prompts), ("max_terms", max_terms)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}; leave it out for the default")
    ids: dict[str, int] = {}
    blocks: list[NDArray[np.int32]] = []
    n_units: list[int] = []
    for answer in responses.answers:
        found, words = terms(answer.text)
        block = np.empty((len(found), 4), dtype=np.int32)
        block[:, 0] = [ids.setdefault(term, len(ids)) for term in found]
        if found:
            block[:, 1:] = list(found.values())
        blocks.append(block)
        n_units.append(words)

    table = np.concatenate(blocks) if blocks else np.empty((0, 4), dtype=np.int32)
    row = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    position = responses.prompts.position
    prompt = np.array([position[a.prompt_id] for a in responses.answers], dtype=np.int64)
    answers = np.bincount(table[:, 0], minlength=len(ids)).astype(np.int64)
    names, rank = _select(list(ids), table[:, 0], answers, prompt[row], min_prompts, max_terms)

    column = rank[table[:, 0]] if len(ids) else table[:, 0]
    order = np.lexsort((column, row))
    order = order[column[order] >= 0]
    kept = table[order]
    return Occurrences(
        kind="lexical",
        names=names,
        n_columns=len(names),
        n_units=np.array(n_units, dtype=np.int32),
        indptr=np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=len(blocks)))]).astype(
            np.int64
        ),
        column=column[order].astype(np.int32),
        maximum=kept[:, 1].astype(np.float32),
        count=kept[:, 1].copy(),
        total=kept[:, 1].astype(np.float32),
        first=kept[:, 2].copy(),
        last=kept[:, 3].copy(),
        graded=False,
    )


def _select(
    found: list[str],
    term: NDArray[np.int32],
    answers: NDArray[np.int64],
    prompt: NDArray[np.int64],
    min_prompts: int,
    max_terms: int,
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The kept terms in order, and for every term its column or -1."""
    seen = np.unique(prompt * max(len(found), 1) + term)
    prompts = np.bincount(seen % max(len(found), 1), minlength=len(found))
    repeated = _openings_that_go_on(found, answers)
    frequent = [i for i in range(len(found)) if prompts[i] >= min_prompts and i not in repeated]
    frequent.sort(key=lambda i: (-prompts[i], found[i]))
    chosen = sorted(frequent[:max_terms], key=lambda i: found[i])
    rank = np.full(len(found), -1, dtype=np.int64)
    rank[chosen] = np.arange(len(chosen))
    return tuple(found[i] for i in chosen), rank


def _openings_that_go_on(found: list[str], answers: NDArray[np.int64]) -> set[int]:
    """Openings in exactly the answers of an opening one word longer; `answers` counts those of each term."""
    ids = {term: i for i, term in enumerate(found) if term.startswith("^")}
    shorter = [(i, ids.get(term.rpartition(" ")[0])) for term, i in ids.items() if " " in term]
    return {short for i, short in shorter if short is not None and answers[i] == answers[short]}
