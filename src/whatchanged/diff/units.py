"""Which answers stand against which: pairs by prompt, near-duplicate prompts as one unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Prompt, Responses

__all__ = ["Pairing", "clusters", "pair"]

_LARGEST_WEIGHT = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The answers of two checkpoints that take part, grouped into independent units.

    A unit is a cluster of near-duplicate prompts, or a prompt alone; under the null hypothesis its label
    flips as a whole, all samples with it. Units are ordered by their smallest prompt id, so neither the
    order of answers nor that of prompts changes anything.

    Attributes:
        before: Baseline checkpoint.
        after: Checkpoint compared with it.
        n_units: Number of units.
        prompts: Ids of the prompts answered by both, in unit order.
        prompt_unit: Unit of each prompt, ``[prompts]``.
        answers: Positions in ``Responses.answers``, in unit order, ``[rows]``.
        unit: Unit of each row, ``[rows]``.
        prompt: Position in `prompts` of each row, ``[rows]``.
        side: -1 for *before*, +1 for *after*, ``[rows]``.
        weight: Signed integer weight of each row, so that a weighted sum over a unit is its after-minus-
            before difference of per-prompt means times `scale`, free of rounding, ``[rows]``.
        scale: What to divide a unit's weighted sum by to get the mean difference per prompt, ``[units]``.
        truncated: Whether the model ran out of tokens, as its provider said, ``[rows]``.
        category: Slice of each unit (of its first prompt), ``[units]``.
        single: Whether every unit is one prompt with one sample a side.
        dropped: Prompts that take no part, by reason.
    """

    before: str
    after: str
    n_units: int
    prompts: tuple[str, ...]
    prompt_unit: NDArray[np.int64]
    answers: NDArray[np.int64]
    unit: NDArray[np.int64]
    prompt: NDArray[np.int64]
    side: NDArray[np.int64]
    weight: NDArray[np.int64]
    scale: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    category: tuple[str | None, ...]
    single: bool
    dropped: Mapping[str, int]


def clusters(prompts: list[Prompt]) -> list[int]:
    """Cluster of each prompt: its named one, joined with every prompt of the same words.

    Two prompts belong together when they name the same cluster or when their texts agree after case
    folding and after runs of white space are made one; this is carried on transitively.

    Returns:
        A number per prompt, counted from 0 in order of first appearance.
    """
    parent = list(range(len(prompts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen: dict[tuple[str, str], int] = {}
    for i, prompt in enumerate(prompts):
        keys = [("text", " ".join(prompt.text.casefold().split()))]
        if prompt.cluster is not None:
            keys.append(("cluster", prompt.cluster))
        for key in keys:
            parent[root(i)] = root(seen.setdefault(key, i))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(prompts))]


def pair(responses: Responses, before: str, after: str) -> Pairing:
    """Pair the answers of two checkpoints by prompt id.

    Raises:
        ValueError: A name is not one of the checkpoints, both are the same, or no prompt has answers of
            both.
    """
    if before == after:
        raise ValueError(f"before and after are both {before!r}; name two different checkpoints")
    rows_before, rows_after = responses.rows(before), responses.rows(after)
    common = [p for p in responses.prompts if p.id in rows_before and p.id in rows_after]
    if not common:
        raise ValueError(
            f"no prompt was answered by both {before!r} ({len(rows_before)} prompts) and {after!r} "
            f"({len(rows_after)} prompts); answers are joined by prompt id, so give both the same ids"
        )
    common.sort(key=lambda p: p.id)
    label = clusters(common)
    # Members of a cluster stand together; clusters in order of their smallest prompt id.
    order = sorted(range(len(common)), key=lambda i: (label[i], common[i].id))
    paired = [common[i] for i in order]
    prompt_unit = np.array([label[i] for i in order], dtype=np.int64)
    n_units = int(prompt_unit[-1]) + 1

    lcm = [1] * n_units
    for p, u in zip(paired, prompt_unit, strict=True):
        lcm[u] = min(math.lcm(lcm[u], len(rows_before[p.id]), len(rows_after[p.id])), _LARGEST_WEIGHT)
    answers: list[int] = []
    unit: list[int] = []
    prompt: list[int] = []
    side: list[int] = []
    weight: list[int] = []
    for position, (p, u) in enumerate(zip(paired, prompt_unit, strict=True)):
        for sign, rows in ((-1, rows_before[p.id]), (1, rows_after[p.id])):
            # Exact wherever the sample counts have a common multiple below the cap; beyond it weights
            # are rounded, the same on both sides for the same number of samples.
            share = round(lcm[u] / len(rows))
            for row in rows:
                answers.append(row)
                unit.append(int(u))
                prompt.append(position)
                side.append(sign)
                weight.append(sign * share)
    members = np.bincount(prompt_unit, minlength=n_units)
    first = np.searchsorted(prompt_unit, np.arange(n_units))
    asked = {p.id for p in responses.prompts}
    return Pairing(
        before=before,
        after=after,
        n_units=n_units,
        prompts=tuple(p.id for p in paired),
        prompt_unit=prompt_unit,
        answers=np.array(answers, dtype=np.int64),
        unit=np.array(unit, dtype=np.int64),
        prompt=np.array(prompt, dtype=np.int64),
        side=np.array(side, dtype=np.int64),
        weight=np.array(weight, dtype=np.int64),
        scale=np.array(lcm, dtype=np.float64) * members,
        truncated=np.array([responses.answers[i].truncated for i in answers], dtype=np.bool_),
        category=tuple(paired[int(i)].category for i in first),
        single=len(answers) == 2 * n_units,
        dropped={
            "prompts_before_only": len(rows_before.keys() - rows_after.keys()),
            "prompts_after_only": len(rows_after.keys() - rows_before.keys()),
            "prompts_neither": len(asked - rows_before.keys() - rows_after.keys()),
        },
    )
