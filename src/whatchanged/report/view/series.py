"""Several checkpoints side by side, and what rises or falls along them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Behaviour", "Cell", "Curve", "Point", "Series", "Slope", "TrendLine", "TrendList"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A checkpoint on a small drawing, in drawing units; `strong` says whether its change is significant."""

    x: float
    y: float
    lo: float
    hi: float
    strong: bool
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A small drawing: checkpoints from left to right, evenly spaced.

    Attributes:
        width, height: In drawing units.
        zero: Height of the baseline's line.
        path: Through the points.
        points: The checkpoints; the baseline is the first.
    """

    width: float
    height: float
    zero: float
    path: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A behaviour at one checkpoint, against the baseline.

    Attributes:
        after: The checkpoint.
        delta, lo, hi: By the statistic of the behaviour.
        n, n_after, n_before: Units compared and those with more in after, and in before.
        q: Of the row in that comparison, by the tests of that comparison.
        found: Whether it is a finding there: q <= alpha, and it survives the length rule.
        note: Why it is none although q <= alpha, or has no q; empty else.
        anchor: Fragment name of its card there; empty without one.
    """

    after: str
    delta: float
    lo: float
    hi: float
    n: int
    n_after: int
    n_before: int
    q: float
    found: bool
    note: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """How fast a row rises or falls.

    Attributes:
        value, lo, hi: Mean slope per step and its 95 % interval, in `unit`.
        unit: ``pp`` (percentage points of answers) or ``log units``.
        q: Over every row tested for a trend.
        found: Whether q <= alpha and it survives the length rule.
        note: Why it is no trend although q <= alpha, or has no q; empty else.
        n, rising, falling: Prompts, and those whose contrast rises, and falls.
        monotone: Whether the means never step back.
    """

    value: float
    lo: float
    hi: float
    unit: str
    q: float
    found: bool
    note: str
    n: int
    rising: int
    falling: int
    monotone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A finding at every checkpoint.

    Attributes:
        label, bad_label, kind: Of the finding.
        anchor: Fragment name of its card; empty without one.
        by: Its statistic in words.
        rates: Share of answers that have it at each checkpoint, the baseline first; empty where its
            statistic is no such share.
        cells: One per checkpoint compared.
        curve: The same drawn.
        slope: Its trend; ``None`` where none was tested.
    """

    label: str
    bad_label: bool
    kind: str
    anchor: str
    by: str
    rates: tuple[float, ...]
    cells: tuple[Cell, ...]
    curve: Curve
    slope: Slope | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendLine:
    """A row with a trend that is part of no finding shown: its mean at each checkpoint, and its slope."""

    label: str
    kind: str
    statistic: str
    levels: tuple[float, ...]
    shares: bool
    curve: Curve
    slope: Slope


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendList:
    """The trend test of an ordered series.

    Attributes:
        models: The checkpoints in order.
        steps: Where each stands.
        n: Prompts that all answered, near-duplicates as one.
        alpha: Level of q.
        tested: Rows tested.
        found: Rows with a trend that survive the length rule.
        aside: Significant rows that length explains, or that cannot be told apart from it.
        one_in: Of how many rows without any change one is monotone over so many checkpoints.
        draws, any_discovery, lower: Random reversals, the share of them with any discovery, and the lower
            end of its one-sided 95 % interval.
        lines: Leading rows with a trend that are part of no behaviour of the table.
        more: Further such rows.
    """

    models: tuple[str, ...]
    steps: tuple[float, ...]
    n: int
    alpha: float
    tested: int
    found: int
    aside: int
    one_in: int
    draws: int
    any_discovery: float
    lower: float
    lines: tuple[TrendLine, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Several checkpoints against one baseline.

    Attributes:
        before: The baseline.
        afters: The checkpoints compared with it, in their order.
        behaviours: Findings, the strongest first; rows merged into one that stands above are not repeated.
        unlisted: Findings without a line, for size.
        low, high: Ends of the drawings' vertical axis.
        trend: The trend test; ``None`` where nobody made one.
    """

    before: str
    afters: tuple[str, ...]
    behaviours: tuple[Behaviour, ...]
    unlisted: int
    low: float
    high: float
    trend: TrendList | None
