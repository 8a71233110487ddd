"""Logs of single API calls, as OpenRouter's and OpenAI's clients keep them: request and reply on one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from whatchanged.errors import InputError
from whatchanged.responses.columns import Side
from whatchanged.responses.logs.completion import Said, failure, is_completion, said
from whatchanged.responses.logs.content import prompt_of
from whatchanged.responses.logs.entry import Entry, side_of
from whatchanged.tables.cells import as_name
from whatchanged.tables.rows import Row

__all__ = ["is_chat_log", "read_chat_log"]

_REPLY = ("response", "completion", "output", "result")
_PROMPT = ("messages", "prompt", "input")


def is_chat_log(row: Mapping[str, Any]) -> bool:
    """Whether a line holds the reply of an API, or a request and an error."""
    return _reply(row) is not None or (isinstance(row.get("request"), Mapping) and bool(row.get("error")))


def read_chat_log(rows: Sequence[Row], path: Path, selector: str | None) -> Side:
    """The calls of a log, each a further sample of its prompt.

    The reply is the line itself or stands under ``response``, ``completion``, ``output`` or
    ``result`` (there also under ``body``); the prompt under ``messages``, ``prompt`` or ``input`` of
    the line or of its ``request``; its id under ``prompt_id`` or ``custom_id``. The model is the one
    asked for, else the one that answered; ``#MODEL`` chooses where there are several.

    Raises:
        InputError: A line is no call, or names no prompt.
    """
    entries: list[Entry] = []
    samples: Counter[tuple[str | None, str | None]] = Counter()
    for where, row in rows:
        entries += _entries(row, samples, where)
    return side_of(entries, path, selector, sampled=True)


def _entries(
    row: Mapping[str, Any], samples: Counter[tuple[str | None, str | None]], where: str
) -> Iterator[Entry]:
    request = row["request"] if isinstance(row.get("request"), Mapping) else row
    request = request["body"] if isinstance(request.get("body"), Mapping) else request
    asked = request.get("model") if isinstance(request.get("model"), str) else None
    found = next((request[f] for f in _PROMPT if request.get(f) is not None), None)
    prompt = prompt_of(found, where)
    prompt_id = as_name(row.get("prompt_id")) or as_name(row.get("custom_id"))
    for choice in _choices(row, asked, where):
        model = asked or choice.model
        key = (model, prompt if prompt is not None else prompt_id)
        failed = choice.errored or choice.dropped is not None
        yield Entry(
            model=model,
            prompt_id=prompt_id,
            prompt=prompt,
            text=choice.text,
            sample=None if failed else samples[key],
            finish_reason=choice.finish_reason,
            errored=choice.errored,
            dropped=choice.dropped,
            parts=choice.parts,
            where=where,
        )
        samples[key] += not failed


def _choices(row: Mapping[str, Any], model: str | None, where: str) -> list[Said]:
    reply = _reply(row)
    if reply is not None:
        return said(reply, where)
    if row.get("error"):
        return [failure(row["error"], model)]
    body = row.get("response")
    if isinstance(body, Mapping) and body.get("error"):
        return [failure(body["error"], model)]
    raise InputError(
        "no reply on this line (choices), as the first lines have; delete the line or complete it",
        where=where,
    )


def _reply(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reply on a line: the line itself, or under a name, there perhaps under ``body``."""
    for value in (row, *(row.get(name) for name in _REPLY)):
        if is_completion(value):
            return value
        body = value.get("body") if isinstance(value, Mapping) and value is not row else None
        if is_completion(body):
            return body
    return None
