"""What a folder's calls were asked with, and the lock that keeps a second collector out."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from whatchanged.artifacts import PromptSet
from whatchanged.errors import StoreError
from whatchanged.responses.collect.calls import Settings, Side
from whatchanged.store import fingerprint, read_json, write_json

__all__ = ["agree", "locked"]

_SHEET, _LOCK = "calls.meta.json", "calls.lock"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    identity: Mapping[str, Any]


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: int
    models: tuple[_Model, ...]
    settings: Mapping[str, Any]
    prompts: Mapping[str, str]


def agree(
    folder: Path, prompts: PromptSet, sides: tuple[Side, ...], settings: Settings, *, write: bool = True
) -> None:
    """Check that a folder's calls were asked with the same models and settings; note them in a new one.

    More samples and further prompts may be added to a folder; a prompt may not change its text.

    Raises:
        StoreError: Something differs; the message names what, and both values.
    """
    path = folder / _SHEET
    now = _Sheet(
        schema_=1,
        models=tuple(_Model(name=s.name, identity=_plain(s.model.identity)) for s in sides),
        settings=_plain(asdict(settings)),
        prompts={p.id: fingerprint([[m.role, m.content] for m in p.chat]) for p in prompts},
    )
    kept: Mapping[str, str] = {}
    if path.exists():
        try:
            then = _Sheet.model_validate(read_json(path))
        except ValidationError as error:
            raise StoreError(
                f"{path} is damaged or of another version; collect into another folder"
            ) from error
        _compare(folder, then, now)
        kept = then.prompts
    if write and (merged := {**kept, **now.prompts}) != kept:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, now.model_copy(update={"prompts": merged}).model_dump())


def _compare(folder: Path, then: _Sheet, now: _Sheet) -> None:
    found = []
    names = [m.name for m in then.models], [m.name for m in now.models]
    if names[0] != names[1]:
        found.append(f"models {' and '.join(names[0])} there, {' and '.join(names[1])} here")
    else:
        for old, new in zip(then.models, now.models, strict=True):
            found += _different(f"{old.name}: ", old.identity, new.identity)
    found += _different("", then.settings, now.settings)
    changed = [i for i, digest in now.prompts.items() if then.prompts.get(i, digest) != digest]
    if changed:
        found.append(f"another text of prompt {', '.join(changed[:3])}{' and others' if changed[3:] else ''}")
    if found:
        raise StoreError(
            f"{folder} holds calls asked otherwise: {'; '.join(found)}; collect into another folder, or ask as before"
        )


def _different(what: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{what}{name} {json.dumps(then.get(name))} there, {json.dumps(now.get(name))} here"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _plain(value: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(value, default=str))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one collector; a lock whose holder died is free.

    Raises:
        StoreError: Another collector holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"another collector is at work in {folder}; wait for it, or collect into another folder"
            ) from None
        yield
    finally:
        os.close(handle)
