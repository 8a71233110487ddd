"""Significant rows merged into findings, greedily: the strongest row takes all that say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from whatchanged.interpret.redundancy import EXPLAINED, Redundancy

__all__ = ["Group", "group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A leading row and the rows that say the same.

    Attributes:
        leader: Index of the strongest candidate.
        members: Indices of the others, strongest first.
        explained: Share of a candidate's effect that lies in the leader's text, beyond chance, for every
            candidate of the same direction with a positive share, members or not.
    """

    leader: int
    members: tuple[int, ...]
    explained: Mapping[int, float] = field(default_factory=dict)


def group(
    redundancy: Redundancy, among: Sequence[int], *, most: int, thorough: bool = True
) -> tuple[tuple[Group, ...], tuple[int, ...]]:
    """Groups of the candidates, strongest leader first, and those left when `most` groups are full.

    Args:
        redundancy: Measures which candidates say the same as a leader.
        among: Indices of the candidates to merge, strongest first.
        most: Largest number of groups; candidates redundant with none of them are left over.
        thorough: Whether to read further pairs for candidates that moved on few prompts.
    """
    free = list(among)
    groups: list[Group] = []
    while free and len(groups) < most:
        leader, rest = free[0], free[1:]
        explained, akin = redundancy.of(leader, rest if thorough else ())
        members = tuple(i for i in rest if explained[i] >= EXPLAINED or akin[i])
        positive = {int(i): float(explained[i]) for i in np.flatnonzero(explained > 0) if i != leader}
        groups.append(Group(leader=leader, members=members, explained=positive))
        taken = set(members)
        free = [i for i in rest if i not in taken]
    return tuple(groups), tuple(free)
