"""Which column holds what, and each row as one answer to one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatchanged.errors import InputError
from whatchanged.tables.cells import as_name, as_prompt, as_sample, as_text, is_absent
from whatchanged.tables.rows import Table

__all__ = ["ANSWER", "Record", "Side", "read_side"]

ANSWER = ("text", "response", "output", "answer", "completion", "generation")
_PROMPT = ("prompt", "instruction", "question", "input")
_ID = ("prompt_id", "id", "uid", "example_id")
_CATEGORY = ("category", "dataset")
_MODEL = ("model", "generator")
_FINISH = ("finish_reason", "stop_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row as an answer, not yet joined to the other side.

    Attributes:
        prompt_id: Id as text, if the row has one.
        prompt: Prompt text, stripped, if the row has one.
        text: The answer; ``None`` when missing.
        category, sample, finish_reason: As in `Prompt` and `Answer`.
        errored: Whether the row has an error.
        dropped: Reason for which an earlier run had dropped it.
        where: File and line.
        parts: Parts of the answer that are no text of it and were left out, such as tool calls.
        question: Fingerprint of what the prompt was made from, where a log has one: rows of one id that
            share it put the same question, each in its model's own template.
    """

    prompt_id: str | None
    prompt: str | None
    text: str | None
    category: str | None
    sample: int | None
    finish_reason: str | None
    errored: bool
    dropped: str | None
    where: str
    parts: int = 0
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One checkpoint's rows.

    Attributes:
        label: Name of the source for messages.
        names: What the checkpoint may be called, best first.
        records: The rows.
        answer_column: Column of the answers.
        sampled: Whether a column says which sample a row is.
    """

    label: str
    names: tuple[str, ...]
    records: tuple[Record, ...]
    answer_column: str
    sampled: bool


def read_side(table: Table) -> Side:
    """Finds the columns of a table and reads its rows as answers.

    Raises:
        InputError: A needed column is missing or could be one of several, a table holds several
            models and none was chosen, or a cell cannot be what its column says.
    """
    model = table.first(_MODEL)
    named = {as_name(row.get(model)) for _, row in table.rows} - {None} if model else set[str | None]()
    chosen = table.selector
    rows = table.rows
    answer: str | None = None
    if chosen is not None and (column := table.find(chosen)) is not None:
        answer = column
    elif chosen is not None and chosen in named:
        rows = tuple((where, row) for where, row in rows if model and as_name(row.get(model)) == chosen)
        named = {chosen}
    elif chosen is not None:
        models = f" and no such model ({', '.join(sorted(map(str, named)))})" if named else ""
        raise InputError(
            f"no column {chosen!r}{models}; the columns are {', '.join(table.columns)}", where=table.label
        )
    if len(named) > 1:
        raise InputError(
            f"column {model!r} names several models ({', '.join(sorted(map(str, named))[:6])}); choose one: "
            f"file:{table.label}#{min(map(str, named))}",
            where=table.label,
        )
    answer = answer or _only(table, ANSWER, "answers", f"choose one: file:{table.label}#COLUMN")
    cells = _Cells(table, answer)
    by_column = chosen if chosen is not None and chosen not in named else None
    stem = table.path.stem if table.path else None
    parent = table.path.parent.name if table.path else None
    generic = stem in {"model_outputs", "responses", "outputs", "answers"}
    names = (next(iter(named), None), by_column, parent if generic else stem,
             f"{parent}/{stem}" if table.path else None)  # fmt: skip
    return Side(
        label=f"{table.label}#{table.selector}" if table.selector else table.label,
        names=tuple(dict.fromkeys(name for name in names if name)),
        records=tuple(cells.record(where, row) for where, row in rows),
        answer_column=answer,
        sampled=cells.sample is not None,
    )


class _Cells:
    """Reads the cells of a row by what its columns mean."""

    def __init__(self, table: Table, answer: str) -> None:
        self.label, self.answer = table.label, answer
        free = Table(
            label=table.label,
            columns=tuple(c for c in table.columns if c != answer),
            rows=(),
            path=table.path,
        )
        self.id = free.first(_ID)
        self.category, self.finish = free.first(_CATEGORY), free.first(_FINISH)
        self.sample, self.error, self.dropped = (free.find(n) for n in ("sample", "error", "dropped"))
        instruction, extra = free.find("instruction"), free.find("input")
        others = [c for name in ("prompt", "question") if (c := free.find(name))]
        self.extra: str | None = None
        if instruction and extra and not others:
            self.prompt: str | None = instruction
            self.extra = extra
        elif self.id is None or any(free.find(name) for name in _PROMPT):
            self.prompt = _only(table, _PROMPT, "prompts", "rename all but one", but=answer)
        else:
            self.prompt = None

    def record(self, where: str, row: Mapping[str, Any]) -> Record:
        prompt = as_prompt(row.get(self.prompt), where) if self.prompt else None
        extra = as_prompt(row.get(self.extra), where) if self.extra else None
        answer = row.get(self.answer)
        error = row.get(self.error) if self.error else None
        prompt_id = as_name(row.get(self.id)) if self.id else None
        prompt = "\n\n".join(part for part in (prompt, extra) if part) or None
        if prompt_id is None and prompt is None:
            raise InputError("neither a prompt id nor a prompt; fill one in or delete the row", where=where)
        return Record(
            prompt_id=prompt_id,
            prompt=prompt,
            text=as_text(answer) if isinstance(answer, str) else None,
            category=as_name(row.get(self.category)) if self.category else None,
            sample=as_sample(row.get(self.sample), where) if self.sample else None,
            finish_reason=as_name(row.get(self.finish)) if self.finish else None,
            errored=not is_absent(error) and error is not False and error != "",
            dropped=as_name(row.get(self.dropped)) if self.dropped else None,
            where=where,
        )


def _only(table: Table, names: Sequence[str], what: str, remedy: str, *, but: str | None = None) -> str:
    """The one column of these names, the answers' own (``but``) left out."""
    found = [column for name in names if (column := table.find(name)) and column != but]
    if len(found) == 1:
        return found[0]
    have = f"the columns are {', '.join(table.columns)}"
    if found:
        raise InputError(f"{what} could be in {' or '.join(found)}; {have}; {remedy}", where=table.label)
    also = f", or {remedy}" if what == "answers" else ""
    raise InputError(
        f"no column of {what} ({', '.join(names)}); {have}; give the right one such a name{also}",
        where=table.label,
    )
