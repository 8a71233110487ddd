"""On which prompts a behaviour changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import CONDITION_COLUMNS, Responses
from whatchanged.diff.attributes import attributes
from whatchanged.diff.contrast import Contrast
from whatchanged.stats import benjamini_hochberg, exchange_test, smallest_exchange, tango

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Asked", "ask", "conditions"]

FEWEST_EACH_WAY = 5
"""Discordant units in either direction from which on the direction is asked about."""

_LEVEL = 0.05
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Questions about the findings of one comparison; every array has one value per question.

    Attributes:
        after: The checkpoint compared with the baseline.
        kind, feature: Which finding.
        attribute, value: Which attribute of prompts.
        asked: ``direction`` or ``occurrence``, see `ask`.
        n_in, n_out: Units with the attribute, and without.
        after_in, before_in: Discordant units with the attribute, with more in after and in before.
        after_out, before_out: The same without it.
        p: p of the question.
    """

    after: str
    kind: NDArray[np.object_]
    feature: NDArray[np.object_]
    attribute: NDArray[np.object_]
    value: NDArray[np.object_]
    asked: NDArray[np.object_]
    n_in: NDArray[np.int64]
    n_out: NDArray[np.int64]
    after_in: NDArray[np.int64]
    before_in: NDArray[np.int64]
    after_out: NDArray[np.int64]
    before_out: NDArray[np.int64]
    p: NDArray[np.float64]


def ask(contrast: Contrast, rows: NDArray[np.int64], responses: Responses) -> Asked:
    """Ask of each finding and each attribute of prompts whether they have to do with one another.

    Where the finding's own statistic has at least 5 discordant units in either direction, the attribute is
    permuted among the discordant units: does the *direction* depend on it? Prompts on which the behaviour
    is common anyway are discordant more often, in both directions, and do not pass for a condition. Where
    (nearly) all moved one way there is no direction to ask about, and little chance movement either; then
    the attribute is permuted among all units: does the *occurrence* of the move depend on it? Which is
    asked depends on totals alone, so it is the same under every permutation. Questions whose margins cannot
    reach p = .05 are not asked (Tarone), which costs nothing for the same reason.

    Args:
        contrast: The contrast on all units.
        rows: Findings.
        responses: Where the prompts stand.
    """
    found = attributes(responses, contrast.pairing)
    member = found.member.astype(np.int64)
    direction = contrast.direction(rows)
    parts: list[tuple[NDArray[np.int64], ...]] = []
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[begin : begin + _ROWS_AT_ONCE]
        more, less = contrast.signs.select(block).counts(member.T)
        s, index = contrast.tests.statistic[block], np.arange(len(block))
        shape = np.broadcast_shapes((len(block), 1), (1, len(member)))
        totals = (np.broadcast_to(n[s, block][:, None], shape) for n in (contrast.n_after, contrast.n_before))
        which = np.indices(shape)
        parts.append((which[0] + begin, which[1], more[s, index], less[s, index], *totals))
    if not parts:
        parts = [tuple(np.zeros(0, dtype=np.int64) for _ in range(6))]
    row, attribute, up, down, all_up, all_down = (
        np.concatenate([np.ravel(part[i]) for part in parts]) for i in range(6)
    )
    n_in = member.sum(axis=1)[attribute]
    units = contrast.pairing.n_units
    by_direction = np.minimum(all_up, all_down) >= FEWEST_EACH_WAY
    rising = direction[row] > 0
    hits = np.where(rising, up, down)
    members = np.where(by_direction, up + down, n_in)
    marked = np.where(rising, all_up, all_down)
    total = np.where(by_direction, all_up + all_down, units)
    kept = smallest_exchange(members, marked, total) <= _LEVEL
    p = exchange_test(*(counts[kept] for counts in (hits, members, marked, total)))
    kind, feature = _names(contrast, rows)
    names = np.array(found.names, dtype=np.object_).reshape(-1, 2)
    return Asked(
        after=contrast.pairing.after,
        kind=kind[row[kept]],
        feature=feature[row[kept]],
        attribute=names[attribute[kept], 0],
        value=names[attribute[kept], 1],
        asked=np.where(by_direction[kept], "direction", "occurrence").astype(np.object_),
        n_in=n_in[kept],
        n_out=units - n_in[kept],
        after_in=up[kept],
        before_in=down[kept],
        after_out=(all_up - up)[kept],
        before_out=(all_down - down)[kept],
        p=p,
    )


def _names(contrast: Contrast, rows: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Kind and name of some rows."""
    family_of = np.searchsorted(contrast.start, rows, side="right") - 1
    tables = [contrast.families[f].occurrences for f in family_of]
    columns = rows - contrast.start[family_of]
    return (
        np.array([t.kind for t in tables], dtype=np.object_),
        np.array([t.name(int(c)) for t, c in zip(tables, columns, strict=True)], dtype=np.object_),
    )


def conditions(asked: Sequence[Asked], alpha: float) -> pd.DataFrame:
    """The conditions that hold at ``q <= alpha``, with Benjamini-Hochberg over every question asked.

    Returns:
        A table with the columns of `CONDITION_COLUMNS`; by comparison, finding and q.
    """
    import pandas as pd

    def joined(name: str) -> NDArray[np.object_]:
        return np.concatenate([getattr(a, name) for a in asked])

    q = benjamini_hochberg(np.concatenate([a.p for a in asked]))
    after = np.concatenate([np.full(len(a.p), a.after, dtype=np.object_) for a in asked])
    n_in, n_out = joined("n_in").astype(np.int64), joined("n_out").astype(np.int64)
    up_in, down_in, up_out, down_out = (
        joined(n).astype(np.int64) for n in ("after_in", "before_in", "after_out", "before_out")
    )
    low, high = tango(up_in, down_in, n_in)
    columns = {
        "after": after,
        "kind": joined("kind"),
        "feature": joined("feature"),
        "attribute": joined("attribute"),
        "value": joined("value"),
        "asked": joined("asked"),
        "n_in": n_in,
        "delta_in": (up_in - down_in) / n_in,
        "lo_in": low,
        "hi_in": high,
        "n_out": n_out,
        "delta_out": (up_out - down_out) / n_out,
        "p": joined("p").astype(np.float64),
        "q": q,
        "questions": np.full(len(q), len(q)),
    }
    assert tuple(columns) == tuple(CONDITION_COLUMNS), "the table has the documented columns, in order"
    table = pd.DataFrame(columns)
    # A stable sort by q within the order in which findings were asked about.
    rank = pd.factorize(pd.MultiIndex.from_arrays([after, columns["kind"], columns["feature"]]))[0]
    order = np.lexsort((np.arange(len(q)), q, rank))
    table = table.iloc[order]
    return table[table["q"] <= alpha].reset_index(drop=True)
