"""Lines of the tables: findings, rows set aside, and rows of the diff."""

from __future__ import annotations

from dataclasses import dataclass

from whatchanged.report.view.drawing import Bar

__all__ = ["Observed", "Row", "Score", "Tag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag and what it means in words."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a label can do on answers it was not made from.

    Attributes:
        does: What was asked of it, in words.
        value, lo, hi: Share of right decisions and its 95 % interval; .5 is a coin.
        n, missing: Decisions, and questions nobody answered.
        method: Who decided.
        bad: Whether the interval reaches .5 or below: the label may say nothing.
        bar: The interval on an axis from 0 to 1.
    """

    does: str
    value: float
    lo: float
    hi: float
    n: int
    missing: int
    method: str
    bad: bool
    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table of findings, and of the table of rows set aside.

    Attributes:
        rank: From 1.
        anchor: Fragment name of its card, unique on the page.
        after: The checkpoint compared.
        share: What the rates are a share of, in words.
        bar: Its interval on the common axis, or ``None`` without one.
        replication: Share of split halves that confirm it, or ``None``.
        why: For rows set aside, the reasons in words.
        scores: What the label is worth, where somebody asked.
        (others): As in `Finding` and `DIFF_COLUMNS`.
    """

    rank: int
    anchor: str
    id: str
    after: str
    kind: str
    label: str
    label_source: str
    statistic: str
    share: str
    rate_before: float
    rate_after: float
    delta: float
    lo: float
    hi: float
    p: float
    q: float
    n: int
    n_before: int
    n_after: int
    per_1000_before: float
    per_1000_after: float
    delta_length: float
    p_prefix: float
    p_firth: float
    length: str
    replication: float | None
    bar: Bar | None
    tags: tuple[Tag, ...]
    why: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()

    @property
    def bad_label(self) -> bool:
        """Whether a score says that the label may say nothing."""
        return any(score.bad for score in self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A row of the table of observables, of lexical terms, or a redundant member of a finding."""

    after: str
    kind: str
    name: str
    statistic: str
    rate_before: float
    rate_after: float
    delta: float
    lo: float
    hi: float
    per_1000_before: float
    per_1000_after: float
    q: float
    significant: bool
    length: str
    reason: str
    bar: Bar | None
