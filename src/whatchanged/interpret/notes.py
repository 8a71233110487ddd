"""Plain-language lines under a finding: what its tags mean, and which rows it stands for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from whatchanged.artifacts import Evidence
from whatchanged.interpret.candidates import Candidate
from whatchanged.interpret.labels import term_label
from whatchanged.interpret.profile import Profile
from whatchanged.interpret.statement import level, percent, points

__all__ = ["example_note", "members_note", "members_suffix", "tag_notes"]

NAMED = 12  # members listed by name
NEAR = 6  # tokens quoted to either side of a peak

MEANING = {
    "markdown": "It fires on markdown marks: a change of formatting, whatever the text says.",
    "digits": "It fires on digits.",
    "punctuation": "It fires on punctuation.",
    "newline": "It fires on line breaks: a change of layout, whatever the text says.",
    "single-word": "It fires on one single word; read it as that word, not as a concept.",
    "prompt-echo": "It fires on words of the prompt: the answers repeat the question, or the topic decides.",
    "last-token": "It peaks on the last token of the answer: a change in how answers end.",
    "whitespace": "Artefact: it fires on blanks between words, which no reader of the answers would notice.",
    "massive": "Artefact: it fires on massive-activation tokens, which carry norm rather than meaning.",
    "truncation": "Artefact: it fires where answers were cut off, so it tells of the limit, not the model.",
    "first-token": "Artefact: it fires on the very first token of nearly every answer, whichever that is.",
    "template-leak": "Artefact: it fires on pieces of a chat template, such as “User:” at the start of a line, "
    "so it tells how answers were prompted and stopped.",
    "length": "This is length itself: reported, and never a behaviour.",
    "length-driven": "Length-driven: cut to one length, what is left is not significant among all rows.",
    "length-not-identifiable": "Lengths differ so much that this effect cannot be told apart from length.",
}
PEAKS = frozenset({"last-token", "first-token", "truncation"})


def tag_notes(tags: Sequence[str], profile: Profile, row: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """One line per tag that has a meaning of its own, with what it is based on.

    Args:
        tags: Tags of the finding.
        profile: What its leading row fires on.
        row: That row of `Diff.table`, for the numbers of the length rule.
    """
    return tuple(
        " ".join([MEANING[tag], *_evidence(tag, profile, row or {})]) for tag in tags if tag in MEANING
    )


def _evidence(tag: str, profile: Profile, row: Mapping[str, Any]) -> list[str]:
    """What a tag is based on, in a sentence of its own; nothing where nothing was measured."""
    share = profile.support(tag)
    if share is None:
        return _length_evidence(row) if tag.startswith("length-") else []
    answers = f"{profile.answers:,} answer{'s' if profile.answers != 1 else ''} looked at"
    if tag in PEAKS:
        said = f"{percent(share)} of the {answers} peak there"
        if tag == "first-token":
            said += f", and it is active there in {percent(profile.starts)} of all answers"
        return [f"Evidence: {said}."]
    said = f"{percent(share)} of its activation, over {answers}"
    if tag == "prompt-echo":
        said += f"; such words are {percent(profile.echo_expected)} of all tokens"
    return [f"Evidence: {said}."]


def _length_evidence(row: Mapping[str, Any]) -> list[str]:
    """What remained of a row with length held equal, as far as it was asked."""
    said = []
    if _known(row, "delta_length"):
        said.append(
            f"cut to one length, Δ goes from {points(float(row['delta']))} to "
            f"{points(float(row['delta_length']))} points ({level(float(row['p_prefix']), 'p')})"
        )
    if _known(row, "p_firth"):
        said.append(f"given log length, the regression has {level(float(row['p_firth']), 'p')}")
    return [f"Evidence: {'; '.join(said)}."] if said else []


def _known(row: Mapping[str, Any], name: str) -> bool:
    return name in row and math.isfinite(float(row[name]))


def members_suffix(members: Sequence[Candidate]) -> str:
    """What else a finding stands for, in brackets after its label; empty for a row alone."""
    count = Counter(c.kind for c in members)
    parts = [c.name.replace("_", " ") for c in members if c.kind == "observable"]
    for noun, n in (("feature", count["feature"]), ("term", count["lexical"])):
        if n:
            parts.append(f"{n} {noun}{'s' if n > 1 else ''}")
    return f" (+ {', '.join(parts)})" if parts else ""


def members_note(members: Sequence[Candidate]) -> tuple[str, ...]:
    """Names of the redundant rows, strongest first, and how many more there are."""
    if not members:
        return ()
    named = [_name(c) for c in members[:NAMED]]
    more = f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
    return (f"The same change also shows in {', '.join(named)}{more}.",)


def example_note(shown: Sequence[Evidence]) -> tuple[str, ...]:
    """A few words around the strongest activation; nothing where there is no stretch to show."""
    if not shown:
        return ("It is measured over the whole answer, so there is no single place to show.",)
    tokens, activations = shown[0].tokens, shown[0].activations
    peak = max(range(len(tokens)), key=lambda i: activations[i])
    words = "".join(tokens[max(0, peak - NEAR) : peak + NEAR + 1]).split()
    return (f"For example: “{' '.join(words)}”",) if words else ()


def _name(c: Candidate) -> str:
    if c.kind == "lexical":
        return term_label(c.name)
    return f"feature {c.name}" if c.kind == "feature" else c.name.replace("_", " ")
