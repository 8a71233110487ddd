"""Planted edits: edited answers beside a pair, and one contrast per draw without encoding anything again.

A draw says which prompts are edited. It is nothing but a `Pairing` whose after-rows point at the edited
answers instead of the unedited ones, so the product's own `turn`, `signs`, `row_tests` and `length_rule`
work on it as `compare` has them work on a real pair (`planted.py --check` holds the two against each other).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edits import Edit
from whatchanged.artifacts import Features, Occurrences, Responses
from whatchanged.diff.contrast import Contrast, kinds, row_tests
from whatchanged.diff.family import STATISTICS, Family, turn
from whatchanged.diff.signs import signs
from whatchanged.diff.units import Pairing, pair
from whatchanged.responses import load
from whatchanged.stats import SignTestTable
from whatchanged.text import lexical, observables

__all__ = [
    "Bench",
    "EditedPair",
    "contrast_of",
    "differences",
    "first_prompts",
    "gather",
    "load_pair",
    "needed",
    "picks",
    "plant",
]


def load_pair(data: Path, before: str, after: str, *, prompts: int | None = None) -> Responses:
    """Answers of two models of an alpaca_eval results folder; the first prompts by id.

    Ids are hashes of the prompt texts, so the first so many are a random sample of all.
    """
    files = [data / name / "model_outputs.json" for name in (before, after)]
    responses = load(files[0], files[1], names=[before, after])
    return responses if prompts is None else first_prompts(responses, prompts)


def first_prompts(responses: Responses, count: int) -> Responses:
    """Only the first `count` prompts that every checkpoint has answered."""
    full = [set(responses.rows(m)) for m in responses.models]
    kept = [p for p in responses.prompts if all(p.id in f for f in full)][:count]
    ids = {p.id for p in kept}
    return replace(
        responses,
        prompts=replace(responses.prompts, prompts=tuple(kept)),
        answers=tuple(a for a in responses.answers if a.prompt_id in ids),
        dropped=(),
    )


def plant(responses: Responses, edits: Mapping[str, Edit]) -> Responses:
    """The pair and, as further models, every edited after-answer to which an edit applies."""
    answers = list(responses.answers)
    for name, edit in edits.items():
        for a in responses.answers:
            text = edit(a.text) if a.model == responses.after else None
            if text is not None and text.strip() and text != a.text:
                answers.append(replace(a, model=name, text=text))
    return replace(responses, models=(*responses.models, *edits), answers=tuple(answers))


def gather(table: Occurrences, rows: NDArray[np.int64]) -> Occurrences:
    """Some rows of a table, in the order given."""
    size = np.diff(table.indptr)[rows]
    begin = np.cumsum(size) - size
    entry = np.arange(int(size.sum())) + np.repeat(table.indptr[rows] - begin, size)
    return replace(
        table,
        n_units=table.n_units[rows],
        indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        **{k: getattr(table, k)[entry] for k in ("column", "maximum", "count", "total", "first", "last")},
    )


def picks(edit: str, applies: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Order in which one draw takes the prompts an edit applies to, given in the order of the pairing."""
    return np.random.default_rng([seed, zlib.crc32(edit.encode()), draw]).permutation(applies)


