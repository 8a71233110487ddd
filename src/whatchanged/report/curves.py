"""Where checkpoints stand on the small drawings of a series."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from whatchanged.report.view import Curve, Point

__all__ = ["Scale", "level_curve"]

HEIGHT, PAD, EDGE = 76.0, 4.0, 8.0
"""In drawing units: height, room above and below, room left and right."""
_ROUND = 0.05
_SPACE, _WIDEST = 32.0, 144.0  # of two checkpoints; of all


def _space(checkpoints: int) -> float:
    """Distance of two checkpoints."""
    return min(_SPACE, _WIDEST / max(checkpoints - 1, 1))


class Scale:
    """A common vertical axis of differences that holds 0 and every value given.

    Args:
        values: Differences; what is not finite is passed over.
    """

    def __init__(self, values: Iterable[float]) -> None:
        known = [v for v in values if math.isfinite(v)]
        self.low = -_outward(-min([*known, 0.0]))
        self.high = _outward(max([*known, 0.0]))
        if self.low == self.high:
            self.high = _ROUND

    def at(self, value: float) -> float:
        """Height of a difference on the drawing; what lies outside stands on the edge."""
        inside = min(max((self.high - value) / (self.high - self.low), 0.0), 1.0)
        return PAD + inside * (HEIGHT - 2 * PAD)

    def curve(self, changes: Sequence[tuple[float, float, float, bool]]) -> Curve:
        """The baseline at 0, then each checkpoint's difference.

        Args:
            changes: Difference, ends of its interval, and whether it is significant. A difference that
                does not exist leaves its place empty.
        """
        base = Point(x=EDGE, y=self.at(0), lo=self.at(0), hi=self.at(0), strong=False, sign="base")
        space = _space(len(changes) + 1)
        points = [base] + [
            Point(
                x=EDGE + i * space,
                y=self.at(delta),
                lo=self.at(lo if math.isfinite(lo) else delta),
                hi=self.at(hi if math.isfinite(hi) else delta),
                strong=strong,
                sign="more" if delta > 0 else "less" if delta < 0 else "same",
            )
            for i, (delta, lo, hi, strong) in enumerate(changes, 1)
            if math.isfinite(delta)
        ]
        return _curve(points, len(changes) + 1, self.at(0))


def level_curve(levels: Sequence[float], *, strong: bool) -> Curve:
    """Means over the checkpoints on an axis of their own, without intervals."""
    low, high = min(levels), max(levels)
    room = HEIGHT - 2 * PAD

    def at(value: float) -> float:
        return PAD + room * ((high - value) / (high - low) if high > low else 0.5)

    space = _space(len(levels))
    sign = "more" if levels[-1] > levels[0] else "less" if levels[-1] < levels[0] else "same"
    points = [
        Point(
            x=EDGE + i * space,
            y=at(v),
            lo=at(v),
            hi=at(v),
            strong=strong and i > 0,
            sign=sign if i else "base",
        )
        for i, v in enumerate(levels)
    ]
    return _curve(points, len(levels), at(levels[0]))


def _curve(points: Sequence[Point], checkpoints: int, zero: float) -> Curve:
    return Curve(
        width=2 * EDGE + (checkpoints - 1) * _space(checkpoints),
        height=HEIGHT,
        zero=zero,
        path="M" + " L".join(f"{p.x:.1f} {p.y:.1f}" for p in points),
        points=tuple(points),
    )


def _outward(value: float) -> float:
    """The smallest multiple of five points that is not below a value; 0 where nothing is needed."""
    return 0.0 if value <= 0 else min(round(math.ceil(value / _ROUND - 1e-9) * _ROUND, 2), 1.0)
