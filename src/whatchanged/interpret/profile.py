"""What a row fires on, where, and whether that makes it an artefact. No LLM is asked.

Tags and what they mean for a sceptic:

* ``markdown``, ``digits``, ``punctuation``, ``newline``, ``single-word``, ``prompt-echo``, ``last-token``:
  the row fires (almost) only there. Lists, bold type and question marks are behaviours, so the row stays a
  finding, and a plain line says what it is so that nobody reads more into it.
* ``whitespace`` (blanks other than line breaks), ``massive`` (tokens whose residual norm is many times the
  median), ``truncation`` (the last tokens of answers that were cut off), ``first-token`` (the very first
  token of nearly every answer) and ``template-leak`` (special tokens, and role words such as ``User:`` that
  open a line): nothing a reader of the answers would call a behaviour. The row is set aside.

The contrast adds ``length-driven``, ``length-not-identifiable`` and ``length`` (see
`whatchanged.diff.length`). `Profile.support` gives the share that each tag is based on.

Only features earn tags about what they fire on: a word or an observable says so itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from whatchanged.artifacts import Diff
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.ledger import SUMS, Ledger
from whatchanged.interpret.vocabulary import CLASSES

__all__ = ["ARTEFACTS", "Profile", "profiles"]

ARTEFACTS = frozenset({"whitespace", "massive", "truncation", "first-token", "template-leak"})
DOMINANT = 0.8  # share of the activation (or of the peaks) that earns a tag
NEARLY_ALL = 0.9  # of all answers, for first-token
LIFT = 2.0  # times what chance would put on words of the prompt, in the opening or in the closing
SAMPLE = 200  # answers per candidate
_SUPPORT = {
    "prompt-echo": "echo",
    "first-token": "first",
    "last-token": "last",
    "truncation": "at_cut",
    "massive": "masked",
    "template-leak": "template",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one candidate fires on, over a sample of answers of both checkpoints.

    Every answer weighs the same, and within it units weigh by activation. Only units that the row's own
    statistic looks at count: the opening of a row about openings. All shares lie in [0, 1].

    Attributes:
        answers: Answers sampled, the candidate being active in all of them.
        classes: Share on each class of token text; all 0 for counted things.
        words: Most characteristic words or marks, their share, and their share of all tokens of the
            same answers, strongest first.
        opening: Share in the first 16 units.
        opening_expected: Share of all units of the same answers that are among the first 16.
        closing: Share in the last 24 units.
        closing_expected: Share of all units of the same answers that are among the last 24.
        first: Share of the sampled answers whose peak is the very first unit.
        last: Share of them whose peak is the very last unit.
        masked: Share on massive-activation tokens, before those are left out.
        echo: Share on words of the prompt.
        echo_expected: Share of all tokens of the same answers that are words of the prompt.
        at_cut: Share of the sampled answers that were cut off and peak right before the cut.
        template: Share on pieces of a chat template.
        starts: Share of all answers of both checkpoints whose very first unit it is active on.
        tags: Tags earned.
    """

    answers: int
    classes: Mapping[str, float]
    words: tuple[tuple[str, float, float], ...]
    opening: float
    opening_expected: float
    closing: float
    closing_expected: float
    first: float
    last: float
    masked: float
    echo: float
    echo_expected: float
    at_cut: float
    template: float
    starts: float
    tags: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """``opening`` or ``closing`` where it has 80 % of the activation and twice its share of the text."""
        if self.opening >= max(DOMINANT, LIFT * self.opening_expected):
            return "opening"
        return "closing" if self.closing >= max(DOMINANT, LIFT * self.closing_expected) else ""

    def support(self, tag: str) -> float | None:
        """The share a tag is based on, in [0, 1]; ``None`` for tags that are not the profile's."""
        if tag in self.classes:
            return self.classes[tag]
        if tag == "single-word":
            return self.words[0][1] if self.words else 0.0
        name = _SUPPORT.get(tag)
        return None if name is None else float(getattr(self, name))

    @property
    def artefact(self) -> bool:
        """Whether a tag disqualifies the row as a behaviour."""
        return bool(ARTEFACTS & set(self.tags))


