"""The whole report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatchanged.report.comparable import Screened
from whatchanged.report.view.card import Card
from whatchanged.report.view.drawing import Tick
from whatchanged.report.view.floor import Floor
from whatchanged.report.view.hypotheses import HypothesisList
from whatchanged.report.view.overview import Head, Length, Trust
from whatchanged.report.view.series import Series
from whatchanged.report.view.table import Observed, Row

__all__ = ["Page"]


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
        hypotheses: What changed in sentences; ``None`` where nobody asked for them.
        series: Several checkpoints side by side; ``None`` where two are compared.
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
    hypotheses: HypothesisList | None
    series: Series | None