def needed(
    planted: Responses, edits: Sequence[str], *, most: int, draws: int, seed: int
) -> tuple[Responses, dict[str, frozenset[str]]]:
    """Only the edited answers that the draws use, and to which prompts each edit applies.

    Args:
        planted: The pair with every edited answer.
        edits: Names of the edits.
        most: Largest number of prompts a draw edits.
        draws: Number of draws.
        seed: Of the draws.
    """
    position = {p: i for i, p in enumerate(pair(planted, *planted.models[:2]).prompts)}
    applies = {e: frozenset(p for p in planted.rows(e) if p in position) for e in edits}
    used = set()
    for edit, prompts in applies.items():
        ordered = sorted(prompts, key=position.__getitem__)
        for draw in range(draws):
            used |= {(edit, ordered[i]) for i in picks(edit, len(ordered), seed, draw)[:most]}
    kept = tuple(a for a in planted.answers if a.model not in applies or (a.model, a.prompt_id) in used)
    return replace(planted, answers=kept), applies


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A pair with all its edited answers, encoded and counted once.

    Attributes:
        responses: Before, after, then one model per edit.
        features: All of them encoded.
        families: Features, observables and lexical terms of all of them; a term is kept if it stands in
            5 answers of any model, and each draw then keeps those the product would keep.
        pairing: The unedited pair.
        signs: Look-up of the sign test.
        alpha: False discovery rate.
        applies: Prompts to which each edit applies, where only some of its answers were encoded.
    """

    responses: Responses
    features: Features
    families: tuple[Occurrences, ...]
    pairing: Pairing
    signs: SignTestTable
    alpha: float
    applies: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, features: Features, *, alpha: float, applies: Mapping[str, frozenset[str]] | None = None
    ) -> Bench:
        """Count words and pair the answers of encoded responses whose first two models are the pair."""
        responses = features.responses
        pairing = pair(responses, responses.before, responses.after)
        # No cap here: terms of one edit must not crowd out those of another.
        words = lexical(responses, min_prompts=5, max_terms=10**9)
        return cls(
            responses=responses,
            features=features,
            families=(features.occurrences, observables(responses), words),
            pairing=pairing,
            signs=SignTestTable.up_to(pairing.n_units),
            alpha=alpha,
            applies=applies or {},
        )

    def edited(self, edit: str | None) -> EditedPair:
        """The tables of the pair and of one edit (none: of the pair alone)."""
        rows = self.responses.rows(edit) if edit is not None else {}
        position = {p: i for i, p in enumerate(self.pairing.prompts)}
        found = sorted((position[p], r[0]) for p, r in rows.items() if p in position)
        answers = np.concatenate([self.pairing.answers, [r for _, r in found]]).astype(np.int64)
        after = np.full(len(position), -1)
        mine = np.flatnonzero(self.pairing.side > 0)
        after[self.pairing.prompt[mine]] = mine
        encoded = {p: i for i, (p, _) in enumerate(found)}
        every = sorted(position[p] for p in self.applies.get(edit or "", rows) if p in position)
        return EditedPair(
            name=edit or "",
            families=tuple(gather(t, answers) for t in self.families),
            pairing=replace(self.pairing, answers=np.arange(len(self.pairing.answers))),
            spot=after[[p for p, _ in found]].astype(np.int64),
            prompts=tuple(self.pairing.prompts[p] for p, _ in found),
            order=np.array([encoded.get(p, -1) for p in every], dtype=np.int64),
        )

    def as_answered(self, edit: str, ids: Set[str]) -> tuple[Features, NDArray[np.int64]]:
        """The pair as if the after-model had given the edited answers itself, for the product to compare.

        Args:
            edit: The edit.
            ids: Prompts whose answers are edited.

        Returns:
            The features of the pair, and the row of `features` that each of its answers was encoded in.
        """
        whole = self.responses
        before, after = whole.models[:2]
        rows = [
            i
            for i, a in enumerate(whole.answers)
            if a.model == before or a.model == (edit if a.prompt_id in ids else after)
        ]
        answers = tuple(
            replace(a, model=before if a.model == before else after) for a in (whole.answers[i] for i in rows)
        )
        at, every = np.array(rows, dtype=np.int64), self.features
        features = replace(
            every,
            responses=replace(whole, models=(before, after), answers=answers),
            occurrences=gather(every.occurrences, at),
            **{k: getattr(every, k)[at] for k in ("cut", "masked", "shard", "shard_row")},
        )
        return features, at


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedPair:
    """Tables of the paired answers, in pairing order, followed by the edited answers.

    Attributes:
        name: The edit.
        families: Features, observables, lexical terms.
        pairing: The unedited pair, in rows of these tables.
        spot: Row of the unedited answer that each edited answer can take the place of.
        prompts: Its prompt id.
        order: Which edited answer belongs to each prompt the edit applies to, in pairing order; -1 where
            it was not encoded.
    """

    name: str
    families: tuple[Occurrences, ...]
    pairing: Pairing
    spot: NDArray[np.int64]
    prompts: tuple[str, ...]
    order: NDArray[np.int64]

    @property
    def applies(self) -> int:
        """Prompts to which the edit applies."""
        return len(self.order)

    def chosen(self, edited: int, *, seed: int, draw: int) -> NDArray[np.int64]:
        """Which edited answers one draw uses; a larger dose of the same draw contains the smaller."""
        picked: NDArray[np.int64] = np.sort(self.order[picks(self.name, self.applies, seed, draw)[:edited]])
        if len(picked) and picked[0] < 0:
            raise ValueError(
                f"draw {draw} of {self.name!r} uses answers that were not encoded; encode more draws"
            )
        return picked

    def with_edits(self, chosen: NDArray[np.int64]) -> Pairing:
        """The pair with the chosen answers edited."""
        answers = self.pairing.answers.copy()
        answers[self.spot[chosen]] = len(answers) + chosen
        return replace(self.pairing, answers=answers)


def contrast_of(
    families: Sequence[Occurrences], pairing: Pairing, table: SignTestTable, alpha: float
) -> Contrast:
    """All columns of all families as one family of tests: what `compare` computes before the length rule.

    Lexical terms that stand under fewer prompts than `whatchanged.text.lexical` asks for take no part.
    """
    turned = tuple(turn(t, pairing) for t in families)
    found = signs(turned)
    n_after, n_before = found.counts()
    start = np.concatenate([[0], np.cumsum([t.n_columns for t in families])]).astype(np.int64)
    for family, begin in zip(turned, start, strict=False):
        if family.occurrences.kind == "lexical":
            rare = begin + np.flatnonzero(_prompts_with(family) < _fewest(len(pairing.prompts)))
            n_after[:, rare] = n_before[:, rare] = 0
    return Contrast(
        pairing=pairing,
        families=turned,
        start=start,
        signs=found,
        n_after=n_after,
        n_before=n_before,
        tests=row_tests(n_after, n_before, table, alpha, kinds(turned)),
        table=table,
        alpha=alpha,
    )


def _fewest(prompts: int) -> int:
    """The default `min_prompts` of `lexical`."""
    return max(5, math.ceil(0.01 * prompts))


def _prompts_with(family: Family) -> NDArray[np.int64]:
    """Prompts under which each column occurs, on either side."""
    column = family.column_of(0, family.occurrences.n_columns)
    prompt = family.pairing.prompt[family.row]
    new = np.ones(len(column), dtype=np.bool_)
    new[1:] = (column[1:] != column[:-1]) | (prompt[1:] != prompt[:-1])
    return np.bincount(column[new], minlength=family.occurrences.n_columns)


def differences(
    contrast: Contrast, rows: NDArray[np.int64], statistic: NDArray[np.int64], families: Sequence[Family]
) -> NDArray[np.int64]:
    """After-minus-before difference of each row's statistic, weighted as integers, ``[rows, units]``.

    Args:
        contrast: Numbers the rows.
        rows: Row numbers.
        statistic: Index of each row's statistic.
        families: The contrast's own families, or the same columns over other answers.
    """
    result = np.zeros((len(rows), contrast.pairing.n_units), dtype=np.int64)
    of = np.searchsorted(contrast.start, rows, side="right") - 1
    for f, family in enumerate(families):
        mine = np.flatnonzero(of == f)
        columns, wanted = rows[mine] - contrast.start[f], statistic[mine]
        place, which = family.gather(columns)
        value = np.zeros(len(place), dtype=np.int64)
        for s, name in enumerate(STATISTICS):
            at = wanted[which] == s
            value[at] = family.values(name, place[at], columns[which[at]])
        row = family.row[place]
        np.add.at(result, (mine[which], family.pairing.unit[row]), value * family.pairing.weight[row])
    return result
