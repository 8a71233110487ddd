"""Labels with their scores as one sheet, which a run folder keeps so that no report needs an LLM again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatchanged.artifacts import Diff, Finding, Findings, LabelScore, TokenSource
from whatchanged.errors import StoreError
from whatchanged.interpret.activating import leaders
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.labeller import write_labels
from whatchanged.interpret.scores import detection, fuzzing
from whatchanged.interpret.split import split_prompts

__all__ = ["LabelSheet", "label_findings", "read_sheet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSheet:
    """Words for features, and how far they can be trusted.

    Attributes:
        texts: Label of each feature, by its index.
        source: Where they came from, shown beside every label.
        scores: Detection and fuzzing score of a feature's label, where somebody was asked.
        split_seed: Seed of the split whose discovery half the labels were made from; ``None`` where they
            were made from none of the run's answers.
        dropped: What gave no label, by reason.
        asked: What labeller and judge took: calls, failures, tokens, cost.
    """

    texts: Mapping[int, str]
    source: str
    scores: Mapping[int, tuple[LabelScore | None, LabelScore | None]] = field(default_factory=dict)
    split_seed: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The sheet as options of `whatchanged.interpret.interpret`."""
        return {"labels": self.texts, "label_source": self.source, "label_scores": self.scores}

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for ``labels.json``."""
        return {
            "schema": 1,
            "source": self.source,
            "dropped": dict(self.dropped),
            "labels": {str(i): text for i, text in sorted(self.texts.items())},
            "scores": {
                str(i): {
                    name: None if one is None else asdict(one)
                    for name, one in zip(("detection", "fuzzing"), both, strict=True)
                }
                for i, both in sorted(self.scores.items())
            },
            "split_seed": self.split_seed,
            "asked": dict(self.asked),
        }


class _Score(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    value: float = Field(ge=0, le=1)
    lo: float = Field(ge=0, le=1)
    hi: float = Field(ge=0, le=1)
    n: int = Field(ge=1)
    method: str
    missing: int = Field(default=0, ge=0)


class _Both(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    detection: _Score | None = None
    fuzzing: _Score | None = None


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: int = Field(alias="schema")
    source: str
    labels: dict[int, str]
    dropped: dict[str, int] = {}
    scores: dict[int, _Both] = {}
    split_seed: int | None = None
    asked: dict[str, Any] = {}


def read_sheet(content: Any, *, where: str) -> LabelSheet:
    """A sheet from the JSON of ``labels.json``; one without scores, as older runs have it, will do.

    Raises:
        StoreError: It has another form.
    """
    try:
        read = _Sheet.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        at = ".".join(map(str, problem["loc"]))
        raise StoreError(f"{where} is damaged (at {at}: {problem['msg']}); write the labels again") from None
    return LabelSheet(
        texts=read.labels,
        source=read.source,
        scores={i: (_score(both.detection), _score(both.fuzzing)) for i, both in sorted(read.scores.items())},
        split_seed=read.split_seed,
        dropped=read.dropped,
        asked=read.asked,
    )


def _score(read: _Score | None) -> LabelScore | None:
    return None if read is None else LabelScore(**read.model_dump())


def label_findings(
    findings: Findings,
    *,
    tokens: TokenSource,
    labeller: Asker | None = None,
    judge: Asker | None = None,
    known: LabelSheet | None = None,
    seed: int = 0,
) -> LabelSheet:
    """Label the features that lead findings, and score the labels.

    The labeller sees answers to the discovery half of the prompts (`split_prompts` of the findings' answers
    with this seed), the judge answers to the other half, so no answer a label was made from scores it, and the
    labels may go into hypotheses that the other half verifies. Labels from elsewhere are scored on all.

    Args:
        findings: What to label; what is set aside is no behaviour, and keeps its lexical label.
        tokens: Where token activations come from.
        labeller: Writes the labels; without one the `known` labels are kept.
        judge: Scores them; without one they stay unscored.
        known: Labels there are already.
        seed: Of the split, the examples and the texts.

    Raises:
        ValueError: Neither a labeller nor known labels.
        AccessDenied, BudgetExhausted: A model will answer nothing further; what it said is in its store.
    """
    diff = findings.diff
    led = [f for f in findings.items if f.kind == "feature"]
    answers = diff.responses.answers
    allowed = np.ones(len(answers), dtype=np.bool_)
    if labeller is not None:
        ids = split_prompts(diff.responses, seed)[0].prompts.by_id
        first = np.array([a.prompt_id in ids for a in answers])
        written = write_labels(diff, led, labeller, tokens=tokens, allowed=first, seed=seed)
        assert all(first[list(used)].all() for used in written.used.values()), "a label saw a held-out answer"
        allowed = ~first
        sheet = LabelSheet(
            texts=written.texts, source=written.source, split_seed=seed, dropped=written.skipped
        )
    elif known is not None:
        sheet = known
    else:
        raise ValueError("there are no labels to score; give a labeller, or import labels first")
    scores = _scores(diff, led, sheet, judge, tokens=tokens, allowed=allowed, seed=seed) if judge else {}
    asked = {name: a.summary for name, a in (("labeller", labeller), ("judge", judge)) if a is not None}
    return LabelSheet(
        texts=sheet.texts,
        source=sheet.source,
        scores=scores,
        split_seed=sheet.split_seed,
        dropped=sheet.dropped,
        asked=asked,
    )


def _scores(
    diff: Diff, led: list[Finding], sheet: LabelSheet, judge: Asker, **options: Any
) -> dict[int, tuple[LabelScore | None, LabelScore | None]]:
    chosen = {c.column: c for c in leaders(diff, led) if c.column in sheet.texts}
    rows = list(chosen.values())
    texts = [sheet.texts[column] for column in chosen]
    detected = detection(diff, rows, texts, judge, **options)
    fuzzed = fuzzing(diff, rows, texts, judge, **options)
    return dict(zip(chosen, zip(detected, fuzzed, strict=True), strict=True))
