"""What one comparison says beyond its p: length, replication, slices, conditions and the noise floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from whatchanged.artifacts import Features, NoiseFloor
from whatchanged.diff.conditions import Asked, ask
from whatchanged.diff.contrast import SHARES, Contrast
from whatchanged.diff.length import OK, length_rule, restated
from whatchanged.diff.replication import replicate
from whatchanged.diff.slices import slices
from whatchanged.diff.summary import of_comparison
from whatchanged.diff.swaps import noise_floor, swap_labels
from whatchanged.diff.table import build_table
from whatchanged.stats import benjamini_hochberg, budget_weights

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "examine", "one_family"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything about one pair of checkpoints.

    Attributes:
        after: The checkpoint compared with the baseline.
        table: Its rows, with the columns of `DIFF_COLUMNS`.
        noise: Its label-swap noise floor.
        slices: Its discovered rows by category.
        asked: What was asked of the prompts on which its findings moved.
        summary: Counts and settings.
    """

    after: str
    table: pd.DataFrame
    noise: NoiseFloor
    slices: pd.DataFrame
    asked: Asked
    summary: dict[str, Any]


def one_family(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts with q over every row tested in any of them.

    Comparisons with one baseline share its answers, so their rows tend to move together.
    Benjamini-Hochberg holds under positive dependence (Benjamini and Yekutieli, 2001); that the whole
    report keeps its level under exchanged labels is measured in ``tests/diff/test_several.py``.
    """
    p = np.concatenate([c.tests.p for c in contrasts])
    weight = budget_weights(
        np.concatenate([c.kind for c in contrasts]), ~np.isnan(p), np.array([*SHARES.values()])
    )
    q = benjamini_hochberg(p, weight)
    ends = np.cumsum([len(c.tests.p) for c in contrasts])
    return [
        replace(c, tests=replace(c.tests, weight=worth, q=mine))
        for c, worth, mine in zip(contrasts, np.split(weight, ends[:-1]), np.split(q, ends[:-1]), strict=True)
    ]


def examine(
    found: Contrast,
    features: Features,
    *,
    tested: int,
    draws: int,
    splits: int,
    seed: int,
    say: Callable[[str], None],
) -> Comparison:
    """Ask everything that is asked of one comparison's discovered rows.

    Args:
        found: The contrast, its q over the whole report.
        features: What was compared.
        tested: Rows tested in the whole report.
        draws: Label swaps. They repeat this comparison alone, with q over its own rows.
        splits: Half splits, each used in both directions, with q over this comparison's rows.
        seed: Of swaps, splits and permutations.
        say: Called with a line as each stage begins.
    """
    say(f"label swaps ({draws:,})")
    noise = noise_floor(found, swap_labels(found, draws=draws, seed=seed))
    discoveries = found.discoveries
    rows = discoveries.rows
    say(f"length rule ({len(rows):,} rows)")
    verdicts = length_rule(found, discoveries)
    found = restated(found, rows, verdicts)
    say(f"replication ({splits} splits)")
    replication = replicate(found, rows, splits=splits, seed=seed)
    say("slices")
    by_category = slices(found, rows, seed=seed)
    asked = ask(found, rows[verdicts.verdict == OK], features.responses)
    return Comparison(
        after=found.pairing.after,
        table=build_table(found, rows, verdicts, replication),
        noise=noise,
        slices=by_category,
        asked=asked,
        summary=of_comparison(found, features, verdicts, replication, tested=tested)
        | {"seed": seed, "draws": draws, "splits": splits},
    )
