"""Record and replay: an answer once paid for is read from the disk the next time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from whatchanged.errors import RequestRejected
from whatchanged.llm.prices import Price, Priced
from whatchanged.llm.protocol import ChatModel, ChatRequest, Reply, Usage
from whatchanged.store import cache_folder, fingerprint, write_text

__all__ = ["Replayed"]

_SCHEMA = 1


class Replayed:
    """A chat model whose replies are kept, one file each, and given again to the same request.

    The key is the model's identity and the whole request, seed included; so ask for another seed to
    get another answer. Failures are not kept. A damaged file counts as none and is written again.

    Args:
        model: The model that answers what is not kept.
        folder: Where replies are kept; ``replies`` in the cache folder by default.
        mode: ``replay`` answers from the folder only and never asks the model; ``record`` asks the
            model for what is not there.
    """

    def __init__(
        self, model: ChatModel, folder: Path | None = None, *, mode: Literal["record", "replay"] = "record"
    ) -> None:
        self._model, self._mode = model, mode
        self._folder = folder or cache_folder() / "replies"
        self.hits = 0
        self.misses = 0

    @property
    def name(self) -> str:
        """Name of the model within."""
        return self._model.name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identity of the model within: its answers are the same."""
        return self._model.identity

    async def reply(self, request: ChatRequest) -> Reply:
        """The kept reply, at no cost, or the model's.

        Raises:
            RequestRejected: In mode ``replay``, where no reply is kept.
            LLMError: The model's own failure.
        """
        asked = {"identity": dict(self.identity), "request": asdict(request)}
        key = fingerprint(asked)
        path = self._folder / key[:2] / f"{key}.json"
        kept = _read(path, asked)
        if kept is not None:
            self.hits += 1
            return kept
        if self._mode == "replay":
            raise RequestRejected(
                f"{self.name}: no reply to this request is kept in {self._folder}", free=True
            )
        self.misses += 1
        reply = await self._model.reply(request)
        record = {"schema": _SCHEMA, "asked": asked, "reply": asdict(reply)}
        write_text(path, json.dumps(record, ensure_ascii=False) + "\n")
        return reply

    async def price(self) -> Price | None:
        """Price of the model within: what is not kept is paid for."""
        return await self._model.price() if isinstance(self._model, Priced) else None

    async def close(self) -> None:
        """Close the model within."""
        await self._model.close()


def _read(path: Path, asked: Mapping[str, Any]) -> Reply | None:
    """A kept reply, its cost set to nothing; ``None`` if there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] != _SCHEMA or record["asked"] != json.loads(json.dumps(asked)):
            return None
        fields = record["reply"]
        usage = Usage(**(fields.pop("usage") | {"cost": 0.0}))
        return Reply(**fields, usage=usage)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
