"""A recorded plan: what an agent without a model does, step by step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatchanged.errors import InputError

__all__ = ["Plan", "Step", "fill", "read_plan"]

_FENCE = re.compile(r"^```(\w+)[ \t]*\n(.*?)^```[ \t]*$\n?", re.MULTILINE | re.DOTALL)
_HOLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call.

    Attributes:
        tool: Name of the tool, with or without its server before it.
        arguments: What it is called with. ``{{name}}`` in a text is filled with a value of the plan, or with what an
            earlier output told in a line ``remember name: value``.
        expect: A pattern that the answer must hold, or the plan ends there.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Calls in their order, and the last word.

    Attributes:
        steps: The calls.
        last: The last word; may hold ``{{name}}`` as well.
        values: What names stand for from the beginning.
    """

    steps: Sequence[Step]
    last: str = "The plan is carried out."
    values: Mapping[str, str] = field(default_factory=dict)


class _Call(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    expect: str = ""


def read_plan(path: str | Path, values: Mapping[str, str] | None = None) -> Plan:
    """A plan from a Markdown file.

    Text becomes a call of ``add_markdown``, a block of ``python`` a call of ``execute_code`` that must end well, and a
    block of ``call`` holds any other one as JSON: ``{"tool": ..., "arguments": {...}, "expect": "pattern"}``. Text after
    the last block is the last word.

    Args:
        path: The file, in UTF-8.
        values: What ``{{name}}`` stands for, beside what outputs tell.

    Raises:
        InputError: If it cannot be read, or a block is none of these.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the plan cannot be read: {error}", where=str(path)) from error
    *steps, last = _parts(text, path.name)
    assert isinstance(last, str)
    made = [
        one if isinstance(one, Step) else Step(tool="add_markdown", arguments={"content": one})
        for one in steps
    ]
    return Plan(steps=tuple(made), last=last or "The plan is carried out.", values=dict(values or {}))


def _parts(text: str, where: str) -> Iterator[Step | str]:
    """Steps, texts between them where there are any, and always the text at the end."""
    at = 0
    for block in _FENCE.finditer(text):
        if said := text[at : block.start()].strip():
            yield said
        yield _step(block[1], block[2], f"{where}:{text.count(chr(10), 0, block.start()) + 1}")
        at = block.end()
    yield text[at:].strip()


def _step(kind: str, body: str, where: str) -> Step:
    if kind == "python":
        return Step(
            tool="execute_code", arguments={"code": body.rstrip("\n")}, expect=r"\A[^\n]*\bok after\b"
        )
    if kind != "call":
        raise InputError(f"a block of a plan is python or call; got {kind!r}", where=where)
    try:
        call = _Call.model_validate(json.loads(body))
    except (json.JSONDecodeError, ValidationError) as error:
        raise InputError(f'a call is {{"tool": ..., "arguments": {{...}}}}: {error}', where=where) from error
    return Step(tool=call.tool, arguments=call.arguments, expect=call.expect)


def fill(value: Any, known: Mapping[str, str], where: str) -> Any:
    """A value with its holes filled.

    Raises:
        InputError: If nothing told a name.
    """
    if isinstance(value, str):
        missing = [name for name in _HOLE.findall(value) if name not in known]
        if missing:
            raise InputError(
                f"no value and no earlier output tells {missing[0]!r}; those told are {sorted(known)}",
                where=where,
            )
        return _HOLE.sub(lambda hole: known[hole[1]], value)
    if isinstance(value, Mapping):
        return {key: fill(item, known, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, known, where) for item in value]
    return value
