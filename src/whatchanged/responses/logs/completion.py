"""One reply of an OpenAI-compatible API as it came over the wire: chat, text completion or Responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from whatchanged.errors import InputError
from whatchanged.responses.logs.content import Content, spoken
from whatchanged.responses.logs.entry import Foreign, parsed

__all__ = ["Said", "failure", "is_completion", "said"]

_REFUSED = frozenset(
    {"content_filter", "content_policy_violation", "moderation", "ResponsibleAIPolicyViolation", "SAFETY"}
)


class _Message(Foreign):
    content: Content = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[dict[str, Any], ...] | None = None
    function_call: dict[str, Any] | None = None


class _Choice(Foreign):
    index: int = 0
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    error: Any = None


class _Item(Foreign):
    type: str
    content: Content = None


class _Incomplete(Foreign):
    reason: str | None = None


class _Body(Foreign):
    model: str | None = None
    choices: tuple[_Choice, ...] | None = None
    output: tuple[_Item, ...] | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    error: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One choice of a reply.

    Attributes:
        model: Model that answered, as the reply says.
        text: Its text; the model's own words of refusal where the API keeps them apart.
        finish_reason: Why it ended.
        index: Number of the choice.
        parts: Tool calls, reasoning and other parts that are no text of the answer.
        errored: Whether an error came instead.
        dropped: ``refused_by_api`` where the API's filter let nothing through.
    """

    model: str | None
    text: str | None = None
    finish_reason: str | None = None
    index: int = 0
    parts: int = 0
    errored: bool = False
    dropped: str | None = None


def is_completion(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a JSON value is the body of a reply."""
    if not isinstance(value, Mapping):
        return False
    choices, output = value.get("choices"), value.get("output")
    if isinstance(choices, list):
        told = "completion" in str(value.get("object"))
        return told or any(
            isinstance(c, Mapping) and {"message", "finish_reason"} & c.keys() for c in choices
        )
    return isinstance(output, list) and value.get("object") == "response"


def failure(error: Any, model: str | None) -> Said:
    """What an error object says: refused by the API where its code says so, else errored."""
    code = error.get("code", error.get("type")) if isinstance(error, Mapping) else None
    if code in _REFUSED:
        return Said(model=model, dropped="refused_by_api")
    return Said(model=model, errored=True)


def said(value: Any, where: str) -> list[Said]:
    """The choices of a reply; one that says what failed where there are none.

    Raises:
        InputError: The value is no reply.
    """
    body = parsed(_Body, value, where, "a reply of an OpenAI-compatible API")
    if body.error:
        return [failure(body.error, body.model)]
    if body.output is not None:
        return [_responses(body)]
    if body.choices is None:
        raise InputError(
            "a reply without choices or output (an embedding?); only chat, completion and Responses replies hold "
            "answers",
            where=where,
        )
    return [_choice(choice, body.model) for choice in body.choices] or [Said(model=body.model, errored=True)]


def _choice(choice: _Choice, model: str | None) -> Said:
    if choice.error:
        return failure(choice.error, model)
    message = choice.message or _Message(content=choice.text)
    text, parts = spoken(message.content)
    parts += len(message.tool_calls or ()) + (message.function_call is not None)
    parts += bool(message.reasoning or message.reasoning_content)
    return _said(model, text or message.refusal or text, choice.finish_reason, parts, choice.index)


def _responses(body: _Body) -> Said:
    """A reply of the Responses API: its messages are the answer, its other items parts."""
    texts: list[str] = []
    parts = 0
    for item in body.output or ():
        if item.type != "message":
            parts += 1
            continue
        text, others = spoken(item.content)
        parts += others
        texts += [text] if text is not None else []
    reason = body.incomplete_details.reason if body.incomplete_details else None
    stop = {"max_output_tokens": "length"}.get(reason or "", reason) or (
        "stop" if body.status == "completed" else None
    )
    return _said(body.model, "".join(texts) if texts else None, stop, parts, 0)


def _said(model: str | None, text: str | None, stop: str | None, parts: int, index: int) -> Said:
    filtered = stop in _REFUSED and not (text or "").strip()
    return Said(
        model=model,
        text=text,
        finish_reason=stop,
        index=index,
        parts=parts,
        dropped="refused_by_api" if filtered else None,
    )
