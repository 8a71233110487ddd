"""Responses in a run folder: ``prompts.jsonl``, ``responses.jsonl`` and a small sheet about them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from whatchanged.artifacts import Answer, Dropped, Prompt, PromptSet, Responses
from whatchanged.errors import InputError, StoreError
from whatchanged.tables.chat import as_chat, prompt_row
from whatchanged.tables.jsons import read_jsonl

__all__ = ["open_folder", "read_prompts", "save"]

_PROMPTS, _ANSWERS, _SHEET = "prompts.jsonl", "responses.jsonl", "responses.meta.json"
_SCHEMA = 1


def save(responses: Responses, folder: str | Path) -> Path:
    """Writes responses into a folder, each file whole or not at all.

    ``prompts.jsonl`` has id, prompt, category, cluster, and where there are any messages and reveals;
    ``responses.jsonl`` prompt_id, model, sample, text, finish_reason, and after the answers one line for
    each dropped one, with ``dropped`` (the reason) and ``where`` instead of a text;
    ``responses.meta.json`` the order of the models, the sources and the number of lines.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _PROMPTS, (prompt_row(p) for p in responses.prompts))
    _write(folder / _ANSWERS, _lines(responses))
    sheet = {
        "schema": _SCHEMA,
        "models": list(responses.models),
        "source": responses.source,
        "prompts_source": responses.prompts.source,
        "answers": len(responses.answers),
        "dropped": len(responses.dropped),
    }
    _write(folder / _SHEET, [sheet])
    return folder


def _lines(responses: Responses) -> Iterator[dict[str, Any]]:
    for a in responses.answers:
        yield {"prompt_id": a.prompt_id, "model": a.model, "sample": a.sample, "text": a.text,
               "finish_reason": a.finish_reason}  # fmt: skip
    for d in responses.dropped:
        yield {"prompt_id": d.prompt_id, "model": d.model, "sample": d.sample, "text": None,
               "dropped": d.reason, "where": d.where}  # fmt: skip


def _write(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """A temporary file beside the target, flushed to disk, then renamed over it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            for value in objects:
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def open_folder(folder: str | Path) -> Responses:
    """Reads back what `save` wrote, equal to it.

    Raises:
        StoreError: A file is missing, damaged, of another version, or not all of it is there.
    """
    folder = Path(folder)
    for name in (_PROMPTS, _ANSWERS, _SHEET):
        if not (folder / name).is_file():
            raise StoreError(
                f"{folder} has no {name}; it holds no saved responses: collect or load them again"
            )
    try:
        sheet = read_jsonl(folder / _SHEET)[0][1]
        if sheet["schema"] != _SCHEMA:
            raise StoreError(
                f"{folder / _SHEET} is of schema {sheet['schema']!r}, this version reads {_SCHEMA}; read "
                "it with the version that wrote it"
            )
        rows = [row for _, row in read_jsonl(folder / _ANSWERS)]
        answers = tuple(
            Answer(prompt_id=r["prompt_id"], model=r["model"], sample=r["sample"], text=r["text"],
                   finish_reason=r["finish_reason"]) for r in rows if "dropped" not in r)  # fmt: skip
        dropped = tuple(
            Dropped(reason=r["dropped"], prompt_id=r["prompt_id"], model=r["model"], sample=r["sample"],
                    where=r["where"]) for r in rows if "dropped" in r)  # fmt: skip
        if (len(answers), len(dropped)) != (sheet["answers"], sheet["dropped"]):
            raise StoreError(
                f"{folder / _ANSWERS} has {len(answers)} answers and {len(dropped)} dropped ones, {_SHEET} "
                f"says {sheet['answers']} and {sheet['dropped']}; the folder is damaged: "
                "save the responses again"
            )
        prompts = PromptSet(prompts=read_prompts(folder / _PROMPTS).prompts, source=sheet["prompts_source"])
        return Responses(
            prompts=prompts,
            models=tuple(sheet["models"]),
            answers=answers,
            dropped=dropped,
            source=sheet["source"],
        )
    except InputError as error:
        raise StoreError(f"damaged run folder {folder}: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StoreError(
            f"damaged run folder {folder}: {type(error).__name__} {error}; save the responses again"
        ) from error


def read_prompts(path: Path) -> PromptSet:
    """The prompts of a run folder.

    Raises:
        InputError: A line is not a prompt with id and text.
    """
    prompts = []
    for where, row in read_jsonl(path):
        if not isinstance(row.get("id"), str) or not isinstance(row.get("prompt"), str):
            raise InputError("a prompt needs an id and a prompt, both text; write them", where=where)
        prompts.append(
            Prompt(
                id=row["id"],
                text=row["prompt"],
                category=row.get("category"),
                cluster=row.get("cluster"),
                messages=as_chat(row["messages"], where) if row.get("messages") else (),
                reveals=row.get("reveals"),
            )
        )
    return PromptSet(prompts=tuple(prompts), source=path.name)
