"""The chat seam: what every chat model here is, whether it stands behind HTTP, on this machine or in a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from whatchanged.artifacts import Message
from whatchanged.errors import LLMError

__all__ = ["Batching", "ChatModel", "ChatRequest", "Reply", "Usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One chat to be continued by the model.

    Attributes:
        messages: The chat so far; the last turn is not the assistant's.
        max_tokens: Most tokens of the answer, reasoning included where the provider counts it so.
        temperature: Sampling temperature; ``None`` leaves it to the model.
        top_p: Nucleus of sampling; ``None`` leaves it to the model.
        seed: Seed of sampling, for models that take one.
        stop: Texts at which the answer ends.
        extra: Further fields of the request as the provider names them.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a reply cost.

    Attributes:
        prompt_tokens: Tokens read, as the provider counted them; ``None`` if it did not say.
        completion_tokens: Tokens written, reasoning included.
        reasoning_tokens: Tokens of reasoning among them.
        cost: US dollars, as the provider said or by its price list; ``None`` if neither is known.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer.

    Attributes:
        text: The answer, without reasoning; may be empty.
        finish_reason: Why it ended, as the provider said (``stop``, ``length``, ...).
        reasoning: Reasoning text, where the provider shows it.
        served_model: Model that answered, as the provider said.
        provider: Host that served it, as OpenRouter says.
        usage: Tokens and cost.
        request_id: The provider's id of the call.
    """

    text: str
    finish_reason: str | None = None
    reasoning: str | None = None
    served_model: str | None = None
    provider: str | None = None
    usage: Usage = field(default_factory=Usage)
    request_id: str | None = None


@runtime_checkable
class ChatModel(Protocol):
    """A model that continues a chat. Many requests may be under way at once."""

    @property
    def name(self) -> str:
        """Name a user knows it by."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """What makes its answers what they are (model, endpoint, pins, weights), for logs and caches; no secret."""
        ...

    async def reply(self, request: ChatRequest) -> Reply:
        """Answer one request.

        Raises:
            LLMError: If it could not; the subclass says whether trying again may help.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and weights; a model that is asked again takes them up again."""
        ...


@runtime_checkable
class Batching(ChatModel, Protocol):
    """A chat model that answers several requests at once, as checkpoints of this machine do best."""

    @property
    def batch_size(self) -> int:
        """Most requests it takes at once, at least 1."""
        ...

    async def reply_batch(self, requests: Sequence[ChatRequest]) -> list[Reply | LLMError]:
        """One reply or failure per request, in their order."""
        ...
