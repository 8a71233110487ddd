"""The methods compared on planted edits: what each lists for a contrast, and what of it the edit did.

All look at the same answers and the same draw. A row is *attributable* to the edit when at least half of
its net change is the change from unedited to edited after-answers, by the same statistic and threshold;
it is *untouched* when the edit changed it under no prompt at all, which makes listing it a false discovery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planting import differences
from whatchanged.diff.contrast import Contrast, Discoveries, RowTests, row_tests
from whatchanged.diff.family import STATISTICS, Family
from whatchanged.diff.length import OK, length_rule
from whatchanged.stats import exact_limit

__all__ = ["GAP", "METHODS", "TOP", "Listing", "gaps", "judge", "listings", "named", "published"]

TOP = 10
GAP = 0.03

METHODS: Mapping[str, str] = {
    "report_behaviour": "whole report, behaviour findings (length rule)",
    "report_aside": "whole report, what the length rule sets aside",
    "report": "whole report: features, observables, words",
    "features_behaviour": "SAE features, behaviour findings (length rule)",
    "features": "SAE features, default p",
    "lexical_behaviour": "words alone, behaviour findings (length rule)",
    "lexical": "words alone, same contrast",
    "presence": "SAE features, presence sign test + BH",
    "published": "SAE features, presence gap > 3 %, no test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one method reports, best first.

    Attributes:
        rows: Row numbers of the contrast.
        statistic: Index of each row's statistic.
        q: Adjusted p; NaN for a rule without a test.
        tested: Rows the method tested.
        rivals: Rows each row competes with: those tested over its weight.
        tests: Sign tests per tested row, as a rule.
        by_unit: Whether the net change counts signs of units; else it sums differences.
    """

    rows: NDArray[np.int64]
    statistic: NDArray[np.int64]
    q: NDArray[np.float64]
    tested: int
    rivals: NDArray[np.int64]
    tests: int = 1
    by_unit: bool = True

    def only(self, kept: NDArray[np.bool_]) -> Listing:
        """The same without some rows."""
        return replace(
            self,
            rows=self.rows[kept],
            statistic=self.statistic[kept],
            q=self.q[kept],
            rivals=self.rivals[kept],
        )


def listings(found: Contrast) -> dict[str, Listing]:
    """What every method reports of one contrast of (features, observables, words)."""
    _, words, _ = found.start[1:]
    features = slice(0, int(found.start[1]))

    def tests(rows: slice, statistics: int = len(STATISTICS)) -> RowTests:
        n = found.n_after[:statistics, rows], found.n_before[:statistics, rows]
        return row_tests(*n, found.table, found.alpha)

    parts = {"report": slice(None), "features": features, "lexical": slice(int(words), None)}
    chosen = {name: found.tests if name == "report" else tests(part) for name, part in parts.items()}
    listed = {
        **{name: _listing(found, chosen[name], part.start or 0) for name, part in parts.items()},
        "presence": _listing(found, tests(features, 1), 0),
        "published": published(found),
    }
    for name, part in parts.items():
        whole = listed[name]
        counts = found.n_after[:, part], found.n_before[:, part]
        discoveries = Discoveries.of(chosen[name], *counts, found.alpha).numbered(
            np.arange(found.start[-1])[part]
        )
        # The rule is asked in table order, as in `compare`; the listing is by q.
        order = np.argsort(whole.rows)
        told = length_rule(found, discoveries)
        kept = np.zeros(len(order), dtype=np.bool_)
        kept[order] = told.verdict == OK
        statistic, q = whole.statistic.copy(), whole.q.copy()
        statistic[order], q[order] = told.statistic, np.fmax(q[order], told.q)
        held = replace(whole, statistic=statistic, q=q)
        listed[f"{name}_behaviour"] = _ranked(found, held.only(kept))
        listed[f"{name}_aside"] = whole.only(~kept)
    return {name: listed[name] for name in METHODS}


def _ranked(found: Contrast, listed: Listing) -> Listing:
    """By q, then absolute net change, as findings are."""
    net = np.abs(found.n_after[listed.statistic, listed.rows] - found.n_before[listed.statistic, listed.rows])
    order = np.lexsort((listed.rows, -net, listed.q))
    return replace(
        listed,
        rows=listed.rows[order],
        statistic=listed.statistic[order],
        q=listed.q[order],
        rivals=listed.rivals[order],
    )


