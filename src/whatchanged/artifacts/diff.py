"""A baseline contrasted with other checkpoints, and the noise floor under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whatchanged.artifacts.answers import Responses
from whatchanged.artifacts.features import Features, Occurrences

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHECKPOINT_COLUMNS", "CONDITION_COLUMNS", "DIFF_COLUMNS", "Diff", "NoiseFloor"]

DIFF_COLUMNS: Mapping[str, str] = {
    "before": "name of the baseline checkpoint",
    "after": "name of the checkpoint compared with it",
    "kind": "feature, observable, lexical or group",
    "feature": "feature index, observable name or lexical term, as text",
    "statistic": "the sign test that gave the smallest p: presence, high_presence, log_count, log_maximum, "
    "opening or closing; presence, or closing, where that is what the length rule let pass",
    "rate_before": "share of prompts whose before-answers have more of it by that statistic (for presence-like "
    "statistics with one sample: the share of answers that have it)",
    "rate_after": "the same for after",
    "delta": "rate_after - rate_before; positive means more in after",
    "lo": "lower end of the 95 % Tango score interval of delta",
    "hi": "upper end of the same interval",
    "p": "two-sided p: the smallest of the testable sign tests times their number, at most 1",
    "q": "Benjamini-Hochberg adjusted p over every row tested in the report",
    "delta_length": "delta of presence when both answers are cut to the shorter length",
    "replication": "share of split halves in which the sign is confirmed at one-sided p <= .05",
    "tags": "artefact and length tags, separated by spaces",
    "reason": "why there is no p (too_rare, constant, no_discordant_pairs), else empty",
    "n": "units compared (prompts, near-duplicates as one)",
    "n_after": "units with more of it in after (discordant)",
    "n_before": "units with more of it in before (discordant)",
    "per_1000_before": "active tokens (words, for counted things) per 1,000 in the before-answers; NaN for "
    "what is measured over a whole answer",
    "per_1000_after": "the same for after",
    "p_prefix": "two-sided p of presence when both answers are cut to the shorter length",
    "p_firth": "p of the effect (of its closing, where all of it stands there) in a Firth-penalised conditional "
    "logistic regression on log length",
    "q_length": "q with length held equal too: the larger of q and the adjusted p of the test by which the row passed "
    "the length rule; findings are ranked by it",
    "length": "verdict of the length rule: ok, length-driven, length-not-identifiable or empty when not asked",
    "column": "index of the column in its table",
}
"""Meaning of every column of `Diff.table`, in order."""

CONDITION_COLUMNS: Mapping[str, str] = {
    "after": "checkpoint compared with the baseline",
    "kind": "kind of the finding",
    "feature": "its name, as in the table of the diff",
    "attribute": "what prompts have in common: category, length or word",
    "value": "which category or word; short or long for the shortest and the longest third",
    "asked": "direction (among discordant units) or occurrence (among all, where nearly all moved one way)",
    "n_in": "units with the attribute",
    "delta_in": "net share of them with more of it in after",
    "lo_in": "lower end of the 95 % Tango score interval of delta_in",
    "hi_in": "upper end of the same interval",
    "n_out": "units without the attribute",
    "delta_out": "net share of them with more of it in after",
    "p": "exact p when the attribute is exchanged at random among the units asked about",
    "q": "Benjamini-Hochberg adjusted p over every question asked in the report",
    "questions": "how many questions that were",
}
"""Meaning of every column of `Diff.conditions`, in order."""


CHECKPOINT_COLUMNS: Mapping[str, str] = {
    "kind": "kind of the finding",
    "feature": "its name, as in the table of the diff",
    "statistic": "the statistic of the comparison in which its p is smallest, used for every checkpoint",
    "after": "checkpoint compared with the baseline",
    "rate_before": "as in the table of the diff, by that statistic",
    "rate_after": "the same for after",
    "delta": "net share of units with more of it in after, by that statistic",
    "lo": "lower end of the 95 % Tango score interval of delta",
    "hi": "upper end of the same interval",
    "n": "units compared",
    "n_after": "units with more of it in after",
    "n_before": "units with more of it in before",
}
"""Meaning of every column of `Diff.checkpoints`, in order."""


def _no_conditions() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(CONDITION_COLUMNS))


def _no_checkpoints() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(CHECKPOINT_COLUMNS))


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """What chance alone can do, from label swaps.

    Attributes:
        discordant: Number of discordant units, ascending, ``[k]``.
        delta: Smallest absolute net share of discordant units, times discordant / n, that fewer than
            5 % of swapped reports reach anywhere, ``[k]``; 1 where no outcome would suffice.
        p: The smallest row p that 5 % of the swapped reports reach.
        draws: Number of label swaps.
        any_discovery: Share of swapped reports with any row at q <= alpha.
        lower: Lower end of its one-sided 95 % Clopper-Pearson interval.
    """

    discordant: NDArray[np.int64]
    delta: NDArray[np.float64]
    p: float
    draws: int
    any_discovery: float
    lower: float


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What differs between a baseline and one or more other checkpoints, row by row, with tests.

    Attributes:
        features: The features compared (its `responses` hold the texts).
        families: Every table that was contrasted, the features' own first.
        table: One row per column of every family, comparison by comparison; see `DIFF_COLUMNS`.
        noise: The label-swap noise floor, of the first comparison.
        slices: Per-category contrast of the discovered rows: kind, feature, category, n, delta, lo,
            hi, p_heterogeneity; of several comparisons *after* too.
        summary: Counts and settings: pairs, tested rows, alpha, seed, length medians, replication. Of
            several comparisons those of the whole, and of each in ``comparisons``.
        noises: The noise floor of each comparison, by the name of *after*; empty where there is one.
        conditions: On which prompts findings moved; see `CONDITION_COLUMNS`.
        checkpoints: Of several comparisons, each row that is a finding in any of them at every checkpoint by
            one statistic, so that checkpoints can be set side by side; see `CHECKPOINT_COLUMNS`. Else empty.
    """

    features: Features
    families: tuple[Occurrences, ...]
    table: pd.DataFrame
    noise: NoiseFloor
    slices: pd.DataFrame
    summary: Mapping[str, Any]
    noises: Mapping[str, NoiseFloor] = field(default_factory=dict)
    conditions: pd.DataFrame = field(default_factory=_no_conditions)
    checkpoints: pd.DataFrame = field(default_factory=_no_checkpoints)

    @property
    def responses(self) -> Responses:
        """The answers behind the diff."""
        return self.features.responses

    def noise_of(self, after: str) -> NoiseFloor:
        """The noise floor of one comparison."""
        return self.noises.get(after, self.noise)

    def family(self, kind: str) -> Occurrences:
        """The table of one kind of column."""
        for family in self.families:
            if family.kind == kind:
                return family
        raise ValueError(f"no {kind!r} rows in this diff; it has {[f.kind for f in self.families]}")

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table of their own, smallest q first."""
        return self.table.copy()
