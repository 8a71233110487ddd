"""The figures for papers and slides, drawn by matplotlib without its global state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from whatchanged.report.numbers import points, probability
from whatchanged.report.view import Floor, Observed, Page, Row
from whatchanged.report.visible import line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "encoded", "forest", "noise_floor", "observables"]

MORE, LESS, SOFT, RULE = "#b34a1b", "#1f5f9e", "#6b7280", "#e3e0da"
_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": "#374151",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "ytick.labelcolor": "#1f2328",
    "svg.hashsalt": "whatchanged",
    "svg.fonttype": "path",
}


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE, "backend": mpl.rcParams["backend"]}):
        yield


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _label(text: str, limit: int = 44) -> str:
    """A label the font can draw: other characters become a box."""
    return "".join(c if ord(c) in _glyphs() else "\u25a1" for c in line(text, limit))


def _empty(words: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.4), layout="constrained")
    figure.text(0.5, 0.5, words, ha="center", va="center", color=SOFT)
    return figure


def _intervals(rows: Sequence[Row | Observed], names: Sequence[str], strong: Sequence[bool]) -> Figure:
    """Point and interval of each row on a common axis, the first on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 0.9 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for place, (row, bold) in enumerate(zip(rows, strong, strict=True)):
        color = (MORE if row.delta > 0 else LESS) if bold else "#b8bcc2"
        if math.isfinite(row.lo) and math.isfinite(row.hi):
            axes.plot([100 * row.lo, 100 * row.hi], [place, place], color=color, linewidth=1.6)
        axes.plot([100 * row.delta], [place], "o", color=color, markersize=5)
        told = f"{points(row.delta)}   q {probability(row.q)}"
        axes.annotate(
            told,
            xy=(1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
            color=SOFT,
            parse_math=False,
        )
    axes.set_yticks(range(len(rows)), [_label(n) for n in names], parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("Δ in percentage points of prompts (positive: more in after), 95 % interval")
    return figure


def forest(page: Page, *, top: int = 20) -> Figure:
    """Intervals of the leading findings."""
    rows = page.rows[:top]
    if not rows:
        return _empty("No behaviour change was found")
    return _intervals(rows, [f"{r.rank}. {r.label}" for r in rows], [True] * len(rows))


def observables(page: Page) -> Figure:
    """Intervals of every tested observable; those that are not significant are grey."""
    rows = [r for r in page.observables if math.isfinite(r.delta)]
    if not rows:
        return _empty("No observable was compared")
    return _intervals(rows, [r.name for r in rows], [r.significant for r in rows])


def noise_floor(page: Page) -> Figure:
    """Absolute delta against discordant prompts, with the floor of the label swaps; one plot per comparison."""
    from matplotlib.figure import Figure

    if not page.floors:
        return _empty("There is no tested row to draw")
    figure = Figure(figsize=(7.2, 4.0 * len(page.floors)), layout="constrained")
    every = figure.subplots(len(page.floors), squeeze=False)[:, 0]
    for axes, floor in zip(every, page.floors, strict=True):
        _draw_floor(axes, floor)
        if len(page.floors) > 1:
            axes.set_title(_label(floor.after), fontsize=9, loc="left", parse_math=False)
    return figure


def _draw_floor(axes: Axes, floor: Floor) -> None:
    x_end = 0.0
    if floor.cloud_points:
        x, y = zip(*floor.cloud_points, strict=True)
        axes.plot(x, [100 * v for v in y], ".", color="#b8bcc2", markersize=3, label="other tested rows")
        x_end = max(x)
    for aside, more, color, name in (
        (True, True, "none", "set aside"),
        (True, False, "none", ""),
        (False, True, MORE, "more in after"),
        (False, False, LESS, "less in after"),
    ):
        chosen = [m for m in floor.marks if m.aside is aside and (m.delta > 0) is more]
        if chosen:
            axes.plot(
                [m.discordant for m in chosen],
                [100 * abs(m.delta) for m in chosen],
                "o",
                markerfacecolor=color,
                markeredgecolor=SOFT if aside else "white",
                markersize=6,
                label=name,
            )
            x_end = max(x_end, *(m.discordant for m in chosen))
    shown = [p for p in floor.points if not x_end or p[0] <= x_end * 1.03]
    if shown:
        axes.plot(
            [k for k, _ in shown], [100 * d for _, d in shown], "--", color="#8b8378", label="noise floor"
        )
    axes.set_xlabel("discordant prompts")
    axes.set_ylabel("|Δ|, percentage points")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)


FIGURES = {"forest": forest, "noise_floor": noise_floor, "observables": observables}


def encoded(page: Page, name: str) -> dict[str, bytes]:
    """One figure as PNG and as SVG; equal pages give equal bytes with one version of matplotlib."""
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    found: dict[str, bytes] = {}
    with _style():
        figure = FIGURES[name](page)
        FigureCanvasAgg(figure)
        metadata: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
        for suffix, facts in metadata.items():
            file = BytesIO()
            figure.savefig(file, format=suffix, dpi=160, metadata=facts)
            found[suffix] = file.getvalue()
    return found
