"""The report: findings summarised into a typed view, the view rendered by templates.

The way through the room: `summarise` chooses, orders and counts (`view` holds the result), then
`render` fills the templates in ``assets`` and `figures` draws. Python writes no HTML, the page's
script computes no statistics, and every text is model text until it is escaped.
"""

from __future__ import annotations

from whatchanged.report.document import Report, report
from whatchanged.report.summarise import summarise
from whatchanged.report.view import Page

__all__ = ["Page", "Report", "report", "summarise"]
