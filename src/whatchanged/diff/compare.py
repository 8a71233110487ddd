"""Contrast a baseline with other checkpoints: every feature, observable and word, in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Features, Occurrences, Responses
from whatchanged.diff.checkpoints import checkpoints
from whatchanged.diff.comparison import Comparison, examine, one_family
from whatchanged.diff.conditions import conditions
from whatchanged.diff.contrast import Contrast, contrast
from whatchanged.diff.family import turn
from whatchanged.diff.length import OK
from whatchanged.diff.replication import Replication, replicate
from whatchanged.diff.summary import in_order, of_several
from whatchanged.diff.swaps import LabelSwaps, swap_labels
from whatchanged.diff.units import Pairing, pair

if TYPE_CHECKING:
    import pandas as pd

    from whatchanged.diff.trend import Trend

__all__ = [
    "all_families",
    "check_level",
    "compare",
    "contrast_on",
    "discovered",
    "label_swaps",
    "split_halves",
]


def compare(
    features: Features,
    *,
    before: str | None = None,
    after: str | Sequence[str] | None = None,
    extra: Sequence[Occurrences] | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    splits: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Diff:
    """Contrast a baseline with other checkpoints on every feature, observable and lexical term.

    The unit is the prompt (near-duplicates as one), all its samples together. Each column gets the
    smallest p of its testable exact sign tests (presence, high presence, log count, log maximum,
    opening, closing) times their number, then Benjamini-Hochberg over every tested row of every family
    and every comparison. Discovered rows pass the length rule, split-half replication and the
    per-category contrast, and findings are asked on which prompts they moved; label swaps give the noise
    floor. Nothing depends on the order of answers or prompts.

    Args:
        features: Encoded answers of two or more checkpoints.
        before: Baseline; the first checkpoint of the responses by default.
        after: Checkpoint compared with it, or several; every other one by default. Positive means more in
            *after*. Several are compared with the baseline one by one, each on the prompts that both answered.
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
    check_level(alpha)
    say = progress or _silent
    responses = features.responses
    baseline = before or responses.before
    names = _afters(responses, baseline, after)
    families = all_families(features, extra, say)
    say("contrast")
    found = one_family(
        [contrast_on(features, families, pair(responses, baseline, name), alpha) for name in names]
    )
    tested = sum(int((c.tests.tests > 0).sum()) for c in found)
    each = []
    for one in found:
        if len(found) > 1:
            say(f"{one.pairing.after} against {baseline}")
        each.append(examine(one, features, tested=tested, draws=draws, splits=splits, seed=seed, say=say))
    return _joined(features, families, found, each, alpha)


def _joined(
    features: Features,
    families: tuple[Occurrences, ...],
    found: Sequence[Contrast],
    each: Sequence[Comparison],
    alpha: float,
) -> Diff:
    """One diff of one or more comparisons with the same baseline."""
    import pandas as pd

    first, several = each[0], len(each) > 1
    summary = first.summary
    if several:
        summary = of_several(features, [c.summary for c in each])
        summary |= {name: first.summary[name] for name in ("seed", "draws", "splits")}
    return Diff(
        features=features,
        families=families,
        table=pd.concat([c.table for c in each], ignore_index=True) if several else first.table,
        noise=first.noise,
        slices=_slices(each) if several else first.slices,
        summary=in_order(summary),
        noises={c.after: c.noise for c in each} if several else {},
        conditions=conditions([c.asked for c in each], alpha),
        **({"checkpoints": checkpoints(found, [c.table for c in each])} if several else {}),
    )


def _slices(each: Sequence[Comparison]) -> pd.DataFrame:
    """Slices of several comparisons, with the checkpoint each belongs to."""
    import pandas as pd

    tables = [c.slices.assign(after=c.after) for c in each]
    filled = [t for t in tables if len(t)]  # an empty table would change the types of the columns
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def _afters(responses: Responses, before: str, after: str | Sequence[str] | None) -> tuple[str, ...]:
    """The checkpoints to compare with the baseline, each once."""
    if after is None:
        return tuple(m for m in responses.models if m != before)
    names = (after,) if isinstance(after, str) else tuple(after)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"after must name one or more different checkpoints; got {after!r}")
    return names


def discovered(diff: Diff | Trend) -> NDArray[np.bool_]:
    """Which rows of a diff or a trend are behaviour findings: q at most alpha and not an effect of length."""
    q = diff.table["q"].to_numpy(dtype=np.float64)
    ok = diff.table["length"].to_numpy(dtype=object) == OK
    mask: NDArray[np.bool_] = (q <= diff.summary["alpha"]) & ok
    return mask


def label_swaps(
    diff: Diff, *, after: str | None = None, draws: int = 1000, seed: int = 0, length: bool = True
) -> LabelSwaps:
    """Repeat a whole report on swapped labels, the length rule included.

    Args:
        diff: The report to calibrate.
        after: Which of several comparisons; it is repeated as a report of its own. The first by default.
        draws: Number of swaps.
        seed: Of the random generator.
        length: Whether draws with a discovery are also asked for a finding.
    """
    found = _contrast_of(diff, after)[0]
    return swap_labels(found, draws=draws, seed=seed, length=length)


def split_halves(
    diff: Diff, *, after: str | None = None, splits: int = 10, seed: int = 0, length: bool = True
) -> Replication:
    """Repeat a report on halves of the units and confirm what each finds on the other half.

    Args:
        diff: The report; the shares are given for its behaviour findings, in table order.
        after: Which of several comparisons; the first by default.
        splits: Number of half splits, each used in both directions.
        seed: Of the random generator.
        length: Whether a half's discoveries must survive the length rule on that half, as findings do.
    """
    found, rows = _contrast_of(diff, after)
    return replicate(found, np.flatnonzero(discovered(diff)[rows]), splits=splits, seed=seed, length=length)


def _contrast_of(diff: Diff, after: str | None) -> tuple[Contrast, NDArray[np.int64]]:
    """One comparison of a diff as a report of its own, and where its rows stand in the table."""
    s = diff.summary
    names = s.get("afters", [s.get("after")])
    name = names[0] if after is None else after
    if name not in names:
        raise ValueError(f"{name!r} was not compared; choose from {list(names)}")
    pairing = pair(diff.responses, s["before"], name)
    rows = np.flatnonzero((diff.table["after"] == name).to_numpy())
    return contrast_on(diff.features, diff.families, pairing, s["alpha"]), rows


def all_families(
    features: Features, extra: Sequence[Occurrences] | None, say: Callable[[str], None]
) -> tuple[Occurrences, ...]:
    """Every table to contrast: the features' own, then `extra`, or observables and lexical terms."""
    if extra is None:
        from whatchanged.text import families as text_families

        say("observables and words")
        extra = text_families(features.responses)
    return (features.occurrences, *extra)


def contrast_on(
    features: Features, families: Sequence[Occurrences], pairing: Pairing, alpha: float
) -> Contrast:
    """Contrast every column of every table on the answers of a pairing.

    Raises:
        ValueError: A table has another number of rows than there are answers.
    """
    answers = len(features.responses.answers)
    for table in families:
        if len(table.n_units) != answers:
            raise ValueError(
                f"the {table.kind} table has {len(table.n_units)} rows for {answers} answers; "
                "build it from the same responses"
            )
    return contrast([turn(t, pairing) for t in families], alpha)


def check_level(alpha: float) -> None:
    """Refuse a level that is none."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha!r}; use 0.05 for 5 % false discoveries")


def _silent(line: str) -> None:
    """Say nothing."""
