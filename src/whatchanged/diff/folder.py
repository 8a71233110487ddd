"""The diff of a run folder: the table and what stands beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whatchanged.artifacts import DIFF_COLUMNS, Diff, Features, NoiseFloor, Occurrences
from whatchanged.errors import StoreError
from whatchanged.store import atomic, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["open_diff", "save_diff"]


def save_diff(diff: Diff, folder: Path) -> None:
    """Write ``diff.parquet``, ``slices.parquet`` and, last, ``diff.json``."""
    for name, table in (("diff", diff.table), ("slices", diff.slices)):
        content = io.BytesIO()
        table.to_parquet(content, index=False, engine="pyarrow")
        with atomic(folder / f"{name}.parquet") as temporary:
            temporary.write_bytes(content.getvalue())
    noise = diff.noise
    write_json(
        folder / "diff.json",
        {
            "fingerprint": diff.features.fingerprint,
            "summary": _finite(diff.summary),
            "noise": _finite(
                {
                    "discordant": noise.discordant.tolist(),
                    "delta": noise.delta.tolist(),
                    "p": noise.p,
                    "draws": noise.draws,
                    "any_discovery": noise.any_discovery,
                    "lower": noise.lower,
                }
            ),
        },
    )


def open_diff(folder: Path, features: Features, families: Sequence[Occurrences]) -> Diff:
    """Read a diff back.

    Args:
        folder: The run folder.
        features: Its features.
        families: The further tables that were contrasted (observables and lexical terms).

    Raises:
        StoreError: If it is missing, damaged, or belongs to other features.
    """
    import pandas as pd

    facts = read_json(folder / "diff.json")
    if facts["fingerprint"] != features.fingerprint:
        raise StoreError(f"{folder / 'diff.json'} was made from other features; compare again")
    try:
        table: pd.DataFrame = pd.read_parquet(folder / "diff.parquet")
        slices: pd.DataFrame = pd.read_parquet(folder / "slices.parquet")
    except (OSError, ValueError) as error:
        raise StoreError(f"the diff in {folder} cannot be read ({error}); compare again") from error
    if list(table.columns) != list(DIFF_COLUMNS):
        raise StoreError(f"{folder / 'diff.parquet'} is of another version; compare again")
    noise = {k: np.nan if v is None else v for k, v in facts["noise"].items()}
    return Diff(
        features=features,
        families=(features.occurrences, *families),
        table=table,
        noise=NoiseFloor(
            discordant=np.array(noise["discordant"], dtype=np.int64),
            delta=np.array(noise["delta"], dtype=np.float64),
            p=float(noise["p"]),
            draws=int(noise["draws"]),
            any_discovery=float(noise["any_discovery"]),
            lower=float(noise["lower"]),
        ),
        slices=slices,
        summary={k: np.nan if v is None else v for k, v in facts["summary"].items()},
    )


def _finite(values: object) -> object:
    """The same values as JSON can hold them: NaN becomes null."""
    if isinstance(values, dict):
        return {str(k): _finite(v) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(v) for v in values]
    if isinstance(values, float | np.floating):
        return float(values) if np.isfinite(values) else None
    return values.item() if isinstance(values, np.generic) else values
