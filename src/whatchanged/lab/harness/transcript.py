"""The transcript: one JSON object a line, written as it happens."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from whatchanged.lab.harness.messages import Message, as_json
from whatchanged.llm.keys import dotenv
from whatchanged.llm.redact import Redactor
from whatchanged.llm.scattered import redact_scattered

__all__ = ["Transcript", "host_redactor", "transcript_path"]

_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
_SHORTEST = 8


class Transcript:
    """Messages of one conversation on disk; every line is flushed before the message is given to anybody.

    Each line has ``time`` (UTC), ``kind`` and the fields of the message; the first one, ``Started``, says which provider
    and model it was and what limits held.

    Args:
        path: The file; an existing one is continued.
        redact: Takes secrets out.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def start(self, **facts: Any) -> None:
        """Write how the conversation began."""
        self._write({"kind": "Started", **facts})

    def add(self, message: Message) -> None:
        """Write a message."""
        self._write(as_json(message))

    def close(self) -> None:
        """Nothing more will come."""
        self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        clean = self._clean({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **line})
        self._file.write(json.dumps(clean, ensure_ascii=False) + "\n")
        self._file.flush()

    def _clean(self, value: Any) -> Any:
        """The value with every text in it redacted; done before JSON escapes could hide a secret."""
        if isinstance(value, str):
            return self._redact(value.encode("utf-8", "replace").decode())
        if isinstance(value, Mapping):
            return {self._clean(key): self._clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in value]
        return value


def transcript_path(path: str | Path | None) -> Path:
    """The file that was asked for, or a new one in ``outputs/transcripts``."""
    if path is not None:
        return Path(path).expanduser().absolute()
    return Path(
        "outputs", "transcripts", f"{datetime.now():%Y-%m-%d-%H%M%S}-{uuid4().hex[:6]}.jsonl"
    ).absolute()


def host_redactor(further: Mapping[str, str]) -> Callable[[str], str]:
    """Takes out `further` secrets, and variables of this process and of ``.env`` that are secrets by their names."""
    known = {
        name: value
        for name, value in {**dotenv(), **os.environ}.items()
        if len(value) >= _SHORTEST and any(mark in name.upper() for mark in _MARKS)
    }
    redactor = Redactor({**known, **further})
    return lambda text: redact_scattered(redactor, [text])[0]
