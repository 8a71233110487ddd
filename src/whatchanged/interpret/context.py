"""The words around what a feature fires on, where they are the same wherever it is new.

A feature that fires on *that* says little; that nearly all of its new occurrences stand in *please note
that this is* says what the change was. Only what distinguishes the side with more of the feature counts:
the same words must not stand there on the other side.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.interpret.activity import ActivityReader

__all__ = ["Context", "ContextReader"]

LONGEST = 5  # words
PAIRS = 40  # read per feature
FIRED = 40  # words of one answer it fires on, strongest first
LEAST = 5  # pairs that must have the words on one side and not on the other
SHARED = 1 / 3  # of the pairs
HALF = 0.5  # of the pairs that share the most common words, for longer ones to be preferred
EDGES = ".,;:!?…\"'“”‘’*_`~"

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A run of words in which a feature is new.

    Attributes:
        words: The run, as it is mostly written, without marks at its edges.
        share: Share of the pairs looked at whose gaining answer has it where the feature is active, less
            the share whose losing answer has it there.
        pairs: Pairs looked at, all of prompts on which the feature moved as the finding says.
    """

    words: str
    share: float
    pairs: int


class ContextReader:
    """Finds contexts of candidates of one reader.

    Args:
        reader: Reads the answers.
        signs: On which prompts each candidate moved, ``[candidates, prompts]``.
        seed: Chooses the pairs.
    """

    def __init__(self, reader: ActivityReader, signs: NDArray[np.int8], *, seed: int = 0) -> None:
        self._reader, self._signs = reader, signs
        self._rank = np.random.default_rng(seed).permutation(signs.shape[1])
        models = dict.fromkeys(m for c in reader.chosen for m in (c.before, c.after))
        self._rows = {m: reader.responses.rows(m) for m in models}
        self._words: dict[int, tuple[Words, Words]] = {}

    def of(self, i: int) -> Context | None:
        """The longest run of words that enough of a candidate's new occurrences share.

        The commonest run must stand in a third of the pairs, and in five, more often on the gaining side than
        on the other; a longer one is preferred as long as it stands in half as many. ``None`` without one.
        """
        c, prompts = self._reader.chosen[i], self._reader.responses.prompts.prompts
        gaining, losing = self._rows[c.gaining], self._rows[c.losing]
        moved = np.flatnonzero(self._signs[i] == c.direction)
        moved = moved[np.argsort(self._rank[moved])][:PAIRS]
        found: Counter[Words] = Counter()
        written: dict[Words, Counter[Words]] = {}
        central: Counter[Words] = Counter()
        for prompt in moved:
            more, less = gaining[prompts[prompt].id], losing[prompts[prompt].id]
            here = self._runs(more[0], i)
            found.update(here.keys())
            found.subtract(self._runs(less[0], i).keys())
            for run, (form, off) in here.items():
                written.setdefault(run, Counter())[form] += 1
                central[run] -= off
        if not found:
            return None
        best = max(found.values())
        if best < max(LEAST, SHARED * len(moved)):
            return None
        least = max(LEAST, SHARED * len(moved), HALF * best)
        kept = [run for run, n in found.items() if n >= least]
        run = max(kept, key=lambda r: (len(r), found[r], central[r] / found[r], r))
        words = written[run].most_common(1)[0][0]
        return Context(words=" ".join(words), share=found[run] / len(moved), pairs=len(moved))

    def _runs(self, answer: int, i: int) -> dict[Words, tuple[Words, int]]:
        """Every run of words of one line that holds a word the candidate is active on.

        With the way it is written and how far that word stands from its middle.
        """
        side = self._reader.read(answer)
        mine = side.relevant & (side.candidate == i)
        strength = np.zeros(len(side.layout))
        np.maximum.at(strength, side.word[mine], side.value[mine])
        fired = np.argsort(-strength, kind="stable")[: min(FIRED, int((strength > 0).sum()))]
        folded, whole = self._read(answer)
        line = side.layout.line
        runs: dict[Words, tuple[Words, int]] = {}
        for w in fired.tolist():
            first, last = max(w - LONGEST + 1, 0), min(w + LONGEST, len(folded))
            while line[first] != line[w]:
                first += 1
            while line[last - 1] != line[w]:
                last -= 1
            for begin in range(first, w + 1):
                for end in range(w + 1, min(begin + LONGEST, last) + 1):
                    off = abs(begin + end - 1 - 2 * w)
                    run = folded[begin:end]
                    if any('"' in word for word in run):
                        continue  # a label could not quote it
                    if run not in runs or off < runs[run][1]:
                        runs[run] = whole[begin:end], off
        return runs

    def _read(self, answer: int) -> tuple[Words, Words]:
        """Words of an answer for comparison and as they are written."""
        if answer not in self._words:
            layout = self._reader.read(answer).layout
            runs = [layout.text[s:e] for s, e in zip(layout.start.tolist(), layout.end.tolist(), strict=True)]
            bare = tuple(run.strip(EDGES) or run for run in runs)
            self._words[answer] = tuple(w.casefold() for w in bare), bare
        return self._words[answer]
