"""Significant rows merged into findings, greedily: a leading row takes all that say the same.

Observables lead first, strongest first: what can be counted names a change better than any feature.
Among them bare marks come last, so that a closing question is not told as more question marks.
What a leader took the place of (fewer answers that open with "the" where more open with "certainly")
is the other side of the same change. Rows that several leaders explain only together go to the one
that explains most. Then the strongest row that is left leads, until none is left or the report is
full. Groups are ranked by their strongest row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from whatchanged.interpret.redundancy import EXPLAINED, Redundancy
from whatchanged.text import OBSERVABLES

__all__ = ["Group", "group"]

TOGETHER = 0.4  # of the effect, beyond chance, that several leaders must explain together
WHOLLY = 0.9  # of it, where none of them explains any alone
WHOLE = frozenset({"words", "sentence_length"})
"""Observables of the answer as a whole, which stand nowhere in it."""
MARKS = frozenset(name for name, observable in OBSERVABLES.items() if observable.is_mark)


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
    chosen = redundancy.chosen
    counted = [i for i in among if chosen[i].kind == "observable" and chosen[i].name not in WHOLE]
    counted.sort(key=lambda i: chosen[i].name in MARKS)
    free = list(among)
    groups: list[Group] = []

    def lead(leader: int) -> None:
        rest = [i for i in free if i != leader]
        explained, akin = redundancy.of(leader, rest if thorough else ())
        members = [i for i in rest if explained[i] >= EXPLAINED or akin[i]]
        mirror = np.max([redundancy.mirrored(i) for i in (leader, *members)], axis=0)
        members = [i for i in rest if i in set(members) or mirror[i] >= EXPLAINED]
        positive = {int(i): float(explained[i]) for i in np.flatnonzero(explained > 0) if i != leader}
        groups.append(Group(leader=leader, members=tuple(members), explained=positive))
        taken = {leader, *members}
        free[:] = [i for i in free if i not in taken]

    for i in counted:
        if i in free:
            lead(i)
    if len(groups) > 1:
        shared, held = redundancy.together([g.leader for g in groups], free)
        _share_out(groups, free, shared, held, redundancy)
    rank = {i: r for r, i in enumerate(among)}

    def strongest(g: int) -> int:
        return min(rank[i] for i in (groups[g].leader, *groups[g].members))

    def order() -> list[int]:
        return sorted(range(len(groups)), key=strongest)

    # What is left may be stronger than what was counted before it.
    while free and (len(groups) < most or rank[free[0]] < strongest(order()[most - 1])):
        lead(free[0])
    ranked = order()
    beyond = [i for g in ranked[most:] for i in (groups[g].leader, *groups[g].members)]
    return tuple(groups[g] for g in ranked[:most]), tuple(sorted([*free, *beyond]))


def _share_out(
    groups: list[Group],
    free: list[int],
    shared: NDArray[np.float64],
    held: NDArray[np.float64],
    redundancy: Redundancy,
) -> None:
    """Give every row that the groups explain together to the one that explains most of it.

    A row that all of them explain wholly and none alone, such as a feature of whatever is new, goes to the one
    in whose text it fires most.
    """
    comparable = [redundancy.comparable(g.leader) for g in groups]
    for i in [i for i in free if shared[i] >= TOGETHER]:
        alike = [k for k in range(len(groups)) if comparable[k][i]]
        mine = [k for k in alike if groups[k].explained.get(i, 0.0) > 0]
        if mine:
            best = max(mine, key=lambda k: (groups[k].explained[i], -k))
        elif alike and shared[i] >= WHOLLY:
            best = max(alike, key=lambda k: (held[k, i], -k))
        else:
            continue
        groups[best] = replace(groups[best], members=tuple(sorted((*groups[best].members, i))))
        free.remove(i)
