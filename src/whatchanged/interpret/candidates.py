"""The significant rows of a diff, and on which prompts each of them moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Kind, Occurrences, Responses

__all__ = ["CLOSING", "OPENING", "Candidate", "candidates", "moves", "thresholds"]

OPENING, CLOSING = 16, 24  # units; SCIENCE: presence in the opening and in the closing
READABLE = ("observable", "feature", "lexical")
HIGH = 0.8  # share of a column's positive maxima at or below which a presence is not high


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One significant row of `Diff.table`.

    Attributes:
        row: Its position in the table.
        kind, name, column, statistic: What it is and which sign test won.
        before, after: The checkpoints it compares.
        delta, q: Effect, and adjusted p with length held equal too.
        length: Verdict of the length rule; empty when it was not asked.
        tags: Tags the contrast gave it.
    """

    row: int
    kind: Kind
    name: str
    column: int
    statistic: str
    before: str
    after: str
    delta: float
    q: float
    length: str
    tags: tuple[str, ...]

    @property
    def direction(self) -> int:
        """1 where there is more of it in *after*, -1 where there is less."""
        return 1 if self.delta > 0 else -1

    @property
    def gaining(self) -> str:
        """The checkpoint with more of it."""
        return self.after if self.delta > 0 else self.before

    @property
    def losing(self) -> str:
        """The checkpoint with less of it."""
        return self.before if self.delta > 0 else self.after


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def candidates(diff: Diff, alpha: float) -> tuple[Candidate, ...]:
    """Rows with q <= alpha, strongest first: by q with length held equal too, then by absolute delta.

    Among equals an observable goes before a feature and a feature before a term, because anyone can
    check what an observable says; then the position decides. Rows of kind ``group`` have no column of
    their own and are left to their members.
    """
    table = diff.table
    q, delta = table["q_length"].to_numpy(float), table["delta"].to_numpy(float)
    chosen = np.flatnonzero(
        (q <= alpha) & (delta != 0) & np.isfinite(delta) & (table["kind"] != "group").to_numpy()
    )
    order = table["kind"].map({kind: i for i, kind in enumerate(READABLE)}).to_numpy()[chosen]
    chosen = chosen[np.lexsort((chosen, order, -np.abs(delta[chosen]), q[chosen]))]
    rows = table.iloc[chosen].to_dict("records")
    return tuple(
        Candidate(
            row=int(i),
            kind=r["kind"],
            name=str(r["feature"]),
            column=int(r["column"]),
            statistic=str(r["statistic"]),
            before=str(r["before"]),
            after=str(r["after"]),
            delta=float(r["delta"]),
            q=float(r["q_length"]),
            length=_text(r["length"]),
            tags=tuple(_text(r["tags"]).split()),
        )
        for i, r in zip(chosen, rows, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of an occurrence table: its entries, by answer."""

    answer: NDArray[np.int64]
    maximum: NDArray[np.float32]
    count: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]


def _columns(family: Occurrences, wanted: Sequence[int]) -> dict[int, _Column]:
    entry = np.flatnonzero(np.isin(family.column, np.asarray(wanted, dtype=np.int64)))
    entry = entry[np.argsort(family.column[entry], kind="stable")]
    edges = np.searchsorted(family.column[entry], np.asarray(wanted))
    ends = np.searchsorted(family.column[entry], np.asarray(wanted), side="right")
    found = {}
    for column, lo, hi in zip(wanted, edges, ends, strict=True):
        e = entry[lo:hi]
        found[column] = _Column(
            family.row[e], family.maximum[e], family.count[e], family.first[e], family.last[e]
        )
    return found


def _score(column: _Column, statistic: str, n_units: NDArray[np.int32], high: float) -> NDArray[np.float64]:
    """What the sign test compares, on each entry of a column."""
    score: NDArray[np.bool_] | NDArray[np.float64]
    match statistic:
        case "high_presence":
            score = column.maximum > high
        case "log_count":
            score = np.log1p(column.count)
        case "log_maximum":
            score = np.log1p(column.maximum)
        case "opening":
            score = column.first < OPENING
        case "closing":
            score = column.last >= n_units[column.answer] - CLOSING
        case _:
            score = np.ones(len(column.answer))
    return score.astype(np.float64)


def thresholds(diff: Diff, chosen: Sequence[Candidate]) -> NDArray[np.float64]:
    """Activation above which a candidate's presence is high, ``[candidates]``.

    The smallest of its positive maxima, over the answers of both checkpoints, at or below which 80 % of
    them lie: the rule of the contrast.
    """
    model = np.array([a.model for a in diff.responses.answers])
    high = np.zeros(len(chosen))
    for kind in {c.kind for c in chosen}:
        family = diff.family(kind)
        column = _columns(family, sorted({c.column for c in chosen if c.kind == kind}))
        for i, c in enumerate(chosen):
            if c.kind == kind:
                entries = column[c.column]
                compared = np.isin(model[entries.answer], [c.before, c.after])
                ranked = np.sort(entries.maximum[compared])
                high[i] = ranked[int(np.ceil(HIGH * len(ranked))) - 1] if len(ranked) else 0.0
    return high


def moves(diff: Diff, chosen: Sequence[Candidate], high: NDArray[np.float64]) -> NDArray[np.int8]:
    """On which prompts each candidate moved, by its own statistic, ``[candidates, prompts]``.

    1 where the after-answers of a prompt have more of it (the mean over samples), -1 where they have
    less, 0 where they tie or a side is missing.
    """
    responses = diff.responses
    signs = np.zeros((len(chosen), len(responses.prompts)), dtype=np.int8)
    side = {m: _answers_by_prompt(responses, m) for m in {m for c in chosen for m in (c.before, c.after)}}
    for kind in {c.kind for c in chosen}:
        family = diff.family(kind)
        column = _columns(family, sorted({c.column for c in chosen if c.kind == kind}))
        score = np.zeros(len(family.n_units))
        for i, c in enumerate(chosen):
            if c.kind != kind:
                continue
            entries = column[c.column]
            score[entries.answer] = _score(entries, c.statistic, family.n_units, high[i])
            before, after = (_mean(score, *side[m]) for m in (c.before, c.after))
            signs[i] = np.sign(np.nan_to_num(np.round(after - before, 9)))
            score[entries.answer] = 0.0
    return signs


def _answers_by_prompt(responses: Responses, model: str) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    position = responses.prompts.position
    pairs = [(i, position[a.prompt_id]) for i, a in enumerate(responses.answers) if a.model == model]
    answer, prompt = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return answer, prompt, len(responses.prompts)


def _mean(
    score: NDArray[np.float64], answer: NDArray[np.int64], prompt: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean over the samples of each prompt; NaN where the model has none."""
    samples = np.bincount(prompt, minlength=n).astype(np.float64)
    samples[samples == 0] = np.nan
    mean: NDArray[np.float64] = np.bincount(prompt, weights=score[answer], minlength=n) / samples
    return mean
