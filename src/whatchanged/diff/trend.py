"""An ordered series of checkpoints: what rises or falls along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Features, Occurrences, Trend
from whatchanged.diff.compare import all_families, check_level, contrast_on
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.length import DRIVEN, OK, UNKNOWN, Verdicts, length_rule, restated
from whatchanged.diff.replication import Replication, replicate
from whatchanged.diff.slopes import slopes
from whatchanged.diff.summary import in_order, limit, tested_by_kind
from whatchanged.diff.swaps import noise_floor, swap_labels, usual_tests
from whatchanged.diff.trend_table import TREND_COLUMNS, trend_levels, trend_table
from whatchanged.diff.units import series

__all__ = ["TREND_COLUMNS", "Trend", "trend"]


def trend(
    features: Features,
    *,
    models: Sequence[str] | None = None,
    steps: Sequence[float] | None = None,
    extra: Sequence[Occurrences] | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    splits: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Trend:
    """Test every row for a trend over ordered checkpoints: training steps, releases, doses.

    For each prompt the values of a row at the K checkpoints are weighted with the centred ranks
    (-1, 1; -2, 0, 2; -3, -1, 1, 3; ...) and the sign of the sum is kept. If the checkpoints behave
    alike, their labels are exchangeable within a prompt; reversing the order is one such exchange and
    turns the sign, so rising and falling are equally likely and the sign test is exact, whatever the
    values. It is the default because of this, because it makes two checkpoints the very test of `compare`,
    and because it bears no outliers. The ranks, not `steps`, enter the test: with unequal distances a
    contrast need not be symmetric under the null hypothesis (of -1, -0.9 and 1.9, one in three is
    positive where only one checkpoint has the row). `steps` scale the slopes.

    The rest is as in `compare`: six statistics per row, Benjamini-Hochberg over all rows, the length rule
    (all answers to a prompt cut to the shortest; a Firth-penalised regression on the contrast of log
    length), split halves, and a noise floor. With two checkpoints p and q are those of `compare`, bit for
    bit. A trend says that there is more at the end than at the beginning, not that every step adds.

    Args:
        features: Encoded answers.
        models: The checkpoints in order; those of the responses by default.
        steps: Where each stands (training steps, dates), strictly increasing; 0, 1, 2, ... by default.
        extra: Further tables over the same answers; observables and lexical terms by default.
        alpha: False discovery rate.
        draws: Random reversals for the noise floor.
        splits: Half splits for replication, each used in both directions.
        seed: Of reversals and splits; p and q do not depend on it.
        progress: Called with a line as each stage begins.

    Returns:
        The trend; see `TREND_COLUMNS` for its table.

    Raises:
        ValueError: Fewer than two checkpoints, an unknown or repeated one, steps that are not as many or
            do not increase, no prompt answered by all, or an argument out of range.
    """
    check_level(alpha)
    names = tuple(features.responses.models if models is None else models)
    at = _steps(names, steps)
    say = progress or _silent
    families = all_families(features, extra, say)
    say("contrast")
    found = contrast_on(features, families, series(features.responses, names), alpha)
    say(f"reversals ({draws:,})")
    noise = noise_floor(found, swap_labels(found, draws=draws, seed=seed))
    discoveries = found.discoveries
    rows = discoveries.rows
    say(f"length rule ({len(rows):,} rows)")
    verdicts = length_rule(found, discoveries)
    found = restated(found, rows, verdicts)
    say(f"replication ({splits} splits)")
    replication = replicate(found, rows, splits=splits, seed=seed)
    say("slopes")
    tested = np.flatnonzero(found.tests.tests)
    steepness = slopes(found, tested, at)
    table = trend_table(found, rows, verdicts, replication, tested, steepness)
    summary = _summary(found, features, at, verdicts, replication)
    return Trend(
        features=features,
        families=families,
        table=table,
        levels=trend_levels(found, table, rows, steepness.levels[np.searchsorted(tested, rows)], at),
        noise=noise,
        summary=in_order(summary | {"seed": seed, "draws": draws, "splits": splits}),
    )


def _silent(line: str) -> None:
    """Say nothing."""


def _steps(models: tuple[str, ...], steps: Sequence[float] | None) -> NDArray[np.float64]:
    at = np.arange(len(models), dtype=np.float64) if steps is None else np.array(steps, dtype=np.float64)
    if len(at) != len(models) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise ValueError(
            f"steps must be {len(models)} strictly increasing numbers, one per checkpoint; got {steps!r}; "
            "list the checkpoints in the order of their steps"
        )
    return at


def _summary(
    found: Contrast,
    features: Features,
    steps: NDArray[np.float64],
    verdicts: Verdicts,
    replication: Replication,
) -> dict[str, Any]:
    pairing, verdict = found.pairing, verdicts.verdict
    lengths = found.families[0].n_units
    tested = tested_by_kind(found)
    return {
        "models": list(pairing.models),
        "steps": steps.tolist(),
        "alpha": found.alpha,
        "n_prompts": len(features.responses.prompts),
        "n_pairs": len(pairing.prompts),
        "n_units": pairing.n_units,
        "dropped": dict(features.responses.counts) | dict(pairing.dropped),
        "cut": int(features.cut[pairing.answers].sum()),
        "rows": found.signs.n_columns,
        "tested": tested,
        "tests_per_row": usual_tests(found),
        "limit": limit(found, sum(tested.values())),
        "lengths": [float(np.median(lengths[pairing.checkpoint == k])) for k in range(len(steps))],
        "monotone_by_chance": 2 / math.factorial(len(steps)),
        "significant": len(verdict),
        "discovered": int((verdict == OK).sum()),
        "length_driven": int((verdict == DRIVEN).sum()),
        "not_identifiable": int((verdict == UNKNOWN).sum()),
        "replication_rate": replication.rate,
        "replication_slope": replication.slope,
        "replication_n": replication.n,
    }
