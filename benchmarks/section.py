"""What a benchmark says of its results: bars that are met or missed, and tables. One form for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from whatchanged.store import write_text

__all__ = ["Bar", "Grid", "Section", "markdown", "save", "show"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One thing that must hold, and what was measured.

    Attributes:
        claim: What is measured, e.g. ``"recall@10 at a 20 % dose on 300 prompts"``.
        wanted: The bar, e.g. ``"≥ .95"``.
        got: The figure with its interval or its counts.
        met: Whether it holds; ``None`` where the run was too small to say.
    """

    claim: str
    wanted: str
    got: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED`` or ``not tested``."""
        return {True: "met", False: "MISSED", None: "not tested"}[self.met]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of text."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The results of one benchmark.

    Attributes:
        name: E0 … E9, or what it is called else.
        title: What was asked.
        lines: How it was measured, a paragraph each; and what failed.
        bars: What must hold.
        grids: The figures.
    """

    name: str
    title: str
    lines: tuple[str, ...]
    bars: tuple[Bar, ...]
    grids: tuple[Grid, ...]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")


def _grid(title: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], level: str) -> list[str]:
    lines = [f"{level} {title}", ""] if title else []
    lines += ["| " + " | ".join(map(_cell, head)) + " |", "|" + " --- |" * len(head)]
    return [*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows), ""]


def markdown(section: Section, *, level: int = 1) -> str:
    """The section as markdown, its heading at the level given."""
    mark = "#" * level
    lines = [f"{mark} {section.name}: {section.title}", ""]
    for paragraph in section.lines:
        lines += [paragraph, ""]
    if section.bars:
        rows = tuple((b.claim, b.wanted, b.got, b.verdict) for b in section.bars)
        lines += _grid("", ("what must hold", "bar", "measured", ""), rows, "")
    for grid in section.grids:
        lines += _grid(grid.title, grid.head, grid.rows, f"{mark}#")
    return "\n".join(lines)


def save(section: Section, path: Path) -> None:
    """Write the section as a markdown file of its own."""
    write_text(path, markdown(section))


def show(section: Section, console: Console) -> None:
    """Print the section."""
    console.print(Text(f"{section.name}: {section.title}", style="bold"))
    for paragraph in section.lines:
        console.print(Text(paragraph))
    grids = list(section.grids)
    if section.bars:
        rows = tuple((b.claim, b.wanted, b.got, b.verdict) for b in section.bars)
        grids.insert(0, Grid(title="", head=("what must hold", "bar", "measured", ""), rows=rows))
    for grid in grids:
        table = Table(title=grid.title or None, title_justify="left", box=None, pad_edge=False)
        for name in grid.head:
            table.add_column(Text(name), overflow="fold")
        for row in grid.rows:
            table.add_row(*map(Text, row))
        console.print("", table)
