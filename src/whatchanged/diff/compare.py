"""Contrast two checkpoints: every feature, observable and word, in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Features, Occurrences
from whatchanged.diff.contrast import Contrast, contrast
from whatchanged.diff.family import turn
from whatchanged.diff.length import DRIVEN, OK, UNKNOWN, Verdicts, length_rule
from whatchanged.diff.replication import Replication, replicate
from whatchanged.diff.slices import slices
from whatchanged.diff.swaps import LabelSwaps, noise_floor, swap_labels, usual_tests
from whatchanged.diff.table import build_table
from whatchanged.diff.units import pair
from whatchanged.stats import exact_limit

__all__ = ["compare", "discovered", "label_swaps", "split_halves"]


def compare(
    features: Features,
    *,
    before: str | None = None,
    after: str | None = None,
    extra: Sequence[Occurrences] | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    splits: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Diff:
    """Contrast two checkpoints on every feature, observable and lexical term.

    The unit is the prompt (near-duplicates as one), all its samples together. Each column gets the
    smallest p of its testable exact sign tests (presence, high presence, log count, log maximum,
    opening, closing) times their number, then Benjamini-Hochberg over every tested row of every family.
    Discovered rows pass the length rule, split-half replication and the per-category contrast; label
    swaps give the noise floor. Nothing depends on the order of answers or prompts.

    Args:
        features: Encoded answers of two or more checkpoints.
        before: Baseline; the first checkpoint of the responses by default.
        after: Checkpoint compared with it, the second by default. Positive means more in *after*.
        extra: Further tables over the same answers; observables and lexical terms by default.
        alpha: False discovery rate.
        draws: Label swaps for the noise floor.
        splits: Half splits for replication, each used in both directions.
        seed: Of swaps, splits and permutations; p and q do not depend on it.
        progress: Called with a line as each stage begins.

    Returns:
        The diff; see `DIFF_COLUMNS` for its table.

    Raises:
        ValueError: An unknown or repeated checkpoint, no prompt answered by both, a table over other
            answers, or an argument out of range.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha!r}; use 0.05 for 5 % false discoveries")
    say = progress or _silent
    responses = features.responses
    if extra is None:
        from whatchanged.text import families as text_families

        say("observables and words")
        extra = text_families(responses)
    families = (features.occurrences, *extra)
    say("contrast")
    found = _contrast(features, families, before or responses.before, after or responses.after, alpha)
    say(f"label swaps ({draws:,})")
    noise = noise_floor(found, swap_labels(found, draws=draws, seed=seed))
    rows = found.candidates
    say(f"length rule ({len(rows):,} rows)")
    verdicts = length_rule(found, rows, found.tests.statistic[rows], found.direction(rows))
    say(f"replication ({splits} splits)")
    replication = replicate(found, rows, splits=splits, seed=seed)
    say("slices")
    by_category = slices(found, rows, seed=seed)
    table = build_table(found, rows, verdicts, replication)
    summary = _summary(found, features, verdicts, replication) | {
        "seed": seed,
        "draws": draws,
        "splits": splits,
    }
    return Diff(
        features=features,
        families=families,
        table=table,
        noise=noise,
        slices=by_category,
        summary=_in_order(summary),
    )


def _in_order(value: Any) -> Any:
    """Mappings by key, as they come back from a run folder: a report does not depend on where its diff was."""
    return {k: _in_order(v) for k, v in sorted(value.items())} if isinstance(value, dict) else value


def discovered(diff: Diff) -> NDArray[np.bool_]:
    """Which rows are behaviour findings: q at most alpha and not an effect of length."""
    q = diff.table["q"].to_numpy(dtype=np.float64)
    ok = diff.table["length"].to_numpy(dtype=object) == OK
    mask: NDArray[np.bool_] = (q <= diff.summary["alpha"]) & ok
    return mask


def label_swaps(diff: Diff, *, draws: int = 1000, seed: int = 0, length: bool = True) -> LabelSwaps:
    """Repeat a whole report on swapped labels, the length rule included.

    Args:
        diff: The report to calibrate.
        draws: Number of swaps.
        seed: Of the random generator.
        length: Whether draws with a discovery are also asked for a finding.
    """
    s = diff.summary
    found = _contrast(diff.features, diff.families, s["before"], s["after"], s["alpha"])
    return swap_labels(found, draws=draws, seed=seed, length=length)


def split_halves(diff: Diff, *, splits: int = 10, seed: int = 0, length: bool = True) -> Replication:
    """Repeat a report on halves of the units and confirm what each finds on the other half.

    Args:
        diff: The report; the shares are given for its behaviour findings, in table order.
        splits: Number of half splits, each used in both directions.
        seed: Of the random generator.
        length: Whether a half's discoveries must survive the length rule on that half, as findings do.
    """
    s = diff.summary
    found = _contrast(diff.features, diff.families, s["before"], s["after"], s["alpha"])
    return replicate(found, np.flatnonzero(discovered(diff)), splits=splits, seed=seed, length=length)


def _silent(line: str) -> None:
    """Say nothing."""


def _contrast(
    features: Features, families: Sequence[Occurrences], before: str, after: str, alpha: float
) -> Contrast:
    answers = len(features.responses.answers)
    for table in families:
        if len(table.n_units) != answers:
            raise ValueError(
                f"the {table.kind} table has {len(table.n_units)} rows for {answers} answers; "
                "build it from the same responses"
            )
    pairing = pair(features.responses, before, after)
    return contrast([turn(t, pairing) for t in families], alpha)


def _summary(
    found: Contrast, features: Features, verdicts: Verdicts, replication: Replication
) -> dict[str, Any]:
    pairing, tests = found.pairing, found.tests
    lengths = found.families[0].n_units
    prompts = len(pairing.prompts)

    def mean_length(side: int) -> NDArray[np.float64]:
        mine = pairing.side == side
        total = np.bincount(pairing.prompt[mine], weights=lengths[mine], minlength=prompts)
        return total / np.bincount(pairing.prompt[mine], minlength=prompts)

    first, second = mean_length(-1), mean_length(1)
    tested: dict[str, int] = {}
    for i, family in enumerate(found.families):
        kind = family.occurrences.kind
        tested[kind] = tested.get(kind, 0) + int((tests.tests[found.start[i] : found.start[i + 1]] > 0).sum())
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
        "tested": tested,
        "tests_per_row": usual_tests(found),
        "limit": exact_limit(int((tests.tests > 0).sum()), alpha=found.alpha, tests=usual_tests(found)),
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
