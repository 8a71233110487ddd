"""What a single cell says: a name, a text, a prompt, a sample number, or nothing."""

from __future__ import annotations

import hashlib
import math
import numbers
from collections.abc import Mapping
from typing import Any

from whatchanged.errors import InputError

__all__ = ["as_name", "as_prompt", "as_sample", "as_text", "as_turn", "is_absent", "text_id"]


def is_absent(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, numbers.Real) and math.isnan(float(value))


def as_name(value: Any) -> str | None:
    """A cell as a name: 1, 1.0 and "1" are the same, nothing and blank are ``None``."""
    if is_absent(value):
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and float(value).is_integer():
        return str(int(float(value))) if not isinstance(value, int) else str(value)
    return as_text(str(value)).strip() or None


def text_id(text: str) -> str:
    """Id of a prompt that has none: made from its text, so that every file gives it the same."""
    return "p-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def as_text(text: str) -> str:
    r"""Line ends as ``\n``; halves of surrogate pairs, which no file or tokenizer takes, as U+FFFD."""
    text = text.replace("\r\n", "\n")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def as_prompt(value: Any, where: str) -> str | None:
    """A prompt as text: one message gives its content, several ``role: content`` with blank lines between."""
    if hasattr(value, "tolist") and not isinstance(value, str):
        value = value.tolist()
    if isinstance(value, list | tuple):
        messages = [as_turn(message, where) for message in value]
        if len(messages) == 1:
            return messages[0][1].strip() or None
        return "\n\n".join(f"{role}: {content}" for role, content in messages).strip() or None
    return as_name(value)


def as_turn(message: Any, where: str) -> tuple[str, str]:
    """Role and content of one chat message; parts of type text are joined."""
    if isinstance(message, Mapping) and isinstance(message.get("role"), str):
        content = message.get("content")
        if isinstance(content, str):
            return message["role"], as_text(content)
        if isinstance(content, list | tuple) and all(
            isinstance(p, Mapping) and isinstance(p.get("text"), str) for p in content
        ):
            return message["role"], as_text("".join(p["text"] for p in content))
    raise InputError(
        f'a chat prompt must be a list of {{"role": ..., "content": text}}; got {str(message)[:60]!r}; write '
        "the prompt as text",
        where=where,
    )


def as_sample(value: Any, where: str) -> int | None:
    """A cell as a sample number from 0; nothing is ``None``, anything else an `InputError`."""
    if (text := as_name(value)) is None:
        return None
    if not text.isdecimal():
        raise InputError(
            f"sample must be a whole number from 0; got {text!r}; number the samples 0, 1, 2", where=where
        )
    return int(text)
