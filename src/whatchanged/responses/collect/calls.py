"""Which calls a collection consists of, in which order they are sent, and with which seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from whatchanged.artifacts import Prompt, PromptSet
from whatchanged.llm.protocol import ChatModel, ChatRequest

__all__ = ["Call", "Key", "Settings", "Side", "plan_calls", "request_for"]


class Key(NamedTuple):
    """What makes a call the same call again.

    Attributes:
        model: Name of the checkpoint in this collection.
        prompt_id: Prompt.
        sample: Number of the sample, from 0.
    """

    model: str
    prompt_id: str
    sample: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What determines the answers besides model and prompt; a folder holds answers of one setting.

    Attributes:
        max_tokens, temperature, top_p, stop, extra: As in `ChatRequest`.
        seed: Seed of the collection; each call has its own seed, derived from it.
    """

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int = 0
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1; got {self.max_tokens}")
        if self.temperature is not None and not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be 0 or more, or None; got {self.temperature}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], or None; got {self.top_p}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One checkpoint of a collection.

    Attributes:
        name: Its name in the answers.
        model: The model.
        salt: Enters its seeds: differs between sides only if they are one and the same model, whose
            answers would otherwise be equal and show no run-to-run noise.
    """

    name: str
    model: ChatModel
    salt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answer to be asked for."""

    side: Side
    prompt: Prompt
    sample: int

    @property
    def key(self) -> Key:
        """What makes it the same call again."""
        return Key(self.side.name, self.prompt.id, self.sample)


def plan_calls(prompts: PromptSet, sides: tuple[Side, ...], samples: int) -> Iterator[Call]:
    """Every call once: sample by sample, prompt by prompt, both sides next to each other.

    Which side goes first alternates, so that drift in time falls on both alike; and a collection
    that is stopped early has asked both about the same prompts.

    Raises:
        ValueError: Fewer than one sample.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1; got {samples}")
    for sample in range(samples):
        for i, prompt in enumerate(prompts):
            turn = (i + sample) % len(sides)
            for side in (*sides[turn:], *sides[:turn]):
                yield Call(side=side, prompt=prompt, sample=sample)


def request_for(call: Call, settings: Settings) -> ChatRequest:
    """What is sent."""
    text = f"{settings.seed}\0{call.side.salt}\0{call.sample}\0{call.prompt.id}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return ChatRequest(
        messages=call.prompt.chat,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=int.from_bytes(digest[:4], "big") >> 1,
        stop=settings.stop,
        extra=settings.extra,
    )
