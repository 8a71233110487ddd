"""The noise-floor figure."""

from __future__ import annotations

from dataclasses import dataclass

from whatchanged.report.view.drawing import Tick

__all__ = ["Floor", "Mark"]


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
