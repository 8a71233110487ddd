"""Prompts that make checkpoints show their differences: a bank of our own, a user's files, an LLM's writing."""

from __future__ import annotations

from whatchanged.prompts.bank import bank_categories, bank_entries, prompt_bank
from whatchanged.prompts.load import load_prompts, save_prompts
from whatchanged.prompts.write import write_prompts
from whatchanged.prompts.written import Written

__all__ = [
    "Written",
    "bank_categories",
    "bank_entries",
    "load_prompts",
    "prompt_bank",
    "save_prompts",
    "write_prompts",
]
