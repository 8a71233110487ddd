"""Where things stand on the drawings: the forest plots' common axis and the noise-floor figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import NoiseFloor
from whatchanged.report.view import Bar, Floor, Mark, Row, Tick

__all__ = ["Axis", "floor_figure"]

NUMBERED = 8  # findings with their rank on the noise-floor figure
_STEPS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


class Axis:
    """A symmetric axis of delta around 0 that holds every interval given.

    Args:
        values: Ends of the intervals; what is not finite is passed over.
        width: Length of the axis in drawing units.
        pad: Room left of and right of it.
    """

    def __init__(self, values: Iterable[float], *, width: float = 200, pad: float = 6) -> None:
        reach = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
        self.limit = next((s for s in _STEPS if s >= reach - 1e-12), 1.0)
        self.width, self.pad = width, pad

    def at(self, value: float) -> float:
        """Position of a delta; what lies outside stands on the edge."""
        inside = min(max(value / self.limit, -1.0), 1.0)
        return self.width / 2 + inside * (self.width / 2 - self.pad)

    def bar(self, delta: float, lo: float, hi: float) -> Bar | None:
        """An interval in drawing units, or ``None`` where there is none."""
        if not (math.isfinite(delta) and math.isfinite(lo) and math.isfinite(hi)):
            return None
        return Bar(lo=self.at(lo), mid=self.at(delta), hi=self.at(hi), zero=self.at(0.0))

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The two ends and zero."""
        return tuple(Tick(at=self.at(v), value=v) for v in (-self.limit, 0.0, self.limit))


def _nice(top: float, wanted: int) -> float:
    """A round step that divides 0..top into about `wanted` parts."""
    raw = top / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw - 1e-12)


def floor_figure(
    noise: NoiseFloor,
    discordant: NDArray[np.float64],
    delta: NDArray[np.float64],
    items: Sequence[tuple[Row, bool]],
    *,
    after: str,
    width: float = 760,
    height: float = 380,
) -> Floor | None:
    """Lay out |delta| against the number of discordant prompts, with the floor.

    Args:
        noise: The floor.
        discordant: Discordant units of every other tested row.
        delta: Their absolute deltas.
        items: Findings and rows set aside; the flag says which.
        after: The checkpoint compared with the baseline.
        width: Of the drawing.
        height: Of the drawing.

    Returns:
        The figure, or ``None`` where there is neither a row nor a floor to draw.
    """
    floor = [(int(k), float(d)) for k, d in zip(noise.discordant, noise.delta, strict=True) if d < 1]
    found = [(r.n_before + r.n_after, abs(r.delta), r, aside) for r, aside in items if math.isfinite(r.delta)]
    xs = [*discordant.tolist(), *(f[0] for f in found)]
    ys = [*delta.tolist(), *(f[1] for f in found)]
    if not xs and not floor:
        return None
    x_top = max([*xs, 10.0]) * 1.03 if xs else max(k for k, _ in floor) * 1.0
    y_top = min(max([*ys, *(d for k, d in floor if k <= x_top), 0.02]) * 1.12, 1.0)
    left, right, top, bottom = 62.0, width - 14, 12.0, height - 48

    def at(k: float, d: float) -> tuple[float, float]:
        return left + k / x_top * (right - left), bottom - min(d / y_top, 1.0) * (bottom - top)

    shown = [p for p in floor if p[0] <= x_top]
    if shown and shown[-1][0] < x_top:
        shown.append((math.floor(x_top), shown[-1][1]))
    line = [at(k, d) for k, d in shown]
    curve = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in line) if line else ""
    # Left of the first count at which any outcome would suffice, everything is noise.
    area = f"M{left} {bottom} V{top} H{line[0][0]:.1f} L" + curve[1:] + f" V{bottom} Z" if line else ""
    places = sorted({tuple(round(v, 0) for v in at(k, d)) for k, d in zip(discordant, delta, strict=True)})
    return Floor(
        after=after,
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        curve=curve,
        area=area,
        cloud="".join(f"M{p[0]:.0f} {p[1]:.0f}h0" for p in places),
        cloud_points=tuple(sorted({(float(k), float(d)) for k, d in zip(discordant, delta, strict=True)})),
        others=len(discordant),
        marks=_marks(found, at),
        x=tuple(Tick(at=at(v, 0)[0], value=v) for v in _steps(x_top, 6)),
        y=tuple(Tick(at=at(0, v)[1], value=v) for v in _steps(y_top, 4)),
        points=tuple(floor),
    )


def _marks(
    found: Sequence[tuple[int, float, Row, bool]], at: Callable[[float, float], tuple[float, float]]
) -> tuple[Mark, ...]:
    """Findings and rows set aside; a rank is written only where no other rank stands."""
    taken: list[tuple[float, float]] = []
    marks = []
    for discordant, size, row, aside in found:
        x, y = at(discordant, size)
        free = all(abs(x - a) > 16 or abs(y - b) > 11 for a, b in taken)
        numbered = not aside and row.rank <= NUMBERED and free
        if numbered:
            taken.append((x, y))
        marks.append(
            Mark(
                x=x,
                y=y,
                discordant=discordant,
                delta=row.delta,
                label=row.label,
                rank=row.rank,
                anchor=row.anchor,
                aside=aside,
                numbered=numbered,
            )
        )
    return tuple(marks)


def _steps(top: float, wanted: int) -> list[float]:
    step = _nice(top, wanted)
    return [round(i * step, 10) for i in range(math.floor(top / step + 1e-9) + 1)]
