"""Findings of several comparisons side by side: every checkpoint by one statistic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from whatchanged.artifacts import CHECKPOINT_COLUMNS
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.length import OK
from whatchanged.diff.signs import tallies
from whatchanged.diff.table import rates
from whatchanged.stats import tango

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["checkpoints"]


def checkpoints(found: Sequence[Contrast], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Each row that is a finding in any comparison, at every checkpoint, by the statistic of its smallest p.

    A comparison reports a row by the statistic that found it, and comparisons may differ in that; two
    differences by different statistics do not belong on one scale. These numbers describe: the p of each
    comparison stays that of its own table.

    Args:
        found: The comparisons with one baseline, q over the whole report.
        tables: Their rows, with the columns of `DIFF_COLUMNS`.

    Returns:
        A table with the columns of `CHECKPOINT_COLUMNS`, row by row in the order of the families, and of
        each row the checkpoints in the order compared.
    """
    import pandas as pd

    passed = [(t["q"] <= c.alpha) & (t["length"] == OK) for c, t in zip(found, tables, strict=True)]
    rows = np.flatnonzero(np.any([p.to_numpy() for p in passed], axis=0))
    p = np.array([np.where(np.isnan(c.tests.p), np.inf, c.tests.p)[rows] for c in found])
    p = p.reshape(len(found), len(rows))
    chosen = np.argmin(p, axis=0)
    # As reported: where length leaves only presence, a table says so and the contrast's own tests do not.
    reported = np.array([t["statistic"].map(STATISTICS.index).to_numpy(dtype=np.int64)[rows] for t in tables])
    statistic = reported[chosen, np.arange(len(rows))]
    parts = []
    for one, table in zip(found, tables, strict=True):
        n = one.pairing.n_units
        n_after, n_before = one.n_after[statistic, rows], one.n_before[statistic, rows]
        rate_before, rate_after = rates(one, [tallies(f) for f in one.families], statistic, rows)
        low, high = tango(n_after, n_before, n)
        columns = {
            "kind": table["kind"].to_numpy(dtype=object)[rows],
            "feature": table["feature"].to_numpy(dtype=object)[rows],
            "statistic": np.array(STATISTICS, dtype=object)[statistic],
            "after": np.full(len(rows), one.pairing.after, dtype=object),
            "rate_before": rate_before,
            "rate_after": rate_after,
            "delta": (n_after - n_before) / n,
            "lo": low,
            "hi": high,
            "n": np.full(len(rows), n),
            "n_after": n_after,
            "n_before": n_before,
        }
        assert tuple(columns) == tuple(CHECKPOINT_COLUMNS), "the table has the documented columns, in order"
        parts.append(pd.DataFrame(columns))
    every = pd.concat(parts, ignore_index=True)
    # Row by row, the checkpoints of one row together.
    order = np.arange(len(every)).reshape(len(found), len(rows)).T.ravel()
    return every.iloc[order].reset_index(drop=True)
