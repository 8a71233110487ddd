"""Do the label-free measurements agree with what a finding says?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from whatchanged.artifacts import Diff
from whatchanged.interpret.candidates import Candidate
from whatchanged.interpret.grouping import Group
from whatchanged.interpret.redundancy import WORTH
from whatchanged.interpret.statement import level, points
from whatchanged.text import OBSERVABLE_WORDS

__all__ = ["agreeing", "contradicted", "named_observables"]

MARKS = (
    (r"\d+[.)]", "numbered_items"),
    (r"\*\*", "bold"),
    (r"#+", "headings"),
    (r"[-•]|\* ", "bullets"),
    (r"!+", "exclamation_marks"),
    (r"\|", "tables"),
    (r"`{3,}", "code_fences"),
)


def agreeing(group: Group, chosen: Sequence[Candidate]) -> tuple[str, ...]:
    """Observables that moved the same way on the same answers, at the same places.

    These are the observables among the group's members, and those of which at least 30 % of the effect,
    beyond chance, lies in the text the finding is about. The leader itself is not repeated.
    """
    near = [i for i, share in group.explained.items() if share >= WORTH]
    rows = dict.fromkeys([*group.members, *sorted(near)])
    return tuple(dict.fromkeys(chosen[i].name for i in rows if chosen[i].kind == "observable"))


def named_observables(label: str) -> tuple[str, ...]:
    """Observables that a label names, in words or by the mark it quotes.

    *Numbered lists* and ``"1."`` name the numbered items, ``"**"`` names bold type. Other words in quotes
    are what a feature fires on and name nothing.
    """
    said, place = label.casefold().partition(" · ")[::2]
    quoted = re.findall(r"\"([^\"]*)\"|“([^”]*)”", said)
    marks = [a or b for a, b in quoted]
    unquoted = re.sub(r"\"[^\"]*\"|“[^”]*”", " ", said)
    words = set(re.findall(r"[^\W_]+(?:-[^\W_]+)*", unquoted))
    words |= {part for word in words for part in word.split("-")}
    named = {name for name, known in OBSERVABLE_WORDS.items() if words & set(known)}
    named |= {name for pattern, name in MARKS for mark in marks if re.fullmatch(pattern, mark)}
    if "?" in marks and place == "closing":
        named.add("closing_question")
    return tuple(name for name in OBSERVABLE_WORDS if name in named)


def contradicted(diff: Diff, leader: Candidate, label: str, alpha: float) -> Mapping[str, str]:
    """Observables that a label names but that moved the other way, and a warning for each.

    Only labels of features can mislead; a term or an observable is what it says. An observable counts when
    it has q <= alpha or an interval without 0. The label *enumerated lists* on a feature that fires less
    often, while the answers have more numbered items, is such a case.
    """
    table = diff.table
    found: dict[str, str] = {}
    if leader.kind != "feature":
        return found
    for name in named_observables(label):
        same = (table["kind"] == "observable") & (table["feature"] == name)
        same &= (table["before"] == leader.before) & (table["after"] == leader.after)
        for row in table[same].to_dict("records"):
            delta, lo, hi, q = (float(row[k]) for k in ("delta", "lo", "hi", "q"))
            sure = q <= alpha or lo > 0 or hi < 0
            if pd.notna(delta) and delta * leader.direction < 0 and sure:
                moved = "more" if delta > 0 else "less"
                here = "more" if leader.direction > 0 else "less"
                size = f"Δ {points(delta)} points, {level(q)}"
                found[name] = (
                    f"Warning: the label names {name.replace('_', ' ')}, and this row says {here} in "
                    f"{leader.after}, but measured directly there is {moved} ({size}): "
                    f"do not read it as a change in {name.replace('_', ' ')}."
                )
    return found
