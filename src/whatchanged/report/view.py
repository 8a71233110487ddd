"""What the page shows, as plain values: numbers unformatted, texts unescaped, order final.

`summarise` makes these; templates and figures only read them. A number here is a number of the
artefact or a position on a drawing; the drawing's numbers live in `chart`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatchanged.report.comparable import Screened

__all__ = [
    "Bar",
    "Card",
    "Condition",
    "Count",
    "Floor",
    "Head",
    "Length",
    "Mark",
    "Observed",
    "Page",
    "Row",
    "Side",
    "Slice",
    "Snippet",
    "Tag",
    "Tick",
    "Token",
    "Trust",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Something counted, by name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag and what it means in words."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis: position in drawing units and the value there."""

    at: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One interval of a forest plot in drawing units; `lo` and `hi` are clipped to the axis."""

    lo: float
    mid: float
    hi: float
    zero: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A finding on the noise-floor figure, in drawing units and in numbers.

    `numbered` says whether its rank is written beside it: the leading ones, where there is room.
    """

    x: float
    y: float
    discordant: int
    delta: float
    label: str
    rank: int
    anchor: str
    aside: bool
    numbered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The noise-floor figure of one comparison.

    Attributes:
        after: The checkpoint compared with the baseline.
        width, height, left, right, top, bottom: The frame, in drawing units.
        curve: Path of the floor.
        area: Path of the area under it.
        cloud: Path of every other tested row, one zero-length stroke each; places that coincide on
            the drawing are drawn once.
        cloud_points: The same rows in numbers, (discordant, |delta|), each place once.
        others: How many rows those are.
        marks: Findings, then rows set aside.
        x, y: Ticks.
        points: The floor in numbers, (discordant, delta), where delta < 1.
    """

    after: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    curve: str
    area: str
    cloud: str
    cloud_points: tuple[tuple[float, float], ...]
    others: int
    marks: tuple[Mark, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole report.

    Attributes:
        alpha: Level of q.
        limit: Prompts that have to change, all in one direction, for a row to be detectable in every
            comparison; ``None`` where nobody said.
        limit_share: The same as a share of the units compared.
        screened: Whether the answers are fit to be compared, per comparison.
        trust: How far to trust each comparison.
        axis: Ticks of the common axis of every forest plot.
        length_driven: Rows of the table the length rule set aside.
        left_out: Significant rows redundant with no finding shown, for which the list had no place.
        unlisted: Findings that have a row in the table but no card, for size.
        cards_aside: Evidence for the rows set aside.
        observables: Every observable row.
        floors: The noise-floor figure of each comparison that has something to draw.
        lexical: The leading lexical rows.
        lexical_rows, lexical_significant: How many lexical rows there are, and with q <= alpha.
        columns: Columns of diff.csv and their meaning.
    """

    head: Head
    alpha: float
    limit: int | None
    limit_share: float | None
    lengths: tuple[Length, ...]
    screened: tuple[Screened, ...]
    trust: tuple[Trust, ...]
    axis: tuple[Tick, ...]
    rows: tuple[Row, ...]
    cards: tuple[Card, ...]
    left_out: int
    unlisted: int
    length_driven: int
    not_identifiable: int
    rows_aside: tuple[Row, ...]
    cards_aside: tuple[Card, ...]
    floors: tuple[Floor, ...]
    observables: tuple[Observed, ...]
    lexical: tuple[Observed, ...]
    lexical_rows: int
    lexical_significant: int
    columns: Mapping[str, str]
