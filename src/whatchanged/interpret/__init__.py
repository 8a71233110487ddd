"""Interpretation: what the significant rows of a diff fire on, which are one change, and what shows it."""

from __future__ import annotations

from whatchanged.artifacts import TokenActivations, TokenSource
from whatchanged.interpret.findings import interpret
from whatchanged.interpret.imported import ImportedLabels, read_labels

__all__ = ["ImportedLabels", "TokenActivations", "TokenSource", "interpret", "read_labels"]