def profiles(
    diff: Diff,
    reader: ActivityReader,
    *,
    seed: int = 0,
    sample: int = SAMPLE,
    among: NDArray[np.bool_] | None = None,
) -> tuple[Profile, ...]:
    """Profile of every candidate of the reader, in its order.

    Args:
        diff: The diff the candidates come from.
        reader: Reads the answers.
        seed: Chooses the answers.
        sample: Answers per candidate, of those in which it is active.
        among: Answers that may be sampled, ``[answers]``; all by default.
    """
    active, starts = _occurrences(diff, reader)
    if among is not None:
        active = [answers[among[answers]] for answers in active]
    wanted = _sample(active, len(diff.responses.answers), np.random.default_rng(seed), sample)
    ledger = Ledger(len(reader.chosen))
    prompts, cut = diff.responses.prompts.by_id, diff.features.cut
    for i, answer in enumerate(diff.responses.answers):
        candidates = wanted.indices[wanted.indptr[i] : wanted.indptr[i + 1]]
        if len(candidates):
            truncated = bool(cut[i]) or answer.truncated
            ledger.add(reader.read(i), candidates, prompt=prompts[answer.prompt_id].text, truncated=truncated)
    words = ledger.words()
    found = []
    for i, candidate in enumerate(reader.chosen):
        n = max(ledger.answers[i], 1.0)
        profile = Profile(
            answers=int(ledger.answers[i]),
            classes={name: float(ledger.classes[i, k] / n) for k, name in enumerate(CLASSES)},
            words=words[i],
            starts=starts[i],
            tags=(),
            **{name: float(ledger.sums[name][i] / n) for name in SUMS},
        )
        found.append(_tagged(profile) if candidate.kind == "feature" else profile)
    return tuple(found)


def _tagged(profile: Profile) -> Profile:
    classes = ("whitespace", "newline", "punctuation", "markdown", "digits")
    tags = [name for name in classes if profile.classes[name] >= DOMINANT]
    # the class is the better description of a mark; of a word, the word
    if (
        profile.classes["word"] + profile.classes["capitals"] >= DOMINANT
        and profile.words
        and profile.words[0][1] >= DOMINANT
    ):
        tags.append("single-word")
    if profile.echo >= max(DOMINANT, LIFT * profile.echo_expected):
        tags.append("prompt-echo")
    if profile.first >= DOMINANT and profile.starts >= NEARLY_ALL:
        tags.append("first-token")
    if profile.last >= DOMINANT:
        tags.append("last-token")
    if profile.at_cut >= DOMINANT:
        tags.append("truncation")
    if profile.template >= DOMINANT:
        tags.append("template-leak")
    if profile.masked >= DOMINANT:
        tags.append("massive")
    return replace(profile, tags=tuple(tags))


def _occurrences(diff: Diff, reader: ActivityReader) -> tuple[list[NDArray[np.int64]], list[float]]:
    """Answers each candidate is active in, and the share of all whose very first unit it is active on."""
    model = np.array([a.model for a in diff.responses.answers])
    active: list[NDArray[np.int64]] = []
    starts: list[float] = []
    for c in reader.chosen:
        family = diff.family(c.kind)
        entry = np.flatnonzero(family.column == c.column)
        compared = np.isin(model, [c.before, c.after])
        entry = entry[compared[family.row[entry]]]
        active.append(family.row[entry])
        starts.append(float(np.sum(family.first[entry] == 0) / max(compared.sum(), 1)))
    return active, starts


def _sample(
    active: list[NDArray[np.int64]], answers: int, rng: np.random.Generator, most: int
) -> sparse.csr_array:
    """Which candidates to look at in which answers, ``[answers, candidates]``.

    One order for all, so that the candidates share the answers that are read.
    """
    rank = rng.permutation(answers)
    drawn = [a[np.argsort(rank[a])][:most] for a in active]
    rows = np.concatenate([*drawn, np.zeros(0, np.int64)])
    columns = np.repeat(np.arange(len(active)), [len(d) for d in drawn])
    return sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(answers, len(active))).tocsr()
