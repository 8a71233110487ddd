"""What each part of the report, and the published rule, lists on swapped labels: the methods of E1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods import GAP
from planting import differences
from whatchanged.artifacts import Features
from whatchanged.diff import compare
from whatchanged.diff.contrast import Contrast, contrast, row_tests
from whatchanged.diff.swaps import swap_labels
from whatchanged.interpret import features_of, split_prompts
from whatchanged.interpret.judge import count_pairs
from whatchanged.interpret.matcher import matcher
from whatchanged.interpret.split import prompt_units
from whatchanged.interpret.templates import template_hypotheses
from whatchanged.interpret.verdicts import judged
from whatchanged.pipeline import interpret

__all__ = ["PARTS", "forced_hypotheses", "parts", "published"]

PARTS = {
    "presence": "SAE features, presence sign test only",
    "features": "SAE features, default p",
    "observables": "observables",
    "lexical": "words, bigrams and openings",
}
FORCED = 10


def parts(whole: Contrast, *, draws: int, seed: int) -> dict[str, dict[str, int]]:
    """Reports with any discovery, when each family of columns is a report of its own."""
    kinds = {f.occurrences.kind: contrast([f], whole.alpha) for f in whole.families}
    listed = {
        "presence": _presence_only(kinds["feature"]),
        "features": kinds["feature"],
        "observables": kinds["observable"],
        "lexical": kinds["lexical"],
    }
    result = {}
    for name, one in listed.items():
        swaps = swap_labels(one, draws=draws, seed=seed)
        result[name] = {
            "rows": int((one.tests.tests > 0).sum()),
            "reports": int(swaps.discovered.sum()),
            "draws": swaps.draws,
            "true_labels": len(one.discoveries.rows),
        }
    return result


def _presence_only(found: Contrast) -> Contrast:
    n_after, n_before = found.n_after.copy(), found.n_before.copy()
    n_after[1:] = n_before[1:] = 0
    return replace(
        found,
        n_after=n_after,
        n_before=n_before,
        tests=row_tests(n_after, n_before, found.table, found.alpha),
    )


def published(whole: Contrast, *, draws: int, seed: int) -> dict[str, Any]:
    """Features whose share of answers differs by more than 3 points, when the labels are swapped."""
    features = np.arange(int(whole.start[1]))
    change = differences(whole, features, np.zeros_like(features), whole.families)
    pairing = whole.pairing
    prompts = np.bincount(pairing.prompt_unit, minlength=pairing.n_units) / pairing.scale
    change = (change * (prompts / len(pairing.prompts))).astype(np.float32)
    flips = np.random.default_rng(seed).integers(0, 2, size=(pairing.n_units, draws), dtype=np.int8) * 2 - 1
    listed: NDArray[np.int64] = np.zeros(draws, dtype=np.int64)
    for start in range(0, len(features), 1024):
        gap = np.abs(change[start : start + 1024] @ flips.astype(np.float32))
        listed += (gap > GAP + 1e-6).sum(axis=0)  # exactly 3 points is not more than 3
    true = np.abs(change.sum(axis=1)) > GAP + 1e-6
    return {
        "rows": len(features),
        "draws": draws,
        "reports": int((listed > 0).sum()),
        "median": float(np.median(listed)),
        "most": int(listed.max()),
        "true_labels": int(true.sum()),
    }


def forced_hypotheses(features: Features, *, draws: int, seed: int, alpha: float) -> dict[str, Any]:
    """The ten strongest groups of one half of the prompts, verified on the other half under swapped labels.

    The groups come from the true labels, so that there are some; what is counted on the other half is
    exchanged between before and after, whole units at a time.
    """
    discovery, held_out = split_prompts(features.responses, seed)
    diff = compare(features_of(features, discovery), alpha=alpha, draws=1, splits=1, seed=seed)
    findings = interpret(diff)
    drafts, uncounted = template_hypotheses(diff, findings.items, most=FORCED)
    by_id = {f.id: f for f in findings.items}
    both = held_out.rows(held_out.before).keys() & held_out.rows(held_out.after).keys()
    prompts = [p for p in held_out.prompts if p.id in both]
    ids, units = [p.id for p in prompts], np.array(prompt_units(prompts), dtype=np.int64)
    decisions = []
    for draft in drafts:
        found = next(m for i in draft.findings if (m := matcher(by_id[i], diff)) is not None)
        decisions.append(found.sense * count_pairs(found, held_out, ids))
    methods = ["counted"] * len(drafts)

    def verified(flip: NDArray[np.float64]) -> int:
        made = judged(drafts, [d * flip for d in decisions], methods, units, fresh=True, alpha=alpha)
        return sum(h.verdict == "verified" for h in made)

    rng = np.random.default_rng(seed)
    size = int(units.max()) + 1
    swapped = [verified((rng.integers(0, 2, size) * 2 - 1)[units]) for _ in range(draws)] if drafts else []
    return {
        "groups": len(findings.items),
        "hypotheses": len(drafts),
        "uncounted": uncounted,
        "held_out_prompts": len(prompts),
        "draws": len(swapped),
        "reports": sum(v > 0 for v in swapped),
        "true_labels": verified(np.ones(len(units))) if drafts else 0,
    }
