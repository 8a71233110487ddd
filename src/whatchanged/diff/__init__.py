"""The contrast: which features, observables and words changed, with exact paired statistics."""

from whatchanged.diff.compare import compare, discovered, label_swaps, split_halves
from whatchanged.diff.replication import Replication
from whatchanged.diff.swaps import LabelSwaps

__all__ = ["LabelSwaps", "Replication", "compare", "discovered", "label_swaps", "split_halves"]
