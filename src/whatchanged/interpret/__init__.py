"""Interpretation: what the significant rows of a diff fire on, which are one change, and what shows it."""

from __future__ import annotations

from whatchanged.artifacts import TokenActivations, TokenSource
from whatchanged.interpret.asking import Asker
from whatchanged.interpret.checked import hypotheses_json, read_hypotheses, remarks
from whatchanged.interpret.findings import interpret
from whatchanged.interpret.hypotheses import hypothesise
from whatchanged.interpret.imported import ImportedLabels, read_labels
from whatchanged.interpret.label_store import LabelStore
from whatchanged.interpret.labelled import LabelSheet, label_findings, read_sheet
from whatchanged.interpret.split import features_of, split_prompts

__all__ = [
    "Asker",
    "ImportedLabels",
    "LabelSheet",
    "LabelStore",
    "TokenActivations",
    "TokenSource",
    "features_of",
    "hypotheses_json",
    "hypothesise",
    "interpret",
    "label_findings",
    "read_hypotheses",
    "read_labels",
    "read_sheet",
    "remarks",
    "split_prompts",
]
