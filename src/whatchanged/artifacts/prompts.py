"""Prompts: what was asked, and why some of it takes no part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

__all__ = ["Dropped", "Message", "Prompt", "PromptSet", "Role"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: Who speaks.
        content: What is said.
    """

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question put to every checkpoint.

    Attributes:
        id: Unique name; answers are joined by it.
        text: What the model was asked; of a chat, ``role: content`` with blank lines between.
        category: Slice it belongs to, if any.
        cluster: Prompts with the same cluster are near-duplicates and count as one unit; ``None``
            means the prompt stands alone.
        messages: The chat to send where it is more than one user message; empty otherwise.
        reveals: The contrast the prompt is meant to show, in a few words, if anybody said so.
    """

    id: str
    text: str
    category: str | None = None
    cluster: str | None = None
    messages: tuple[Message, ...] = ()
    reveals: str | None = None

    @property
    def chat(self) -> tuple[Message, ...]:
        """The chat to send: `messages`, or `text` as one user message."""
        return self.messages or (Message(role="user", content=self.text),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An answer that did not take part, or a prompt left out of a set, and why.

    Attributes:
        reason: ``missing``, ``empty``, ``errored``, ``refused_by_api`` (a content filter let nothing
            through), ``unasked`` (the collection stopped before it), ``duplicate`` (same prompt, model
            and sample again; of prompts, the same text as `prompt_id`), ``unlisted`` (its prompt is not
            in the set asked for), ``unpaired`` (no usable answer of another checkpoint to this prompt),
            ``truncated`` and ``partner_truncated`` (left out in pairs on request), or ``part`` (no
            answer but a part of one that is no text: a tool call, an image, reasoning).
        where: File and line, or of a collected answer what went wrong; where known.
    """

    reason: str
    prompt_id: str | None = None
    model: str | None = None
    sample: int | None = None
    where: str | None = None


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """Prompts in a fixed order, with unique ids.

    Attributes:
        prompts: The prompts.
        source: Where they came from, for the manifest.
        dropped: What was left out on the way; takes no part in comparisons.
    """

    prompts: tuple[Prompt, ...]
    source: str = "memory"
    dropped: tuple[Dropped, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        repeated = [i for i, n in Counter(p.id for p in self.prompts).items() if n > 1]
        if repeated:
            raise ValueError(f"prompt ids must be unique; got {repeated[:3]!r} more than once; rename them")

    def __len__(self) -> int:
        return len(self.prompts)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self.prompts)

    @cached_property
    def by_id(self) -> Mapping[str, Prompt]:
        """Each prompt by its id."""
        return {p.id: p for p in self.prompts}

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Index of each prompt id in this set."""
        return {p.id: i for i, p in enumerate(self.prompts)}
