"""Word-by-word co-firing of one candidate with all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatchanged.interpret.activity import Activity

__all__ = ["CoFiring"]


class CoFiring:
    """Counts of the fourfold tables of a leader and each candidate, over the words of some answers.

    Args:
        n: Number of candidates.
    """

    def __init__(self, n: int) -> None:
        self.words, self.leader = 0, 0
        self.other, self.both = np.zeros(n), np.zeros(n)

    def add(self, side: Activity, leader: int) -> None:
        """Take the words of one answer into account."""
        size = len(side.layout)
        entry = np.unique(side.candidate[side.relevant] * size + side.word[side.relevant])
        candidate, word = entry // size, entry % size
        on = np.zeros(size, dtype=np.bool_)
        on[word[candidate == leader]] = True
        self.words += size
        self.leader += int(on.sum())
        self.other += np.bincount(candidate, minlength=len(self.other))
        self.both += np.bincount(candidate[on[word]], minlength=len(self.other))

    def phi(self) -> NDArray[np.float64]:
        """Phi coefficient of each candidate with the leader; 0 where either never or always fires."""
        n, a, b = float(self.words), float(self.leader), self.other
        spread = a * (n - a) * b * (n - b)
        return np.where(spread > 0, (n * self.both - a * b) / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
