"""A user's own prompts, from files and objects in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whatchanged.artifacts import Dropped, Message, Prompt, PromptSet
from whatchanged.errors import InputError
from whatchanged.store import atomic
from whatchanged.tables import Source, Table, read_table
from whatchanged.tables.cells import as_name, as_text, is_absent, text_id
from whatchanged.tables.chat import as_chat, chat_text, prompt_row
from whatchanged.tables.decode import read_text

__all__ = ["load_prompts", "save_prompts"]

_TEXT = ("prompt", "text", "question", "instruction")
_ID = ("prompt_id", "id", "uid", "example_id")
_CATEGORY = ("category", "dataset")
_REVEALS = ("reveals", "contrast")


def load_prompts(source: Source) -> PromptSet:
    r"""Reads prompts from a file or an object in memory.

    A source is a path (``.csv``, ``.tsv``, ``.json``, ``.jsonl``, ``.parquet``, ``.txt`` with one prompt
    a line, or a run folder), ``file:questions.csv#column``, a DataFrame, a `datasets.Dataset`, or a list
    of texts, dicts or chats. Columns:

    * the prompt: ``messages``, a chat as a list of ``{"role": ..., "content": ...}`` (in CSV as JSON); or
      the column named after ``#``; or exactly one of prompt, text, question, instruction (``instruction``
      and ``input`` together are one prompt). These may hold chats as well. Where a row has both, the chat counts;
    * ``system``, put before the chat as its system message;
    * where there: id (the first of prompt_id, id, uid, example_id), category or dataset, cluster, reveals
      or contrast. A prompt without an id gets one made from its text, the same that `load` would give it.

    Line ends become ``\n`` and outer white space is removed. A row with the same text (system message
    and whole chat included) as an earlier one is left out and stands in ``dropped`` of the result: its line, and the
    id of the prompt it repeats. Near-duplicates stay; they are counted as one when answers are compared.

    Returns:
        The prompts in the order of the source.

    Raises:
        InputError: The source is missing or malformed, has no prompts, a chat does not end with the
            user's word, or one id stands for two texts; the message names file, line and remedy.
        TypeError: The source is of an unsupported type.
    """
    table = _read(source)
    cells = _Cells(table)
    kept: dict[str, Prompt] = {}
    where_of: dict[str, str] = {}
    id_of: dict[str, str] = {}
    dropped: list[Dropped] = []
    for where, row in table.rows:
        prompt = cells.prompt(where, row)
        if (first := id_of.get(prompt.text)) is not None:
            dropped.append(Dropped(reason="duplicate", prompt_id=first, where=where))
        elif prompt.id in kept:
            raise InputError(
                f"id {prompt.id!r} stands for another text in {where_of[prompt.id]}; rename one of the two",
                where=where,
            )
        else:
            kept[prompt.id], where_of[prompt.id], id_of[prompt.text] = prompt, where, prompt.id
    note = f" ({len(dropped)} duplicates left out)" if dropped else ""
    return PromptSet(prompts=tuple(kept.values()), source=f"{table.label}{note}", dropped=tuple(dropped))


def save_prompts(prompts: PromptSet, path: str | Path) -> Path:
    """Writes prompts as JSON Lines that `load_prompts` reads back equal, whole or not at all.

    Returns:
        The file.
    """
    path = Path(path)
    lines = [json.dumps(prompt_row(p), ensure_ascii=False) + "\n" for p in prompts]
    with atomic(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def _read(source: Source) -> Table:
    """The table of a source; lines of text and bare chats become rows."""
    if isinstance(source, str | Path) and str(source).lower().endswith(".txt"):
        path = Path(str(source).removeprefix("file:")).expanduser()
        if not path.is_file():
            raise InputError(f"no such file: {path}; check the path (relative ones start at {Path.cwd()})")
        lines = [
            (f"{path.name}:{i}", {"prompt": line})
            for i, line in enumerate(read_text(path).split("\n"), start=1)
            if line.strip()
        ]
        if not lines:
            raise InputError("no rows; expected one per prompt", where=path.name)
        return Table(label=path.name, columns=("prompt",), rows=tuple(lines), path=path)
    if isinstance(source, Sequence) and not isinstance(source, str):
        if source and all(
            isinstance(item, Mapping) and {"role", "content"} <= item.keys() for item in source
        ):
            raise InputError("this is one chat; pass a list of chats: [messages]", where="prompts")
        source = [_row(item) for item in source]
    return read_table(source, "prompts", item="prompt", in_folder="prompts.jsonl")


def _row(item: Any) -> Any:
    if isinstance(item, str):
        return {"prompt": item}
    return {"messages": item} if isinstance(item, list | tuple) else item


class _Cells:
    """Reads the cells of a row by what its columns mean."""

    def __init__(self, table: Table) -> None:
        self.messages, self.system = table.find("messages"), table.find("system")
        self.text, self.extra = _text_columns(table, self.messages is not None)
        rest = Table(label=table.label, columns=tuple(c for c in table.columns if c != self.text), rows=())
        self.id, self.category = rest.first(_ID), rest.first(_CATEGORY)
        self.cluster, self.reveals = rest.find("cluster"), rest.first(_REVEALS)

    def prompt(self, where: str, row: Mapping[str, Any]) -> Prompt:
        def cell(column: str | None) -> Any:
            value = row.get(column) if column else None
            return None if is_absent(value) else value

        messages = self._messages(where, cell)
        text = chat_text(messages)
        return Prompt(
            id=as_name(cell(self.id)) or text_id(text),
            text=text,
            category=as_name(cell(self.category)),
            cluster=as_name(cell(self.cluster)),
            messages=messages if len(messages) > 1 else (),
            reveals=as_name(cell(self.reveals)),
        )

    def _messages(self, where: str, cell: Any) -> tuple[Message, ...]:
        chat, text, extra = cell(self.messages), cell(self.text), cell(self.extra)
        if isinstance(chat, str):
            chat = _parsed(chat, where)
        if chat is not None and chat != []:
            messages = as_chat(chat, where)
        elif isinstance(text, list | tuple) or hasattr(text, "tolist"):
            messages = as_chat(text, where)
        else:
            parts = [part for part in (_words(text, where), _words(extra, where)) if part]
            if not parts:
                raise InputError("the prompt is empty; write it or delete the row", where=where)
            messages = (Message(role="user", content="\n\n".join(parts)),)
        if len(messages) == 1:
            messages = (Message(role=messages[0].role, content=messages[0].content.strip()),)
        if system := _words(cell(self.system), where):
            if messages[0].role == "system":
                raise InputError(
                    "a system column and a system message in the chat; keep one of the two", where=where
                )
            messages = (Message(role="system", content=system), *messages)
        return messages


def _text_columns(table: Table, has_chats: bool) -> tuple[str | None, str | None]:
    """The column of texts, and the one whose texts go on where it ends."""
    if table.selector is not None:
        if (column := table.find(table.selector)) is None:
            raise InputError(
                f"no column {table.selector!r}; the columns are {', '.join(table.columns)}", where=table.label
            )
        return column, None
    found = [column for name in _TEXT if (column := table.find(name))]
    if len(found) == 1:
        return found[0], table.find("input") if found[0] == table.find("instruction") else None
    have = f"the columns are {', '.join(table.columns)}"
    if found:
        choose = f"choose one: file:{table.label}#COLUMN" if table.path else "rename all but one"
        raise InputError(f"prompts could be in {' or '.join(found)}; {have}; {choose}", where=table.label)
    if not has_chats:
        raise InputError(
            f"no column of prompts (messages, {', '.join(_TEXT)}); {have}; give the right one such a name",
            where=table.label,
        )
    return None, None


def _parsed(text: str, where: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"the messages are not JSON ({error.msg} at column {error.colno}): {text[:60]!r}; write "
            '[{"role": "user", "content": ...}]',
            where=where,
        ) from error


def _words(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise InputError(f"a prompt must be text; got {type(value).__name__}; write it as text", where=where)
    return as_text(value).strip() or None if isinstance(value, str) else as_name(value)
