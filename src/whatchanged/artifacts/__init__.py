"""What the rooms hand each other: prompts, responses, features, a diff, findings.

Every artifact is frozen and holds its parent, so a `Diff` reaches the texts it came from. Nothing
here reads files, loads models or tests hypotheses.

Order: `Responses.answers` is sorted by prompt, then model, then sample. Row ``i`` of every
`Occurrences` table belongs to ``responses.answers[i]``; rows are never matched by anything else.
"""

from __future__ import annotations

from whatchanged.artifacts.answers import Answer, Responses
from whatchanged.artifacts.diff import CHECKPOINT_COLUMNS, CONDITION_COLUMNS, DIFF_COLUMNS, Diff, NoiseFloor
from whatchanged.artifacts.features import Features, Kind, Occurrences, TokenActivations, TokenSource
from whatchanged.artifacts.findings import Evidence, Finding, Findings, LabelScore
from whatchanged.artifacts.hypotheses import Hypotheses, Hypothesis, Verdict
from whatchanged.artifacts.prompts import Dropped, Message, Prompt, PromptSet, Role
from whatchanged.artifacts.trend import Trend

__all__ = [
    "CHECKPOINT_COLUMNS",
    "CONDITION_COLUMNS",
    "DIFF_COLUMNS",
    "Answer",
    "Diff",
    "Dropped",
    "Evidence",
    "Features",
    "Finding",
    "Findings",
    "Hypotheses",
    "Hypothesis",
    "Kind",
    "LabelScore",
    "Message",
    "NoiseFloor",
    "Occurrences",
    "Prompt",
    "PromptSet",
    "Responses",
    "Role",
    "TokenActivations",
    "TokenSource",
    "Trend",
    "Verdict",
]
