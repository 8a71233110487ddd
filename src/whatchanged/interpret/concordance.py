"""Do the label-free measurements agree with what a finding says?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from whatchanged.artifacts import Diff
from whatchanged.interpret.candidates import Candidate
from whatchanged.interpret.grouping import Group
from whatchanged.interpret.redundancy import WORTH
from whatchanged.interpret.statement import level, points
from whatchanged.text import OBSERVABLES

__all__ = ["agreeing", "contradicted", "named_observables", "other_in_all", "unconfirmed"]

MARKS = (
    (r"\d+[.)]", "numbered_items"),
    (r"\*\*", "bold"),
    (r"#+", "headings"),
    (r"[-•]|\* ", "bullets"),
    (r"!+", "exclamation_marks"),
    (r"\|", "tables"),
    (r"`{3,}", "code_fences"),
    (r"`", "inline_code"),
    (r"—+", "em_dashes"),
    (r"…|\.{3}", "ellipses"),
    (r"\(|\)|\(\)", "parentheses"),
    (r" {2,}", "double_spaces"),
)
QUOTED = re.compile(r"\"([^\"]*)\"|“([^”]*)”")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[,;:.]")
STOPS = frozenset(",;:.")
NEGATORS = frozenset(
    {"no", "not", "non", "without", "lack", "lacks", "lacking", "absence", "absent", "fewer", "less", "avoid"}
    | {"avoids", "avoiding", "omits", "omitting", "missing", "never", "few", "reduced", "minimal"}
)
REACH = 3  # words between *lack of* and what is lacking
_SENSE = {word: (name, 1) for name, o in OBSERVABLES.items() for word in o.words}
_SENSE |= {word: (name, -1) for name, o in OBSERVABLES.items() for word in o.opposites}
LONGEST = max(len(word.split()) for word in _SENSE)


def agreeing(group: Group, chosen: Sequence[Candidate]) -> tuple[str, ...]:
    """Observables that moved the same way on the same answers, at the same places.

    These are the observables among the group's members, and those of which at least 30 % of the effect,
    beyond chance, lies in the text the finding is about. The leader itself is not repeated.
    """
    near = [i for i, share in group.explained.items() if share >= WORTH]
    rows = dict.fromkeys([*group.members, *sorted(near)])
    return tuple(dict.fromkeys(chosen[i].name for i in rows if chosen[i].kind == "observable"))


def named_observables(label: str) -> Mapping[str, int]:
    """Observables that a label names, in words or by the mark it quotes, and in which sense.

    *Numbered lists* and ``"1."`` name the numbered items, ``"**"`` names bold type. Other words in quotes
    are what a feature fires on and name nothing. The longest phrase counts: *inline code* names inline
    code and not code blocks.

    Returns:
        1 where the label speaks of having it, -1 where it speaks of lacking it (*concise*, *no bullets*,
        *lack of headings*), by name, in the order of the observables.
    """
    said, place = label.casefold().partition(" · ")[::2]
    marks = [a or b for a, b in QUOTED.findall(said)]
    words = WORD.findall(QUOTED.sub(" , ", said).replace("’", "'"))
    named: dict[str, int] = {}
    at = 0
    while at < len(words):
        size = next((n for n in range(LONGEST, 0, -1) if " ".join(words[at : at + n]) in _SENSE), 0)
        if size:
            name, sense = _SENSE[" ".join(words[at : at + size])]
            named.setdefault(name, -sense if _negated(words[:at]) else sense)
        at += max(size, 1)
    named |= {name: 1 for pattern, name in MARKS for mark in marks if re.fullmatch(pattern, mark)}
    if "?" in marks and place == "closing":
        named["closing_question"] = 1
    return {name: named[name] for name in OBSERVABLES if name in named}


def _negated(before: Sequence[str]) -> bool:
    """Whether one of the last words of the same clause says that there is none or little."""
    for word in reversed(before[-REACH:]):
        if word in STOPS:
            return False
        if word in NEGATORS:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Named:
    """A row of an observable that a label names.

    Attributes:
        what: The observable, in words.
        expected: Its direction if the label were right: 1 for more in *after*, -1 for less.
        delta: Its net share of prompts.
        rate: Change of its occurrences per 1,000 words; 0 for what is measured, not counted.
        per_answer: Change of its occurrences per answer; 0 for what is measured.
        sure: Whether delta is significant or its interval leaves out 0.
        size: Delta and q in words.
    """

    what: str
    expected: int
    delta: float
    rate: float
    per_answer: float
    sure: bool
    size: str


def _named_rows(diff: Diff, leader: Candidate, label: str, alpha: float) -> Iterator[tuple[str, _Named]]:
    """The rows of what a feature's label names; a term or an observable is what it says."""
    if leader.kind != "feature":
        return
    table = diff.table
    for name, sense in named_observables(label).items():
        same = (table["kind"] == "observable") & (table["feature"] == name)
        same &= (table["before"] == leader.before) & (table["after"] == leader.after)
        for row in table[same].to_dict("records"):
            delta, lo, hi, q = (float(row[k]) for k in ("delta", "lo", "hi", "q"))
            counted = OBSERVABLES[name].spans is not None
            column = int(row["column"])
            before, after = _per_answer(diff, leader, "observable", column) if counted else (0.0, 0.0)
            yield (
                name,
                _Named(
                    what=name.replace("_", " "),
                    expected=leader.direction * sense,
                    delta=delta,
                    rate=float(row["per_1000_after"]) - float(row["per_1000_before"]) if counted else 0.0,
                    per_answer=after - before,
                    sure=q <= alpha or lo > 0 or hi < 0,
                    size=f"Δ {points(delta)} points, {level(q)}" if q == q else f"Δ {points(delta)} points",
                ),
            )


