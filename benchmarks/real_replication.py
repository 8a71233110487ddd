"""E4: what half of the prompts discovers, does the other half confirm it?

Rows: `whatchanged.diff.replication.replicate`, the product's own, one call per split so that the spread over
splits is seen. Findings: half of the prompts is compared and interpreted as a run of its own; the leading row
of each finding is then asked of the prompts that this run has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planting import gather
from real_reading import REAL, PairReport
from section import Bar, Grid, Section
from whatchanged.artifacts import Responses
from whatchanged.diff import compare
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.replication import replicate
from whatchanged.encode import ShardTokens
from whatchanged.interpret import features_of, interpret, split_prompts
from whatchanged.stats import upper_tail

__all__ = ["BAR", "SLOPE", "measure", "section"]

BAR, SLOPE = 0.9, 0.7
CONFIRMED = 0.05
FEWEST = 20  # discoveries on halves below which a pair's own share says nothing
RESAMPLES = 2000
NAMES = {
    "report": "whole report",
    "feature": "SAE features alone",
    "observable": "observables alone",
    "lexical": "words alone",
    "findings": "merged findings",
}


def measure(report: PairReport, *, splits: int, finding_splits: int, seed: int) -> dict[str, Any]:
    """Every kind of discovery on halves of one pair, split by split."""
    result: dict[str, Any] = {}
    for name, found in _reports(report.contrast).items():
        with report.timed(f"replication of {name}"):
            result[name] = [_rows_of(found, seed + i) for i in range(splits)]
    with report.timed("replication of findings"):
        result["findings"] = [
            _findings_on(report, *direction, split=i, seed=seed)
            for i in range(finding_splits)
            for parts in [split_prompts(report.responses, seed + i)]
            for direction in (parts, parts[::-1])
        ]
    return result


def _reports(found: Contrast) -> dict[str, Contrast]:
    """The whole report, and each kind of row as a report of its own: q over its rows alone.

    The length rule still sees every table, since it asks the observables which answers break off.
    """
    reports = {"report": found}
    for family, start, stop in zip(found.families, found.start[:-1], found.start[1:], strict=True):
        tests = np.zeros_like(found.tests.tests)
        tests[start:stop] = found.tests.tests[start:stop]
        reports[family.occurrences.kind] = replace(found, tests=replace(found.tests, tests=tests))
    return reports


def _rows_of(found: Contrast, seed: int) -> dict[str, Any]:
    """One split, both directions: behaviour rows on a half, and how many the other half confirms."""
    one = replicate(found, np.zeros(0, dtype=np.int64), splits=1, seed=seed, length=True)
    known = one.n > 0
    return {
        "found": one.n,
        "confirmed": round(one.rate * one.n) if known else 0,
        "slope": float(one.slope) if known else None,
    }


def _findings_on(
    report: PairReport, discovery: Responses, held: Responses, *, split: int, seed: int
) -> dict[str, Any]:
    """Findings of a run on some prompts, each asked of the others by its leading row's own statistic."""
    place = {(a.prompt_id, a.model, a.sample): i for i, a in enumerate(report.responses.answers)}
    rows = np.array([place[a.prompt_id, a.model, a.sample] for a in discovery.answers], dtype=np.int64)
    half = compare(
        features_of(report.features, discovery),
        extra=[gather(t, rows) for t in report.diff.families[1:]],
        alpha=report.alpha,
        draws=1,
        splits=0,
        seed=seed,
    )
    found = interpret(half, tokens=ShardTokens(half.features), seed=seed, scored=False)
    led = half.table.iloc[[f.rows[0] for f in found]]
    asked = report.row_numbers(led["kind"].to_numpy(object), led["column"].to_numpy(np.int64))
    statistic = np.array([STATISTICS.index(s) for s in led["statistic"]], dtype=np.int64)
    delta = led["delta"].to_numpy(float)
    held_units = _units_of(report, held)
    holds, there = _confirmed(report.contrast, asked, statistic, np.sign(delta), held_units)
    return {
        "split": split,
        "found": len(found),
        "confirmed": int(holds.sum()),
        "same_sign": int((there * delta > 0).sum()),
        "slope": float(delta @ there / (delta @ delta)) if len(found) else None,
        "rows": [
            {
                "id": f.id,
                "kind": f.kind,
                "q": f.q,
                "delta": f.delta,
                "held_delta": float(d),
                "holds": bool(ok),
            }
            for f, d, ok in zip(found, there, holds, strict=True)
        ],
    }


def _units_of(report: PairReport, part: Responses) -> NDArray[np.int64]:
    """Units of the pairing that hold the prompts of a part."""
    pairing, ids = report.contrast.pairing, {p.id for p in part.prompts}
    return np.unique([u for p, u in zip(pairing.prompts, pairing.prompt_unit, strict=True) if p in ids])


