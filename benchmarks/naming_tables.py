"""What `naming.py` found: shares of hits that are named, per edit, and how often a rule passes by chance."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from naming_rule import RULES, names, sharing
from section import Bar, Grid, Section
from whatchanged.stats import wilson

__all__ = ["REPORTS", "developed", "section"]

REPORTS = {"report": "whole report", "features": "SAE features alone"}
WANTED, HITS, CHANCE = 0.7, 180, 0.05
_SHOWN = 3  # labels named per edit

Hit = tuple[str, dict[str, Any]]
"""An edit and a finding it made."""


def developed(edit: str) -> bool:
    """Whether labels may be worked on with this edit in view; the others are held out."""
    return zlib.crc32(edit.encode()) % 2 == 0


def _hits(result: dict[str, Any], report: str, *, first: bool) -> list[Hit]:
    return [
        (edit, h)
        for edit, draws in result["draws"].items()
        for d in draws
        for h in (d[report]["hits"][:1] if first else d[report]["hits"])
        if first or h["rank"] <= 10
    ]


def _label(hit: dict[str, Any]) -> str:
    return str(hit["label"])


def _bare(hit: dict[str, Any]) -> str:
    """The label without the rows it also stands for."""
    return str(hit["label"]).split(" (+ ", maxsplit=1)[0]


def _with_line(hit: dict[str, Any]) -> str:
    # The line goes first: the rows a label also stands for are read at its end.
    return f"{hit['line']} {hit['label']}"


READINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "label": _label,
    "label without the rows merged into it": _bare,
    "label and the line that says what it fires on": _with_line,
}


def _share(hits: Sequence[Hit], read: Callable[[dict[str, Any]], str]) -> str:
    if not hits:
        return "no hits"
    good = [names(edit, read(h)) for edit, h in hits]
    low, high = wilson(sum(good), len(good))
    down, up = _over_edits([e for e, _ in hits], good)
    return f"{np.mean(good):.2f} [{low:.2f}, {high:.2f}] ({down:.2f}, {up:.2f}), {sum(good)} of {len(good)}"


def _over_edits(edits: Sequence[str], good: Sequence[bool]) -> tuple[float, float]:
    """Bootstrap over edits: draws of one edit are alike, so they are no independent trials."""
    found = sorted(set(edits))
    named = np.array([sum(g for e, g in zip(edits, good, strict=True) if e == x) for x in found])
    count = np.array([sum(e == x for e in edits) for x in found])
    drawn = np.random.default_rng(0).integers(0, len(found), (4000, len(found)))
    low, high = np.quantile(named[drawn].sum(axis=1) / count[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def section(result: dict[str, Any]) -> Section:
    """The section of the evaluation, from the results alone."""
    s = result["settings"]
    edited = max(1, round(s["dose"] * s["prompts"]))
    few = [f"{e} ({n})" for e, n in result["applies"].items() if n < edited]
    draws = sum(len(d) for d in result["draws"].values())
    silent = {r: sum(not d[r]["hits"] for draws in result["draws"].values() for d in draws) for r in REPORTS}
    return Section(
        name="Labels",
        title="does an offline label name what was planted?",
        lines=(
            f"{s['pair'][0]} against {s['pair'][1]}, {s['prompts']} prompts, of which {edited} are edited; "
            f"{len(result['draws'])} edits, {draws} draws; SAE {s['sae']['name']} ({s['sae']['fingerprint']}), "
            f"{s['dtype']}, q ≤ {s['alpha']}, seed {s['seed']}. A hit is a finding whose leading row owes at least "
            "half of its net change to the edit. Only behaviour findings count; labels are made without an LLM. "
            "Whether a label names the planted thing is decided by naming_rule.py, which follows from the edits' "
            "definitions alone; a label names it when the rule passes on the string that the report shows.",
            "Shares are of hits, with [95 % Wilson over draws] and (95 % bootstrap over edits: the draws of one "
            "edit are alike). With SAE features alone there is no observable or word whose name could help.",
            f"Draws without any hit, which ask nothing of labels: {silent['report']} of {draws} in the whole "
            f"report, {silent['features']} with features alone. Edits that apply to fewer prompts than are "
            f"edited, left out: {', '.join(few) or 'none'}.",
        ),
        bars=_bars(result),
        grids=(_overall(result), *(_per_edit(result, r) for r in REPORTS), _chance(result)),
    )


def _bars(result: dict[str, Any]) -> tuple[Bar, ...]:
    bars = []
    for report, title in REPORTS.items():
        hits = _hits(result, report, first=True)
        good = [names(e, _label(h)) for e, h in hits]
        met = None if len(hits) < HITS else float(np.mean(good)) >= WANTED
        claim = f"{title}: the label of the first finding that the edit made names it (≥ {HITS} hits)"
        bars.append(Bar(claim=claim, wanted=f"≥ {WANTED}", got=_share(hits, _label), met=met))
    asked = [e for e in RULES if any(e == x for r in REPORTS for x, _ in _hits(result, r, first=True))]
    n = len(result["random"])
    passed = {e: k for e, k in _random(result, _label).items() if e in asked}
    worst = max(passed, key=lambda e: passed[e], default="")
    bars.append(
        Bar(
            claim="a label of a random feature of the unedited pair passes the rule of an edit that has hits",
            wanted=f"≤ {CHANCE} for every rule",
            got=f"{sum(passed.values()) / (n * len(passed)):.3f} over all, at most {passed[worst] / n:.3f} ({worst}), "
            f"{n} labels"
            if passed
            else "no hits",
            met=passed[worst] <= CHANCE * n if passed else None,
        )
    )
    return tuple(bars)


def _random(result: dict[str, Any], read: Callable[[dict[str, Any]], str]) -> dict[str, int]:
    return {e: sum(names(e, read(x)) for x in result["random"]) for e in RULES}


def _overall(result: dict[str, Any]) -> Grid:
    rows = []
    for report, title in REPORTS.items():
        for first, which in ((True, "first hit of a draw"), (False, "all hits among the first ten")):
            hits = _hits(result, report, first=first)
            rows += [(title, which, name, "all", _share(hits, read)) for name, read in READINGS.items()]
            for part, held in (("edits in view while labels were made", True), ("edits held out", False)):
                mine = [h for h in hits if developed(h[0]) == held]
                rows.append((title, which, "label", part, _share(mine, _label)))
    return Grid(
        title="share of hits that are named",
        head=("report", "hits", "read", "edits", "named"),
        rows=tuple(rows),
    )


def _per_edit(result: dict[str, Any], report: str) -> Grid:
    rows = []
    for edit, draws in result["draws"].items():
        first = [h for e, h in _hits(result, report, first=True) if e == edit]
        ten = [h for e, h in _hits(result, report, first=False) if e == edit]
        common = Counter(_bare(h) for h in first).most_common(_SHOWN)
        rows.append(
            (
                edit + ("" if developed(edit) else " (held out)"),
                f"{len(first)}/{len(draws)}",
                f"{sum(names(edit, _label(h)) for h in first)}/{len(first)}",
                f"{sum(names(edit, _with_line(h)) for h in first)}/{len(first)}",
                f"{sum(names(edit, _label(h)) for h in ten)}/{len(ten)}",
                "; ".join(f"{text} ({n})" for text, n in common),
            )
        )
    head = (
        "edit", "draws with a hit", "first named", "first named, line included", "named among the first ten",
        "labels given most often to the first",
    )  # fmt: skip
    return Grid(title=f"{REPORTS[report]}, per edit", head=head, rows=tuple(rows))


def _chance(result: dict[str, Any]) -> Grid:
    """How often each rule passes on labels of other edits' hits and of random features."""
    rows, sums = [], np.zeros((len(REPORTS), 2), dtype=np.int64)
    lone = _random(result, _label), _random(result, _with_line)
    for rule in RULES:
        cells = []
        for i, report in enumerate(REPORTS):
            others = [(e, h) for e, h in _hits(result, report, first=True) if not sharing(rule, e)]
            passed = [e for e, h in others if names(rule, _label(h))]
            sums[i] += len(passed), len(others)
            which = ", ".join(f"{e} {n}" for e, n in Counter(passed).most_common(2))
            cells.append(f"{len(passed)}/{len(others)}" + (f" ({which})" if which else ""))
        shared = ", ".join(e for e in RULES if e != rule and sharing(rule, e))
        rows.append((rule, *cells, *(f"{x[rule]}/{len(result['random'])}" for x in lone), shared))
    total = [f"{a / n:.3f} ({a}/{n})" if n else "none" for a, n in sums]
    n = len(result["random"]) * len(RULES)
    rows.insert(0, ("all rules", *total, *(f"{sum(x.values()) / n:.3f}" for x in lone), ""))
    return Grid(
        title="how often a rule passes on a label that has nothing to do with it",
        head=(
            "rule", *(f"first hits of other edits, {t}" for t in REPORTS.values()), "random features, label",
            "random features, label and line", "left out: edits that plant the same in part",
        ),
        rows=tuple(rows),
    )  # fmt: skip
