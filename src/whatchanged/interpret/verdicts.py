"""From decisions on held-out pairs to verdicts on hypotheses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Hypothesis, Verdict
from whatchanged.stats import benjamini_hochberg, sign_test, tango

__all__ = ["Draft", "judged", "unit_counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A hypothesis before anybody has checked it.

    Attributes:
        behaviour: What an answer does, without naming a checkpoint.
        direction: 1 if *after* is said to do it more, -1 if *before* is.
        findings: Ids of the findings it was made from, the strongest first.
    """

    behaviour: str
    direction: int
    findings: tuple[str, ...]


def judged(
    drafts: Sequence[Draft],
    decisions: Sequence[NDArray[np.float64]],
    methods: Sequence[str],
    units: NDArray[np.int64],
    *,
    fresh: bool,
    alpha: float,
) -> tuple[Hypothesis, ...]:
    """Test each hypothesis on the units in which a decision was made.

    A unit whose prompts disagree counts by their mean. Missing decisions count neither way.

    Args:
        drafts: The hypotheses.
        decisions: For each, per prompt: 1 where after does it more, -1 where before does, 0 for a tie, NaN
            where there is no decision, ``[prompts]``.
        methods: How each was checked.
        units: Unit of each prompt, ``[prompts]``.
        fresh: Whether no prompt had a part in discovery, labels or writing.
        alpha: False discovery rate over the hypotheses.
    """
    counts = [unit_counts(d, units) for d in decisions]
    size, more, less, _ = np.array(counts, dtype=np.int64).reshape(-1, 4).T
    p = np.where(size > 0, sign_test(more, less), np.nan)
    q = benjamini_hochberg(p)
    lo, hi = tango(more, less, size)
    made = []
    for k, (draft, (n, after, before, missing)) in enumerate(zip(drafts, counts, strict=True)):
        net = after - before
        verdict: Verdict
        if not n:
            verdict = "not_judged"
        elif q[k] > alpha or net == 0:
            verdict = "unconfirmed"
        elif net * draft.direction < 0:
            verdict = "contradicted"
        else:
            verdict = "verified" if fresh else "consistent"
        made.append(
            Hypothesis(
                id=f"h{k + 1}",
                behaviour=draft.behaviour,
                direction=draft.direction,
                findings=draft.findings,
                method=methods[k],
                verdict=verdict,
                n=n,
                n_after=after,
                n_before=before,
                missing=missing,
                delta=net / n if n else float("nan"),
                lo=float(lo[k]),
                hi=float(hi[k]),
                p=float(p[k]),
                q=float(q[k]),
            )
        )
    return tuple(made)


def unit_counts(decision: NDArray[np.float64], units: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Decided units, those for after, those for before, and undecided ones.

    Args:
        decision: Per prompt: 1 for after, -1 for before, 0 for a tie, NaN where there is none, ``[prompts]``.
        units: Unit of each prompt, ``[prompts]``; one whose prompts disagree counts by their mean.
    """
    size = int(units.max()) + 1 if len(units) else 0
    told = ~np.isnan(decision)
    any_ = np.bincount(units[told], minlength=size) > 0
    net = np.round(np.bincount(units[told], weights=decision[told], minlength=size), 9)
    asked = np.bincount(units, minlength=size) > 0
    n = int(any_.sum())
    return n, int((net > 0).sum()), int((net < 0).sum()), int(asked.sum()) - n