def contradicted(diff: Diff, leader: Candidate, label: str, alpha: float) -> Mapping[str, str]:
    """Observables that a label names but that moved the other way, and a warning for each.

    Only labels of features can mislead; a term or an observable is what it says. An observable counts when
    it has q <= alpha or an interval without 0. The label *enumerated lists* on a feature that fires less
    often, while the answers have more numbered items, is such a case; so is *concise* on a feature that
    fires more often while the answers grow.
    """
    return {
        name: f"Warning: the label names {row.what}, and this row says {_more(row.expected)} of it in "
        f"{leader.after}, but measured directly there is {_more(row.delta)} ({row.size}): "
        f"do not read it as a change in {row.what}."
        for name, row in _named_rows(diff, leader, label, alpha)
        if row.sure and row.delta * row.expected < 0
    }


def unconfirmed(diff: Diff, leader: Candidate, label: str, alpha: float) -> tuple[str, ...]:
    """A line for each observable that a label names and that leans the other way without contradicting it.

    It leans by the net share of prompts, within chance, or by its occurrences, per 1,000 words or per answer.
    Too little to contradict the label, and enough not to repeat it unchecked.
    """
    lines = []
    for _, row in _named_rows(diff, leader, label, alpha):
        contradicts = row.sure and row.delta * row.expected < 0
        if min(x * row.expected for x in (row.delta, row.rate, row.per_answer)) < 0 and not contradicts:
            rate = ""
            if row.rate or row.per_answer:
                rate = f", {row.rate:+.2f} per 1,000 words, {row.per_answer:+.2f} per answer".replace(
                    "-", "−"
                )
            lines.append(
                f"Caution: the label names {row.what}, and this row says {_more(row.expected)} of it in "
                f"{leader.after}, but the direct measure leans the other way, "
                f"{'by how many there are' if row.sure else 'within chance'} ({row.size}{rate})."
            )
    return tuple(lines)


def other_in_all(diff: Diff, leader: Candidate) -> tuple[str, ...]:
    """A line where what is counted moved one way by the row's own statistic and the other way in all.

    Fewer answers may open with a numbered list while they have more numbered items altogether.
    """
    if leader.kind == "feature" or (leader.kind == "observable" and OBSERVABLES[leader.name].spans is None):
        return ()
    before, after = _per_answer(diff, leader, leader.kind, leader.column)
    if (after - before) * leader.direction >= 0:
        return ()
    where = {"opening": "in the openings", "closing": "in the closings"}.get(
        leader.statistic, "by its statistic"
    )
    return (
        f"Caution: this row says {_more(leader.direction)} of it {where} of {leader.after}; counted over whole answers "
        f"there is {_more(after - before)} of it: {before:.2f} → {after:.2f} per answer.",
    )


def _per_answer(diff: Diff, leader: Candidate, kind: str, column: int) -> tuple[float, float]:
    """Mean occurrences of a counted column per answer, of the checkpoints that a row compares."""
    table = diff.family(kind)
    mine = table.column == column
    count = np.bincount(table.row[mine], weights=table.count[mine], minlength=len(table.n_units))
    model = np.array([a.model for a in diff.responses.answers])
    return float(count[model == leader.before].mean()), float(count[model == leader.after].mean())


def _more(direction: float) -> str:
    return "more" if direction > 0 else "less"
