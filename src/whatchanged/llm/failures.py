"""Errors of an OpenAI-compatible server and of the way to it, as our tree has them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Any

from whatchanged.errors import (
    AccessDenied,
    BadReply,
    ContentRefused,
    LLMError,
    RateLimited,
    RequestRejected,
    Unavailable,
)

if TYPE_CHECKING:
    from openai import APIError

__all__ = ["excerpt", "failure", "from_openai", "retry_after"]

_FILTERED = re.compile(
    r"content.?(filter|policy|management)|moderation|flagged|safety (system|setting)|data_inspection", re.I
)
_BAD_KEY = re.compile(r"api.?key.{0,30}(invalid|not valid|expired|incorrect)|API_KEY_INVALID", re.I)
_NO_CREDIT = re.compile(
    r"insufficient_quota|insufficient.{0,10}(credit|balance|funds)|billing_hard_limit", re.I
)
_DELAY = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_MAYBE_BILLED = frozenset({408, 502, 504, 520, 522, 524})
"""Statuses by which a gateway says that it lost a server which may have worked, and charged, all the same."""


def from_openai(error: APIError, redact: Callable[[str], str]) -> LLMError:
    """The failure an exception of the client stands for; the exception itself is not kept.

    Its cause and its request hold the headers, and so the key: nothing of it but redacted text goes on.
    """
    import httpx2
    from openai import APIConnectionError, APIResponseValidationError, APIStatusError, APITimeoutError

    cause = error.__cause__
    if isinstance(error, APIStatusError):
        text = error.response.text
        try:
            body = error.response.json()
        except ValueError:
            body = text
        return failure(
            error.status_code, body, redact=redact, text=text, wait=retry_after(error.response.headers, text)
        )
    if isinstance(error, APIResponseValidationError):
        return BadReply(f"the body is no chat completion: {excerpt(str(error), redact)}")
    if isinstance(error, APITimeoutError):
        never = isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return Unavailable("no connection in time" if never else "no answer in time", free=never)
    if isinstance(error, APIConnectionError):
        what = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
        if isinstance(cause, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
            return RequestRejected(f"the request cannot be sent: {excerpt(what, redact)}", free=True)
        return Unavailable(
            f"connection failed: {excerpt(what, redact)}", free=isinstance(cause, httpx2.ConnectError)
        )
    return BadReply(excerpt(f"{type(error).__name__}: {error}", redact))


def failure(
    status: int | None,
    body: Any,
    *,
    redact: Callable[[str], str],
    text: str = "",
    wait: float | None = None,
    usage: Mapping[str, float | None] | None = None,
) -> LLMError:
    """The failure that an error body and its status stand for.

    Args:
        status: HTTP status, or ``None`` where the error came with 200; then the body's code decides.
        body: The body, parsed where it is JSON.
        redact: Takes secrets out of what is quoted.
        text: The body as text.
        wait: Seconds the server asked to wait.
        usage: Tokens and cost the body told of.
    """
    inner = body[0] if isinstance(body, list) and body else body
    error = inner.get("error", inner) if isinstance(inner, Mapping) else inner
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    code = fields.get("code")
    number = status if status is not None else _status(code)
    said = str(fields.get("message") or error or "")
    metadata = fields.get("metadata")
    told = f"{code} {fields.get('type')} {fields.get('status')} {said} {metadata or ''}"
    label = f"HTTP {status}" if status is not None else f"error {code}" if code is not None else "an error"
    message = f"{label}: {excerpt(said or text, redact) or 'without a message'}"
    kind = _kind(number, told, metadata)
    return kind(
        message,
        status=number,
        retry_after=wait,
        usage=usage,
        free=status is not None and status >= 400 and status not in _MAYBE_BILLED and usage is None,
    )


def _kind(status: int | None, told: str, metadata: Any) -> type[LLMError]:
    filtered = bool(_FILTERED.search(told)) or (isinstance(metadata, Mapping) and "flagged_input" in metadata)
    if status in {400, 403, 422, None} and filtered:
        return ContentRefused
    if status in {401, 402, 403, 404} or (status in {400, 429} and _NO_CREDIT.search(told)):
        return AccessDenied
    if status == 400 and _BAD_KEY.search(told):
        return AccessDenied
    if status == 429:
        return RateLimited
    if status is None or status >= 500 or status in {408, 409, 425}:
        return Unavailable
    return RequestRejected if status >= 400 else BadReply


def _status(code: Any) -> int | None:
    number = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else None
    return number if number is not None and 400 <= number < 600 else None


def retry_after(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds to wait: ``retry-after-ms``, ``Retry-After`` as seconds or HTTP date, Google's ``retryDelay``.

    A date in the past is 0; what cannot be read is ``None``.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / unit
        except ValueError:
            date = parsedate_tz(value)
            if date is None:
                continue
            try:
                seconds = mktime_tz(date) - time.time()
            except (ValueError, OverflowError, OSError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    asked = _DELAY.search(text)
    return float(asked[1]) if asked else None


def excerpt(text: str, redact: Callable[[str], str], limit: int = 300) -> str:
    """The text's beginning on one line, tags of HTML pages left out, secrets redacted before the cut."""
    text = redact(text)
    if "<" in text[:200]:
        text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", text, flags=re.S | re.I)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit] + "..."
