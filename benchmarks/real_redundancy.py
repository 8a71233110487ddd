"""E8: how many of the first twenty entries of a list say something new.

The measure is not the one the product merges by. Fixed beforehand: an entry repeats an earlier one if both
occur in the same answers (phi of presence over all answers of both sides, each in the sense of its own
statistic, at least .7) or at the same words (at least half of the words on which either is active are words
on which both are, over answers of 100 prompts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods import published
from real_reading import PairReport
from section import Bar, Grid, Section
from whatchanged.diff import discovered
from whatchanged.diff.family import STATISTICS
from whatchanged.encode import ShardTokens
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import Candidate, thresholds
from whatchanged.stats import wilson

__all__ = ["FIRST", "measure", "section"]

FIRST = 20
PHI = 0.7
OVERLAP = 0.5
PROMPTS = 100
BAR = 0.9  # ours, set before the first run; the issue sets none
NAMES = {
    "findings": "findings",
    "rows": "behaviour rows by q, unmerged",
    "published": "published rule: presence gap > 3 %, largest first",
}


def measure(report: PairReport, *, seed: int) -> dict[str, Any]:
    """Repeats among the first entries of each list of one pair."""
    lists = _lists(report)
    chosen = list(dict.fromkeys(c for entries in lists.values() for c in entries))
    place = {c: i for i, c in enumerate(chosen)}
    phi = _phi(report, chosen)
    overlap = _overlap(report, chosen, seed)
    result = {}
    for name, entries in lists.items():
        at = [place[c] for c in entries]
        result[name] = [
            {
                "kind": c.kind,
                "name": c.name,
                "statistic": c.statistic,
                "repeats": [
                    {
                        "rank": k + 1,
                        "phi": round(float(phi[i, at[k]]), 3),
                        "overlap": round(float(overlap[i, at[k]]), 3),
                    }
                    for k in range(rank)
                    if phi[i, at[k]] >= PHI or overlap[i, at[k]] >= OVERLAP
                ],
            }
            for rank, (c, i) in enumerate(zip(entries, at, strict=True))
        ]
    return result


def _lists(report: PairReport) -> dict[str, list[Candidate]]:
    """The first entries of each list."""
    table = report.diff.table
    behaviour = table[discovered(report.diff)]
    order = np.lexsort((-behaviour["delta"].abs().to_numpy(), behaviour["q"].to_numpy()))[:FIRST]
    # Features come first among the rows of a contrast, in the order of their columns.
    by_gap = published(report.contrast).rows[:FIRST]
    return {
        "findings": [_candidate(report, f.rows[0]) for f in report.findings.items[:FIRST]],
        "rows": [_candidate(report, int(r)) for r in behaviour.index.to_numpy()[order]],
        "published": [_candidate(report, int(r), "presence") for r in by_gap],
    }


def _candidate(report: PairReport, row: int, statistic: str | None = None) -> Candidate:
    r = report.diff.table.iloc[row]
    return Candidate(
        row=row,
        kind=r["kind"],
        name=str(r["feature"]),
        column=int(r["column"]),
        statistic=statistic or str(r["statistic"]),
        before=str(r["before"]),
        after=str(r["after"]),
        delta=float(r["delta"]),
        q=float(r["q"]),
        length="",
        tags=(),
    )


def _phi(report: PairReport, chosen: Sequence[Candidate]) -> NDArray[np.float64]:
    """Phi of presence in the same answers; 0 where a row is in all answers or in none."""
    found = report.contrast
    present = np.zeros((len(chosen), len(found.pairing.answers)))
    for family in found.families:
        mine = [i for i, c in enumerate(chosen) if c.kind == family.occurrences.kind]
        columns = np.array([chosen[i].column for i in mine], dtype=np.int64)
        statistic = np.array([STATISTICS.index(chosen[i].statistic) for i in mine], dtype=np.int64)
        row, which, value = family.own_values(columns, statistic)
        present[np.array(mine, dtype=np.int64)[which], row] = value > 0
    centred = present - present.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    return unit @ unit.T


def _overlap(report: PairReport, chosen: Sequence[Candidate], seed: int) -> NDArray[np.float64]:
    """Words on which both are active, as a share of those on which either is."""
    responses, n = report.responses, len(chosen)
    reader = ActivityReader(responses, chosen, thresholds(report.diff, chosen), ShardTokens(report.features))
    rows = [responses.rows(m) for m in (responses.before, responses.after)]
    ids = sorted(rows[0].keys() & rows[1].keys())
    drawn = np.random.default_rng(seed).permutation(len(ids))[:PROMPTS]
    both, each = np.zeros((n, n)), np.zeros(n)
    for i in drawn:
        for side in rows:
            activity = reader.read(side[ids[i]][0])
            on = np.zeros((n, len(activity.layout)), dtype=np.float32)
            on[activity.candidate[activity.relevant], activity.word[activity.relevant]] = 1
            both += on @ on.T
            each += on.sum(axis=1)
    either = each[:, None] + each[None] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _distinct(entries: Sequence[Mapping[str, Any]]) -> int:
    return sum(not e["repeats"] for e in entries)


def section(result: Mapping[str, Any]) -> Section:
    """E8 from the results."""
    pairs = {k: p["redundancy"] for k, p in result["pairs"].items() if "redundancy" in p}
    told = {k: p for k, p in pairs.items() if p["findings"]}
    shares = {name: _share(told, name) for name in NAMES}
    ours, total = shares["findings"]
    worse = [k for k, p in told.items() if _ratio(p["findings"]) < _ratio(p["rows"])]
    repeated = tuple(
        (key, f"{rank}. {e['kind']}:{e['name']}", ", ".join(_said(p["findings"], r) for r in e["repeats"]))
        for key, p in pairs.items()
        for rank, e in enumerate(p["findings"], start=1)
        if e["repeats"]
    )
    return Section(
        name="E8",
        title=f"redundancy among the first {FIRST}",
        lines=(
            "An entry repeats an earlier one of its list if both occur in the same answers (phi of presence, each in "
            f"the sense of its own statistic, ≥ {PHI:g}, over all answers of both sides) or at the same words (those on "
            f"which both are active ≥ {OVERLAP:g} of those on which either is, over the answers to {PROMPTS} prompts). "
            "This was fixed before the first run and is not what the product merges by. A repeat in this sense may "
            "still be two changes: bold type and headings that always come together have a high phi.",
            "Unmerged rows are those at q ≤ .05 that pass the length rule, by q, then by absolute delta. The bar is "
            "ours; pairs without a finding take no part.",
        ),
        bars=(
            Bar(
                claim=f"distinct entries among the first {FIRST} findings, all pairs",
                wanted=f"≥ {BAR:g}",
                got=_with_interval(ours, total),
                met=ours >= BAR * total if total else None,
            ),
            Bar(
                claim="pairs on which merged findings repeat themselves more than unmerged rows do",
                wanted="0",
                got=f"{len(worse)} of {len(told)}" + (f" ({', '.join(worse)})" if worse else ""),
                met=not worse if told else None,
            ),
        ),
        grids=(
            Grid(
                title="distinct entries",
                head=("pair", *NAMES.values()),
                rows=(
                    *((k, *(f"{_distinct(p[n])}/{len(p[n])}" for n in NAMES)) for k, p in pairs.items()),
                    ("pairs with findings", *(f"{a}/{b}" for a, b in shares.values())),
                ),
            ),
            Grid(title="findings that repeat", head=("pair", "finding", "repeats"), rows=repeated),
        ),
    )


def _share(pairs: Mapping[str, Any], name: str) -> tuple[int, int]:
    return sum(_distinct(p[name]) for p in pairs.values()), sum(len(p[name]) for p in pairs.values())


def _with_interval(count: int, n: int) -> str:
    """A share with its 95 % Wilson interval; the unit is an entry."""
    if not n:
        return "0 of 0"
    low, high = wilson(count, n)
    return f"{count} of {n} ({count / n:.3f}; {float(low):.3f} to {float(high):.3f})"


def _ratio(entries: Sequence[Mapping[str, Any]]) -> float:
    return _distinct(entries) / len(entries) if entries else 1.0


def _said(entries: Sequence[Mapping[str, Any]], r: Mapping[str, Any]) -> str:
    e = entries[r["rank"] - 1]
    return f"{r['rank']}. {e['kind']}:{e['name']} (phi {r['phi']:.2f}, words {r['overlap']:.2f})"
