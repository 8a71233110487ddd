"""Hypotheses without an LLM: what each of the strongest findings lets one count."""

from __future__ import annotations

from collections.abc import Sequence

from whatchanged.artifacts import Diff, Finding
from whatchanged.interpret.candidates import CLOSING, OPENING
from whatchanged.interpret.matcher import Matcher, matcher
from whatchanged.interpret.scores import COIN
from whatchanged.interpret.verdicts import Draft
from whatchanged.text import OBSERVABLES

__all__ = ["template_hypotheses"]


def template_hypotheses(diff: Diff, findings: Sequence[Finding], *, most: int) -> tuple[list[Draft], int]:
    """One sentence per finding that can be counted, the strongest first; findings that count the same share one.

    A feature whose label was scored no better than a coin leaves nothing to count.

    Args:
        diff: The diff the findings came from.
        findings: The findings, strongest first.
        most: Most hypotheses.

    Returns:
        The hypotheses, and the number of findings among those looked at that leave nothing to count.
    """
    drafts: dict[tuple[str, str, bool, int, int], Draft] = {}
    uncounted = 0
    for finding in findings:
        found = None if _untold(finding) else matcher(finding, diff)
        if found is None:
            uncounted += 1
            continue
        direction = 1 if finding.delta > 0 else -1
        key = (found.name, found.place, found.counted, found.sense, direction)
        if key in drafts:
            known = drafts[key]
            drafts[key] = Draft(
                behaviour=known.behaviour, direction=direction, findings=(*known.findings, finding.id)
            )
        elif len(drafts) < most:
            drafts[key] = Draft(behaviour=_said(found), direction=direction, findings=(finding.id,))
        else:
            break
    return list(drafts.values()), uncounted


def _untold(finding: Finding) -> bool:
    """Whether a feature's label is known to tell nothing apart; then its terms say nothing of the finding."""
    score = finding.label_score
    return finding.kind == "feature" and score is not None and score.lo <= COIN


def _said(found: Matcher) -> str:
    observable = OBSERVABLES.get(found.name.replace(" ", "_"))
    what = observable.description.rpartition(": ")[2] if observable else found.name
    place = {
        "opening": f" in the first {OPENING} words",
        "closing": f" in the last {CLOSING} words",
    }.get(found.place, "")
    return f"{'less of ' if found.sense < 0 else ''}{what}{place}"
