"""What changed between two checkpoints of a language model, with evidence a sceptic accepts.

>>> import whatchanged as wc
>>> responses = wc.load("before.jsonl", "after.jsonl")  # doctest: +SKIP
>>> diff = wc.compare(wc.encode(responses))  # doctest: +SKIP
>>> wc.report(wc.interpret(diff)).save("report.html")  # doctest: +SKIP

Positive always means *more in after*. Names are loaded when they are first used: importing the package
loads neither torch nor pandas.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whatchanged.artifacts import (
        CHECKPOINT_COLUMNS,
        CONDITION_COLUMNS,
        DIFF_COLUMNS,
        Answer,
        Diff,
        Dropped,
        Evidence,
        Features,
        Finding,
        Findings,
        Hypotheses,
        Hypothesis,
        NoiseFloor,
        Occurrences,
        Prompt,
        PromptSet,
        Responses,
    )
    from whatchanged.diff import TREND_COLUMNS, Trend, compare, discovered, trend
    from whatchanged.encode import Encoder, encode, load_sae
    from whatchanged.errors import (
        CorruptCache,
        InputError,
        LLMError,
        MismatchError,
        MissingExtra,
        ModelError,
        SAEError,
        StoreError,
        WhatchangedError,
    )
    from whatchanged.interpret import hypothesise, split_prompts
    from whatchanged.pipeline import interpret, run
    from whatchanged.prompts import Written, load_prompts, prompt_bank, write_prompts
    from whatchanged.report import Report, report
    from whatchanged.responses import load
    from whatchanged.responses.collect import collect, estimate

_HOME = {
    "artifacts": (
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
        "NoiseFloor",
        "Occurrences",
        "Prompt",
        "PromptSet",
        "Responses",
    ),
    "diff": ("TREND_COLUMNS", "Trend", "compare", "discovered", "trend"),
    "encode": ("Encoder", "encode", "load_sae"),
    "errors": (
        "CorruptCache",
        "InputError",
        "LLMError",
        "MismatchError",
        "MissingExtra",
        "ModelError",
        "SAEError",
        "StoreError",
        "WhatchangedError",
    ),
    "interpret": ("hypothesise", "split_prompts"),
    "pipeline": ("interpret", "run"),
    "prompts": ("Written", "load_prompts", "prompt_bank", "write_prompts"),
    "report": ("Report", "report"),
    "responses": ("load",),
    "responses.collect": ("collect", "estimate"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "CHECKPOINT_COLUMNS",
    "CONDITION_COLUMNS",
    "DIFF_COLUMNS",
    "TREND_COLUMNS",
    "Answer",
    "CorruptCache",
    "Diff",
    "Dropped",
    "Encoder",
    "Evidence",
    "Features",
    "Finding",
    "Findings",
    "Hypotheses",
    "Hypothesis",
    "InputError",
    "LLMError",
    "MismatchError",
    "MissingExtra",
    "ModelError",
    "NoiseFloor",
    "Occurrences",
    "Prompt",
    "PromptSet",
    "Report",
    "Responses",
    "SAEError",
    "StoreError",
    "Trend",
    "WhatchangedError",
    "Written",
    "collect",
    "compare",
    "discovered",
    "encode",
    "estimate",
    "hypothesise",
    "interpret",
    "load",
    "load_prompts",
    "load_sae",
    "prompt_bank",
    "report",
    "run",
    "split_prompts",
    "trend",
    "write_prompts",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'whatchanged' has no attribute {name!r}")
    found = getattr(import_module(f"whatchanged.{_MODULE[name]}"), name)
    globals()[name] = found
    return found


class _Surface(ModuleType):
    """The package as a module in which a verb stays a verb.

    Importing the folder ``whatchanged.report`` would otherwise put the folder in the place of the
    function `report`.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _MODULE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Surface


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
