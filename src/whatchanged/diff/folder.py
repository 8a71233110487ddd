"""The diff of a run folder: the table and what stands beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whatchanged.artifacts import (
    CHECKPOINT_COLUMNS,
    CONDITION_COLUMNS,
    DIFF_COLUMNS,
    Diff,
    Features,
    NoiseFloor,
    Occurrences,
)
from whatchanged.errors import StoreError
from whatchanged.store import atomic, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["finite", "known", "noise_facts", "noise_of", "open_diff", "save_diff"]


def save_diff(diff: Diff, folder: Path) -> None:
    """Write ``diff.parquet`` and the tables beside it and, last, ``diff.json``."""
    tables = {"diff": diff.table, "slices": diff.slices, "conditions": diff.conditions}
    if len(diff.checkpoints):
        tables["checkpoints"] = diff.checkpoints
    for name, table in tables.items():
        content = io.BytesIO()
        table.to_parquet(content, index=False, engine="pyarrow")
        with atomic(folder / f"{name}.parquet") as temporary:
            temporary.write_bytes(content.getvalue())
    facts = {
        "fingerprint": diff.features.fingerprint,
        "summary": finite(diff.summary),
        "noise": noise_facts(diff.noise),
    }
    if diff.noises:
        facts["noises"] = {after: noise_facts(noise) for after, noise in diff.noises.items()}
    write_json(folder / "diff.json", facts)


def noise_facts(noise: NoiseFloor) -> object:
    """A noise floor as JSON holds it."""
    return finite(
        {
            "discordant": noise.discordant.tolist(),
            "delta": noise.delta.tolist(),
            "p": noise.p,
            "draws": noise.draws,
            "any_discovery": noise.any_discovery,
            "lower": noise.lower,
        }
    )


def noise_of(facts: Mapping[str, Any]) -> NoiseFloor:
    """A noise floor from what JSON holds of it."""
    read = {k: np.nan if v is None else v for k, v in facts.items()}
    return NoiseFloor(
        discordant=np.array(read["discordant"], dtype=np.int64),
        delta=np.array(read["delta"], dtype=np.float64),
        p=float(read["p"]),
        draws=int(read["draws"]),
        any_discovery=float(read["any_discovery"]),
        lower=float(read["lower"]),
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
        conditions: pd.DataFrame = pd.read_parquet(folder / "conditions.parquet")
    except (OSError, ValueError) as error:
        raise StoreError(f"the diff in {folder} cannot be read ({error}); compare again") from error
    checkpoints = _checkpoints(folder, facts["summary"])
    for name, found, columns in (
        ("diff", table, DIFF_COLUMNS),
        ("conditions", conditions, CONDITION_COLUMNS),
        ("checkpoints", checkpoints, CHECKPOINT_COLUMNS),
    ):
        if list(found.columns) != list(columns):
            raise StoreError(f"{folder / name}.parquet is of another version; compare again")
    return Diff(
        features=features,
        families=(features.occurrences, *families),
        table=table,
        noise=noise_of(facts["noise"]),
        slices=slices,
        summary=known(facts["summary"]),
        noises={
            after: noise_of(facts["noises"][after])
            for after in facts["summary"].get("afters", ())
            if after in facts.get("noises", {})
        },
        conditions=conditions,
        checkpoints=checkpoints,
    )


def _checkpoints(folder: Path, summary: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of several comparisons side by side; empty of one comparison, and where nothing was found."""
    import pandas as pd

    kept = folder / "checkpoints.parquet"
    # a comparison of two leaves none, and one that an earlier comparison of several left is not its own
    if "comparisons" not in summary or not summary["discovered"] or not kept.exists():
        return pd.DataFrame(columns=list(CHECKPOINT_COLUMNS))
    try:
        found: pd.DataFrame = pd.read_parquet(kept)
    except (OSError, ValueError) as error:
        raise StoreError(f"{kept} cannot be read ({error}); compare again") from error
    return found


def known(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary as it was before it was written: null becomes NaN, in each comparison too."""
    found: dict[str, Any] = {k: np.nan if v is None else v for k, v in summary.items()}
    if "comparisons" in found:
        found["comparisons"] = {after: known(one) for after, one in found["comparisons"].items()}
    return found


def finite(values: object) -> object:
    """The same values as JSON can hold them: NaN becomes null."""
    if isinstance(values, dict):
        return {str(k): finite(v) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return [finite(v) for v in values]
    if isinstance(values, float | np.floating):
        return float(values) if np.isfinite(values) else None
    return values.item() if isinstance(values, np.generic) else values
