"""The lines of ``calls.jsonl``: what was asked, what came back, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from whatchanged.errors import LLMError
from whatchanged.llm.protocol import ChatRequest, Reply, Usage
from whatchanged.responses.collect.calls import Key

__all__ = ["Line", "LoggedError", "answer_line", "failure_line", "sent_line"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoggedUsage(_Frozen):
    """Tokens, as `Usage` has them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None


class LoggedError(_Frozen):
    """A failure.

    Attributes:
        kind: Its short name, `LLMError.kind`.
        message: Its redacted message.
        status: HTTP status, if there was one.
    """

    kind: str
    message: str
    status: int | None = None


class Line(_Frozen):
    """One line of the log.

    Attributes:
        event: ``answer`` (finished), ``failed`` (finally), ``attempt`` (failed, may be tried again) or
            ``sent`` (about to be sent; written only under a cost limit, so that a call whose outcome a
            kill swallowed still counts).
        attempt: Number of the attempt at this call in this run, from 1.
        cost: US dollars, as the provider said or by the price list; ``None`` if unknown.
        charged: US dollars that count against a cost limit: `cost`, 0 where the provider certainly
            charged nothing, else the worst case if a price was known. Of ``sent`` the worst case.
        latency: Seconds from sending to the end.
        parameters: What was sent besides the messages.
        time: When the line was written, UTC.
    """

    event: Literal["answer", "failed", "attempt", "sent"]
    model: str
    prompt_id: str
    sample: int
    attempt: int
    text: str | None = None
    finish_reason: str | None = None
    reasoning: str | None = None
    served_model: str | None = None
    provider: str | None = None
    request_id: str | None = None
    usage: LoggedUsage | None = None
    cost: float | None = None
    charged: float | None = None
    latency: float | None = None
    error: LoggedError | None = None
    parameters: Mapping[str, Any] | None = None
    time: str

    @property
    def key(self) -> Key:
        """The call it belongs to."""
        return Key(self.model, self.prompt_id, self.sample)

    @property
    def tokens(self) -> Usage:
        """Tokens as a `Usage`."""
        return Usage(**self.usage.model_dump(), cost=self.cost) if self.usage else Usage(cost=self.cost)


def _head(event: str, key: Key, attempt: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {
        "event": event,
        "model": key.model,
        "prompt_id": key.prompt_id,
        "sample": key.sample,
        "attempt": attempt,
        "time": now,
    }


def _parameters(request: ChatRequest) -> dict[str, Any]:
    asked = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "extra": dict(request.extra) or None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def sent_line(key: Key, attempt: int, worst: float) -> dict[str, Any]:
    """Before a request goes out under a cost limit."""
    return _head("sent", key, attempt) | {"charged": worst}


def answer_line(
    key: Key,
    attempt: int,
    request: ChatRequest,
    reply: Reply,
    *,
    cost: float | None,
    charged: float | None,
    latency: float,
) -> dict[str, Any]:
    """A finished call."""
    fields = {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "reasoning": reply.reasoning,
        "served_model": reply.served_model,
        "provider": reply.provider,
        "request_id": reply.request_id,
        "usage": {
            "prompt_tokens": reply.usage.prompt_tokens,
            "completion_tokens": reply.usage.completion_tokens,
            "reasoning_tokens": reply.usage.reasoning_tokens,
        },
        "cost": cost,
        "charged": charged,
        "latency": round(latency, 4),
        "parameters": _parameters(request),
    }
    return _head("answer", key, attempt) | fields


def failure_line(
    key: Key,
    attempt: int,
    request: ChatRequest,
    error: LLMError,
    *,
    final: bool,
    cost: float | None,
    charged: float | None,
    latency: float,
) -> dict[str, Any]:
    """A failed attempt, or the last of them."""
    usage = error.usage
    fields = {
        "error": {"kind": error.kind, "message": str(error), "status": error.status},
        "usage": {
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
        }
        if usage
        else None,
        "cost": cost,
        "charged": charged,
        "latency": round(latency, 4),
        "parameters": _parameters(request),
    }
    return _head("failed" if final else "attempt", key, attempt) | fields
