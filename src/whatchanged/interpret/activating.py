"""In which answers a row is active, and balanced draws of answers with and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Finding
from whatchanged.interpret.candidates import CLOSING, OPENING, Candidate, candidates, thresholds

__all__ = ["Activating", "activating", "balanced", "leaders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activating:
    """Where one row is active, by its own statistic.

    Attributes:
        candidate: The row.
        high: Activation above which its presence is high.
        mask: Whether it is active in each answer, ``[answers]``; *active* is in the opening for a row about
            openings, strongly for one about high presence.
        any: Whether it is active at all, ``[answers]``: only an answer without any is one without it.
        compared: Whether the answer is of one of the row's two checkpoints, ``[answers]``.
        model: Checkpoint of each answer, ``[answers]``.
    """

    candidate: Candidate
    high: float
    mask: NDArray[np.bool_]
    any: NDArray[np.bool_]
    compared: NDArray[np.bool_]
    model: NDArray[np.str_]


def leaders(diff: Diff, findings: Sequence[Finding]) -> list[Candidate]:
    """The leading row of each finding.

    Raises:
        ValueError: A finding is not of this diff.
    """
    known = {c.row: c for c in candidates(diff, float(diff.summary["alpha"]))}
    missing = [f.id for f in findings if f.rows[0] not in known]
    if missing:
        raise ValueError(f"{missing[0]} is no significant row of this diff; interpret the diff it came from")
    return [known[f.rows[0]] for f in findings]


def activating(diff: Diff, chosen: Sequence[Candidate]) -> list[Activating]:
    """Where each row is active."""
    high = thresholds(diff, chosen)
    return [_one(diff, c, float(h)) for c, h in zip(chosen, high, strict=True)]


def _one(diff: Diff, candidate: Candidate, high: float) -> Activating:
    family = diff.family(candidate.kind)
    entry = np.flatnonzero(family.column == candidate.column)
    row = family.row[entry]
    match candidate.statistic:
        case "high_presence":
            kept = family.maximum[entry] > high
        case "opening":
            kept = family.first[entry] < OPENING
        case "closing":
            kept = family.last[entry] >= family.n_units[row] - CLOSING
        case _:
            kept = np.ones(len(entry), dtype=np.bool_)
    model = np.array([a.model for a in diff.responses.answers])
    mask, any_ = np.zeros(len(model), dtype=np.bool_), np.zeros(len(model), dtype=np.bool_)
    mask[row[kept]], any_[row] = True, True
    return Activating(
        candidate=candidate,
        high=high,
        mask=mask,
        any=any_,
        compared=np.isin(model, [candidate.before, candidate.after]),
        model=model,
    )


def balanced(
    where: Activating, allowed: NDArray[np.bool_], *, most: int, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Answers with and without a row, as many of each, from both checkpoints as evenly as there are.

    First as many with as without are taken from each checkpoint, so that the checkpoint tells nothing. What
    all answers of one side have and none of the other can only be told across: if room is left, it is filled
    with answers from wherever there are any.

    Args:
        where: Where the row is active.
        allowed: Answers that may be drawn, ``[answers]``.
        most: Most answers in all.
        rng: Draws them.

    Returns:
        Answers with it and answers without it, of equal number; both empty where there are none of a kind.
    """
    pools = []
    for model in (where.candidate.before, where.candidate.after):
        mine = allowed & (where.model == model)
        yes, no = np.flatnonzero(mine & where.mask), np.flatnonzero(mine & ~where.any)
        pools.append((rng.permutation(yes).tolist(), rng.permutation(no).tolist()))
    room = max(most // 2, 0)
    even = [min(len(yes), len(no)) for yes, no in pools]
    first = min(even[0], max(room // 2, room - even[1]))
    sizes = (first, min(even[1], room - first))
    drawn: tuple[list[int], list[int]] = ([], [])
    for kind in (0, 1):
        for pool, n in zip(pools, sizes, strict=True):
            drawn[kind].extend(pool[kind][:n])
    left = [[a for pool, n in zip(pools, sizes, strict=True) for a in pool[kind][n:]] for kind in (0, 1)]
    n = min(room - len(drawn[0]), len(left[0]), len(left[1]))
    for kind in (0, 1):
        drawn[kind].extend(rng.permutation(left[kind]).tolist()[:n])
    return drawn
