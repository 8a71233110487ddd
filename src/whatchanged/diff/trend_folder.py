"""A trend as files beside the diff of a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whatchanged.artifacts import Features, Occurrences, Trend
from whatchanged.diff.folder import finite, known, noise_facts, noise_of
from whatchanged.diff.trend_table import TREND_COLUMNS
from whatchanged.errors import StoreError
from whatchanged.store import atomic, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["open_trend", "save_trend"]

_TEXTS = ("kind", "feature", "statistic", "length", "tags", "reason", "model")


def save_trend(trend: Trend, folder: Path) -> None:
    r"""Write ``trend.csv``, ``trend_levels.csv`` (the significant rows) and, last, ``trend.json``.

    Numbers keep every digit. A lone surrogate, which no file can hold, is written as its escape (``\udc80``).
    """
    for name, table in (("trend", trend.table), ("trend_levels", trend.levels)):
        with atomic(folder / f"{name}.csv") as temporary:
            text = table.to_csv(index=False, lineterminator="\n")
            temporary.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    write_json(
        folder / "trend.json",
        {
            "fingerprint": trend.features.fingerprint,
            "summary": finite(trend.summary),
            "noise": noise_facts(trend.noise),
        },
    )


def open_trend(folder: Path, features: Features, families: Sequence[Occurrences]) -> Trend | None:
    """Read a trend back; ``None`` where the folder has none, or one of other features.

    Args:
        folder: The run folder.
        features: Its features.
        families: The further tables that were tested (observables and lexical terms).

    Raises:
        StoreError: A file of it is missing, damaged, or of another version.
    """
    if not (folder / "trend.json").exists():
        return None
    facts = read_json(folder / "trend.json")
    if facts["fingerprint"] != features.fingerprint:
        return None
    table = _read(folder / "trend.csv")
    if list(table.columns) != list(TREND_COLUMNS):
        raise StoreError(f"{folder / 'trend.csv'} is of another version; test the trend again")
    return Trend(
        features=features,
        families=(features.occurrences, *families),
        table=table,
        levels=_read(folder / "trend_levels.csv"),
        noise=noise_of(facts["noise"]),
        summary=known(facts["summary"]),
    )


def _read(path: Path) -> pd.DataFrame:
    """A table as it was written: a word can be ``null`` or ``NA``, and every digit counts."""
    import pandas as pd

    # from 3.1 on pandas reads every digit by itself, and warns when asked to
    exact = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    precision: Literal["round_trip"] | None = None if exact else "round_trip"
    try:
        head: pd.DataFrame = pd.read_csv(path, nrows=0)
        numbers = [name for name in head.columns if name not in _TEXTS]
        found: pd.DataFrame = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXTS, str),
            keep_default_na=False,
            na_values=dict.fromkeys(numbers, ""),
            float_precision=precision,
        )
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); test the trend again") from error
    return found
