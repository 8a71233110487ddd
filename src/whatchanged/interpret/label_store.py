"""Replies that were paid for, one small file each, so that nothing is asked twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatchanged.store import cache_folder, fingerprint, write_text

__all__ = ["LabelStore"]


class LabelStore:
    """Labels and judgements by what they depend on.

    A key is a JSON object: of a label the SAE's fingerprint, the feature, the method (the model's identity and
    the version of the question) and the examples; of a judgement the method and the question. The key stands
    in the file beside the reply, so that a collision or a damaged file is no hit.

    Args:
        folder: Where the files are; ``labels`` in the cache folder by default. It is made when first needed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder() / "labels"

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply kept under a key; ``None`` where there is none that can be read."""
        path = self._path(key)
        try:
            kept = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
            return None
        if not isinstance(kept, dict) or kept.get("key") != json.loads(json.dumps(dict(key))):
            return None
        reply = kept.get("reply")
        return reply if isinstance(reply, dict) else None

    def put(self, key: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Keep a reply; the file appears as a whole or not at all."""
        write_text(self._path(key), json.dumps({"key": dict(key), "reply": dict(reply)}) + "\n")

    def _path(self, key: Mapping[str, Any]) -> Path:
        name = fingerprint(dict(key))
        return self.folder / name[:2] / f"{name}.json"
