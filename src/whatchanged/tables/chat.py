"""A cell that holds a chat, as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from whatchanged.artifacts import Message, Prompt, Role
from whatchanged.errors import InputError
from whatchanged.tables.cells import as_turn

__all__ = ["as_chat", "chat_text", "prompt_row"]

_ROLES = get_args(Role)


def chat_text(messages: Sequence[Message]) -> str:
    """A chat as one text: of one user message its content, else ``role: content`` with blank lines between."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content.strip()
    return "\n\n".join(f"{m.role}: {m.content}" for m in messages).strip()


def as_chat(value: Any, where: str) -> tuple[Message, ...]:
    """A list of ``{"role": ..., "content": ...}`` as messages that a model can continue.

    Content is a text or OpenAI's list of parts, all of type text. ``developer`` means system.

    Raises:
        InputError: It is no such list, a role is unknown or out of place, a message is empty, or the
            last word is not the user's.
    """
    if hasattr(value, "tolist") and not isinstance(value, str):
        value = value.tolist()
    if not isinstance(value, list | tuple) or not value:
        raise InputError(
            f'messages must be a list of {{"role": ..., "content": ...}}; got {str(value)[:60]!r}; write one '
            "message at least",
            where=where,
        )
    messages = tuple(_message(turn, i, where) for i, turn in enumerate(value))
    if any(m.role == "system" for m in messages[1:]):
        raise InputError("only the first message may be the system's; move it to the front", where=where)
    if messages[-1].role != "user":
        raise InputError(
            f"the last message is the {messages[-1].role}'s, so there is nothing to answer; end the chat with a "
            "user message (remove the reply that follows it)",
            where=where,
        )
    return messages


def _message(turn: Any, i: int, where: str) -> Message:
    role, content = as_turn(turn, where)
    role = "system" if role == "developer" else role
    if role not in _ROLES:
        raise InputError(f"message {i} has the role {role!r}; use one of {', '.join(_ROLES)}", where=where)
    if not content.strip():
        raise InputError(f"message {i} ({role}) is empty; write it or remove it", where=where)
    if isinstance(turn, Mapping) and turn.get("tool_calls"):
        raise InputError(f"message {i} calls tools, which prompts cannot; remove it", where=where)
    return Message(role=cast("Role", role), content=content)


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    """A prompt as a row of ``prompts.jsonl``: id, prompt, category, cluster, and messages and reveals if it has them."""
    row: dict[str, Any] = {
        "id": prompt.id,
        "prompt": prompt.text,
        "category": prompt.category,
        "cluster": prompt.cluster,
    }
    if prompt.messages:
        row["messages"] = [{"role": m.role, "content": m.content} for m in prompt.messages]
    return row if prompt.reveals is None else row | {"reveals": prompt.reveals}
