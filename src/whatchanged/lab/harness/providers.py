"""Who thinks for the agent: a name, its key, a model of pydantic-ai."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whatchanged.errors import MissingExtra
from whatchanged.llm.keys import Key, find_key

if TYPE_CHECKING:
    from pydantic_ai.models import Model

__all__ = ["PROVIDERS", "Thinker", "require_key", "thinker"]

_RETRIES = 8
_KEYS: Mapping[str, tuple[str, ...]] = {
    "claude": ("ANTHROPIC_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "openrouter": ("OPENROUTER_API_KEY",),
}
_MODELS: Mapping[str, str] = {
    "claude": "claude-sonnet-5-5",
    "openai": "gpt-5.6-sol",
    "gemini": "gemini-3.1-pro-preview",
}
PROVIDERS = (*_KEYS, "claude-code", "scripted")
"""Names of providers: four APIs, the Claude Code program, and recorded plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinker:
    """A model that is ready to be asked.

    Attributes:
        name: Name of the model.
        model: The model.
        settings: What is set beside every request.
        secrets: The key by its name, for redaction.
        free: Whether it costs nothing.
    """

    name: str
    model: Model
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    free: bool = False


def require_key(provider: str) -> Key | None:
    """The key of a provider, to be asked for before a sandbox is started; ``None`` if it needs none.

    Raises:
        ValueError: If there is no such provider.
        AccessDenied: If the key is set nowhere; the message names the variable.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"there is no provider {provider!r}; use one of {', '.join(PROVIDERS)}")
    names = _KEYS.get(provider)
    return find_key(*names, purpose=f"let {provider} drive the agent") if names else None


def thinker(provider: str, model: str | None) -> Thinker:
    """The model of an API provider.

    Raises:
        ValueError: If there is no such provider, or it has no model by default and none is named.
        AccessDenied: If its key is set nowhere.
        MissingExtra: If pydantic-ai or the provider's package is not installed.
    """
    name = model or _MODELS.get(provider)
    key = require_key(provider)
    assert key is not None
    if name is None:
        raise ValueError(f"{provider} serves many models; name one with model=")
    try:
        made, settings = _make(provider, name, key.value)
    except ImportError as error:
        raise MissingExtra("pydantic_ai", extra="lab", purpose=f"let {provider} drive an agent") from error
    return Thinker(name=name, model=made, settings=settings, secrets={key.name: key.value})


def _make(provider: str, name: str, key: str) -> tuple[Model, dict[str, Any]]:
    if provider == "claude":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        claude = AsyncAnthropic(api_key=key, max_retries=_RETRIES)
        # The whole conversation is sent at every step; what was sent before is read from the provider's cache.
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=claude)), {
            "anthropic_cache": True,
            "max_tokens": 16_000,
        }
    if provider == "openai":
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        client = AsyncOpenAI(api_key=key, max_retries=_RETRIES)
        return OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=client)), {}
    if provider == "gemini":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(name, provider=GoogleProvider(api_key=key)), {}
    from openai import AsyncOpenAI
    from pydantic_ai.models.openrouter import OpenRouterModel
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    router = AsyncOpenAI(base_url="https://openrouter.ai/api/v1", api_key=key, max_retries=_RETRIES)
    return OpenRouterModel(name, provider=OpenRouterProvider(openai_client=router)), {}
