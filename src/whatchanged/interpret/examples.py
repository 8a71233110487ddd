"""What a labeller is shown: stretches that activate a feature, and hard ones that do not."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from whatchanged.artifacts import Diff, TokenActivations, TokenSource
from whatchanged.interpret.activating import Activating

__all__ = ["OPEN", "SHUT", "ExampleReader", "Examples", "marked", "values_of", "window"]

OPEN, SHUT = "<<", ">>"
REACH = 20  # tokens to either side
ALIKE = 20  # features that co-fire most
OPENED = 40  # answers searched for the same words per label
_WORD = re.compile(r"[^\W\d_]{3,}")

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Examples of one feature.

    Attributes:
        positive: Stretches with the active tokens marked, from both checkpoints in turn.
        negative: Stretches without it: where features that co-fire with it are active, and where the same
            words stand, as far as there are such.
        answers: Positions of all answers they came from; none of these may score the label.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    answers: tuple[int, ...]


def marked(tokens: tuple[str, ...], active: Bools, lo: int, hi: int) -> str:
    """Tokens ``lo`` to ``hi`` as text, each run of active ones between marks."""
    text, inside = "", False
    for i in range(lo, hi):
        if active[i] != inside:
            text += OPEN if active[i] else SHUT
            inside = bool(active[i])
        text += tokens[i]
    return text + (SHUT if inside else "")


class ExampleReader:
    """Draws examples for features of one diff.

    Args:
        diff: The diff.
        tokens: Where token activations come from.
        allowed: Answers that may be shown, ``[answers]``.
        seed: Of every draw.
    """

    def __init__(self, diff: Diff, tokens: TokenSource, allowed: Bools, *, seed: int = 0) -> None:
        self.diff, self.tokens, self.allowed, self.seed = diff, tokens, allowed, seed

    @cached_property
    def _present(self) -> csr_matrix:
        """Which features are active in which answers, ``[answers, features]``."""
        table = self.diff.features.occurrences
        ones = np.ones(len(table.column), dtype=np.float32)
        return csr_matrix((ones, table.column, table.indptr), shape=(len(table.n_units), table.n_columns))

    def read(self, where: Activating, *, positives: int, negatives: int) -> Examples:
        """Examples of one feature; fewer where there are fewer.

        Half of the positive ones are the strongest, half drawn at random, so that the label does not
        describe the extremes alone.
        """
        c = where.candidate
        rng = np.random.default_rng([self.seed, c.column])
        chosen = self._positive(where, positives, rng)
        shown, words, used = [], Counter[str](), []
        for answer in chosen:
            document = self.tokens.document(answer)
            value = values_of(document, c.column)
            if not np.any(value > 0):
                continue
            active = value > 0
            lo, hi = window(int(np.argmax(value)), len(document.tokens))
            shown.append(marked(document.tokens, active, lo, hi))
            used.append(answer)
            words.update(
                w.casefold()
                for w in _WORD.findall(
                    "".join(t if a else " " for t, a in zip(document.tokens, active, strict=True))
                )
            )
        hard = self._negative(where, negatives, words, rng)
        return Examples(
            positive=tuple(shown),
            negative=tuple(text for _, text in hard),
            answers=tuple(sorted({*used, *(answer for answer, _ in hard)})),
        )

    def _positive(self, where: Activating, most: int, rng: np.random.Generator) -> list[int]:
        c, table = where.candidate, self.diff.features.occurrences
        strength = np.zeros(len(table.n_units))
        entry = np.flatnonzero(table.column == c.column)
        strength[table.row[entry]] = table.maximum[entry]
        sides = []
        for model in (c.after, c.before):
            mine = np.flatnonzero(where.mask & self.allowed & (where.model == model))
            ranked = mine[np.lexsort((mine, -strength[mine]))]
            top = ranked[: (most + 3) // 4]
            rest = rng.permutation(ranked[len(top) :])
            sides.append([*top.tolist(), *rest.tolist()])
        first = min(len(sides[0]), max(most - most // 2, most - len(sides[1])))
        return [*sides[0][:first], *sides[1][: most - first]]

    def _negative(
        self, where: Activating, most: int, words: Counter[str], rng: np.random.Generator
    ) -> list[tuple[int, str]]:
        without = np.flatnonzero(where.compared & self.allowed & ~where.any)
        if not len(without) or most < 1:
            return []
        near = self._near(where)
        score = np.asarray(self._present[without][:, near].sum(axis=1)).ravel()
        order = without[np.lexsort((rng.permutation(len(without)), -score))].tolist()
        first = order[: (most + 1) // 2]
        others = [a for a in rng.permutation(without).tolist() if a not in set(first)][:OPENED]
        alike = self._lookalikes(others, words)[: most - len(first)]
        taken = {*first, *(answer for answer, _ in alike)}
        more = [a for a in order if a not in taken][: most - len(taken)]
        stretches = (
            [(a, self._peak(a, near)) for a in first] + alike + [(a, self._peak(a, near)) for a in more]
        )
        hard = []
        for answer, at in stretches:
            tokens = self.tokens.document(answer).tokens
            lo, hi = window(at, len(tokens))
            hard.append((answer, "".join(tokens[lo:hi])))
        return hard

    def _peak(self, answer: int, near: NDArray[np.int64]) -> int:
        """The token on which one of some features is strongest; the first where none is active."""
        document = self.tokens.document(answer)
        value = np.max([values_of(document, int(f)) for f in near], axis=0, initial=0.0)
        return int(np.argmax(value)) if len(document.tokens) else 0

    def _near(self, where: Activating) -> NDArray[np.int64]:
        """Features that are active in the same answers far more often than elsewhere."""
        mine = where.mask & self.allowed & where.compared
        others = self.allowed & where.compared & ~where.mask
        inside = np.asarray(self._present[np.flatnonzero(mine)].mean(axis=0)).ravel()
        outside = np.asarray(self._present[np.flatnonzero(others)].mean(axis=0)).ravel()
        lift = np.nan_to_num(inside) - np.nan_to_num(outside)
        lift[where.candidate.column] = -1.0
        return np.argsort(-lift, kind="stable")[:ALIKE]

    def _lookalikes(self, answers: list[int], words: Counter[str]) -> list[tuple[int, int]]:
        """Answers with the most of the words a feature fires on, and the token where one stands."""
        found = []
        for answer in answers:
            tokens = self.tokens.document(answer).tokens
            text = "".join(tokens)
            hits = [m for m in _WORD.finditer(text) if m.group().casefold() in words]
            shared = {m.group().casefold() for m in hits}
            if shared:
                ends = np.cumsum([len(t) for t in tokens])
                at = int(np.searchsorted(ends, hits[0].start(), side="right"))
                found.append((-sum(words[w] for w in shared), answer, at))
        return [(answer, at) for _, answer, at in sorted(found)]


def values_of(document: TokenActivations, column: int) -> NDArray[np.float64]:
    """Activation of one feature on every token, massive-activation tokens left out."""
    value = np.zeros(len(document.tokens))
    entry = np.flatnonzero(document.column == column)
    token = np.searchsorted(document.indptr, entry, side="right") - 1
    value[token] = document.value[entry]
    value[document.masked] = 0.0
    return value


def window(at: int, n: int) -> tuple[int, int]:
    """Tokens around one: the first and the one after the last."""
    return max(0, at - REACH), min(n, at + REACH + 1)
