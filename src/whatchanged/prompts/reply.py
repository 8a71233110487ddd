"""The writing model's reply as prompts, whatever stands around them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from whatchanged.artifacts import Message
from whatchanged.tables.chat import as_chat

__all__ = ["Draft", "NotADraft", "read_drafts"]

_DECODER = json.JSONDecoder()
_START = re.compile(r"[{\[]")
_ARRAY = re.compile(r'\[\s*(?=[{"])')
_BETWEEN = re.compile(r"\s*,?\s*")
_NEXT = re.compile(r'\}\s*,\s*(?=\{\s*"(?:prompt|messages|text|question|reveals|id|category)")')
_NAMES = ("messages", "prompt", "text", "question")


def _as_messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, str):
        return as_chat(value, "messages")
    if not value.strip():
        raise ValueError("the prompt is empty")
    return (Message(role="user", content=value.strip()),)


class Draft(BaseModel):
    """One prompt as the model wrote it, a text or a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    messages: Annotated[tuple[Message, ...], BeforeValidator(_as_messages)]
    reveals: str | None = None


class NotADraft(BaseModel):
    """An item that could not be read.

    Attributes:
        text: The item as it came.
        problem: Why not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    problem: str


def read_drafts(reply: str) -> list[Draft | NotADraft]:
    """The prompts in a reply: JSON objects or an array, fenced or amid prose, whole or cut off at the end.

    Each item is read by itself, so that one that is wrong spoils no other; texts instead of objects will
    do as well, and fields beside ours, which models like to add, are passed over. In a reply
    without JSON nothing is found.
    """
    return [item if isinstance(item, NotADraft) else _draft(item) for item in _items(reply)]


def _draft(item: Any) -> Draft | NotADraft:
    fields = item if isinstance(item, dict) else {"prompt": item}
    said = next((fields[name] for name in _NAMES if fields.get(name) is not None), None)
    try:
        return Draft.model_validate({"messages": said, "reveals": fields.get("reveals")})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        return NotADraft(text=json.dumps(item, ensure_ascii=False), problem=problem)


def _items(reply: str) -> Iterator[Any]:
    at = 0
    while start := _START.search(reply, at):
        try:
            value, at = _DECODER.raw_decode(reply, start.start())
        except (json.JSONDecodeError, RecursionError):
            if array := _ARRAY.match(reply, start.start()):
                yield from _salvaged(reply, array.end())
                return
            at = start.end()
            continue
        yield from _inside(value)


def _inside(value: Any) -> Iterator[Any]:
    """Items of a whole value; nothing where it is no list of prompts, such as ``[3]`` in prose."""
    if isinstance(value, dict) and isinstance(value.get("prompts"), list):
        yield from value["prompts"]
    elif isinstance(value, list) and all(isinstance(item, dict | str) for item in value):
        yield from value
    elif isinstance(value, dict) and not value.keys().isdisjoint(_NAMES):
        yield value


def _salvaged(reply: str, at: int) -> Iterator[Any]:
    """Items of an array that is cut off or broken: those that are whole, and the rest as no drafts."""
    while at < len(reply) and reply[at] != "]":
        try:
            value, end = _DECODER.raw_decode(reply, at)
        except (json.JSONDecodeError, RecursionError) as error:
            following = _NEXT.search(reply, at)
            end = following.end() if following else len(reply)
            problem = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield NotADraft(text=reply[at:end].strip(), problem=f"not valid JSON ({problem})")
        else:
            yield value
        between = _BETWEEN.match(reply, end)
        assert between is not None, "the pattern matches nothing too"
        at = between.end()
