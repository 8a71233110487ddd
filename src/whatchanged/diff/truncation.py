"""Whether one side's answers break off more often, so that their lengths and ends are not their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.contrast import Contrast
from whatchanged.stats import sign_test

__all__ = ["truncation_net"]

_COLUMN = "truncation"
# Run-to-run noise moves a few per cent of the flags; a stray .05 must not cost every closing.
_LEVEL = 0.01


def truncation_net(contrast: Contrast, flip: NDArray[np.int64]) -> int:
    """By how many units one side breaks off more often than the other; 0 unless a sign test has p <= .01.

    The observable of that name decides where it is among the tables; else what the providers said.

    Args:
        contrast: Tables and units.
        flip: -1 for units whose labels are swapped, 0 for those left out, ``[units]``.
    """
    pairing = contrast.pairing
    net = np.zeros(pairing.n_units, dtype=np.int64)
    np.add.at(net, pairing.unit, pairing.truncated * pairing.weight)
    for family in contrast.families:
        table = family.occurrences
        if table.kind == "observable" and table.names is not None and _COLUMN in table.names:
            column = table.names.index(_COLUMN)
            row = family.row[family.indptr[column] : family.indptr[column + 1]]
            net[:] = 0
            np.add.at(net, pairing.unit[row], pairing.weight[row])
    sign = np.sign(net) * flip
    if sign_test((sign > 0).sum(), (sign < 0).sum()) > _LEVEL:
        return 0
    return abs(int(sign.sum()))
