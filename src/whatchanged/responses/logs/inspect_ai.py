"""Logs of Inspect AI: the ``.eval`` archive and the same as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from whatchanged.errors import InputError
from whatchanged.responses.columns import Side
from whatchanged.responses.logs.archive import read_members
from whatchanged.responses.logs.content import Content, prompt_of, spoken
from whatchanged.responses.logs.entry import Entry, Foreign, parsed, side_of
from whatchanged.tables.decode import read_text

__all__ = ["is_inspect_json", "read_eval", "read_inspect_json"]

_ATTACHED = "attachment://"
_FINISH = {"model_length": "length"}


class _Message(Foreign):
    role: str
    content: Content = None
    source: str | None = None
    tool_calls: tuple[dict[str, Any], ...] | None = None


class _Choice(Foreign):
    message: _Message
    stop_reason: str | None = None


class _Output(Foreign):
    choices: tuple[_Choice, ...] = ()
    error: str | None = None


class _Limit(Foreign):
    type: str


class _Sample(Foreign):
    id: int | str
    epoch: int = Field(ge=1)
    input: str | list[dict[str, Any]]
    messages: tuple[_Message, ...] = ()
    output: _Output = _Output()
    metadata: dict[str, Any] | None = None
    error: Any = None
    limit: _Limit | None = None
    attachments: dict[str, str] | None = None


class _Spec(Foreign):
    model: str
    task: str | None = None


class _Header(Foreign):
    eval: _Spec


def is_inspect_json(value: Any) -> bool:
    """Whether a JSON object is a log of Inspect."""
    return isinstance(value, dict) and {"version", "status", "eval"} <= value.keys()


def read_eval(path: Path, selector: str | None) -> Side:
    """An ``.eval`` archive, of a finished run or of one that broke off; see `read_inspect_json`.

    Raises:
        InputError: The archive is no Inspect log or is damaged.
    """
    head = read_members(path, "header.json") or read_members(path, "_journal/start.json")
    if not head:
        raise InputError(
            "a zip archive, but no log of Inspect (no header.json in it); unpack it and name the file with the answers",
            where=path.name,
        )
    ((name, data),) = head.items()
    header = parsed(_Header, _json(data, f"{path.name}:{name}"), f"{path.name}:{name}", "a log of Inspect")
    members = read_members(path, "samples/")
    samples = (
        (f"{path.name}:{name}", _json(members[name], f"{path.name}:{name}")) for name in sorted(members)
    )
    return _side(header, samples, path, selector)


def read_inspect_json(path: Path, selector: str | None) -> Side:
    """The samples of a log: id and input are the prompt, the final output is the answer, epochs are samples.

    Several choices of one epoch are samples too. The answer's text parts are joined as Inspect joins
    them; reasoning, images and the tool calls on the way are counted. An output that ran into the
    model's length or into a limit of the sample counts as truncated (finish reason ``length``), one
    that a content filter left empty as refused by the API, a sample with an error as errored.

    Raises:
        InputError: The file is no JSON, or not as Inspect writes it.
    """
    log = _json(read_text(path).encode(), path.name)
    header = parsed(_Header, log, path.name, "a log of Inspect")
    samples = log.get("samples") or ()
    if not isinstance(samples, list | tuple):
        raise InputError("samples is no list; export the log again", where=path.name)
    return _side(header, ((f"{path.name} sample {i}", s) for i, s in enumerate(samples)), path, selector)


def _json(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:  # JSON and Unicode errors alike
        raise InputError(f"not valid JSON ({error}); export the log again", where=where) from error


def _side(header: _Header, samples: Iterable[tuple[str, Any]], path: Path, selector: str | None) -> Side:
    read = [(where, parsed(_Sample, value, where, "a sample of Inspect")) for where, value in samples]
    choices = max((len(sample.output.choices) for _, sample in read), default=1)
    entries = [
        entry for where, sample in read for entry in _entries(sample, header.eval.model, choices, where)
    ]
    return side_of(entries, path, selector, sampled=True)


def _entries(sample: _Sample, model: str, choices: int, where: str) -> Iterator[Entry]:
    """One entry for each choice, and one without a text where there is no choice."""
    resolve = _resolver(sample.attachments or {})
    category = (sample.metadata or {}).get("category")
    prompt = prompt_of(sample.input, where, resolve=resolve)
    calls = sum(
        len(m.tool_calls or ()) for m in sample.messages if m.role == "assistant" and m.source != "input"
    )
    for index, choice in enumerate(sample.output.choices or (None,)):
        text, parts = spoken(choice.message.content, joint="\n", resolve=resolve) if choice else (None, 0)
        stop = choice.stop_reason if choice else None
        yield Entry(
            model=model,
            prompt_id=str(sample.id),
            prompt=prompt,
            text=text,
            category=category if isinstance(category, str) else None,
            sample=(sample.epoch - 1) * max(choices, 1) + index,
            finish_reason="length" if sample.limit else _FINISH.get(stop or "", stop),
            errored=sample.error is not None or sample.output.error is not None,
            dropped="refused_by_api" if stop == "content_filter" and not (text or "").strip() else None,
            parts=parts + (calls if index == 0 else 0),
            where=where,
        )


def _resolver(attachments: dict[str, str]) -> Callable[[str], str]:
    """Long contents stand apart in the log, under a name."""

    def resolve(text: str) -> str:
        return attachments.get(text.removeprefix(_ATTACHED), text) if text.startswith(_ATTACHED) else text

    return resolve