def _confirmed(
    found: Contrast,
    rows: NDArray[np.int64],
    statistic: NDArray[np.int64],
    direction: NDArray[np.float64],
    units: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether rows hold on some units at one-sided p <= .05, and their delta there."""
    weight = np.zeros(found.pairing.n_units, dtype=np.int64)
    weight[units] = 1
    more, less = found.signs.select(rows).counts(weight)
    index = np.arange(len(rows))
    n_after, n_before = more[statistic, index], less[statistic, index]
    hits = np.where(direction > 0, n_after, n_before)
    return upper_tail(hits, n_after + n_before) <= CONFIRMED, (n_after - n_before) / len(units)


def _totals(splits: list[Mapping[str, Any]]) -> tuple[int, int, float | None]:
    """Found, confirmed and the mean slope over splits."""
    slopes = [s["slope"] for s in splits if s["slope"] is not None]
    return (
        sum(s["found"] for s in splits),
        sum(s["confirmed"] for s in splits),
        float(np.mean(slopes)) if slopes else None,
    )


def _pooled(pairs: Mapping[str, Mapping[str, Any]], name: str, seed: int) -> tuple[Any, Any, int]:
    """Share and slope over the real pairs, each pair counting once, with a bootstrap over pairs.

    Halves of one pair share its prompts, so only pairs are independent of each other.
    """
    told = [_totals(p["replication"][name]) for p in pairs.values() if p["class"] in REAL]
    told = [t for t in told if t[0] >= FEWEST]
    if not told:
        return None, None, 0
    values = np.array([[c / n, np.nan if s is None else s] for n, c, s in told])
    drawn = np.random.default_rng(seed).integers(0, len(told), size=(RESAMPLES, len(told)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    mean = values.mean(axis=0)
    return (mean[0], low[0], high[0]), (mean[1], low[1], high[1]), len(told)


def section(result: Mapping[str, Any]) -> Section:
    """E4 from the results."""
    pairs = {k: p for k, p in result["pairs"].items() if "replication" in p}
    settings = result["settings"]
    bars, rows, low = [], [], []
    for name in NAMES:
        share, slope, n = _pooled(pairs, name, settings["seed"])
        if name in ("report", "findings"):
            bars += _bars(name, share, slope, n)
        for key, p in pairs.items():
            rows.append(_row(key, p, name))
            found, confirmed, _ = _totals(p["replication"][name])
            if p["class"] in REAL and found >= FEWEST and confirmed < BAR * found:
                low.append(f"{key}, {NAMES[name]} ({confirmed / found:.3f})")
    said = f"Below {BAR:g} on a pair alone: {'; '.join(low)}." if low else f"No real pair is below {BAR:g}."
    return Section(
        name="E4",
        title="split-half replication",
        lines=(
            f"{settings['splits']} splits of the prompts in halves for rows and {settings['finding_splits']} for merged "
            "findings, each in both directions. A discovery has q ≤ .05 on one half and passes the length rule there; "
            "it replicates if its own statistic has the same sign at one-sided p ≤ .05 on the other half. The slope "
            "is that of the delta on the other half on the delta where it was discovered, through the origin.",
            "Splits of one pair share their prompts, so the spread over splits is no interval. Shares over pairs are "
            f"means over the real pairs with at least {FEWEST} discoveries, each pair once, with a 95 % bootstrap over "
            "pairs. A kind alone is a report of its own, with q over its rows. Findings on a half are asked by their "
            "leading row; words kept are those of all prompts, chosen without regard to the labels.",
            said,
        ),
        bars=tuple(bars),
        grids=(
            Grid(
                title="by pair",
                head=("pair", "class", "what", "found on halves", "replicated", "range over splits", "slope"),
                rows=tuple(rows),
            ),
            Grid(
                title="merged findings by kind of leading row, and by their q on the discovery half",
                head=_KIND_HEAD,
                rows=tuple(_by_kind(key, p["replication"]["findings"]) for key, p in pairs.items()),
            ),
        ),
    )


def _bars(name: str, share: Any, slope: Any, n: int) -> list[Bar]:
    claims = (
        (f"share of discoveries that replicate, {NAMES[name]}", f"≥ {BAR:g}", share, BAR),
        (f"slope, {NAMES[name]}", f"≥ {SLOPE:g}", slope, SLOPE),
    )
    return [
        Bar(
            claim=claim,
            wanted=wanted,
            got=f"{v[0]:.3f} ({v[1]:.3f} to {v[2]:.3f}, {n} pairs)" if v else "too few discoveries",
            met=bool(v[0] >= least) if v else None,
        )
        for claim, wanted, v, least in claims
    ]


def _row(key: str, p: Mapping[str, Any], name: str) -> tuple[str, ...]:
    splits = p["replication"][name]
    found, confirmed, slope = _totals(splits)
    shares = [s["confirmed"] / s["found"] for s in splits if s["found"]]
    return (
        key,
        p["class"],
        NAMES[name],
        f"{found:,}",
        f"{confirmed / found:.3f}" if found else "–",
        f"{min(shares):.3f} to {max(shares):.3f}" if shares else "–",
        f"{slope:.2f}" if slope is not None else "–",
    )


_STRENGTHS = ((0.0, 1e-6), (1e-6, 1e-3), (1e-3, 0.01), (0.01, 0.05))
_KIND_HEAD = (
    "pair", "features", "observables", "words", *(f"q ≤ {high:g}" for _, high in _STRENGTHS), "same sign",
    "not replicated more than once",
)  # fmt: skip


def _by_kind(key: str, splits: list[Mapping[str, Any]]) -> tuple[str, ...]:
    rows = [r for s in splits for r in s["rows"]]
    groups = [[r for r in rows if r["kind"] == kind] for kind in ("feature", "observable", "lexical")]
    groups += [[r for r in rows if low < r["q"] <= high] for low, high in _STRENGTHS]
    missed = [r["id"] for r in rows if not r["holds"]]
    often = [i for i in dict.fromkeys(missed) if missed.count(i) > 1]
    more = f" and {len(often) - 6} more" if len(often) > 6 else ""
    return (
        key,
        *(f"{sum(r['holds'] for r in g)}/{len(g)}" for g in groups),
        f"{sum(s['same_sign'] for s in splits)}/{len(rows)}",
        (", ".join(often[:6]) + more) or "none",
    )
