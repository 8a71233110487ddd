"""E6, told: sign errors of named properties, coverage of changed ones, and the constructed case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from section import Bar, Grid, Section
from whatchanged.stats import clopper_pearson

__all__ = ["section"]

SHOWN = frozenset(
    {
        "finding",
        "merged into a finding",
        "set aside",
        "merged into one set aside",
        "agrees with a finding",
    }
)


def section(result: Mapping[str, Any]) -> Section:
    """E6 from the results."""
    pairs = {k: p["concordance"] for k, p in result["pairs"].items() if "concordance" in p}
    rows, errors, missing, totals = [], [], [], np.zeros(2, dtype=int)
    for key, c in pairs.items():
        against = [x for x in c["named"] if x["against"]]
        shown = [x for x in c["coverage"] if x["where"] in SHOWN]
        totals += [len(shown), len(c["coverage"])]
        wide = [x for x in c["quoted"] if x["against"] and x["beyond_chance"]]
        rows.append(
            (
                key,
                str(len(c["named"])),
                str(len(against)),
                str(sum(x["flagged"] for x in against)),
                str(sum(not x["flagged"] for x in against)),
                str(sum(not x["flagged"] and x["beyond_chance"] for x in against)),
                f"{len(shown)}/{len(c['coverage'])}",
                f"{len(wide)}/{len(c['quoted'])}",
            )
        )
        errors += [_error_row(key, x) for x in against]
        missing += [
            (key, x["observable"], f"{x['net']:+d}", f"{x['q_alone']:.2g}", _q(x["q_report"]), x["where"])
            for x in c["coverage"]
            if x["where"] not in SHOWN
        ]
    named = [x for c in pairs.values() for x in c["named"]]
    open_ = [x for x in named if x["against"] and not x["flagged"]]
    clear = [x for x in open_ if x["beyond_chance"]]
    constructed = result.get("constructed")
    return Section(
        name="E6",
        title="observable concordance",
        lines=(
            "A finding names a counted property if its leading row is that observable, or if its label names it in "
            "words or by a quoted mark. The raw count is the mean per prompt over all answers of a side, whatever "
            "their length; a change of it is beyond chance if 1.96 standard errors over prompts leave out 0. A sign "
            "error is a finding whose property went the other way by the raw count; it is flagged if the product's "
            "own warning (or, within chance, its caution) stands under the finding.",
            "Coverage: an observable truly changed if it has q ≤ .05 among the observables alone, by the smaller of "
            "McNemar's and the count's exact sign test, doubled. It is covered if it leads or is merged into an entry "
            f"of the findings or of the set-aside table, or agrees with a finding: {totals[0]} of {totals[1]}.",
            "The last column reads labels more widely than the product does: a quoted word that is itself an instance "
            "of a counted property (“perhaps” is a hedge). That word may fall while the property rises, so it is no "
            "error; it shows how often a reader who generalised from the word would be misled, beyond chance.",
            *_constructed_lines(constructed),
        ),
        bars=(
            Bar(
                claim="findings whose named property moved the other way by the raw count, beyond chance, unflagged",
                wanted="0",
                got=f"{_at_most(len(clear), len(named))} named properties of {len(pairs)} pairs",
                met=not clear if named else None,
            ),
            Bar(
                claim="the same, however small the raw difference",
                wanted="0",
                got=_at_most(len(open_), len(named)),
                met=not open_ if named else None,
            ),
            *_constructed_bar(constructed),
        ),
        grids=(
            Grid(title="by pair", head=_HEAD, rows=tuple(rows)),
            Grid(title="every named property that moved the other way", head=_ERROR_HEAD, rows=tuple(errors)),
            Grid(
                title="changed observables the report does not list",
                head=("pair", "observable", "net prompts", "q alone", "q in the report", "why"),
                rows=tuple(missing),
            ),
            *_constructed_grid(constructed),
        ),
    )


_HEAD = (
    "pair", "named properties", "moved the other way", "flagged", "unflagged", "unflagged beyond chance",
    "changed observables covered", "quoted words against their property",
)  # fmt: skip
_ERROR_HEAD = (
    "pair", "finding", "label", "property", "finding says", "raw before → after", "beyond chance", "flagged",
)  # fmt: skip


def _at_most(count: int, n: int) -> str:
    """A count with the one-sided 95 % upper bound of its share; the unit is a property under a finding."""
    if not n:
        return "0 of 0"
    return f"{count} of {n} (share ≤ {float(clopper_pearson(count, n, side='upper')[1]):.3f})"


def _q(value: float | None) -> str:
    return f"{value:.2g}" if value is not None else "not tested"


def _error_row(key: str, x: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        key,
        x["id"] + (" (set aside)" if x["where"] == "aside" else ""),
        x["label"],
        x["observable"],
        "more" if x["expected"] > 0 else "less",
        f"{x['raw_before']:g} → {x['raw_after']:g}",
        "yes" if x["beyond_chance"] else "no",
        "yes" if x["flagged"] else "NO",
    )


def _constructed_lines(made: Mapping[str, Any] | None) -> tuple[str, ...]:
    if made is None:
        return ()
    return (
        f"Constructed case: two samplings of one model ({made['prompts']} prompts); double blanks are planted in "
        f"{made['double_spaces']} before-answers and numbered items in {made['numbered']} after-answers. The features "
        f"that fall and fire at least half on double blanks ({len(made['features'])}) are given the imported label "
        f"“{made['label']}”. It is read with every observable, and once more with the observable of double blanks "
        "withheld, as no regular expression may exist for what a feature fires on; and, as a control, with the right "
        f"label “{made['control']['label']}”.",
    )


def _constructed_bar(made: Mapping[str, Any] | None) -> tuple[Bar, ...]:
    if made is None:
        return ()
    shown = [e for r in made["readings"].values() for e in r["labelled"]]
    warned = sum(e["warned"] for e in shown)
    control = made["control"]["labelled"]
    false = sum(bool(e["contradicts"]) for e in control)
    return (
        Bar(
            claim="constructed double-space feature labelled as numbered lists: the warning stands wherever it is shown",
            wanted="all, and shown at least once",
            got=f"{warned} of {len(shown)} entries with that label",
            met=warned == len(shown) if shown else None,
        ),
        Bar(
            claim="the same features with the right label: no warning",
            wanted="0",
            got=f"{false} of {len(control)} entries with that label",
            met=not false if control else None,
        ),
    )


def _constructed_grid(made: Mapping[str, Any] | None) -> tuple[Grid, ...]:
    if made is None:
        return ()
    rows = tuple(
        (
            name,
            f"{r['numbered_delta']:+.3f}",
            e["id"],
            e["where"],
            " ".join(e["tags"]) or "none",
            f"{e['delta']:+.3f}",
            ("yes" if e["warned"] else "NO")
            if e in r["labelled"]
            else "label not shown: merged into this entry",
        )
        for name, r in made["readings"].items()
        for e in (*r["labelled"], *r["merged"])
    )
    head = ("reading", "numbered items Δ", "entry", "where", "tags", "Δ", "warning")
    return (Grid(title="the constructed case", head=head, rows=rows),)
