"""The stages of a run and their order; each reads and writes the run folder."""

from __future__ import annotations

from whatchanged.pipeline.answers import BANK, answers_run, asked, choose_prompts, collect_run, load_run
from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.run import run
from whatchanged.pipeline.series import trend_run
from whatchanged.pipeline.stages import (
    compare_run,
    encode_run,
    interpret,
    interpret_run,
    labels_of,
    open_run,
    said_of,
)

__all__ = [
    "BANK",
    "Progress",
    "answers_run",
    "asked",
    "choose_prompts",
    "collect_run",
    "compare_run",
    "encode_run",
    "interpret",
    "interpret_run",
    "labels_of",
    "load_run",
    "open_run",
    "run",
    "said_of",
    "trend_run",
]
