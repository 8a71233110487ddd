"""The prompt bank: prompts of our own in many categories, each with the difference it is meant to reveal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from whatchanged.artifacts import Message, Prompt, PromptSet
from whatchanged.tables.chat import chat_text

__all__ = ["bank_categories", "bank_entries", "prompt_bank"]


@cache
def bank_entries() -> tuple[Prompt, ...]:
    """Every prompt of the bank, in the order of the file.

    Its ids are ``<category>-<number>``; each says what it `reveals`.
    """
    lines = (files("whatchanged.prompts") / "bank.jsonl").read_text("utf-8").split("\n")
    return tuple(_entry(json.loads(line)) for line in lines if line)


def _entry(row: dict[str, Any]) -> Prompt:
    messages = tuple(Message(**message) for message in row.pop("messages", ()))
    text = chat_text(messages) if messages else row.pop("text")
    return Prompt(text=text, messages=messages, **row)


def bank_categories() -> tuple[str, ...]:
    """The categories of the bank, in the order of the file."""
    return tuple(dict.fromkeys(str(entry.category) for entry in bank_entries()))


def prompt_bank(n: int | None = None, *, categories: Sequence[str] | None = None, seed: int = 0) -> PromptSet:
    """Prompts of our own, spread evenly over the categories.

    Categories give equally many prompts as far as they can: they take turns, and one that is used up
    is passed over. For one seed and one choice of categories a smaller sample is always part of a
    larger one, and which prompts a category gives first does not depend on the other categories.

    Args:
        n: How many prompts; all of the chosen categories by default.
        categories: Only these; see `bank_categories`.
        seed: Chooses the prompts within each category, and which categories give one more.

    Returns:
        The chosen prompts in the order of the bank.

    Raises:
        ValueError: If a category is unknown or none is given, or `n` is less than 1 or more than the
            chosen categories hold.
    """
    known = bank_categories()
    chosen = known if categories is None else tuple(dict.fromkeys(_listed(categories)))
    unknown = [category for category in chosen if category not in known]
    if unknown or not chosen:
        raise ValueError(f"no category {unknown or 'was given'} in the bank; choose from {', '.join(known)}")
    entries = bank_entries()
    held = sum(entry.category in chosen for entry in entries)
    n = held if n is None else n
    if not 1 <= n <= held:
        among = "the bank holds" if categories is None else f"{', '.join(chosen)} hold"
        raise ValueError(f"{among} {held} prompts; got n={n}; ask for 1 to {held}")
    rng = np.random.default_rng(seed)
    turn_of_category = {known[j]: turn for turn, j in enumerate(rng.permutation(len(known)))}
    rounds: Counter[str] = Counter()
    turns: list[tuple[int, int, int]] = []
    for i in rng.permutation(len(entries)):
        category = str(entries[i].category)
        if category in chosen:
            turns.append((rounds[category], turn_of_category[category], int(i)))
            rounds[category] += 1
    picked = sorted(i for _, _, i in sorted(turns)[:n])
    asked = "" if categories is None else f", categories={','.join(chosen)}"
    return PromptSet(prompts=tuple(entries[i] for i in picked), source=f"bank(n={n}{asked}, seed={seed})")


def _listed(categories: Sequence[str]) -> Sequence[str]:
    if isinstance(categories, str):
        raise ValueError(f"categories must be a list; got {categories!r}; write [{categories!r}]")
    return categories
