"""A report, ready to be shown or saved."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from whatchanged.artifacts import Findings, Hypotheses, Trend
from whatchanged.report import figures, render
from whatchanged.report.files import findings_json, write_bytes, write_table
from whatchanged.report.summarise import summarise
from whatchanged.report.view import Page

__all__ = ["Report", "report"]

_OTHER = {".csv", ".json", ".jpg", ".jpeg", ".parquet", ".pdf", ".png", ".svg", ".txt", ".xlsx"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report on what changed.

    In a notebook it shows itself in a sandboxed frame.

    Attributes:
        findings: What it reports.
        page: The values it shows.
    """

    findings: Findings
    page: Page

    @cached_property
    def html(self) -> str:
        """The report as one self-contained HTML file."""
        return render.html(self.page)

    @cached_property
    def markdown(self) -> str:
        """The report in markdown, without figures."""
        return render.markdown(self.page)

    def save(self, path: str | os.PathLike[str], *, draw: bool = True) -> Path:
        """Write the report; every file is written as a whole or not at all.

        Args:
            path: A name ending in ``.html`` or ``.md`` for that one file, else a folder (made when
                it is missing) for ``report.html``, ``report.md``, ``diff.csv``, ``diff.parquet``,
                ``findings.json`` and ``figures/*.png`` and ``.svg``.
            draw: Whether a folder gets its figures, which take most of the time.

        Returns:
            The file, or the folder's ``report.html``.

        Raises:
            ValueError: If the name ends like another kind of file.
            StoreError: If a file cannot be written.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if not target.is_dir() and suffix in {".html", ".htm", ".md"}:
            text = self.markdown if suffix == ".md" else self.html
            write_bytes(target, text.encode("utf-8"))
            return target
        if not target.is_dir() and suffix in _OTHER:
            raise ValueError(
                f"a report is saved as .html, as .md or into a folder; got {target.name!r}; "
                "give a folder to get the tables and figures too"
            )
        write_table(self.findings.diff, target)
        write_bytes(target / "findings.json", findings_json(self.findings))
        for name in figures.FIGURES if draw else ():
            for ending, content in figures.encoded(self.page, name).items():
                write_bytes(target / "figures" / f"{name}.{ending}", content)
        write_bytes(target / "report.md", render.markdown(self.page, figures=True).encode("utf-8"))
        # Last, so that a page that is there has everything it speaks of beside it.
        write_bytes(target / "report.html", self.html.encode("utf-8"))
        return target / "report.html"

    def _repr_html_(self) -> str:
        return render.notebook(self.html, f"What changed: {self.page.head.before}")


def report(
    findings: Findings,
    *,
    hypotheses: Hypotheses | None = None,
    trend: Trend | None = None,
    date: str | None = None,
) -> Report:
    """Report what changed, for people.

    Args:
        findings: The behaviours that changed and the rows set aside.
        hypotheses: The same in sentences, checked, as `whatchanged.hypothesise` makes them.
        trend: Of several checkpoints in an order, their trend test, as `whatchanged.trend` makes it.
        date: Shown in the head as it is, such as ``"2026-01-31"``; no clock is read, so equal
            findings give equal reports.

    Returns:
        The report; nothing is written before `Report.save`.

    Raises:
        ValueError: If a finding does not belong to the diff it came with.
    """
    return Report(findings=findings, page=summarise(findings, hypotheses=hypotheses, trend=trend, date=date))
