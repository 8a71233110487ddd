"""The contrast: which features, observables and words changed, with exact paired statistics."""

from whatchanged.diff.compare import compare, discovered, label_swaps, split_halves
from whatchanged.diff.replication import Replication
from whatchanged.diff.swaps import LabelSwaps
from whatchanged.diff.trend import TREND_COLUMNS, Trend, trend

__all__ = [
    "TREND_COLUMNS",
    "LabelSwaps",
    "Replication",
    "Trend",
    "compare",
    "discovered",
    "label_swaps",
    "split_halves",
    "trend",
]
