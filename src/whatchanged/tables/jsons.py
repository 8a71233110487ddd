"""JSON Lines and JSON arrays with the line number of every object."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatchanged.errors import InputError
from whatchanged.tables.decode import read_text

__all__ = ["read_json", "read_jsonl"]

_SPACE = re.compile(r"[ \t\r\n]*")


class _RepeatedKeyError(ValueError):
    """An object that names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = [key for key, n in Counter(key for key, _ in pairs).items() if n > 1]
        raise _RepeatedKeyError(f"keys {repeated!r} occur more than once in one object; rename them")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _checked(value: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(value, dict):
        raise InputError(
            f"expected an object with named columns; got {type(value).__name__} ({json.dumps(value)[:40]}); "
            'write {"prompt": ..., ...}',
            where=where,
        )
    return where, value


def read_jsonl(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Objects of a JSON Lines file, one a line; blank lines are passed over.

    Raises:
        InputError: A line is not one JSON object; names the line.
    """
    return _lines(read_text(path), path.name)


def _lines(text: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    rows = []
    # Not splitlines: U+2028 and the like may stand unescaped inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            value = _DECODER.decode(line.strip())
        except json.JSONDecodeError as error:
            raise InputError(
                f"not valid JSON ({error.msg} at column {error.colno}): {line.strip()[:60]!r}; write one "
                "complete object on each line, or delete a last line that was cut off",
                where=where,
            ) from error
        except _RepeatedKeyError as error:
            raise InputError(str(error), where=where) from error
        rows.append(_checked(value, where))
    return rows


def read_json(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Objects of a JSON array (``model_outputs.json``); a file of JSON Lines is told and read too.

    Raises:
        InputError: The file is neither, or an item is not an object; names the line.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        first = text.lstrip().split("\n", 1)[0].strip()
        if first.endswith("}"):
            return _lines(text, path.name)
    if not text.lstrip().startswith("["):
        raise InputError(
            f"expected an array of objects; the file begins with {text.lstrip()[:20]!r}; write "
            '[{"prompt": ..., ...}, ...] or one object a line in a .jsonl file',
            where=f"{path.name}:1",
        )
    return _items(text, path.name)


def _items(text: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Items of the array one by one, so that each is known by its line."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    at = _skip(text, text.index("[") + 1)
    line, counted = 1, 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        where = f"{name}:{line}"
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise InputError(
                f"not valid JSON ({error.msg} at column {error.colno}); correct item {len(rows)} of the "
                "array, or write the file again",
                where=f"{name}:{error.lineno}",
            ) from error
        except _RepeatedKeyError as error:
            raise InputError(str(error), where=where) from error
        rows.append(_checked(value, where))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise InputError(
                f"the array is not continued or closed after item {len(rows) - 1}; the file may be cut off: "
                "write it again",
                where=f"{name}:{text.count(chr(10), 0, at) + 1}",
            )
    at = _skip(text, at + 1)
    if at < len(text):
        raise InputError(
            f"text after the end of the array: {text[at : at + 30].rstrip()!r}; remove it",
            where=f"{name}:{text.count(chr(10), 0, at) + 1}",
        )
    return rows


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None, "the pattern matches nothing too"
    return match.end()
