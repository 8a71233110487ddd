"""E2 in one section: its bars, and the tables of every method."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np

from methods import METHODS, TOP
from planted_tables import limits, tables
from section import Bar, Grid, Section
from whatchanged.stats import wilson

__all__ = ["section"]

LENGTH_ONLY = "truncation"
"""An edit that changes nothing but the length, which E7 forbids to be a behaviour finding."""

Outcome = dict[str, Any]


def section(result: dict[str, Any]) -> Section:
    """E2 from its results alone."""
    s, null = result["settings"], result["null"]
    doses = list(dict.fromkeys(c["dose"] for c in result["cells"].values() if c["draws"]))
    lines = [
        f"{s['pair'][0]} against {s['pair'][1]} (one model served twice, so run-to-run noise is present), "
        f"{s['prompts']} prompts, {len(result['edits'])} deterministic edits, SAE {s['sae']['name']} "
        f"({s['sae']['fingerprint']}), {s['dtype']}, q ≤ {s['alpha']}, seed {s['seed']}. Rows tested without edits: "
        + ", ".join(f"{k} {v:,}" for k, v in null["tested"].items())
        + f". An oracle column among the features needs {null['oracle']} prompts.",
        "A hit is a draw with an attributable row among the first ten: at least half of the row's net change is the "
        "change from the unedited to the edited answers. Draws of one edit are alike; the interval over edits says "
        "how far another set of edits might differ.",
        f"The edit {LENGTH_ONLY!r} cuts answers to 60 % of their words and changes nothing else. E7 wants no behaviour "
        "finding of it, E2 wants it found; so behaviour findings are counted without it, with it (as misses), and "
        "the table of what the length rule sets aside is counted for itself.",
    ]
    if check := result.get("check"):
        lines.append(
            f"Check: with {check['edited']} prompts edited by {check['edit']!r}, the {check['rows']:,} q of this "
            f"benchmark's short cut and its {check['behaviour_findings']} behaviour findings equal those of "
            "`compare` on the edited answers."
        )
    lines += _lost(result, doses)
    return Section(
        name="E2",
        title=f"planted edits, {s['prompts']} prompts",
        lines=tuple(lines),
        bars=tuple(_bars(result)),
        grids=tuple(Grid(title=t, head=tuple(h), rows=tuple(map(tuple, r))) for t, h, r in tables(result)),
    )


def _of(result: dict[str, Any], dose: str, *, without: str = "") -> list[dict[str, Outcome]]:
    cells = [c for c in result["cells"].values() if c["dose"] == dose and c["edit"] != without]
    return [d for c in cells for d in c["draws"]]


def _hit(outcome: Outcome) -> bool:
    return int(outcome["top_attributable"]) > 0


def _share(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{hits / n:.3f} [{low:.3f}, {high:.3f}] ({hits} of {n})"


def _bars(result: dict[str, Any]) -> list[Bar]:
    prompts = int(result["settings"]["prompts"])
    wanted = {("0.2", 300): 0.95, ("0.05", 800): 0.75, ("0.05", 805): 0.75}
    bars: list[Bar] = []
    for (dose, size), bar in wanted.items():
        draws = _of(result, dose, without=LENGTH_ONLY)
        if size != prompts or not draws:
            continue
        claim = f"recall@{TOP} of the whole report, {100 * float(dose):g} % of {prompts} prompts"
        hits = sum(_hit(d["report_behaviour"]) for d in draws)
        bars.append(
            Bar(
                claim=f"{claim}, edits that change more than length",
                wanted=f"≥ {bar}",
                got=_share(hits, len(draws)),
                met=hits >= bar * len(draws),
            )
        )
        every = _of(result, dose)
        found = [_hit(d["report_behaviour"]) or _hit(d["report_aside"]) for d in every]
        bars.append(
            Bar(
                claim=f"{claim}, every edit, in the findings or in what is set aside",
                wanted=f"≥ {bar}",
                got=_share(sum(found), len(every)),
                met=sum(found) >= bar * len(every),
            )
        )
        hits = sum(_hit(d["report_behaviour"]) for d in every)
        bars.append(
            Bar(
                claim=f"{claim}, every edit, in the findings (the length-only edit counts as missed)",
                wanted=f"≥ {bar}",
                got=_share(hits, len(every)),
                met=hits >= bar * len(every),
            )
        )
        listed = sum(d["report_behaviour"]["top"] for d in draws)
        good = sum(d["report_behaviour"]["top_attributable"] for d in draws)
        bars.append(
            Bar(
                claim=f"precision@{TOP}, {100 * float(dose):g} % of {prompts} prompts",
                wanted="≥ .80",
                got=_share(good, listed) if listed else "nothing listed",
                met=good >= 0.8 * listed if listed else None,
            )
        )
        for other in ("features_behaviour", "lexical_behaviour"):
            bars.append(_no_loss(draws, claim, other))
    found = [d["report_behaviour"] for c in result["cells"].values() for d in c["draws"]]
    if found:
        untouched, all_ = sum(o["untouched"] for o in found), sum(o["findings"] for o in found)
        bars.append(
            Bar(
                claim="share of all findings that the edit left unchanged under every prompt",
                wanted="≤ .05",
                got=f"{untouched / all_:.4f} ({untouched:,} of {all_:,})" if all_ else "nothing listed",
                met=untouched <= 0.05 * all_ if all_ else None,
            )
        )
    ratios = {e: r for e, r in limits(result).items() if e != LENGTH_ONLY and r is not None}
    if any(c["dose"].startswith("x") for c in result["cells"].values()):
        middle = median(ratios.values())
        low, high = np.quantile(list(ratios.values()), [0.25, 0.75])
        within = sum(r <= 1.5 for r in ratios.values())
        bars.append(
            Bar(
                claim="smallest dose with half of the draws hit, over the noise-adjusted exact-test limit: "
                "median over edits [quartiles]",
                wanted="≤ 1.5",
                got=f"{middle:.2f} [{low:.2f}, {high:.2f}], {within} of {len(ratios)} edits within 1.5",
                met=middle <= 1.5,
            )
        )
    return bars


def _no_loss(draws: list[dict[str, Outcome]], claim: str, other: str) -> Bar:
    """Whether the whole report loses to one of its parts alone."""
    ours = np.array([_hit(d["report_behaviour"]) for d in draws])
    theirs = np.array([_hit(d[other]) for d in draws])
    return Bar(
        claim=f"{claim}: not below {METHODS[other].split(',')[0]} on the same draws",
        wanted="≥ 0",
        got=f"{ours.mean() - theirs.mean():+.3f} ({int((ours & ~theirs).sum())} draws won, "
        f"{int((~ours & theirs).sum())} lost)",
        met=bool(ours.sum() >= theirs.sum()),
    )


def _lost(result: dict[str, Any], doses: list[str]) -> list[str]:
    """Where features alone find less than words alone, in words."""
    said = []
    for dose in doses:
        worse = []
        for edit in result["edits"]:
            draws = result["cells"].get(f"{edit}|{dose}", {}).get("draws", [])
            features, words, report = (
                sum(_hit(d[m]) for d in draws)
                for m in ("features_behaviour", "lexical_behaviour", "report_behaviour")
            )
            if words > features:
                worse.append(f"{edit} ({features} against {words} of {len(draws)}; whole report {report})")
        if worse:
            said.append(
                f"At {dose} features alone are hit less often than words alone for: {'; '.join(worse)}."
            )
    return said or ["At no dose are features alone hit less often than words alone for any edit."]
