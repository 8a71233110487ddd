"""From a diff to the behaviours that changed: profile, set aside, merge, label, show. No LLM is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import Diff, Finding, Findings, LabelScore, TokenSource
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import Candidate, candidates, moves, thresholds
from whatchanged.interpret.concordance import agreeing, contradicted, other_in_all, unconfirmed
from whatchanged.interpret.context import ContextReader
from whatchanged.interpret.evidence import evidence
from whatchanged.interpret.grouping import Group, group
from whatchanged.interpret.labels import Label, label, within
from whatchanged.interpret.notes import example_note, members_note, members_suffix, tag_notes
from whatchanged.interpret.profile import Profile, profiles
from whatchanged.interpret.redundancy import Redundancy
from whatchanged.interpret.scores import COIN, lexical_detection, score_notes
from whatchanged.interpret.statement import statement

__all__ = ["interpret"]

Scores = tuple[LabelScore | None, LabelScore | None]
"""Detection and fuzzing."""


def interpret(
    diff: Diff,
    *,
    alpha: float | None = None,
    tokens: TokenSource,
    max_findings: int = 50,
    examples: int = 6,
    seed: int = 0,
    labels: Mapping[int, str] | None = None,
    label_source: str = "imported",
    label_scores: Mapping[int, Scores] | None = None,
    scored: bool = True,
    remarks: Mapping[str, Sequence[str]] | None = None,
) -> Findings:
    """Turn the significant rows of a diff into a short list of behaviours with evidence.

    Significant rows that fail the length rule or carry a disqualifying artefact tag are set aside. The
    rest are merged where they are one change (see `whatchanged.interpret.redundancy`), and each group is
    reported once, under its strongest row.

    Args:
        diff: The diff.
        alpha: Largest q of a significant row; by default the diff's own.
        tokens: Where token activations and decoder rows come from.
        max_findings: Most findings, and most entries set aside; what is left out is counted.
        examples: Most stretches of evidence per finding, half of them from either side.
        seed: Chooses the answers that are profiled and the pairs that are compared for merging.
        labels: Words for features from elsewhere, by feature index; they replace the lexical labels.
        label_source: Name of where `labels` came from.
        label_scores: Detection and fuzzing score of these labels, by feature index, where they were asked for.
        scored: Whether to score the lexical labels by their own terms, on answers to prompts they were not
            made from (see `whatchanged.interpret.scores`).
        remarks: Further lines, by the id of a row (``feature:123``); a finding shows those of all its rows.

    Returns:
        The findings by q, then absolute delta; those whose label tells texts apart no better than a coin come
        after all others. ``summary`` counts ``significant`` rows, ``behaviour_rows``
        and ``aside_rows``, those ``merged`` into a stronger one, and ``left_out`` and ``aside_left_out``:
        rows redundant with none of the entries shown, for which there was no place.

    Raises:
        ValueError: ``alpha`` is not between 0 and the diff's own alpha, or ``max_findings`` or
            ``examples`` is below 1.
    """
    tested = float(diff.summary["alpha"])
    alpha = tested if alpha is None else alpha
    if not 0 < alpha <= tested:
        raise ValueError(
            f"alpha must lie between 0 and the diff's own {tested}; got {alpha}; the length rule was asked "
            "of no row beyond that, so compare again with a larger alpha"
        )
    for name, value in (("max_findings", max_findings), ("examples", examples)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    chosen = candidates(diff, alpha)
    high = thresholds(diff, chosen)
    reader = ActivityReader(diff.responses, chosen, high, tokens)
    signs = moves(diff, chosen, high)
    profiled = profiles(diff, reader, seed=seed)
    behaviour = [i for i, c in enumerate(chosen) if c.length in ("", "ok") and not profiled[i].artefact]
    aside = sorted(set(range(len(chosen))) - set(behaviour))
    redundancy = Redundancy(reader, signs, tokens, seed=seed)
    groups, left = group(redundancy, behaviour, most=max_findings)
    aside_groups, aside_left = group(redundancy, aside, most=max_findings, thorough=False)
    given = labels or {}
    scores: dict[int, Scores] = {}
    led = [g.leader for g in (*groups, *aside_groups) if chosen[g.leader].kind == "feature"]
    for i in led:
        if chosen[i].column in given:
            scores[i] = (label_scores or {}).get(chosen[i].column, (None, None))
    if scored:
        lexical = [i for i in led if i not in scores]
        counted = lexical_detection(diff, [chosen[i] for i in lexical], tokens=tokens, seed=seed)
        scores |= {lexical[k]: (found, None) for k, found in counted.items()}
    writer = _Writer(
        diff,
        reader,
        signs,
        profiled,
        ContextReader(reader, signs, seed=seed),
        given,
        label_source,
        scores,
        remarks or {},
        alpha,
        examples,
    )
    return Findings(
        diff=diff,
        items=tuple(sorted((writer.finding(g) for g in groups), key=_untold)),
        aside=tuple(writer.finding(g) for g in aside_groups),
        summary={
            "alpha": alpha,
            "seed": seed,
            "significant": len(chosen),
            "behaviour_rows": len(behaviour),
            "aside_rows": len(aside),
            "merged": sum(len(g.members) for g in (*groups, *aside_groups)),
            "left_out": len(left),
            "aside_left_out": len(aside_left),
        },
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    """Everything a finding is written from."""

    diff: Diff
    reader: ActivityReader
    signs: NDArray[np.int8]
    profiled: tuple[Profile, ...]
    contexts: ContextReader
    labels: Mapping[int, str]
    label_source: str
    scores: Mapping[int, Scores]
    remarks: Mapping[str, Sequence[str]]
    alpha: float
    examples: int

    def finding(self, group: Group) -> Finding:
        """Write up one group under its leading row."""
        chosen, i = self.reader.chosen, group.leader
        leader, profile = chosen[i], self.profiled[i]
        members = [chosen[m] for m in group.members]
        row = {str(k): v for k, v in self.diff.table.iloc[leader.row].items()}
        said = self._label(i)
        verdict = (leader.length,) if leader.length not in ("", "ok") else ()
        tags = tuple(dict.fromkeys([*leader.tags, *verdict, *profile.tags]))
        agrees = agreeing(group, chosen)
        warnings = contradicted(self.diff, leader, said.text, self.alpha)
        detected, fuzzed = self.scores.get(i, (None, None))
        shown = evidence(self.diff, self.reader, i, self.signs, examples=self.examples)
        notes = [
            *warnings.values(),
            *unconfirmed(self.diff, leader, said.text, self.alpha),
            *other_in_all(self.diff, leader),
            *([said.note] if said.note else []),
            *score_notes(detected, fuzzed),
            *example_note(shown),
            *tag_notes(tags, profile, row),
            *members_note(members),
            *dict.fromkeys(line for c in (leader, *members) for line in self.remarks.get(self._id(c), ())),
        ]
        return Finding(
            id=self._id(leader),
            kind=leader.kind,
            label=said.text + members_suffix(members),
            label_source=said.source,
            statement=statement(row, one_sample=_answers_compared(self.diff, leader) == 2 * int(row["n"])),
            rows=(leader.row, *(m.row for m in members)),
            statistic=leader.statistic,
            rate_before=float(row["rate_before"]),
            rate_after=float(row["rate_after"]),
            delta=leader.delta,
            lo=float(row["lo"]),
            hi=float(row["hi"]),
            p=float(row["p"]),
            q=leader.q,
            tags=tags,
            notes=tuple(notes),
            evidence=shown,
            agrees=agrees,
            contradicts=tuple(warnings),
            label_score=detected,
            fuzzing_score=fuzzed,
        )

    def _label(self, i: int) -> Label:
        leader = self.reader.chosen[i]
        said = label(leader, self.profiled[i])
        if leader.kind != "feature":
            return said
        if leader.column in self.labels:
            return replace(said, text=self.labels[leader.column], source=self.label_source)
        return within(said, self.contexts.of(i))

    def _id(self, leader: Candidate) -> str:
        name = f"{leader.kind}:{leader.name}".replace("\n", "\\n")
        # with several checkpoints, one row may be found for more than one of them
        return name if len(self.diff.responses.models) == 2 else f"{name}@{leader.after}"


def _untold(finding: Finding) -> bool:
    """Whether the label is known to say nothing: then others, which a reader can act on, go before."""
    return finding.label_score is not None and finding.label_score.lo <= COIN


def _answers_compared(diff: Diff, c: Candidate) -> int:
    """Answers to the prompts that both checkpoints of a row have answered."""
    before, after = diff.responses.rows(c.before), diff.responses.rows(c.after)
    return sum(len(before[p]) + len(after[p]) for p in before.keys() & after.keys())
