"""Where the candidates are active in one answer, on the common ruler of its words."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Responses, TokenSource
from whatchanged.interpret.candidates import CLOSING, OPENING, Candidate
from whatchanged.interpret.layout import Layout, lay_out, token_offsets
from whatchanged.interpret.matches import observable_spans, term_spans
from whatchanged.text.document import Document
from whatchanged.text.words import Span

__all__ = ["Activity", "ActivityReader"]

KEPT = 1024  # answers held in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """All candidates' occurrences in one answer.

    Attributes:
        layout: Words of the answer.
        tokens: Text of each reader token.
        offsets: First character of each token and the one after its last.
        word_of: Word of each token, ``[tokens]``.
        masked: Massive-activation tokens, ``[tokens]``.
        candidate: Index of the candidate of each entry, ``[entries]``.
        unit: Token (features) or word (counted things) of each entry, ``[entries]``.
        word: Word of each entry, ``[entries]``.
        value: Activation; 1 for counted things, ``[entries]``.
        graded: Whether the entry is a feature's, ``[entries]``.
        unpooled: Whether it stands on a massive-activation token, ``[entries]``.
        opening: Whether it stands in the first 16 units, ``[entries]``.
        closing: Whether it stands in the last 24 units, ``[entries]``.
        relevant: Whether the entry is one the candidate's own statistic looks at, massive-activation
            tokens never, ``[entries]``.
    """

    layout: Layout
    tokens: tuple[str, ...]
    offsets: tuple[NDArray[np.int32], NDArray[np.int32]]
    word_of: NDArray[np.int32]
    masked: NDArray[np.bool_]
    candidate: NDArray[np.int64]
    unit: NDArray[np.int32]
    word: NDArray[np.int32]
    value: NDArray[np.float64]
    graded: NDArray[np.bool_]
    unpooled: NDArray[np.bool_]
    opening: NDArray[np.bool_]
    closing: NDArray[np.bool_]
    relevant: NDArray[np.bool_]

    def words_of(self, candidate: int) -> NDArray[np.int32]:
        """Words on which a candidate is active in the sense of its own statistic."""
        return np.unique(self.word[self.relevant & (self.candidate == candidate)])


class ActivityReader:
    """Reads answers for a fixed list of candidates, keeping the last few hundred.

    Args:
        responses: The answers.
        chosen: The candidates; entries name them by index.
        high: Activation above which each one's presence is high, ``[candidates]``.
        tokens: Where token activations come from.
    """

    def __init__(
        self,
        responses: Responses,
        chosen: Sequence[Candidate],
        high: NDArray[np.float64],
        tokens: TokenSource,
    ) -> None:
        self.responses, self.chosen, self._high, self._tokens = responses, tuple(chosen), high, tokens
        # one column may be a candidate for several checkpoints
        of_feature: dict[int, list[int]] = {}
        for i, c in enumerate(chosen):
            if c.kind == "feature":
                of_feature.setdefault(c.column, []).append(i)
        self._feature = np.array(sorted(of_feature), dtype=np.int64)
        self._of_feature = [of_feature[f] for f in sorted(of_feature)]
        self._counted_names: dict[tuple[str, str], list[int]] = {}
        for i, c in enumerate(chosen):
            if c.kind != "feature":
                self._counted_names.setdefault((c.kind, c.name), []).append(i)
        self._terms = frozenset(c.name for c in chosen if c.kind == "lexical")
        self._told = all(a.finish_reason is not None for a in responses.answers)
        statistic = [c.statistic for c in chosen]
        self._opening = np.array([s == "opening" for s in statistic], dtype=np.bool_)
        self._closing = np.array([s == "closing" for s in statistic], dtype=np.bool_)
        self._graded = np.array([c.kind == "feature" for c in chosen], dtype=np.bool_)
        self._at_least_high = np.array([s == "high_presence" for s in statistic], np.bool_) & self._graded
        self._at_peak = np.array([s == "log_maximum" for s in statistic], np.bool_) & self._graded
        self._kept: OrderedDict[int, Activity] = OrderedDict()

    def read(self, answer: int) -> Activity:
        """Activity of all candidates in ``responses.answers[answer]``."""
        if answer in self._kept:
            self._kept.move_to_end(answer)
            return self._kept[answer]
        activity = self._kept[answer] = self._read(answer)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return activity

    def _read(self, answer: int) -> Activity:
        text = self.responses.answers[answer].text
        layout = lay_out(text)
        document = self._tokens.document(answer)
        offsets = token_offsets(text, document.tokens)
        word_of = layout.word_at(_first_visible(text, *offsets))
        parts = [
            self._features(document.column, document.indptr, document.value),
            self._counted(answer, layout),
        ]
        candidate, unit, value = (np.concatenate(x) for x in zip(*parts, strict=True))
        graded = self._graded[candidate]
        word = unit.astype(np.int32)
        word[graded] = word_of[unit[graded]]
        length = np.where(graded, len(document.tokens), len(layout))
        opening, closing = unit < OPENING, unit >= length - CLOSING
        relevant = (opening | ~self._opening[candidate]) & (closing | ~self._closing[candidate])
        relevant &= (value > self._high[candidate]) | ~self._at_least_high[candidate]
        peak = np.zeros(len(self.chosen))
        np.maximum.at(peak, candidate, value)
        relevant &= (value >= peak[candidate] / 2) | ~self._at_peak[candidate]
        unpooled = np.zeros(len(unit), dtype=np.bool_)
        unpooled[graded] = document.masked[unit[graded]]
        return Activity(
            layout=layout,
            tokens=document.tokens,
            offsets=offsets,
            word_of=word_of,
            masked=document.masked,
            candidate=candidate,
            unit=unit.astype(np.int32),
            word=word,
            value=value,
            graded=graded,
            unpooled=unpooled,
            opening=opening,
            closing=closing,
            relevant=relevant & ~unpooled,
        )

    def _features(
        self, column: NDArray[np.int32], indptr: NDArray[np.int64], value: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        wanted = np.flatnonzero(np.isin(column, self._feature))
        token = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))[wanted]
        place = np.searchsorted(self._feature, column[wanted])
        copies = np.array([len(c) for c in self._of_feature], dtype=np.int64)
        repeats = copies[place]
        flat = np.array([i for c in self._of_feature for i in c], dtype=np.int64)
        start = np.cumsum(copies) - copies
        step = np.arange(int(repeats.sum())) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        candidate = flat[np.repeat(start[place], repeats) + step] if len(flat) else flat
        return candidate, np.repeat(token, repeats), np.repeat(value[wanted].astype(np.float64), repeats)

    def spans(self, answer: int) -> dict[tuple[str, str], list[Span]]:
        """Characters at which each counted candidate stands in an answer, by kind and name."""
        whole = self.responses.answers[answer]
        found: dict[tuple[str, str], list[Span]] = {}
        for term, span in term_spans(whole.text, self._terms) if self._terms else ():
            found.setdefault(("lexical", term), []).append(span)
        document = Document(whole.text, whole.truncated if self._told else None)
        for kind, name in self._counted_names:
            if kind == "observable":
                found[kind, name] = observable_spans(name, document)
        return found

    def _counted(
        self, answer: int, layout: Layout
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        places, starts = self.spans(answer), layout.start.tolist()
        found: list[tuple[int, int]] = []
        for name, indices in self._counted_names.items():
            spans = places.get(name, ())
            covered = sorted({w for span in spans for w in _words_in(starts, *span)})
            found.extend((i, w) for i in indices for w in covered)
        pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1], np.ones(len(pairs))


def _first_visible(text: str, start: NDArray[np.int32], end: NDArray[np.int32]) -> NDArray[np.int32]:
    """First character of each token that is not blank; its first one where all are."""
    first = start.copy()
    for i, (s, e) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        token = text[s:e]
        blank = len(token) - len(token.lstrip())
        first[i] = s + (blank if blank < len(token) else 0)
    return first


def _words_in(starts: list[int], start: int, end: int) -> range:
    """Words a stretch of characters touches; white space belongs to the word before it."""
    first = max(bisect_right(starts, start) - 1, 0)
    return range(first, max(bisect_right(starts, end - 1), first + 1))
