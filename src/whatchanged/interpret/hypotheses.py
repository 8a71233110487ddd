"""What changed, in at most ten sentences, each checked on pairs it was not made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Finding, Findings, Hypotheses, Responses
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.judge import Decisions, ask_judge, count_pairs
from whatchanged.interpret.matcher import matcher
from whatchanged.interpret.split import prompt_units
from whatchanged.interpret.templates import template_hypotheses
from whatchanged.interpret.verdicts import Draft, judged
from whatchanged.interpret.writer import written_hypotheses

__all__ = ["COUNTED", "hypothesise"]

COUNTED = "counted: "
"""What a method begins with that asked nobody; `whatchanged.interpret.matcher.read_matcher` reads the rest."""
MOST = 10
PAIRS = 100  # prompts a judge is asked about, for each hypothesis


def hypothesise(
    findings: Findings,
    *,
    held_out: Responses | None = None,
    writer: Asker | None = None,
    judge: Asker | None = None,
    alpha: float = 0.05,
    most: int = MOST,
    pairs: int = PAIRS,
    seed: int = 0,
) -> Hypotheses:
    """Write hypotheses from findings and check them.

    To have them *verified*, fix the split before anything is discovered::

        discovery, held_out = split_prompts(responses, seed)
        findings = interpret(compare(features_of(features, discovery)))
        hypotheses = hypothesise(findings, held_out=held_out)

    Where a held-out prompt, or a near-duplicate of one, had a part in the findings, no verdict is better than
    *consistent*: what was chosen because it differs on these prompts differs on them.

    Args:
        findings: What was found.
        held_out: Answers of the same checkpoints to check on; by default those the findings came from.
        writer: Writes the sentences; without one they are made from templates over what can be counted.
        judge: Decides which of two answers does it more; without one it is counted, by the first of the
            findings behind a hypothesis that points the same way and leaves something to count.
        alpha: False discovery rate over the hypotheses.
        most: Most hypotheses.
        pairs: Most held-out prompts a judge is asked about; drawn without looking at answers. Counting
            takes all.
        seed: Of that draw and of the order of the two answers.

    Raises:
        ValueError: The held-out answers are of other checkpoints, no prompt is answered by both, or a number
            is out of range.
        AccessDenied, BudgetExhausted: A model will answer nothing further.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha}; use 0.05")
    for name, value in (("most", most), ("pairs", pairs)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    seen = findings.diff.responses
    checked = seen if held_out is None else held_out
    if checked.models[:2] != seen.models[:2]:
        raise ValueError(
            f"the held-out answers compare {checked.models[:2]}, the findings {seen.models[:2]}; split one set"
        )
    # with more than two checkpoints, hypotheses are about the first pair
    after = findings.diff.table["after"]
    items = [f for f in findings.items if str(after.iloc[f.rows[0]]) == seen.after]
    dropped: dict[str, int] = {}
    if writer is not None:
        drafts, dropped = written_hypotheses(items, writer, most=most)
    else:
        drafts, uncounted = template_hypotheses(findings.diff, items, most=most)
        dropped = {"nothing_to_count": uncounted} if uncounted else {}
    fresh = _fresh(seen, checked)
    prompts, units = _pairs(checked, pairs if judge is not None else None, seed)
    if judge is not None:
        decisions = ask_judge([d.behaviour for d in drafts], checked, prompts, judge, seed=seed)
        methods = [f"judged by {judge.model.name}"] * len(drafts)
    else:
        decisions, methods = _counted(drafts, findings, items, checked, prompts)
    made = judged(drafts, decisions, methods, units, fresh=fresh, alpha=alpha)
    summary: dict[str, Any] = {
        "alpha": alpha,
        "seed": seed,
        "findings": len(items),
        "fresh": fresh,
        "prompts": len(prompts),
        "units": len(set(units.tolist())),
        "dropped": dropped,
        "writer": writer.summary if writer is not None else None,
        "judge": judge.summary if judge is not None else None,
    }
    return Hypotheses(items=made, summary=summary)


def _fresh(seen: Responses, checked: Responses) -> bool:
    """Whether no prompt to be checked on, nor a near-duplicate of one, was seen in discovery."""
    both = [*seen.prompts, *checked.prompts]
    unit = prompt_units(both)
    ids = seen.prompts.by_id.keys() & checked.prompts.by_id.keys()
    return not ids and not set(unit[: len(seen.prompts)]) & set(unit[len(seen.prompts) :])


def _pairs(checked: Responses, most: int | None, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Prompts answered by both checkpoints, and the unit of each."""
    both = checked.rows(checked.before).keys() & checked.rows(checked.after).keys()
    prompts = [p for p in checked.prompts if p.id in both]
    if not prompts:
        raise ValueError("no held-out prompt is answered by both checkpoints; hold out more")
    unit = prompt_units(prompts)
    kept = np.arange(len(prompts))
    if most is not None and len(prompts) > most:
        kept = np.sort(np.random.default_rng(seed).permutation(len(prompts))[:most])
    return [prompts[i].id for i in kept], np.array([unit[i] for i in kept], dtype=np.int64)


def _counted(
    drafts: list[Draft], findings: Findings, items: list[Finding], checked: Responses, prompts: list[str]
) -> tuple[list[Decisions], list[str]]:
    by_id = {f.id: f for f in items}
    decisions, methods = [], []
    for draft in drafts:
        # a sentence that points against its finding is not about what the finding counts
        backing = [by_id[i] for i in draft.findings if by_id[i].delta * draft.direction > 0]
        found = next((m for m in (matcher(f, findings.diff) for f in backing) if m is not None), None)
        if found is None:
            decisions.append(np.full(len(prompts), np.nan))
            methods.append("")
        else:
            decisions.append(found.sense * count_pairs(found, checked, prompts))
            methods.append(f"{COUNTED}{found.said}")
    return decisions, methods
