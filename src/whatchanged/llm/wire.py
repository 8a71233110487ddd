"""What an OpenAI-compatible server sends, read into a `Reply` or the failure it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatchanged.errors import BadReply, ContentRefused, LLMError
from whatchanged.llm.failures import excerpt, failure
from whatchanged.llm.protocol import Reply, Usage

__all__ = ["read_reply"]

_REFUSED = frozenset({"content_filter", "safety", "prohibited_content", "blocklist", "recitation", "spii"})


class _Wire(BaseModel):
    """Fields we read; the format is not ours, so what else is there is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Message(_Wire):
    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(_Wire):
    message: _Message | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    error: Any = None


class _CompletionDetails(_Wire):
    reasoning_tokens: int | None = None


class _Usage(_Wire):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    completion_tokens_details: _CompletionDetails | None = None


class _Body(_Wire):
    id: str | None = None
    model: str | None = None
    provider: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


def read_reply(body: bytes, redact: Callable[[str], str]) -> Reply:
    """The answer in the body of a successful response.

    Raises:
        BadReply: The body is not the JSON of a chat completion, or has no choices.
        ContentRefused: The provider's filter took the answer away, wholly or in part.
        LLMError: The body is an error after all, as gateways send with status 200; by its code.
    """
    problem: LLMError
    try:
        read = _Body.model_validate_json(body)
    except ValidationError as error:
        kind = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, kind["loc"]))
        what = "is no JSON" if kind["type"] == "json_invalid" else f"is no chat completion (at {where!r})"
        problem = BadReply(f"the body {what}: {excerpt(body.decode('utf-8', 'replace'), redact)}")
    else:
        return _reply(read, redact)
    raise problem


def _reply(body: _Body, redact: Callable[[str], str]) -> Reply:
    usage = _usage(body.usage)
    if body.error is not None:
        raise failure(None, {"error": body.error}, redact=redact, usage=usage)
    if not body.choices:
        raise BadReply("the reply has no choices", usage=usage)
    choice = body.choices[0]
    reasons = {r.lower() for r in (choice.finish_reason, choice.native_finish_reason) if r}
    if choice.error is not None or choice.finish_reason == "error":
        raise failure(None, {"error": choice.error or "error"}, redact=redact, usage=usage)
    if reasons & _REFUSED:
        raise ContentRefused(
            f"the provider's filter withheld the answer ({', '.join(sorted(reasons))})", usage=usage
        )
    if choice.message is None:
        raise BadReply("the first choice has no message", usage=usage)
    text, reasoning = _texts(choice.message)
    return Reply(
        text=redact(text),
        finish_reason=choice.finish_reason,
        reasoning=redact(reasoning) if reasoning else None,
        served_model=redact(body.model) if body.model else None,
        provider=redact(body.provider) if body.provider else None,
        usage=Usage(
            prompt_tokens=body.usage.prompt_tokens if body.usage else None,
            completion_tokens=body.usage.completion_tokens if body.usage else None,
            reasoning_tokens=body.usage.completion_tokens_details.reasoning_tokens
            if body.usage and body.usage.completion_tokens_details
            else None,
            cost=body.usage.cost if body.usage else None,
        ),
        request_id=redact(body.id) if body.id else None,
    )


def _usage(usage: _Usage | None) -> Mapping[str, float | None] | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": usage.cost,
    }


def _texts(message: _Message) -> tuple[str, str | None]:
    """Answer and reasoning; reasoning that a server left inline between ``<think>`` tags is taken out."""
    content = message.content
    if isinstance(content, list):
        parts = [p.get("text") for p in content if isinstance(p, Mapping) and p.get("type", "text") == "text"]
        content = "".join(part for part in parts if isinstance(part, str))
    text = content if content is not None else message.refusal or ""
    reasoning = message.reasoning or message.reasoning_content
    if not reasoning and text.lstrip().startswith("<think>"):
        reasoning, _, text = text.lstrip().removeprefix("<think>").partition("</think>")
        reasoning, text = reasoning.strip(), text.lstrip()
    return text, reasoning or None
