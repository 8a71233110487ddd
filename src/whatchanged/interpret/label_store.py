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
        copies: A second folder, such as one in a run folder, that gets a copy of every reply that is given out or
            kept, so that what was made from them can be made again from it alone.
    """

    def __init__(self, folder: Path | None = None, *, copies: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder() / "labels"
        self.copies = copies

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply kept under a key; ``None`` where there is none that can be read."""
        reply = self._read(key)
        if reply is not None:
            self._copy(key, reply)
        return reply

    def _read(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        path = self._path(key, self.folder)
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
        write_text(self._path(key, self.folder), _line(key, reply))
        self._copy(key, reply)

    def _copy(self, key: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        if self.copies is not None:
            write_text(self._path(key, self.copies), _line(key, reply))

    @staticmethod
    def _path(key: Mapping[str, Any], folder: Path) -> Path:
        name = fingerprint(dict(key))
        return folder / name[:2] / f"{name}.json"


def _line(key: Mapping[str, Any], reply: Mapping[str, Any]) -> str:
    return json.dumps({"key": dict(key), "reply": dict(reply)}) + "\n"
