"""Two reports held against each other: mirrored, or the same to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from whatchanged.artifacts import Diff, Findings

__all__ = ["bits", "mirrored", "mirrored_findings", "same", "same_findings"]

EQUAL = ("statistic", "p", "q", "replication", "tags", "reason", "n", "p_prefix", "p_firth", "length")
NEGATED = ("delta", "delta_length")
EXCHANGED = (("rate_before", "rate_after"), ("n_before", "n_after"), ("per_1000_before", "per_1000_after"))


def _differing(one: pd.Series, other: pd.Series, turn: Callable[[Any], Any] = lambda x: x) -> int:
    """Values that are not exactly equal; a missing one equals a missing one."""
    return sum(
        not (a == b or (_nan(a) and _nan(b)))
        for a, b in zip(one.tolist(), [turn(x) for x in other.tolist()], strict=True)
    )


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def mirrored(diff: Diff, mirror: Diff) -> dict[str, Any]:
    """Every value of every row against its mirror image."""
    keys = ["kind", "feature"]
    one, other = diff.table.set_index(keys), mirror.table.set_index(keys)
    lost = len(one.index.symmetric_difference(other.index))
    other = other.loc[one.index] if not lost else other
    if lost:
        return {"rows": len(one), "values": 0, "differing": {"rows without a counterpart": lost}}
    wrong = {c: _differing(one[c], other[c]) for c in EQUAL}
    wrong |= {c: _differing(one[c], other[c], _negative) for c in NEGATED}
    for a, b in EXCHANGED:
        wrong |= {a: _differing(one[a], other[b]), b: _differing(one[b], other[a])}
    wrong |= {
        "lo": _differing(one["lo"], other["hi"], _negative),
        "hi": _differing(one["hi"], other["lo"], _negative),
    }
    noise = {
        f.name: getattr(diff.noise, f.name) != getattr(mirror.noise, f.name)
        for f in fields(diff.noise)
        if np.isscalar(getattr(diff.noise, f.name))
    }
    return {
        "rows": len(one),
        "values": len(one) * len(wrong) + len(noise),
        "differing": {k: int(v) for k, v in (wrong | noise).items() if v},
    }


def _negative(value: float) -> float:
    return -value


def mirrored_findings(one: Findings, other: Findings) -> dict[str, Any]:
    """The same findings in the same order, with effects of the other sign."""

    def seen(findings: Findings, sign: int) -> list[Any]:
        listed = []
        for f in (*findings.items, *findings.aside):
            ends = (f.lo, f.hi) if sign > 0 else (-f.hi, -f.lo)
            rates = (f.rate_before, f.rate_after)[::sign]
            listed.append((f.id, f.statistic, sign * f.delta, *ends, *rates, f.p, f.q, f.tags, len(f.rows)))
        return [len(findings), *listed]

    a, b = seen(one, 1), seen(other, -1)
    labels = [[f.label for f in (*x.items, *x.aside)] for x in (one, other)]
    return {
        "compared": len(a) - 1,
        "differing": sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b)),
        "other_labels": sum(x != y for x, y in zip(*labels, strict=False)),
    }


def same(diff: Diff, other: Diff) -> dict[str, Any]:
    """Every column, every table and the noise floor, bit for bit."""
    wrong = {c: bits(diff.table[c]) != bits(other.table[c]) for c in diff.table.columns}
    wrong |= {f"slices: {c}": bits(diff.slices[c]) != bits(other.slices[c]) for c in diff.slices.columns}
    wrong |= {
        f"conditions: {c}": bits(diff.conditions[c]) != bits(other.conditions[c])
        for c in diff.conditions.columns
    }
    values = sum(t.size for t in (diff.table, diff.slices, diff.conditions))
    for mine, its in zip(diff.families, other.families, strict=True):
        for name in ("n_units", "indptr", "column", "maximum", "count", "total", "first", "last"):
            a, b = getattr(mine, name), getattr(its, name)
            wrong[f"{mine.kind}: {name}"] = a.tobytes() != b.tobytes()
            values += a.size
    wrong["noise floor"] = _plain(diff.noise) != _plain(other.noise)
    wrong["summary"] = repr(diff.summary) != repr(other.summary)
    return {"rows": len(diff.table), "values": values, "differing": [k for k, bad in wrong.items() if bad]}


def bits(column: pd.Series) -> Any:
    values = column.to_numpy()
    return values.tolist() if values.dtype == object else (str(values.dtype), values.tobytes())


def _plain(value: Any) -> list[Any]:
    """Fields of a dataclass as bytes."""
    return [np.asarray(getattr(value, f.name)).tobytes() for f in fields(value)]


def same_findings(one: Findings, other: Findings) -> dict[str, Any]:
    """Findings with labels, notes and evidence."""
    a, b = (*one.items, *one.aside), (*other.items, *other.aside)
    return {
        "compared": len(a),
        "differing": sum(repr(x) != repr(y) for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b)),
    }
