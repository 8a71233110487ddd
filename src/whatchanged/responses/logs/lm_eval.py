"""Samples of lm-evaluation-harness: ``samples_TASK_DATE.jsonl``, written with ``--log_samples``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from whatchanged.errors import InputError
from whatchanged.responses.columns import Side
from whatchanged.responses.logs.content import prompt_of
from whatchanged.responses.logs.entry import Entry, Foreign, parsed, side_of
from whatchanged.tables.rows import Row

__all__ = ["is_lm_eval", "read_lm_eval"]


class _Sample(Foreign):
    doc_id: int | str
    doc: dict[str, Any]
    arguments: dict[str, dict[str, Any]] | list[list[Any]]
    resps: list[Any]
    filtered_resps: list[Any]
    filter: str = "none"
    doc_hash: str | None = None


def is_lm_eval(row: Mapping[str, Any]) -> bool:
    """Whether a line is a sample of the harness."""
    return {"doc_id", "doc", "arguments", "resps", "filtered_resps"} <= row.keys()


def read_lm_eval(rows: Sequence[Row], path: Path, selector: str | None) -> Side:
    """The generated texts of a task, repeats as samples; ``#FILTER`` takes what a filter left of them.

    The harness writes a document once for each filter of its task; without a selector the model's
    own words (``resps``) are read, once. It does not say why the model stopped, so truncation is
    unknown. The model is named as the folder the harness made for it. Documents are the same where
    their hashes are, even if each model was shown them in a chat template of its own; the prompt
    then is as *before* was shown it.

    Raises:
        InputError: A line is not as the harness writes it, there is no such filter, or the task only
            scores given choices, so that the model wrote nothing.
    """
    samples = [
        (where, parsed(_Sample, row, where, "a sample of lm-evaluation-harness")) for where, row in rows
    ]
    filters = list(dict.fromkeys(sample.filter for _, sample in samples))
    if selector is not None and selector not in filters:
        raise InputError(f"no filter {selector!r}; the file has {', '.join(filters)}", where=path.name)
    wanted = filters[0] if selector is None else selector
    entries = [
        entry
        for where, sample in samples
        if sample.filter == wanted
        for entry in _entries(sample, path.parent.name, where, filtered=selector is not None)
    ]
    side = side_of(entries, path, None, sampled=True)
    return side if selector is None else replace(side, label=f"{path.name}#{selector}")


def _entries(sample: _Sample, model: str, where: str, *, filtered: bool) -> Iterator[Entry]:
    requests = list(sample.arguments.values()) if isinstance(sample.arguments, dict) else sample.arguments
    raw = sample.resps[0] if len(sample.resps) == 1 and isinstance(sample.resps[0], list) else None
    if len(requests) != 1 or raw is None or not all(text is None or isinstance(text, str) for text in raw):
        raise InputError(
            "the task scores given choices and the model wrote no text; use the samples of a generate_until task",
            where=where,
        )
    texts = sample.filtered_resps if filtered else raw
    if filtered and len(texts) == 1 and isinstance(texts[0], list):
        texts = texts[0]
    category = sample.doc.get("category", sample.doc.get("subject"))
    for index, text in enumerate(texts):
        yield Entry(
            model=model or None,
            prompt_id=str(sample.doc_id),
            prompt=prompt_of(_context(requests[0]), where),
            text=text if isinstance(text, str) else None,
            category=category if isinstance(category, str) else None,
            sample=index,
            where=where,
            question=sample.doc_hash,
        )


def _context(request: Mapping[str, Any] | Sequence[Any]) -> Any:
    """What the model was shown: text, or chat messages, which the harness writes as JSON in a list."""
    context = request.get("arg_0") if isinstance(request, Mapping) else request[0] if request else None
    if isinstance(context, list) and len(context) == 1 and isinstance(context[0], str):
        context = context[0]
        if context.startswith("[{"):
            try:
                return json.loads(context)
            except ValueError:
                return context
    return context
