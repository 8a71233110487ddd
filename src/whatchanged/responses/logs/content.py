"""What a message says: its text, and how many of its parts are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whatchanged.errors import InputError
from whatchanged.tables.cells import as_prompt

__all__ = ["Content", "prompt_of", "spoken"]

Content = str | list[dict[str, Any]] | None
"""A text, parts of one (``{"type": "text", "text": ...}``), or nothing."""

_TEXT = {"text": "text", "output_text": "text", "input_text": "text", "refusal": "refusal"}


def _same(text: str) -> str:
    return text


def spoken(
    content: Content, *, joint: str = "", resolve: Callable[[str], str] = _same
) -> tuple[str | None, int]:
    """The text of a message and the number of parts that are none (images, reasoning, tool use).

    Args:
        content: As it stands in the log.
        joint: What stands between two text parts.
        resolve: Looks up a text that is kept elsewhere in the log.
    """
    if content is None:
        return None, 0
    if isinstance(content, str):
        return resolve(content), 0
    texts = [
        resolve(part[field])
        for part in content
        if (field := _TEXT.get(str(part.get("type", "text")))) and isinstance(part.get(field), str)
    ]
    return (joint.join(texts) if texts else None), len(content) - len(texts)


def prompt_of(messages: Any, where: str, *, resolve: Callable[[str], str] = _same) -> str | None:
    """A prompt as text, from a text or chat messages; parts of messages that are no text are passed over.

    Raises:
        InputError: It is neither.
    """
    if isinstance(messages, str):
        return as_prompt(resolve(messages), where)
    if messages is None:
        return None
    if not isinstance(messages, Sequence) or not all(isinstance(m, Mapping) for m in messages):
        raise InputError(
            f"a prompt must be text or a list of chat messages; got {str(messages)[:60]!r}; correct the entry",
            where=where,
        )
    said = []
    for message in messages:
        text, _ = spoken(_content(message.get("content"), where), resolve=resolve)
        said.append({"role": str(message.get("role", "user")), "content": text or ""})
    return as_prompt(said, where)


def _content(value: Any, where: str) -> Content:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return value
    raise InputError(
        f"a message's content must be text or parts of it; got {str(value)[:60]!r}; correct the entry",
        where=where,
    )
