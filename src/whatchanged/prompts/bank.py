"""The prompt bank: short prompts in many categories, each with the difference it is meant to reveal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from whatchanged.artifacts import Prompt, PromptSet

__all__ = ["BankEntry", "bank_entries", "prompt_bank"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One prompt of the bank.

    Attributes:
        id: Unique name, ``<category>-<number>``.
        category: Slice it belongs to.
        text: What the model is asked; one or two sentences.
        contrast: The difference between checkpoints that it is meant to reveal.
    """

    id: str
    category: str
    text: str
    contrast: str


@cache
def bank_entries() -> tuple[BankEntry, ...]:
    """Every prompt of the bank, in the order of the file."""
    lines = (files("whatchanged.prompts") / "bank.jsonl").read_text("utf-8").splitlines()
    return tuple(BankEntry(**json.loads(line)) for line in lines)


def prompt_bank(n: int | None = None, *, seed: int = 0) -> PromptSet:
    """Prompts of our own, spread evenly over the categories.

    Categories give equally many prompts as far as they can: they take turns, and one that is used up
    is passed over. For one seed a smaller sample is always part of a larger one.

    Args:
        n: How many prompts; all of them by default.
        seed: Chooses the prompts within each category, and which categories give one more.

    Returns:
        The chosen prompts in the order of the bank.

    Raises:
        ValueError: If `n` is less than 1 or more than the bank holds.
    """
    entries = bank_entries()
    if n is None:
        n = len(entries)
    if not 1 <= n <= len(entries):
        raise ValueError(f"the bank holds {len(entries)} prompts; got n={n}; ask for 1 to {len(entries)}")
    rng = np.random.default_rng(seed)
    categories = list(dict.fromkeys(entry.category for entry in entries))
    turn_of_category = {categories[j]: turn for turn, j in enumerate(rng.permutation(len(categories)))}
    rounds: Counter[str] = Counter()
    turns: list[tuple[int, int, int]] = []
    for i in rng.permutation(len(entries)):
        category = entries[i].category
        turns.append((rounds[category], turn_of_category[category], int(i)))
        rounds[category] += 1
    chosen = sorted(i for _, _, i in sorted(turns)[:n])
    return PromptSet(
        prompts=tuple(
            Prompt(id=e.id, text=e.text, category=e.category) for e in (entries[i] for i in chosen)
        ),
        source=f"bank(n={n}, seed={seed})",
    )
