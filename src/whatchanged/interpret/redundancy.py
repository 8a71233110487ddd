"""Which rows say the same as a stronger one.

Features of one inserted sentence, its words and the observable that counts it are all significant;
a report names the change once. Two changes planted in every answer move on exactly the same prompts,
so prompts alone cannot tell them apart: what tells is *where in the answer* the rows are active.

A row is redundant with a stronger one when blanking the stronger row's stretches of text would take
away at least half of its own effect:

    explained = (net of the row on the leader's prompts / net of the row on all prompts)
                * (1 - net with the stretches blanked / net), both on sampled pairs of those prompts,

where the net is the sum of the prompts' signs by the row's own statistic. A leader that covers most of
the text explains everything by chance, so the share is taken beyond chance, as in Cohen's kappa: chance
is the leader's share of the prompts times the share of the words its stretches cover. A leader that covers
much of the text must in turn be explained by the row: a sentence that happens to hold one of many commas
is not why there are more commas. And the share must stand clear of chance for the number of prompts it was
seen on, or rows that moved on a handful of prompts would join whatever leader they stand beside.

Rows that fire on the same words (phi) or whose decoder directions agree (cosine) merge without that, and so do
the numbers of a list: "6." and "7." stand in different places and say one thing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Responses, TokenSource
from whatchanged.interpret.activity import Activity, ActivityReader
from whatchanged.interpret.candidates import Candidate
from whatchanged.interpret.cofiring import CoFiring
from whatchanged.text import OBSERVABLES

__all__ = ["EXPLAINED", "WORTH", "Redundancy"]

EXPLAINED = 0.5  # beyond chance, of the member's effect
CO_FIRING = 0.3  # phi over the words of the gaining answers
COSINE = 0.7  # of decoder rows
WORTH = 0.3  # of the effect, below which a share is of no use to anyone
CLEAR = 2.5  # standard errors above chance
BROAD = 0.3  # share of the words beyond which a leader must be explained in turn
SAMPLE = 40  # pairs read per leader
ENOUGH = 6  # pairs read per candidate that moved mostly on the leader's prompts
LARGEST = 80  # pairs read per leader after that
IN_TURN = 16  # of them, read again when the leader must be explained in turn
_LIST_NUMBER = re.compile(r"\d{1,3}[.)]")


class Redundancy:
    """Measures which candidates say the same as a stronger one.

    Args:
        reader: Activity of the candidates in each answer.
        signs: On which prompts each candidate moved, ``[candidates, prompts]``.
        tokens: Where decoder rows come from.
        seed: Chooses the pairs that are read.
    """

    def __init__(
        self, reader: ActivityReader, signs: NDArray[np.int8], tokens: TokenSource, *, seed: int = 0
    ) -> None:
        self.reader, self.signs, self.chosen = reader, signs, reader.chosen
        self.direction = np.array([c.direction for c in self.chosen], dtype=np.int64)
        self._observable = [i for i, c in enumerate(self.chosen) if c.kind == "observable"]
        self._feature = np.array([c.kind == "feature" for c in self.chosen], dtype=np.bool_)
        self._numbers_lists = np.array([_numbers_lists(c) for c in self.chosen], dtype=np.bool_)
        self._pair = [(c.before, c.after) for c in self.chosen]
        self._rank = np.random.default_rng(seed).permutation(signs.shape[1])
        self._first = {
            m: _first_answer(reader.responses, m) for m in {m for pair in self._pair for m in pair}
        }
        self._decoder = _decoder(self.chosen, tokens)
        peak = np.array([c.statistic == "log_maximum" for c in self.chosen], dtype=np.bool_)
        count = np.array([c.statistic == "log_count" for c in self.chosen], dtype=np.bool_)
        self._by_peak, self._by_count = peak & self._feature, count | (peak & ~self._feature)

    def of(self, leader: int, free: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Explained share beyond chance of every candidate, and whether it fires together or points alike."""
        me, sign = self.chosen[leader], self.direction[leader]
        comparable = self.comparable(leader)
        akin = comparable & self._feature & (self._cosine(leader) >= COSINE)
        akin |= comparable & self._numbers_lists & self._numbers_lists[leader]
        prompts = np.flatnonzero(self.signs[leader] == sign)
        here = sign * self.signs[:, prompts].sum(axis=1, dtype=np.int64)
        everywhere = sign * self.signs.sum(axis=1, dtype=np.int64)
        inside = np.clip(here / np.maximum(everywhere, 1), 0.0, 1.0)
        pairs = self._sample(prompts, me, [i for i in free if comparable[i] and inside[i] >= EXPLAINED])
        if not pairs:
            return np.zeros(len(self.chosen)), akin

        net, blanked = np.zeros(len(self.chosen)), np.zeros(len(self.chosen))
        covered, tally = [], CoFiring(len(self.chosen))
        for gaining, losing in pairs:
            sides = [self.reader.read(gaining), self.reader.read(losing)]
            stretches = [side.layout.around(side.words_of(leader)) for side in sides]
            full = [self._scores(side, None) for side in sides]
            cut = [self._scores(side, gone) for side, gone in zip(sides, stretches, strict=True)]
            net += np.sign(full[0] - full[1])
            blanked += np.sign(cut[0] - cut[1])
            covered.append(float(stretches[0].mean()))
            tally.add(sides[0], leader)
        taken = np.where(net > 0, 1.0 - blanked / np.maximum(net, 1.0), 0.0)
        chance = min(len(prompts) / max(self._paired(me), 1), 1.0) * float(np.mean(covered))
        share = inside * np.clip(taken, 0.0, 1.0)
        akin |= comparable & (tally.phi() >= CO_FIRING)
        if chance >= 1.0:
            return np.zeros(len(self.chosen)), akin
        explained = (share - chance) / (1.0 - chance)
        # chance removes each of the net's prompts with this probability
        error = np.sqrt(chance * (1.0 - chance) / np.maximum(net, 1.0))
        clear = comparable & (everywhere > 0) & (share - chance >= CLEAR * error)
        explained = np.where(clear, np.maximum(explained, 0.0), 0.0)
        if np.mean(covered) > BROAD:
            asked = np.isin(np.arange(len(self.chosen)), [*free, *self._observable]) & (explained >= WORTH)
            explained[~asked] = np.minimum(explained[~asked], WORTH)
            for i in np.flatnonzero(asked):
                explained[i] = min(explained[i], self._in_turn(leader, int(i), pairs[:IN_TURN]))
        return explained, akin

    def comparable(self, leader: int) -> NDArray[np.bool_]:
        """Which candidates a leader could stand for: those of its direction and checkpoints, itself left out."""
        mask: NDArray[np.bool_] = self.direction == self.direction[leader]
        mask &= np.array([p == self._pair[leader] for p in self._pair])
        mask[leader] = False
        return mask

    def mirrored(self, leader: int) -> NDArray[np.float64]:
        """Share of every row's prompts, beyond chance, on which the leader took its place.

        An answer has one opening and one closing. A row of the opposite direction that is tested there
        lost its place to an opening or closing that the leader counts, if it moved where the leader moved.
        """
        me = self.chosen[leader]
        observable = OBSERVABLES.get(me.name) if me.kind == "observable" else None
        place = observable.anchor if observable is not None else None
        if place not in {"opening", "closing"}:
            return np.zeros(len(self.chosen))
        there = np.array(
            [
                c.statistic == place
                or (place == "opening" and c.kind == "lexical" and c.name.startswith("^"))
                for c in self.chosen
            ]
        )
        there &= (self.direction == -me.direction) & np.array([p == self._pair[leader] for p in self._pair])
        leading = self.signs[leader] == me.direction
        chance = float(leading.mean())
        moved = self.signs == self.direction[:, None]
        share = (moved & leading).sum(axis=1) / np.maximum(moved.sum(axis=1), 1)
        beyond = (share - chance) / (1.0 - chance) if chance < 1.0 else np.zeros(len(self.chosen))
        return np.where(there, np.maximum(beyond, 0.0), 0.0)

    def together(
        self, leaders: Sequence[int], free: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Explained share of every free candidate beyond chance, all leaders' stretches blanked at once.

        A feature that fires on the opening phrase and on the closing question is half explained by either
        and wholly by both. All prompts count here, not only those of one leader.

        Returns:
            The share, ``[candidates]``, and where each candidate fires in gaining answers: the share of its
            words in each leader's stretches, ``[leaders, candidates]``.
        """
        explained, held = np.zeros(len(self.chosen)), np.zeros((len(leaders), len(self.chosen)))
        for pair in dict.fromkeys(self._pair[i] for i in leaders):
            mine = [k for k, i in enumerate(leaders) if self._pair[i] == pair]
            me = self.chosen[leaders[mine[0]]]
            gaining, losing = self._first[me.after], self._first[me.before]
            both = np.flatnonzero((gaining >= 0) & (losing >= 0))
            both = both[np.argsort(self._rank[both])][:LARGEST]
            net, blanked, covered = np.zeros(len(self.chosen)), np.zeros(len(self.chosen)), []
            fired = [np.zeros(len(self.chosen)) for _ in range(2)]
            inside = [np.zeros((len(mine), len(self.chosen))) for _ in range(2)]
            for prompt in both:
                sides = [self.reader.read(int(gaining[prompt])), self.reader.read(int(losing[prompt]))]
                gone = []
                for k, side in enumerate(sides):
                    stretches = [side.layout.around(side.words_of(leaders[i])) for i in mine]
                    gone.append(np.any(stretches, axis=0))
                    fired[k] += self._fired(side, None)
                    inside[k] += [self._fired(side, s) for s in stretches]
                full = [self._scores(side, None) for side in sides]
                cut = [self._scores(side, g) for side, g in zip(sides, gone, strict=True)]
                net += np.sign(full[0] - full[1])
                blanked += np.sign(cut[0] - cut[1])
                covered.append(float(max(g.mean() for g in gone)))
            net, blanked = net * self.direction, blanked * self.direction
            taken = np.where(net > 0, 1.0 - blanked / np.maximum(net, 1.0), 0.0)
            chance = float(np.mean(covered)) if covered else 1.0
            asked = [i for i in free if self._pair[i] == pair]
            if chance < 1.0:
                explained[asked] = (np.clip(taken[asked], 0.0, 1.0) - chance) / (1.0 - chance)
            shares = [i / np.maximum(f, 1.0) for i, f in zip(inside, fired, strict=True)]
            held[np.ix_(mine, asked)] = np.where(self.direction > 0, *shares)[:, asked]
        return np.maximum(explained, 0.0), held

    def _in_turn(self, leader: int, member: int, pairs: Sequence[tuple[int, int]]) -> float:
        """Share of the leader's effect, beyond chance, that lies in the member's stretches."""
        net = blanked = 0.0
        covered = []
        for gaining, losing in pairs:
            full, cut = np.zeros(2), np.zeros(2)
            for k, answer in enumerate((gaining, losing)):
                side = self.reader.read(answer)
                gone = side.layout.around(side.words_of(member))
                full[k], cut[k] = self._score(side, leader, None), self._score(side, leader, gone)
                if k == 0:
                    covered.append(float(gone.mean()))
            net += np.sign(full[0] - full[1])
            blanked += np.sign(cut[0] - cut[1])
        chance = float(np.mean(covered))
        taken = min(max(1.0 - blanked / net, 0.0), 1.0) if net > 0 else 0.0
        return max((taken - chance) / (1.0 - chance), 0.0) if chance < 1.0 else 0.0

    def _score(self, side: Activity, i: int, gone: NDArray[np.bool_] | None) -> float:
        """What one candidate's sign test compares in one answer, some words blanked."""
        kept = side.relevant & (side.candidate == i)
        if gone is not None:
            kept &= ~gone[side.word]
        if self._by_peak[i]:
            return float(side.value[kept].max(initial=0.0))
        return float(kept.sum()) if self._by_count[i] else float(kept.any())

    def _scores(self, side: Activity, gone: NDArray[np.bool_] | None) -> NDArray[np.float64]:
        """What each candidate's sign test compares in one answer, some words blanked, ``[candidates]``."""
        kept = side.relevant if gone is None else side.relevant & ~gone[side.word]
        candidate, n = side.candidate[kept], len(self.chosen)
        count = np.bincount(candidate, minlength=n).astype(np.float64)
        peak = np.zeros(n)
        np.maximum.at(peak, candidate, side.value[kept])
        return np.where(self._by_peak, peak, np.where(self._by_count, count, count > 0))

    def _fired(self, side: Activity, inside: NDArray[np.bool_] | None) -> NDArray[np.float64]:
        """How often each candidate fires in one answer, or in some of its words, ``[candidates]``."""
        kept = side.relevant if inside is None else side.relevant & inside[side.word]
        return np.bincount(side.candidate[kept], minlength=len(self.chosen)).astype(np.float64)

    def _sample(
        self, prompts: NDArray[np.int64], me: Candidate, rare: Sequence[int]
    ) -> list[tuple[int, int]]:
        """Gaining and losing answer of some of the prompts.

        These are `SAMPLE` at random, and as many more as it takes to see each of the rare candidates
        move `ENOUGH` times.
        """
        gaining, losing = self._first[me.gaining], self._first[me.losing]
        both = prompts[(gaining[prompts] >= 0) & (losing[prompts] >= 0)]
        both = both[np.argsort(self._rank[both])]
        drawn = np.zeros(len(both), dtype=np.bool_)
        drawn[:SAMPLE] = True
        for i in rare:
            if drawn.sum() >= LARGEST:
                break
            moved = self.signs[i, both] == me.direction
            lacking = ENOUGH - int(np.sum(moved & drawn))
            if lacking > 0:
                drawn[np.flatnonzero(moved & ~drawn)[:lacking]] = True
        return [(int(gaining[p]), int(losing[p])) for p in both[drawn]]

    def _paired(self, me: Candidate) -> int:
        return int(np.sum((self._first[me.before] >= 0) & (self._first[me.after] >= 0)))

    def _cosine(self, leader: int) -> NDArray[np.float64]:
        if self._decoder is None or not self._feature[leader]:
            return np.zeros(len(self.chosen))
        cosine: NDArray[np.float64] = self._decoder @ self._decoder[leader]
        return cosine


def _first_answer(responses: Responses, model: str) -> NDArray[np.int64]:
    """Position of a model's first sample to each prompt, -1 where it has none, ``[prompts]``."""
    first = np.full(len(responses.prompts), -1, dtype=np.int64)
    for prompt, answers in responses.rows(model).items():
        first[responses.prompts.position[prompt]] = answers[0]
    return first


def _numbers_lists(candidate: Candidate) -> bool:
    """Whether a row counts list items by their number: the observable, or a term such as "2."."""
    if candidate.kind == "observable":
        return candidate.name == "numbered_items"
    return candidate.kind == "lexical" and _LIST_NUMBER.fullmatch(candidate.name) is not None


def _decoder(chosen: Sequence[Candidate], tokens: TokenSource) -> NDArray[np.float64] | None:
    """Decoder rows of the candidates, zero for those that are no features, ``[candidates, d_model]``."""
    features = [i for i, c in enumerate(chosen) if c.kind == "feature"]
    rows = tokens.decoder([chosen[i].column for i in features]) if features else None
    if rows is None:
        return None
    found = np.zeros((len(chosen), rows.shape[1]))
    found[features] = rows
    return found
