"""E9: does a larger change look larger? The order was said before anything was measured.

null < near-null < small < large, as `real_reading.CLASSES` has it; every pair of a class must stand below
every pair of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from real_reading import PairReport
from section import Bar, Grid, Section
from whatchanged.diff import discovered

__all__ = ["ORDER", "measure", "section"]

ORDER = ("null", "near-null", "small", "large")
GROUPS = 20  # of prompts, left out one by one for the standard error
MEASURES = {
    "behaviour_rows": "behaviour rows",
    "findings": "findings after merging",
    "effect": "root mean square Δ of presence over features, beyond chance",
}


def measure(report: PairReport, *, seed: int) -> dict[str, Any]:
    """How much changed between two models, by three measures."""
    effect, low, high = _effect(report, seed)
    return {
        "behaviour_rows": int(discovered(report.diff).sum()),
        "rows_at_alpha": int((report.diff.table["q"] <= report.alpha).sum()),
        "findings": len(report.findings),
        "left_out": int(report.findings.summary["left_out"]),
        "effect": effect,
        "effect_low": low,
        "effect_high": high,
    }


def _effect(report: PairReport, seed: int) -> tuple[float, float, float]:
    """Size of the change of presence, noise taken away, with a 95 % jackknife interval over prompts.

    The net of n prompts, d of them discordant, has mean square n (n - 1) delta² + d, so (net² - d) / (n (n - 1))
    estimates a feature's squared delta without bias; the mean over all features of the SAE is taken, then the root.
    """
    found = report.contrast
    columns = found.families[0].occurrences.n_columns
    matrix = found.signs.matrix(0)[:columns].astype(np.float64)
    group = np.random.default_rng(seed).permutation(found.pairing.n_units) % GROUPS
    inside = (group[:, None] == np.arange(GROUPS)).astype(np.float64)
    net, discordant = matrix @ inside, abs(matrix) @ inside
    size = inside.sum(axis=0)
    whole = _mean_square(net.sum(axis=1)[:, None], discordant.sum(axis=1)[:, None], size.sum()[None])[0]
    without = _mean_square(
        net.sum(axis=1)[:, None] - net, discordant.sum(axis=1)[:, None] - discordant, size.sum() - size
    )
    error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum())
    low, high = (max(whole + z * error, 0.0) for z in (-1.959964, 1.959964))
    return float(np.sqrt(max(whole, 0.0))), float(np.sqrt(low)), float(np.sqrt(high))


def _mean_square(
    net: NDArray[np.float64], discordant: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over features of the unbiased estimate of delta², for each set of prompts."""
    mean: NDArray[np.float64] = ((net**2 - discordant) / (n * (n - 1))).mean(axis=0)
    return mean


def section(result: Mapping[str, Any]) -> Section:
    """E9 from the results."""
    pairs = {k: p for k, p in result["pairs"].items() if "magnitude" in p}
    rank = {name: i for i, name in enumerate((*ORDER, "other"))}
    listed = sorted(pairs.items(), key=lambda item: (rank[item[1]["class"]], item[1]["magnitude"]["effect"]))
    return Section(
        name="E9",
        title="order of magnitude",
        lines=(
            f"The order was fixed beforehand: {' < '.join(ORDER)}, every pair of a class below every pair of the next. "
            "Pairs of class “other” were given no place and are only listed.",
            "Effect: (net² − discordant) / (n (n − 1)) of presence is an unbiased estimate of a feature's squared Δ; its "
            "root mean over all features of the SAE, with a 95 % jackknife over groups of prompts. It counts length, "
            "which behaviour rows do not. Findings are capped at 50 entries; what has no place is listed beside. "
            "Classes in which nothing at all is found cannot be ordered.",
        ),
        bars=tuple(_bar(pairs, name) for name in MEASURES),
        grids=(
            Grid(
                title="by pair",
                head=(
                    "pair", "class", "rows at q ≤ .05", "behaviour rows", "findings", "rows left out",
                    "effect (95 % interval)",
                ),
                rows=tuple(_row(key, p["class"], p["magnitude"]) for key, p in listed),
            ),
        ),
    )  # fmt: skip


def _bar(pairs: Mapping[str, Mapping[str, Any]], name: str) -> Bar:
    values = {c: [p["magnitude"][name] for p in pairs.values() if p["class"] == c] for c in ORDER}
    known = [c for c in ORDER if values[c]]
    steps = list(pairwise(known))
    holds = all(max(values[a]) < min(values[b]) for a, b in steps)
    # Where nothing is found on either side the run was too small to order them.
    silent = [(a, b) for a, b in steps if not any(values[a]) and not any(values[b])]
    undecided = bool(silent) and all(
        max(values[a]) < min(values[b]) for a, b in steps if (a, b) not in silent
    )
    shown = " < ".join(
        f"{c} {', '.join(f'{v:.4f}' if isinstance(v, float) else f'{v:,}' for v in sorted(values[c]))}"
        for c in known
    )
    return Bar(
        claim=MEASURES[name],
        wanted=" < ".join(ORDER),
        got=shown if holds else shown.replace(" < ", "; "),
        met=None if undecided or len(known) < len(ORDER) else holds,
    )


def _row(key: str, name: str, m: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        key,
        name,
        f"{m['rows_at_alpha']:,}",
        f"{m['behaviour_rows']:,}",
        f"{m['findings']:,}",
        f"{m['left_out']:,}",
        f"{m['effect']:.4f} ({m['effect_low']:.4f} to {m['effect_high']:.4f})",
    )
