"""Half of the prompts to discover on, half to verify on, fixed before anybody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Features, Occurrences, Prompt, PromptSet, Responses
from whatchanged.text import clusters

__all__ = ["features_of", "prompt_units", "split_prompts"]


def prompt_units(prompts: Sequence[Prompt]) -> list[int]:
    """Unit of each prompt: its named cluster, joined with every near-duplicate; numbers are arbitrary."""
    unit = clusters([p.text for p in prompts])
    named: dict[str, int] = {}
    for i, prompt in enumerate(prompts):
        if prompt.cluster is not None:
            known = named.setdefault(prompt.cluster, unit[i])
            if known != unit[i]:
                old = unit[i]
                unit = [known if u == old else u for u in unit]
                named = {name: known if u == old else u for name, u in named.items()}
    return unit


def split_prompts(
    responses: Responses, seed: int = 0, *, held_out: float = 0.5
) -> tuple[Responses, Responses]:
    """Part the prompts in two: make findings, labels and hypotheses from the first, verify on the second.

    The split depends on the seed and the prompts' ids alone, never on an answer, so it can be made at any
    time and is the same again. Near-duplicate prompts stay together.

    Args:
        responses: The answers.
        seed: Of the split.
        held_out: Share of the units (near-duplicates as one) that is held out, in (0, 1).

    Returns:
        Discovery and held-out answers.

    Raises:
        ValueError: The share is not in (0, 1), or there are fewer than two units.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out is a share between 0 and 1; got {held_out}; 0.5 is usual")
    prompts = responses.prompts.prompts
    members: dict[int, list[str]] = {}
    for prompt, unit in zip(prompts, prompt_units(prompts), strict=True):
        members.setdefault(unit, []).append(prompt.id)
    if len(members) < 2:
        raise ValueError(
            f"{len(prompts)} prompts make {len(members)} independent unit; two or more are needed"
        )
    ranked = sorted(members.values(), key=lambda ids: _rank(seed, min(ids)))
    n = min(max(round(held_out * len(ranked)), 1), len(ranked) - 1)
    held = {i for ids in ranked[:n] for i in ids}
    return _part(responses, {p.id for p in prompts} - held), _part(responses, held)


def _rank(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()


def _part(responses: Responses, ids: set[str]) -> Responses:
    prompts = responses.prompts
    return replace(
        responses,
        prompts=PromptSet(prompts=tuple(p for p in prompts if p.id in ids), source=prompts.source),
        answers=tuple(a for a in responses.answers if a.prompt_id in ids),
        dropped=tuple(d for d in responses.dropped if d.prompt_id in ids),
    )


def features_of(features: Features, part: Responses) -> Features:
    """The features of some of the answers, without encoding again.

    Args:
        features: Features of all answers.
        part: Answers that are among them, such as one side of `split_prompts`.

    Raises:
        ValueError: An answer of the part was not encoded.
    """
    where = {(a.prompt_id, a.model, a.sample): i for i, a in enumerate(features.responses.answers)}
    names = [(a.prompt_id, a.model, a.sample) for a in part.answers]
    missing = [name for name in names if name not in where]
    if missing:
        raise ValueError(f"{len(missing)} answers were not encoded, such as {missing[0]!r}; encode them too")
    rows = np.array([where[name] for name in names], dtype=np.int64)
    return replace(
        features,
        responses=part,
        occurrences=_rows(features.occurrences, rows),
        cut=features.cut[rows],
        masked=features.masked[rows],
        shard=features.shard[rows],
        shard_row=features.shard_row[rows],
    )


def _rows(table: Occurrences, rows: NDArray[np.int64]) -> Occurrences:
    size = np.diff(table.indptr)[rows]
    begin = np.cumsum(size) - size
    entry = np.arange(int(size.sum())) + np.repeat(table.indptr[rows] - begin, size)
    return replace(
        table,
        n_units=table.n_units[rows],
        indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        column=table.column[entry],
        maximum=table.maximum[entry],
        count=table.count[entry],
        total=table.total[entry],
        first=table.first[entry],
        last=table.last[entry],
    )
