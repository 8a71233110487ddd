"""What was compared, how long the answers are, and how far to trust the list."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

import numpy as np

from whatchanged.artifacts import Diff
from whatchanged.report.view import Count, Head, Length, Trust
from whatchanged.report.words import DROPPED

__all__ = ["afters", "alpha", "baseline", "head", "lengths", "limit", "trust"]


def baseline(diff: Diff) -> str:
    """The checkpoint the table compares with; the responses' first where the table is empty."""
    return str(diff.table["before"].iloc[0]) if len(diff.table) else diff.responses.before


def afters(diff: Diff) -> tuple[str, ...]:
    """The checkpoints compared with the baseline, in their order."""
    there = set(diff.table["after"].unique()) if len(diff.table) else {diff.responses.after}
    return tuple(m for m in diff.responses.models if m in there)


def alpha(diff: Diff) -> float:
    """Level of q; .05 where the comparison does not say."""
    return float(diff.summary.get("alpha", 0.05))


def head(diff: Diff, date: str | None) -> Head:
    """What was compared, with what, and what was left out; other checkpoints' answers do not count."""
    features, responses = diff.features, diff.responses
    compared = {baseline(diff), *afters(diff)}
    mine = [i for i, a in enumerate(responses.answers) if a.model in compared]
    pairs = _count(diff.summary, "n_pairs")
    if pairs is None:
        pairs = max((found.prompts for found in lengths(diff)), default=0)
    units = _count(diff.summary, "n_units")
    return Head(
        before=baseline(diff),
        afters=afters(diff),
        prompts=len(responses.prompts),
        answers=len(mine),
        pairs=pairs,
        units=pairs if units is None else units,
        rows=len(diff.table),
        tested=int(np.isfinite(diff.table["p"].to_numpy(dtype=float)).sum()),
        dropped=_dropped(diff),
        truncated=sum(responses.answers[i].truncated for i in mine),
        cut=int(np.sum(features.cut[mine])),
        masked=int(np.sum(features.masked[mine])),
        reader=str(features.reader.get("name", "not named")),
        sae=str(features.sae.get("name", "not named")),
        details=(
            *_facts("reader", features.reader),
            *_facts("SAE", features.sae),
            *_facts("load check", features.health),
            *_facts("comparison", diff.summary),
        ),
        fingerprint=features.fingerprint,
        source=responses.source,
        date=date,
    )


def _dropped(diff: Diff) -> tuple[Count, ...]:
    """Answers left out when they were read, then prompts left out when they were paired."""
    answers = Counter(d.reason for d in diff.responses.dropped)
    said = diff.summary.get("dropped")
    pairing = {k: v for k, v in said.items() if k.startswith("prompts_")} if isinstance(said, Mapping) else {}
    return tuple(
        Count(name=DROPPED.get(reason, reason), count=counts[reason])
        for counts in (answers, pairing)
        for reason in sorted(counts)
        if counts[reason]
    )


def _facts(where: str, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every fact on a line of its own; nested ones are joined by a dot."""
    lines: list[tuple[str, str]] = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            lines += _facts(f"{where} \u00b7 {key}", value)
        else:
            shown = f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
            lines.append((f"{where} \u00b7 {key}", shown))
    return lines


def lengths(diff: Diff) -> tuple[Length, ...]:
    """Median lengths and the share of prompts with longer answers, per comparison.

    Lengths are in units of the features' table (reader tokens); with several samples, the mean of a
    prompt's samples is compared, and the medians run over the answers of prompts both answered.
    """
    responses, units = diff.responses, diff.features.occurrences.n_units
    before = responses.rows(baseline(diff))
    found = []
    for name in afters(diff):
        after = responses.rows(name)
        shared = [p for p in before if p in after]
        if not shared:
            continue
        b = [fmean(float(units[i]) for i in before[p]) for p in shared]
        a = [fmean(float(units[i]) for i in after[p]) for p in shared]
        found.append(
            Length(
                after=name,
                median_before=median(float(units[i]) for p in shared for i in before[p]),
                median_after=median(float(units[i]) for p in shared for i in after[p]),
                longer=fmean(y > x for x, y in zip(b, a, strict=True)),
                shorter=fmean(y < x for x, y in zip(b, a, strict=True)),
                prompts=len(shared),
            )
        )
    return tuple(found)


def limit(diff: Diff) -> tuple[int | None, float | None]:
    """Prompts that have to change for a row to be detectable in every comparison, and as a share of units."""
    return _limit(diff.summary, head(diff, None).units)


def _limit(summary: Mapping[str, Any], units: int) -> tuple[int | None, float | None]:
    found = _count(summary, "limit")
    return found or None, found / units if found and units else None


def trust(diff: Diff) -> tuple[Trust, ...]:
    """How far to trust each comparison."""
    return tuple(_trust(diff, after) for after in afters(diff))


def _trust(diff: Diff, after: str) -> Trust:
    several = diff.summary.get("comparisons")
    summary = several[after] if isinstance(several, Mapping) and after in several else diff.summary
    units = _count(summary, "n_units")
    needed, share = _limit(summary, head(diff, None).units if units is None else units)
    noise = diff.noise_of(after)
    return Trust(
        after=after,
        draws=noise.draws,
        any_discovery=noise.any_discovery,
        lower=noise.lower,
        floor_p=noise.p,
        replication=_share(summary, "replication_rate"),
        halves=_count(summary, "replication_n") or 0,
        slope=_share(summary, "replication_slope"),
        limit=needed,
        limit_share=share,
    )


def _count(summary: Mapping[str, Any], name: str) -> int | None:
    value = summary.get(name)
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _share(summary: Mapping[str, Any], name: str) -> float | None:
    value = summary.get(name)
    known = isinstance(value, int | float | np.floating) and math.isfinite(value)
    return float(value) if known and value is not None else None
