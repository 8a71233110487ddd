"""Output of OpenAI's batch API; the prompts come from the batch input beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from whatchanged.errors import InputError
from whatchanged.responses.columns import Side
from whatchanged.responses.logs.completion import Said, failure, said
from whatchanged.responses.logs.content import prompt_of
from whatchanged.responses.logs.entry import Entry, Foreign, parsed, side_of
from whatchanged.tables.jsons import read_jsonl
from whatchanged.tables.rows import Row

__all__ = ["is_batch_output", "read_batch"]


class _Response(Foreign):
    status_code: int = 200
    body: dict[str, Any] | None = None


class _Line(Foreign):
    custom_id: str
    response: _Response | None = None
    error: dict[str, Any] | None = None


class _Asked(Foreign):
    custom_id: str
    body: dict[str, Any]


def is_batch_output(row: Mapping[str, Any]) -> bool:
    """Whether a line is one result of a batch."""
    return {"custom_id", "response"} <= row.keys() and isinstance(row["response"], dict | None)


def read_batch(rows: Sequence[Row], path: Path, selector: str | None) -> Side:
    """The results of a batch: ``custom_id`` is the id of the prompt, choices are samples.

    The prompts are taken from the batch input: ``output.jsonl#input.jsonl`` names it (relative to
    the output), else every ``.jsonl`` file in the same folder that asks for all of these ids is one,
    provided that all such files put the same prompts. Without one the ids alone join the sides, and
    the prompt texts have to come from ``prompts=``. A result with an error or an HTTP status of 400
    and above is errored; one whose error or finish reason is a content filter is refused by the API.

    Raises:
        InputError: A line is not as the API writes it, or inputs beside it put different prompts.
    """
    lines = [(where, parsed(_Line, row, where, "a line of batch output")) for where, row in rows]
    given = path.parent / selector if selector and selector.endswith(".jsonl") else None
    wanted = {line.custom_id for _, line in lines}
    asked = _given(given, wanted) if given else _beside(path, wanted)
    entries = [entry for where, line in lines for entry in _entries(line, asked, where)]
    return side_of(entries, path, None if given else selector, sampled=True)


def _entries(line: _Line, asked: Mapping[str, Mapping[str, Any]], where: str) -> Iterator[Entry]:
    body = asked.get(line.custom_id, {})
    model = body.get("model") if isinstance(body.get("model"), str) else None
    for choice in _results(line, model, where):
        yield Entry(
            model=model or choice.model,
            prompt_id=line.custom_id,
            prompt=_prompt(body, where),
            text=choice.text,
            sample=choice.index,
            finish_reason=choice.finish_reason,
            errored=choice.errored,
            dropped=choice.dropped,
            parts=choice.parts,
            where=where,
        )


def _results(line: _Line, model: str | None, where: str) -> list[Said]:
    if line.error:
        return [failure(line.error, model)]
    if line.response is None or line.response.body is None:
        return [Said(model=model, errored=True)]
    if line.response.status_code >= 400:
        return [failure(line.response.body.get("error"), model)]
    return said(line.response.body, where)


def _prompt(body: Mapping[str, Any], where: str) -> str | None:
    for field in ("messages", "input", "prompt"):
        if body.get(field) is not None:
            return prompt_of(body[field], where)
    return None


def _given(path: Path, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
    if not path.is_file():
        raise InputError(f"no such batch input: {path}; name it relative to the output, or put it beside it")
    found = _requests(path)
    missing = sorted(wanted - found.keys())
    if missing:
        raise InputError(
            f"{len(missing)} of the output's ids are not in this batch input, such as {missing[0]!r}; name the "
            "input of this very batch",
            where=path.name,
        )
    return found


def _beside(path: Path, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
    """The requests of the one input beside the output, or of several that put the same prompts."""
    chosen: dict[str, Mapping[str, Any]] = {}
    first: Path | None = None
    for other in sorted(path.parent.glob("*.jsonl")):
        if other == path or not _asks(other):
            continue
        found = _requests(other)
        if not wanted <= found.keys():
            continue
        if first is None:
            chosen, first = found, other
            continue
        if any(_prompt(found[i], other.name) != _prompt(chosen[i], first.name) for i in wanted):
            raise InputError(
                f"{first.name} and {other.name} both ask for these ids, with different prompts; choose one: "
                f"file:{path.name}#{other.name}",
                where=path.name,
            )
        # Inputs of several models, told apart by nothing here: the replies name the model.
        chosen = {i: {k: v for k, v in body.items() if k != "model"} for i, body in chosen.items()}
    return chosen


def _asks(path: Path) -> bool:
    """Whether a file begins with a batch request."""
    with path.open(encoding="utf-8", errors="replace") as file:
        line = next((text for text in file if text.strip()), "")
    return '"custom_id"' in line and '"body"' in line and '"response"' not in line


def _requests(path: Path) -> dict[str, Mapping[str, Any]]:
    asked = (parsed(_Asked, row, where, "a batch request") for where, row in read_jsonl(path))
    return {request.custom_id: request.body for request in asked}
