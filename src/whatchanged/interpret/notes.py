"""Plain-language lines under a finding: what its tags mean, and which rows it stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from whatchanged.artifacts import Evidence
from whatchanged.interpret.candidates import Candidate
from whatchanged.interpret.labels import term_label
from whatchanged.interpret.profile import Profile
from whatchanged.interpret.statement import percent

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
    "length-driven": "Length-driven: the effect does not survive once both answers are cut to one length.",
    "length-not-identifiable": "Lengths differ so much that this effect cannot be told apart from length.",
}


def tag_notes(tags: Sequence[str], profile: Profile) -> tuple[str, ...]:
    """One line per tag that has a meaning of its own."""
    lines = [MEANING[tag] for tag in tags if tag in MEANING]
    if "prompt-echo" in tags:
        shares = f"{percent(profile.echo)} of its activation, {percent(profile.echo_expected)} of all tokens"
        lines.append(f"Words of the prompt take {shares}.")
    return tuple(lines)


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
