"""What the page shows, as plain values: numbers unformatted, texts unescaped, order final.

`summarise` makes these; templates and figures only read them. A number here is a number of the
artefact or a position on a drawing; the drawing's numbers live in `chart` and `curves`.
"""

from __future__ import annotations

from whatchanged.report.view.card import Card, Condition, Side, Slice, Snippet, Token
from whatchanged.report.view.drawing import Bar, Tick
from whatchanged.report.view.floor import Floor, Mark
from whatchanged.report.view.hypotheses import Asked, HypothesisLine, HypothesisList, Link, Part
from whatchanged.report.view.overview import Count, Head, Length, Trust
from whatchanged.report.view.page import Page
from whatchanged.report.view.series import Behaviour, Cell, Curve, Point, Series, Slope, TrendLine, TrendList
from whatchanged.report.view.table import Observed, Row, Score, Tag

__all__ = [
    "Asked",
    "Bar",
    "Behaviour",
    "Card",
    "Cell",
    "Condition",
    "Count",
    "Curve",
    "Floor",
    "Head",
    "HypothesisLine",
    "HypothesisList",
    "Length",
    "Link",
    "Mark",
    "Observed",
    "Page",
    "Part",
    "Point",
    "Row",
    "Score",
    "Series",
    "Side",
    "Slice",
    "Slope",
    "Snippet",
    "Tag",
    "Tick",
    "Token",
    "TrendLine",
    "TrendList",
    "Trust",
]
