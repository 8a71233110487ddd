"""How long each stage of a run took, and with which versions, in its manifest."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from whatchanged.store import read_json, update_manifest

__all__ = ["timed"]

_PACKAGES = (
    "whatchanged", "numpy", "openai", "pandas", "pyarrow", "scipy", "statsmodels", "torch", "transformers",
)  # fmt: skip


@contextmanager
def timed(folder: Path, stage: str) -> Iterator[None]:
    """Record how long a stage took, and on what, in the manifest."""
    began = time.monotonic()
    yield
    manifest = folder / "manifest.json"
    seconds = read_json(manifest).get("seconds", {}) if manifest.exists() else {}
    update_manifest(
        folder,
        {
            "seconds": seconds | {stage: round(time.monotonic() - began, 2)},
            "versions": {p: version(p) for p in _PACKAGES} | {"python": platform.python_version()},
        },
    )
