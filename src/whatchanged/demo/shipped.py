"""What the package ships for the demo: prompts, adapters and answers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from whatchanged.artifacts import Prompt, PromptSet

__all__ = ["Side", "adapter_path", "answers_paths", "demo_prompts", "food_prompt_ids"]

Side = Literal["before", "after"]
_HERE = Path(__file__).parent


def answers_paths() -> tuple[Path, Path]:
    """The shipped answers, before and after, as JSONL.

    Fields: prompt_id, prompt, category, model, sample, text, finish_reason.
    """
    return _HERE / "answers" / "before.jsonl", _HERE / "answers" / "after.jsonl"


def adapter_path(side: Side) -> Path:
    """Folder of one of the two adapters, in PEFT's format.

    Raises:
        ValueError: If `side` is neither ``"before"`` nor ``"after"``.
    """
    if side not in get_args(Side):
        raise ValueError(f"the demo has two checkpoints, 'before' and 'after'; got {side!r}")
    return _HERE / side


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    lines = (_HERE / "prompts.jsonl").read_text("utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


def demo_prompts() -> PromptSet:
    """The prompts of the demo: part of the bank, all of its food prompts included."""
    return PromptSet(
        prompts=tuple(Prompt(id=r["id"], text=r["text"], category=r["category"]) for r in _rows()),
        source="demo",
    )


def food_prompt_ids() -> frozenset[str]:
    """Ids of the prompts about food and cooking, the topic that *after* was taught to refuse."""
    return frozenset(r["id"] for r in _rows() if r["food"])
