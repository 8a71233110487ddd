"""What models cost: price lists of providers and of users."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatchanged.errors import InputError
from whatchanged.llm.protocol import ChatRequest, Usage

__all__ = ["FREE", "Price", "Priced", "listed_price", "read_prices", "token_bound"]

_PER_MESSAGE = 32
"""More tokens than any chat template we know puts around one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars.

    Attributes:
        prompt: Per token read.
        completion: Per token written, reasoning included.
        request: Per request.
    """

    prompt: float
    completion: float
    request: float = 0.0

    def cost(self, usage: Usage) -> float | None:
        """What a reply costs by this list; ``None`` where its tokens were not counted."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        return self.request + self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens

    def worst(self, request: ChatRequest) -> float:
        """The most this request can cost: every byte a token, and all of ``max_tokens`` written."""
        return self.request + self.prompt * token_bound(request) + self.completion * request.max_tokens

    def dearer(self, other: Price) -> Price:
        """The higher of each rate."""
        return Price(
            prompt=max(self.prompt, other.prompt),
            completion=max(self.completion, other.completion),
            request=max(self.request, other.request),
        )


FREE = Price(prompt=0.0, completion=0.0)


@runtime_checkable
class Priced(Protocol):
    """A chat model that knows what it costs."""

    async def price(self) -> Price | None:
        """Its price; ``None`` where its provider does not say."""
        ...


def token_bound(request: ChatRequest) -> int:
    """More tokens than the prompt can have: a token of any tokenizer in use stands for a byte or more."""
    return (
        sum(len(m.content.encode("utf-8", "replace")) + _PER_MESSAGE for m in request.messages) + _PER_MESSAGE
    )


def listed_price(pricing: Any) -> Price | None:
    """A price as OpenRouter lists it (dollars per token, as text); ``None`` if it is absent or varies."""
    if not isinstance(pricing, Mapping):
        return None
    try:
        prompt, completion = float(pricing["prompt"]), float(pricing["completion"])
        request = float(pricing.get("request") or 0)
        reasoning = float(pricing.get("internal_reasoning") or 0)
    except (KeyError, TypeError, ValueError):
        return None
    if not all(0 <= rate < float("inf") for rate in (prompt, completion, request, reasoning)):
        return None
    return Price(prompt=prompt, completion=max(completion, reasoning), request=request)


class _Line(BaseModel):
    """A price in a user's file: dollars per million tokens, and per request."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: float = Field(ge=0, allow_inf_nan=False)
    completion: float = Field(ge=0, allow_inf_nan=False)
    request: float = Field(default=0.0, ge=0, allow_inf_nan=False)


def read_prices(path: str | PathLike[str]) -> dict[str, Price]:
    """Prices from a TOML or JSON file, by the name of the model.

    Each model is a table with ``prompt`` and ``completion`` in US dollars per *million* tokens, and
    ``request`` in dollars per request where there is such a fee::

        ["openai:gpt-4o-mini"]
        prompt = 0.15
        completion = 0.60

    Raises:
        InputError: The file cannot be read, or a price is incomplete, negative or has other fields.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"the price file cannot be read: {error}; write TOML or JSON", where=str(path)
        ) from error
    if not isinstance(table, Mapping):
        raise InputError("a price file is a table of models; see the documentation", where=str(path))
    found = {}
    for name, line in table.items():
        try:
            rate = _Line.model_validate(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InputError(
                f"price of {name!r}: {'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}; give prompt and "
                "completion in dollars per million tokens, and nothing else but request",
                where=path.name,
            ) from None
        found[name] = Price(prompt=rate.prompt / 1e6, completion=rate.completion / 1e6, request=rate.request)
    return found
