"""Logs other tools wrote, told by their content: Inspect AI, lm-evaluation-harness, OpenAI batches, chat calls."""

from __future__ import annotations

from whatchanged.responses.logs.read import read_log

__all__ = ["read_log"]