def _listing(found: Contrast, tests: RowTests, start: int) -> Listing:
    """Discoveries by q, then absolute net change."""
    rows = np.flatnonzero(tests.q <= found.alpha)
    statistic, q = tests.statistic[rows], tests.q[rows]
    net = np.abs(found.n_after[statistic, rows + start] - found.n_before[statistic, rows + start])
    order = np.lexsort((rows, -net, q))
    tested = tests.tests[tests.tests > 0]
    return Listing(
        rows=rows[order] + start,
        statistic=statistic[order],
        q=q[order],
        tested=len(tested),
        rivals=np.ceil(len(tested) / tests.weight[rows]).astype(np.int64)[order],
        tests=int(np.bincount(tested).argmax()) if len(tested) else 1,
    )


def gaps(found: Contrast) -> NDArray[np.float64]:
    """Share of after-answers minus share of before-answers with each feature, ``[features]``."""
    family = found.families[0]
    columns = family.occurrences.n_columns
    side = found.pairing.side[family.row]
    column = family.column_of(0, columns)
    after, before = (
        np.bincount(column[side == s], minlength=columns) / (found.pairing.side == s).sum() for s in (1, -1)
    )
    return after - before


def published(found: Contrast, least: float = GAP) -> Listing:
    """Features whose share of answers differs by more than so much, largest gap first."""
    gap = gaps(found)
    rows = np.flatnonzero(np.abs(gap) > least + 1e-12)  # exactly 3 points is not more than 3
    order = np.lexsort((rows, -np.abs(gap[rows])))
    return Listing(
        rows=rows[order],
        statistic=np.zeros(len(rows), dtype=np.int64),
        q=np.full(len(rows), np.nan),
        tested=len(gap),
        rivals=np.full(len(rows), len(gap)),
        by_unit=False,
    )


def judge(
    found: Contrast, listed: Mapping[str, Listing], unedited: Sequence[Family]
) -> dict[str, dict[str, Any]]:
    """Count, for every method, what of its list the edit did.

    Args:
        found: The contrast with edits.
        listed: What the methods list of it.
        unedited: The same tables over the pair without edits.
    """
    # The threshold of high presence is the draw's own, so that one and the same statistic is compared.
    same = [replace(u, threshold=f.threshold) for u, f in zip(unedited, found.families, strict=True)]
    pairs = np.unique(
        np.concatenate([np.stack([x.rows, x.statistic], axis=1) for x in listed.values()]), axis=0
    )
    with_edit = differences(found, pairs[:, 0], pairs[:, 1], found.families)
    without = differences(found, pairs[:, 0], pairs[:, 1], same)
    place = {(int(r), int(s)): i for i, (r, s) in enumerate(pairs)}
    pairing = found.pairing
    per_prompt = np.bincount(pairing.prompt_unit, minlength=pairing.n_units) / pairing.scale
    results: dict[str, dict[str, Any]] = {}
    for name, x in listed.items():
        i = np.array(
            [place[int(r), int(s)] for r, s in zip(x.rows, x.statistic, strict=True)], dtype=np.int64
        )
        a, b = with_edit[i], without[i]
        if x.by_unit:
            net, old = np.sign(a).sum(axis=1).astype(float), np.sign(b).sum(axis=1)
        else:
            net, old = a @ per_prompt, b @ per_prompt
        share = np.where(net != 0, (net - old) / np.where(net != 0, net, 1.0), 0.0)
        ours, untouched = share >= 0.5, (a == b).all(axis=1)
        hits = np.flatnonzero(ours[:TOP])
        results[name] = {
            "findings": len(x.rows),
            "top": min(len(x.rows), TOP),
            "top_attributable": len(hits),
            "attributable": int(ours.sum()),
            "untouched": int(untouched.sum()),
            "top_untouched": int(untouched[:TOP].sum()),
        }
        if len(hits):
            first = int(hits[0])
            background = int((b[first] != 0).sum())
            results[name]["best"] = {
                "rank": first + 1,
                **_name(found, int(x.rows[first])),
                "statistic": STATISTICS[x.statistic[first]],
                "share": round(float(share[first]), 3),
                "background": background,
                "limit": exact_limit(
                    int(x.rivals[first]), alpha=found.alpha, tests=x.tests, background=background
                ),
            }
    return results


def _name(found: Contrast, row: int) -> dict[str, str]:
    f = int(np.searchsorted(found.start, row, side="right")) - 1
    table = found.families[f].occurrences
    return {"kind": table.kind, "name": table.name(row - int(found.start[f]))}


def named(found: Contrast, listed: Listing, *, most: int = 30) -> list[dict[str, Any]]:
    """The first rows of a list with their names and counts, for the null."""
    return [
        {
            **_name(found, int(r)),
            "statistic": STATISTICS[s],
            "n_after": int(found.n_after[s, r]),
            "n_before": int(found.n_before[s, r]),
            "q": None if np.isnan(q) else float(q),
        }
        for r, s, q in zip(listed.rows[:most], listed.statistic[:most], listed.q[:most], strict=True)
    ]
