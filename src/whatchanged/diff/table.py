"""One row per column of every family: the table of a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts import DIFF_COLUMNS
from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.length import Verdicts, is_length, observable_rows
from whatchanged.diff.replication import Replication
from whatchanged.diff.signs import Tallies, tallies
from whatchanged.stats import tango
from whatchanged.text import OBSERVABLES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_table", "rates", "reasons"]

_COUNTED = np.array([s.startswith("log_") for s in STATISTICS])


def reasons(contrast: Contrast, constant: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Why a row has no p."""
    reason = np.full(len(constant), "", dtype=np.object_)
    untested = contrast.tests.tests == 0
    reason[untested] = "too_rare"
    reason[untested & ((contrast.n_after + contrast.n_before) == 0).all(axis=0)] = "no_discordant_pairs"
    reason[untested & constant] = "constant"
    return reason


def rates(
    contrast: Contrast, sums: Sequence[Tallies], s: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates before and after of some rows, each by a statistic.

    With one answer a side a presence-like share is the share of answers; elsewhere it is the share of units
    in which that side has more.
    """
    n = contrast.pairing.n_units
    n_after, n_before = contrast.n_after[s, rows], contrast.n_before[s, rows]
    having = np.concatenate([t.answers_before for t in sums], axis=1)[s, rows]
    shares = ~_COUNTED[s] & contrast.pairing.single
    return np.where(shares, having, n_before) / n, np.where(shares, having - n_before + n_after, n_after) / n


def build_table(
    contrast: Contrast, candidates: NDArray[np.int64], verdicts: Verdicts, replication: Replication
) -> pd.DataFrame:
    """Assemble `Diff.table` with the columns of `DIFF_COLUMNS`, by family and column."""
    import pandas as pd

    pairing, tests = contrast.pairing, contrast.tests
    rows = np.arange(contrast.signs.n_columns)
    n = pairing.n_units
    s = tests.statistic
    n_after, n_before = contrast.n_after[s, rows], contrast.n_before[s, rows]
    sums = [tallies(f) for f in contrast.families]
    rate_before, rate_after = rates(contrast, sums, s, rows)
    low, high = tango(n_after, n_before, n)
    per_1000 = {}
    for side, name in ((-1, "units_before"), (1, "units_after")):
        lengths = [max(int(f.n_units[pairing.side == side].sum()), 1) for f in contrast.families]
        rate = np.concatenate(
            [getattr(t, name) * 1000 / units for t, units in zip(sums, lengths, strict=True)]
        )
        # A quantity of the whole answer, such as the length of its sentences, does not occur so often.
        rate[observable_rows(contrast, {n for n, o in OBSERVABLES.items() if o.amount})] = np.nan
        per_1000[side] = rate

    def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = np.full(len(rows), np.nan)
        wide[candidates] = values
        return wide

    length = np.full(len(rows), "", dtype=np.object_)
    length[candidates] = verdicts.verdict
    tables = [f.occurrences for f in contrast.families]
    columns = {
        "before": pairing.before,
        "after": pairing.after,
        "kind": np.repeat([t.kind for t in tables], [t.n_columns for t in tables]),
        "feature": [t.name(c) for t in tables for c in range(t.n_columns)],
        "statistic": np.array(STATISTICS, dtype=object)[s],
        "rate_before": rate_before,
        "rate_after": rate_after,
        "delta": (n_after - n_before) / n,
        "lo": low,
        "hi": high,
        "p": tests.p,
        "q": tests.q,
        "delta_length": spread(verdicts.delta_length),
        "replication": spread(replication.share),
        "tags": np.where(is_length(contrast, rows), "length", "").astype(object),
        "reason": reasons(contrast, np.concatenate([t.constant for t in sums])),
        "n": n,
        "n_after": n_after,
        "n_before": n_before,
        "per_1000_before": per_1000[-1],
        "per_1000_after": per_1000[1],
        "p_prefix": spread(verdicts.p_prefix),
        "p_firth": spread(verdicts.p_firth),
        "q_length": np.fmax(tests.q, spread(verdicts.q)),
        "length": length,
        "column": np.concatenate([np.arange(t.n_columns) for t in tables]),
    }
    assert tuple(columns) == tuple(DIFF_COLUMNS), "the table has the documented columns, in order"
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))
