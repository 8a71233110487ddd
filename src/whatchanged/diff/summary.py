"""Counts and settings of one comparison, and of a report of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Features
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.length import DRIVEN, OK, UNKNOWN, Verdicts
from whatchanged.diff.replication import Replication
from whatchanged.diff.swaps import usual_tests
from whatchanged.stats import exact_limit

__all__ = ["in_order", "limit", "of_comparison", "of_several", "tested_by_kind"]

_SUMMED = ("rows", "significant", "discovered", "length_driven", "not_identifiable")


def in_order(value: Any) -> Any:
    """Mappings by key, as they come back from a run folder: a report does not depend on where its diff was."""
    return {k: in_order(v) for k, v in sorted(value.items())} if isinstance(value, dict) else value


def tested_by_kind(found: Contrast) -> dict[str, int]:
    """Rows with a p, by kind."""
    tested: dict[str, int] = {}
    for i, family in enumerate(found.families):
        kind = family.occurrences.kind
        rows = found.tests.tests[found.start[i] : found.start[i + 1]]
        tested[kind] = tested.get(kind, 0) + int((rows > 0).sum())
    return tested


def limit(found: Contrast, tested: int) -> int:
    """One-sided discordant units that a row of the kind with the smallest weight needs, all alone.

    Args:
        found: The contrast, its weights over the whole report.
        tested: Rows tested in the whole report.
    """
    worth = found.tests.weight[found.tests.tests > 0]
    rows = math.ceil(tested / worth.min()) if len(worth) else 0
    return exact_limit(rows, alpha=found.alpha, tests=usual_tests(found))


def of_comparison(
    found: Contrast, features: Features, verdicts: Verdicts, replication: Replication, *, tested: int
) -> dict[str, Any]:
    """Counts and settings of one comparison.

    Args:
        found: The contrast.
        features: What was compared.
        verdicts: Of its discovered rows.
        replication: Of its discovered rows.
        tested: Rows tested in the whole report, which the exact-test limit depends on.
    """
    pairing = found.pairing
    lengths = found.families[0].n_units
    prompts = len(pairing.prompts)

    def mean_length(side: int) -> NDArray[np.float64]:
        mine = pairing.side == side
        total = np.bincount(pairing.prompt[mine], weights=lengths[mine], minlength=prompts)
        return total / np.bincount(pairing.prompt[mine], minlength=prompts)

    first, second = mean_length(-1), mean_length(1)
    verdict = verdicts.verdict
    return {
        "before": pairing.before,
        "after": pairing.after,
        "models": list(features.responses.models),
        "alpha": found.alpha,
        "n_prompts": len(features.responses.prompts),
        "n_pairs": prompts,
        "n_units": pairing.n_units,
        "n_answers_before": int((pairing.side < 0).sum()),
        "n_answers_after": int((pairing.side > 0).sum()),
        "dropped": dict(features.responses.counts) | dict(pairing.dropped),
        "cut": int(features.cut[pairing.answers].sum()),
        "rows": found.signs.n_columns,
        "tested": tested_by_kind(found),
        "tests_per_row": usual_tests(found),
        "limit": limit(found, tested),
        "length_before": float(np.median(lengths[pairing.side < 0])),
        "length_after": float(np.median(lengths[pairing.side > 0])),
        "longer_after": float(np.mean(second > first)),
        "median_log_ratio": float(np.median(np.log(np.maximum(second, 1)) - np.log(np.maximum(first, 1)))),
        "significant": len(verdict),
        "discovered": int((verdict == OK).sum()),
        "length_driven": int((verdict == DRIVEN).sum()),
        "not_identifiable": int((verdict == UNKNOWN).sum()),
        "replication_rate": replication.rate,
        "replication_slope": replication.slope,
        "replication_n": replication.n,
    }


def of_several(features: Features, each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole report of several comparisons with one baseline.

    Rows, findings and prompts that took no part in a comparison are added up. ``n_pairs``, ``n_units`` and
    ``limit`` are those of the comparison with the fewest units, so nothing is promised that one of them
    cannot keep. What has no meaning for all of them together (lengths, replication) stands only in
    ``comparisons``, by the name of *after*.
    """
    least = min(each, key=lambda s: (s["n_units"], s["n_pairs"]))
    tested: dict[str, int] = {}
    for one in each:
        for kind, count in one["tested"].items():
            tested[kind] = tested.get(kind, 0) + count
    dropped = dict(features.responses.counts)
    for one in each:
        for reason, count in one["dropped"].items():
            if reason.startswith("prompts_"):
                dropped[reason] = dropped.get(reason, 0) + count
    return {
        "before": each[0]["before"],
        "afters": [s["after"] for s in each],
        "models": list(features.responses.models),
        "alpha": each[0]["alpha"],
        "n_prompts": len(features.responses.prompts),
        "n_pairs": least["n_pairs"],
        "n_units": least["n_units"],
        "limit": max(int(s["limit"]) for s in each),
        "tests_per_row": least["tests_per_row"],
        "dropped": dropped,
        "tested": tested,
        "comparisons": {s["after"]: dict(s) for s in each},
    } | {name: sum(s[name] for s in each) for name in _SUMMED}
