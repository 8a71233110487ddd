"""What was compared, how long the answers are, and how far to trust the list."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Count", "Head", "Length", "Trust"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Something counted, by name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What was compared, with what, and what was left out.

    Attributes:
        before: Baseline checkpoint.
        afters: Checkpoints compared with it.
        prompts, answers, rows: Prompts, usable answers of the checkpoints compared, rows in the table.
        pairs: Prompts that both answered.
        units: The same with near-duplicates counted once.
        tested: Rows with a p.
        dropped: Answers and prompts left out, by reason, the reason in words.
        truncated: Kept answers that ran out of tokens.
        cut: Kept answers longer than the reader's limit.
        masked: Tokens left out as massive activations.
        reader, sae: Name of each.
        details: Every other fact about reader, SAE and settings, as (name, value).
        fingerprint: Of reader, SAE, template and options.
        source: Where the answers came from.
        date: As given by the caller, or ``None``.
    """

    before: str
    afters: tuple[str, ...]
    prompts: int
    answers: int
    pairs: int
    units: int
    rows: int
    tested: int
    dropped: tuple[Count, ...]
    truncated: int
    cut: int
    masked: int
    reader: str
    sae: str
    details: tuple[tuple[str, str], ...]
    fingerprint: str
    source: str
    date: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Lengths of the answers of one comparison, in units of the features' table.

    Attributes:
        after: The checkpoint compared with the baseline.
        median_before, median_after: Median length of an answer.
        longer, shorter: Share of prompts whose after-answers are longer, and shorter, on average.
        prompts: Prompts that both answered.
    """

    after: str
    median_before: float
    median_after: float
    longer: float
    shorter: float
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far to trust one comparison: label swaps, replication and what could not have been seen.

    Attributes:
        after: The checkpoint compared with the baseline.
        draws: Label swaps; 0 where none were made.
        any_discovery: Share of swapped reports with any discovery.
        lower: Lower end of its one-sided 95 % interval.
        floor_p: Smallest row p that 5 % of the swapped reports reach.
        replication: Share of the discoveries on a half of the prompts that the other half confirms.
        halves: How many discoveries those are, over all splits.
        slope: How much of their size the differences keep on the other half.
        limit: Prompts that have to change, all in one direction, for a row to be detectable.
        limit_share: The same as a share of the units compared; above 1 nothing could be detected.
    """

    after: str
    draws: int
    any_discovery: float
    lower: float
    floor_p: float
    replication: float | None
    halves: int
    slope: float | None
    limit: int | None
    limit_share: float | None
