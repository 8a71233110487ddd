"""A finding with its evidence, its categories and its conditions."""

from __future__ import annotations

from dataclasses import dataclass

from whatchanged.report.view.drawing import Bar
from whatchanged.report.view.table import Observed, Row

__all__ = ["Card", "Condition", "Side", "Slice", "Snippet", "Token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of a snippet; `strength` is activation over the card's maximum, 0 where inactive."""

    text: str
    activation: float
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A stretch of an answer; `hidden` characters were left out for length."""

    prompt_id: str
    prompt: str
    sample: int
    category: str | None
    tokens: tuple[Token, ...]
    cut_left: bool
    cut_right: bool
    hidden: int
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The evidence of one checkpoint."""

    role: str
    model: str
    rate: float
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The contrast within one category of prompts."""

    category: str
    n: int
    delta: float
    lo: float
    hi: float
    bar: Bar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """An attribute of prompts that a finding has to do with.

    Attributes:
        words: How the two have to do with one another, as the beginning of a sentence.
        n_in, delta_in: Units with the attribute, and their net share.
        n_out, delta_out: Units without it, and theirs.
        lo_in, hi_in: 95 % interval of `delta_in`.
        q: Over every question asked.
    """

    words: str
    n_in: int
    delta_in: float
    lo_in: float
    hi_in: float
    n_out: int
    delta_out: float
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything about one finding.

    Attributes:
        row: Its line of the table.
        statement: One sentence with the numbers.
        notes: Lines in words.
        agrees, contradicts: Names of observables.
        members: Redundant rows merged into it.
        sides: Before, then after.
        maximum: Largest activation in the card; highlights are relative to it.
        slices: Per category.
        heterogeneity: p that the categories differ, or ``None``.
        conditions: On which prompts it changed, the surest first.
    """

    row: Row
    statement: str
    notes: tuple[str, ...]
    agrees: tuple[str, ...]
    contradicts: tuple[str, ...]
    members: tuple[Observed, ...]
    sides: tuple[Side, Side]
    maximum: float
    slices: tuple[Slice, ...]
    heterogeneity: float | None
    conditions: tuple[Condition, ...]
