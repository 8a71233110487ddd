"""A trend as files beside the diff of a run folder."""

from __future__ import annotations

from pathlib import Path

from whatchanged.diff.folder import finite, noise_facts
from whatchanged.diff.trend import Trend
from whatchanged.store import atomic, write_json

__all__ = ["save_trend"]


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
