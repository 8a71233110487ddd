"""Places on a drawing, in drawing units."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bar", "Tick"]


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
