"""Prompts that make checkpoints show their differences: a bank of our own, balanced over categories."""

from whatchanged.prompts.bank import BankEntry, bank_entries, prompt_bank

__all__ = ["BankEntry", "bank_entries", "prompt_bank"]
