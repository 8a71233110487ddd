"""A trend over checkpoints in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whatchanged.artifacts.diff import NoiseFloor
from whatchanged.artifacts.features import Features, Occurrences

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Trend"]


@dataclass(frozen=True, kw_only=True)
class Trend:
    """What rises or falls along a series of checkpoints.

    Attributes:
        features: The features compared.
        families: Every table that was contrasted, the features' own first.
        table: One row per column of every family; see `whatchanged.diff.TREND_COLUMNS`.
        levels: Of rows at q <= alpha: kind, feature, model, step, level (the mean of the row's statistic).
        noise: The floor from reversing the order within prompts at random.
        summary: Counts and settings.
    """

    features: Features
    families: tuple[Occurrences, ...]
    table: pd.DataFrame
    levels: pd.DataFrame
    noise: NoiseFloor
    summary: Mapping[str, Any]

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table of their own."""
        return self.table.copy()
