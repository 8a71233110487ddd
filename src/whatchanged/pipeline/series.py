"""An ordered series of checkpoints in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whatchanged.pipeline.progress import Progress
from whatchanged.pipeline.stages import interpret_run
from whatchanged.pipeline.timing import timed
from whatchanged.store import read_json, update_manifest

if TYPE_CHECKING:
    from whatchanged.diff import Trend

__all__ = ["SETTINGS", "trend_run"]

SETTINGS = ("models", "steps", "alpha", "draws", "splits", "seed")
"""What the manifest records of a trend, so that it can be tested again."""


def trend_run(
    folder: Path,
    *,
    models: Sequence[str] | None = None,
    steps: Sequence[float] | None = None,
    alpha: float = 0.05,
    draws: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trend:
    """Test an encoded run folder for trends over its checkpoints, and keep the result beside its diff.

    A report that stands in the folder is written again, with the trend.

    Args:
        folder: Run folder.
        models: The checkpoints in order; as the folder has them by default.
        steps: Where each stands; 0, 1, 2, ... by default.
        alpha: False discovery rate.
        draws: Random reversals for the noise floor.
        seed: Of every random choice.
        progress: Where to tell how far it is.
    """
    from whatchanged.diff import trend
    from whatchanged.diff.trend_folder import save_trend
    from whatchanged.encode import open_features
    from whatchanged.responses import open_folder

    features = open_features(folder, open_folder(folder))
    with timed(folder, "trend"):
        found = trend(
            features,
            models=models,
            steps=steps,
            alpha=alpha,
            draws=draws,
            seed=seed,
            progress=progress.stage if progress else None,
        )
        save_trend(found, folder)
    update_manifest(folder, {"trend": {name: found.summary[name] for name in SETTINGS}})
    if (folder / "report.html").exists():
        manifest = read_json(folder / "manifest.json")
        interpret_run(folder, seed=manifest.get("interpret_seed", manifest["seed"]), progress=progress)
    return found
