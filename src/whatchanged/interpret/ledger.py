"""Sums over sampled answers of what each candidate fires on and where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from whatchanged.interpret.activity import Activity
from whatchanged.interpret.candidates import CLOSING, OPENING
from whatchanged.interpret.vocabulary import CLASSES, Vocabulary

__all__ = ["SUMS", "Ledger"]

AT_THE_CUT = 3  # tokens before a truncation
SUMS = (
    *("opening", "opening_expected", "closing", "closing_expected"),
    *("first", "last", "masked", "echo", "echo_expected", "at_cut", "template"),
)
RARE = 1e-3  # once in a thousand tokens: a word unseen elsewhere is not infinitely telling

Floats = NDArray[np.float64]


class Ledger:
    """Adds up answers, each weighing the same; within one, units weigh by activation.

    Args:
        n: Number of candidates.
    """

    def __init__(self, n: int) -> None:
        self.n, self.vocabulary = n, Vocabulary()
        self.answers = np.zeros(n)
        self.classes = np.zeros((n, len(CLASSES)))
        self.sums = {name: np.zeros(n) for name in SUMS}
        self._fired: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
        self._common: list[tuple[NDArray[np.int64], Floats]] = []
        self._seen: list[NDArray[np.int64]] = []

    def add(self, side: Activity, wanted: NDArray[np.integer], *, prompt: str, truncated: bool) -> None:
        """Take one answer into account for the wanted candidates."""
        asked = np.isin(side.candidate, wanted)
        listed = asked & side.relevant
        candidate, unit, value = side.candidate[listed], side.unit[listed], side.value[listed]
        weight = self._sum(candidate, value)
        active, share = weight > 0, value / weight[candidate]
        self.answers += active
        self._add_masked(side, asked, active)

        text = self.vocabulary.read(side, prompt)
        graded = side.graded[listed]
        token = np.where(graded, unit, 0)
        np.add.at(self.classes, (candidate[graded], text.kind[token][graded]), share[graded])
        word = np.where(graded, text.word[token], text.layout_word[side.word[listed]])
        self.sums["opening"] += self._sum(candidate, share * side.opening[listed])
        self.sums["closing"] += self._sum(candidate, share * side.closing[listed])
        self.sums["echo"] += self._sum(candidate, share * (text.echo[token] & graded))
        self.sums["template"] += self._sum(candidate, share * (text.template[token] & graded))
        self.sums["echo_expected"] += active * float(np.mean(text.echo))
        length = np.where(graded, len(side.tokens), len(side.layout))
        size = np.zeros(self.n)
        size[candidate] = length
        size = np.maximum(size, 1.0)
        self.sums["opening_expected"] += active * np.minimum(OPENING / size, 1.0)
        self.sums["closing_expected"] += active * np.minimum(CLOSING / size, 1.0)
        self._add_peaks(candidate, unit, value, length, truncated)

        keys, place = np.unique(candidate * (1 << 32) + word, return_inverse=True)
        summed = np.bincount(place, weights=share, minlength=len(keys)).astype(np.float64)
        self._fired.append((keys >> 32, keys & 0xFFFFFFFF, summed))
        common, times = np.unique(text.word, return_counts=True)
        self._common.append((common, times / len(text.word)))
        self._seen.append(np.flatnonzero(active))

    def _sum(self, candidate: NDArray[np.int64], value: Floats) -> Floats:
        return np.bincount(candidate, weights=value, minlength=self.n).astype(np.float64)

    def _add_masked(self, side: Activity, asked: NDArray[np.bool_], active: NDArray[np.bool_]) -> None:
        whole = self._sum(side.candidate[asked], side.value[asked])
        massive = asked & side.unpooled
        masked = self._sum(side.candidate[massive], side.value[massive])
        self.sums["masked"] += np.divide(masked, whole, out=np.zeros(self.n), where=active & (whole > 0))

    def _add_peaks(
        self,
        candidate: NDArray[np.int64],
        unit: NDArray[np.int32],
        value: Floats,
        length: NDArray[np.integer],
        truncated: bool,
    ) -> None:
        order = np.lexsort((unit, -value, candidate))
        peak = order[np.unique(candidate[order], return_index=True)[1]]
        who, at, left = candidate[peak], unit[peak], length[peak] - unit[peak]
        self.sums["first"][who] += at == 0
        self.sums["last"][who] += left == 1
        self.sums["at_cut"][who] += truncated & (left <= AT_THE_CUT)

    def words(self, *, most: int = 12) -> list[tuple[tuple[str, float, float], ...]]:
        """Most characteristic words of each candidate: name, share, and share expected by chance.

        Ranked by share times log-lift over all tokens of the same answers, so that ``the`` does not
        win by being common.
        """
        documents, size = len(self._common), max(len(self.vocabulary), 1)
        fired = _table([f[:2] for f in self._fired], [f[2] for f in self._fired], (self.n, size))
        where = [(np.full(len(c), d), c) for d, (c, _) in enumerate(self._common)]
        common = _table(where, [share for _, share in self._common], (documents, size))
        where = [(s, np.full(len(s), d)) for d, s in enumerate(self._seen)]
        seen = _table(where, [np.ones(len(s)) for s in self._seen], (self.n, documents))
        return [self._best(fired, common, seen, i, most) for i in range(self.n)]

    def _best(
        self, fired: sparse.csr_array, common: sparse.csr_array, seen: sparse.csr_array, i: int, most: int
    ) -> tuple[tuple[str, float, float], ...]:
        n = max(self.answers[i], 1.0)
        lo, hi = fired.indptr[i], fired.indptr[i + 1]
        word, share = fired.indices[lo:hi], fired.data[lo:hi] / n
        answers = seen.indices[seen.indptr[i] : seen.indptr[i + 1]]
        if not len(word):
            return ()
        everywhere = np.asarray(common[answers].sum(axis=0)).ravel() / n
        expected = everywhere[word]
        score = share * np.log(np.maximum(share, RARE) / np.maximum(expected, RARE))
        best = np.lexsort((word, -score))[:most]
        return tuple(
            (self.vocabulary.name(int(word[j])), float(share[j]), float(expected[j]))
            for j in best
            if score[j] > 0
        )


def _table(
    where: list[tuple[NDArray[np.int64], NDArray[np.int64]]], what: list[Floats], shape: tuple[int, int]
) -> sparse.csr_array:
    if not where:
        return sparse.csr_array(shape)
    rows, columns = np.concatenate([w[0] for w in where]), np.concatenate([w[1] for w in where])
    table = sparse.coo_array((np.concatenate(what), (rows, columns)), shape=shape).tocsr()
    table.sort_indices()
    return table
