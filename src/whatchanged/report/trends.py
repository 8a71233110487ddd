"""What rises or falls along an ordered series of checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from whatchanged.artifacts import Trend
from whatchanged.report.curves import level_curve
from whatchanged.report.rows import standing
from whatchanged.report.view import Slope, TrendLine, TrendList
from whatchanged.report.words import LEVELS

__all__ = ["Slopes", "trend_list"]

SHOWN = 20  # rows with a trend that are part of no finding
Key = tuple[str, str]


class Slopes:
    """The trend of any row, by its kind and name."""

    def __init__(self, trend: Trend) -> None:
        table = trend.table
        self.alpha = float(trend.summary["alpha"])
        self.position: dict[Key, int] = {
            (str(kind), str(feature)): i
            for i, (kind, feature) in enumerate(zip(table["kind"], table["feature"], strict=True))
        }
        self._table = table

    def record(self, key: Key) -> Mapping[Any, Any] | None:
        """The row of the trend's table, or ``None`` where it has no such row."""
        at = self.position.get(key)
        return None if at is None else dict(self._table.iloc[at])

    def of(self, key: Key) -> Slope | None:
        """The row's slope, or ``None`` where the trend's table has no such row."""
        row = self.record(key)
        return None if row is None else _slope(row, self.alpha)


def _slope(row: Mapping[Any, Any], alpha: float) -> Slope:
    shares = str(row["statistic"]) in LEVELS
    scale = 100.0 if shares else 1.0
    found, note = standing(row, alpha=alpha)
    return Slope(
        value=scale * float(row["slope"]),
        lo=scale * float(row["lo"]),
        hi=scale * float(row["hi"]),
        unit="pp" if shares else "log units",
        q=float(row["q"]),
        found=found,
        note=note,
        n=int(row["n"]),
        rising=int(row["n_rising"]),
        falling=int(row["n_falling"]),
        monotone=bool(row["monotone"]),
    )


def trend_list(trend: Trend, slopes: Slopes, *, covered: Collection[Key]) -> TrendList:
    """The trend test as the page shows it.

    Args:
        trend: The test.
        slopes: Of its rows.
        covered: Rows that findings of the page stand for; they are not listed again.
    """
    said = trend.summary
    levels: dict[Key, list[float]] = {}
    for kind, feature, level in zip(
        trend.levels["kind"], trend.levels["feature"], trend.levels["level"], strict=True
    ):
        levels.setdefault((str(kind), str(feature)), []).append(float(level))
    found = []
    for key in levels:
        slope = slopes.of(key)
        if key not in covered and slope is not None and slope.found:
            found.append((key, slope))
    found.sort(key=lambda one: (one[1].q, -abs(one[1].rising - one[1].falling), one[0]))
    return TrendList(
        models=tuple(said["models"]),
        steps=tuple(float(s) for s in said["steps"]),
        n=int(said["n_units"]),
        alpha=slopes.alpha,
        tested=sum(said["tested"].values()),
        found=int(said["discovered"]),
        aside=int(said["length_driven"]) + int(said["not_identifiable"]),
        one_in=round(1 / float(said["monotone_by_chance"])),
        draws=trend.noise.draws,
        any_discovery=trend.noise.any_discovery,
        lower=trend.noise.lower,
        lines=tuple(_line(key, slope, levels[key], slopes) for key, slope in found[:SHOWN]),
        more=max(len(found) - SHOWN, 0),
    )


def _line(key: Key, slope: Slope, levels: list[float], slopes: Slopes) -> TrendLine:
    kind, feature = key
    row = slopes.record(key)
    assert row is not None, "a row with levels is a row of the table"
    statistic = str(row["statistic"])
    return TrendLine(
        label=f"feature {feature}" if kind == "feature" else feature,
        kind=kind,
        statistic=statistic,
        levels=tuple(levels),
        shares=statistic in LEVELS,
        curve=level_curve(levels, strong=True),
        slope=slope,
    )
