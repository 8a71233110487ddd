"""One row per column of every family: the table of a trend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from whatchanged.diff.contrast import Contrast
from whatchanged.diff.family import STATISTICS
from whatchanged.diff.length import Verdicts, is_length
from whatchanged.diff.replication import Replication
from whatchanged.diff.signs import tallies
from whatchanged.diff.slopes import Slopes
from whatchanged.diff.table import reasons

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TREND_COLUMNS", "trend_levels", "trend_table"]

TREND_COLUMNS: Mapping[str, str] = {
    "kind": "feature, observable or lexical",
    "feature": "feature index, observable name or lexical term, as text",
    "statistic": "the sign test that gave the smallest p, as in a diff",
    "slope": "mean change of that statistic per step (presence-like ones: share of answers; logarithms: log units)",
    "lo": "lower end of its 95 % interval (Student's t over units)",
    "hi": "upper end of the same interval",
    "delta": "net share of units that rise: (n_rising - n_falling) / n",
    "p": "two-sided p: the smallest of the testable sign tests times their number, at most 1",
    "q": "Benjamini-Hochberg adjusted p over every row tested",
    "n": "units (prompts that all checkpoints answered, near-duplicates as one)",
    "n_rising": "units whose linear contrast over the ranks is positive",
    "n_falling": "units whose contrast is negative",
    "monotone": "whether the means of the checkpoints change and never step back; of rows in which nothing "
    "happens 2/K! do so by chance, rare ones that tie more often (summary: monotone_by_chance)",
    "monotone_share": "share of the rising and falling units that never step back themselves, in the row's "
    "direction",
    "delta_length": "delta of presence when all answers to a prompt are cut to the shortest",
    "p_prefix": "two-sided p of that",
    "p_firth": "p of the contrast given the contrast of log length (Firth-penalised)",
    "length": "verdict of the length rule: ok, length-driven, length-not-identifiable or empty when not asked",
    "replication": "share of split halves in which the sign is confirmed at one-sided p <= .05",
    "tags": "length where the row is the length of the answer itself, else empty",
    "reason": "why there is no p (too_rare, constant, no_discordant_pairs), else empty",
    "column": "index of the column in its table",
}
"""Meaning of every column of `Trend.table`, in order."""


def trend_table(
    found: Contrast,
    rows: NDArray[np.int64],
    verdicts: Verdicts,
    replication: Replication,
    tested: NDArray[np.int64],
    steepness: Slopes,
) -> pd.DataFrame:
    """Assemble `Trend.table`, by family and column."""
    import pandas as pd

    every = np.arange(found.signs.n_columns)
    s, n = found.tests.statistic, found.pairing.n_units
    rising, falling = found.n_after[s, every], found.n_before[s, every]
    tables = [f.occurrences for f in found.families]

    def spread(where: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = np.full(len(every), np.nan)
        wide[where] = values
        return wide

    length = np.full(len(every), "", dtype=np.object_)
    length[rows] = verdicts.verdict
    monotone = np.zeros(len(every), dtype=np.bool_)
    monotone[tested] = steepness.monotone
    columns = {
        "kind": np.repeat([t.kind for t in tables], [t.n_columns for t in tables]),
        "feature": [t.name(c) for t in tables for c in range(t.n_columns)],
        "statistic": np.array(STATISTICS, dtype=object)[s],
        "slope": spread(tested, steepness.slope),
        "lo": spread(tested, steepness.lo),
        "hi": spread(tested, steepness.hi),
        "delta": (rising - falling) / n,
        "p": found.tests.p,
        "q": found.tests.q,
        "n": n,
        "n_rising": rising,
        "n_falling": falling,
        "monotone": monotone,
        "monotone_share": spread(tested, steepness.monotone_share),
        "delta_length": spread(rows, verdicts.delta_length),
        "p_prefix": spread(rows, verdicts.p_prefix),
        "p_firth": spread(rows, verdicts.p_firth),
        "length": length,
        "replication": spread(rows, replication.share),
        "tags": np.where(is_length(found, every), "length", "").astype(object),
        "reason": reasons(found, np.concatenate([tallies(f).constant for f in found.families])),
        "column": np.concatenate([np.arange(t.n_columns) for t in tables]),
    }
    assert tuple(columns) == tuple(TREND_COLUMNS), "the table has the documented columns, in order"
    return pd.DataFrame(columns, index=pd.RangeIndex(len(every)))


def trend_levels(
    found: Contrast,
    table: pd.DataFrame,
    rows: NDArray[np.int64],
    levels: NDArray[np.float64],
    steps: NDArray[np.float64],
) -> pd.DataFrame:
    """The significant rows at each checkpoint."""
    import pandas as pd

    models = found.pairing.models
    chosen = table.iloc[rows]
    return pd.DataFrame(
        {
            "kind": np.repeat(chosen["kind"].to_numpy(dtype=object), len(models)),
            "feature": np.repeat(chosen["feature"].to_numpy(dtype=object), len(models)),
            "model": np.tile(np.array(models, dtype=object), len(rows)),
            "step": np.tile(steps, len(rows)),
            "level": levels.ravel(),
        }
    )
