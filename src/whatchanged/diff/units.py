"""Which answers stand against which: pairs and series by prompt, near-duplicate prompts as one unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Prompt, Responses

__all__ = ["Pairing", "clusters", "pair", "series"]

_LARGEST_WEIGHT = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The answers of two checkpoints, or of an ordered series of them, grouped into independent units.

    A unit is a cluster of near-duplicate prompts, or a prompt alone; under the null hypothesis its label
    flips as a whole, all samples with it. Units are ordered by their smallest prompt id, so neither the
    order of answers nor that of prompts changes anything.

    Attributes:
        models: The checkpoints in order: the baseline and the one compared with it, or a series.
        n_units: Number of units.
        prompts: Ids of the prompts answered by all of them, in unit order.
        prompt_unit: Unit of each prompt, ``[prompts]``.
        answers: Positions in ``Responses.answers``, in unit order, ``[rows]``.
        unit: Unit of each row, ``[rows]``.
        prompt: Position in `prompts` of each row, ``[rows]``.
        checkpoint: Position in `models` of each row, ``[rows]``.
        side: -1 for *before*, +1 for *after*, ``[rows]``; of a series, the half of the order the row is
            in, 0 for the checkpoint in its middle.
        share: Integer weight of each row, so that a weighted sum over a unit's rows of one checkpoint is
            its mean over prompts times `scale`, free of rounding, ``[rows]``.
        weight: `share` times the centred rank of the checkpoint (-1 and 1; -2, 0 and 2; -3, -1, 1 and 3;
            ...), so that a weighted sum over a unit is its after-minus-before difference of per-prompt
            means, or its linear contrast over the series, times `scale`, ``[rows]``.
        scale: What to divide a unit's weighted sum by to get the mean difference per prompt, ``[units]``.
        truncated: Whether the model ran out of tokens, as its provider said, ``[rows]``.
        category: Slice of each unit (of its first prompt), ``[units]``.
        single: Whether every unit is one prompt with one sample of each checkpoint.
        dropped: Prompts that take no part, by reason.
    """

    models: tuple[str, ...]
    n_units: int
    prompts: tuple[str, ...]
    prompt_unit: NDArray[np.int64]
    answers: NDArray[np.int64]
    unit: NDArray[np.int64]
    prompt: NDArray[np.int64]
    checkpoint: NDArray[np.int64]
    side: NDArray[np.int64]
    share: NDArray[np.int64]
    weight: NDArray[np.int64]
    scale: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    category: tuple[str | None, ...]
    single: bool
    dropped: Mapping[str, int]

    @property
    def before(self) -> str:
        """The baseline, or the first of a series."""
        return self.models[0]

    @property
    def after(self) -> str:
        """The checkpoint compared with it, or the last of a series."""
        return self.models[-1]


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
    if not rows_before.keys() & rows_after.keys():
        raise ValueError(
            f"no prompt was answered by both {before!r} ({len(rows_before)} prompts) and {after!r} "
            f"({len(rows_after)} prompts); answers are joined by prompt id, so give both the same ids"
        )
    asked = {p.id for p in responses.prompts}
    return _arrange(
        responses,
        (before, after),
        dropped={
            "prompts_before_only": len(rows_before.keys() - rows_after.keys()),
            "prompts_after_only": len(rows_after.keys() - rows_before.keys()),
            "prompts_neither": len(asked - rows_before.keys() - rows_after.keys()),
        },
    )


def series(responses: Responses, models: Sequence[str]) -> Pairing:
    """Arrange the answers of an ordered series of checkpoints by prompt id.

    Only prompts that every one of them answered take part: a contrast over fewer checkpoints would have
    other weights. The others are counted as ``prompts_incomplete``.

    Raises:
        ValueError: Fewer than two names, a repeated or unknown one, or no prompt with answers of all.
    """
    if len(models) < 2 or len(set(models)) != len(models):
        raise ValueError(f"a series needs two or more different checkpoints; got {tuple(models)!r}")
    rows = [responses.rows(m) for m in models]
    complete = set.intersection(*(set(r) for r in rows))
    if not complete:
        counts = ", ".join(f"{m!r} ({len(r)} prompts)" for m, r in zip(models, rows, strict=True))
        raise ValueError(
            f"no prompt was answered by all of {counts}; answers are joined by prompt id, so give all the same ids"
        )
    dropped = {"prompts_incomplete": len(responses.prompts) - len(complete)}
    return _arrange(responses, tuple(models), dropped=dropped)


def _arrange(responses: Responses, models: tuple[str, ...], *, dropped: Mapping[str, int]) -> Pairing:
    """Units, rows and weights of the prompts that all of some checkpoints answered."""
    rows_of = [responses.rows(m) for m in models]
    common = sorted(
        (p for p in responses.prompts if all(p.id in rows for rows in rows_of)), key=lambda p: p.id
    )
    label = clusters(common)
    # Members of a cluster stand together; clusters in order of their smallest prompt id.
    order = sorted(range(len(common)), key=lambda i: (label[i], common[i].id))
    paired = [common[i] for i in order]
    prompt_unit = np.array([label[i] for i in order], dtype=np.int64)
    n_units = int(prompt_unit[-1]) + 1

    lcm = [1] * n_units
    for p, u in zip(paired, prompt_unit, strict=True):
        lcm[u] = min(math.lcm(lcm[u], *(len(rows[p.id]) for rows in rows_of)), _LARGEST_WEIGHT)
    answers: list[int] = []
    unit: list[int] = []
    prompt: list[int] = []
    checkpoint: list[int] = []
    share: list[int] = []
    for position, (p, u) in enumerate(zip(paired, prompt_unit, strict=True)):
        for k, rows in enumerate(rows_of):
            mine = rows[p.id]
            answers += mine
            unit += [int(u)] * len(mine)
            prompt += [position] * len(mine)
            checkpoint += [k] * len(mine)
            # Exact wherever the sample counts have a common multiple below the cap; beyond it weights
            # are rounded, the same on all sides for the same number of samples.
            share += [round(lcm[u] / len(mine))] * len(mine)
    members = np.bincount(prompt_unit, minlength=n_units)
    first = np.searchsorted(prompt_unit, np.arange(n_units))
    position_of, shares = np.array(checkpoint, dtype=np.int64), np.array(share, dtype=np.int64)
    rank = 2 * position_of - (len(models) - 1)
    return Pairing(
        models=models,
        n_units=n_units,
        prompts=tuple(p.id for p in paired),
        prompt_unit=prompt_unit,
        answers=np.array(answers, dtype=np.int64),
        unit=np.array(unit, dtype=np.int64),
        prompt=np.array(prompt, dtype=np.int64),
        checkpoint=position_of,
        side=np.sign(rank),
        share=shares,
        weight=rank * shares,
        scale=np.array(lcm, dtype=np.float64) * members,
        truncated=np.array([responses.answers[i].truncated for i in answers], dtype=np.bool_),
        category=tuple(paired[int(i)].category for i in first),
        single=len(answers) == len(models) * n_units,
        dropped=dropped,
    )
