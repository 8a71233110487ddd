"""Whether a file is a log we know, told by what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from whatchanged.responses.columns import Side
from whatchanged.responses.logs.archive import is_archive
from whatchanged.responses.logs.chat_log import is_chat_log, read_chat_log
from whatchanged.responses.logs.inspect_ai import is_inspect_json, read_eval, read_inspect_json
from whatchanged.responses.logs.lm_eval import is_lm_eval, read_lm_eval
from whatchanged.responses.logs.openai_batch import is_batch_output, read_batch
from whatchanged.tables.jsons import read_json, read_jsonl

__all__ = ["read_log"]

_LINES = (
    (is_batch_output, read_batch),
    (is_lm_eval, read_lm_eval),
    (is_chat_log, read_chat_log),
)
_TABLES = frozenset({".csv", ".tsv", ".parquet"})
_LOOK = 50  # lines: calls that failed may come first


def read_log(path: Path, selector: str | None) -> Side | None:
    """A log of Inspect AI, lm-evaluation-harness, an OpenAI batch or chat calls; ``None`` for any other file.

    Args:
        path: An existing file.
        selector: What stood after ``#``: a model; of a harness log, a filter; of a batch, its input.

    Raises:
        InputError: It is such a log, and something in it is wrong; the message names the place.
    """
    if path.suffix.lower() in _TABLES:
        return None
    if is_archive(path):
        return read_eval(path, selector)
    heads = _heads(path)
    if any(map(is_inspect_json, heads)):
        return read_inspect_json(path, selector)
    for known, read in _LINES:
        if any(map(known, heads)):
            rows = read_json(path) if path.suffix.lower() == ".json" else read_jsonl(path)
            return read(rows, path, selector)
    return None


def _heads(path: Path) -> list[Mapping[str, Any]]:
    """The first objects of JSON Lines, the first of an array, or the one that fills the file."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = [text.strip() for text in islice(file, _LOOK) if text.strip()]
        if not lines or lines[0][0] not in "{[":
            return []
        if lines[0][0] == "{" and (first := _decoded(lines[0])) is not None:
            found = [first, *map(_decoded, lines[1:])]
        else:
            text = "\n".join(lines) + file.read()
            found = [_decoded(text[1:].lstrip() if text[0] == "[" else text)]
    return [value for value in found if isinstance(value, dict)]


def _decoded(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None  # the reader of tables says what is wrong, and where
