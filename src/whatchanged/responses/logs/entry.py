"""What every log comes down to: one sampled answer with its prompt, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from whatchanged.errors import InputError
from whatchanged.responses.columns import Record, Side
from whatchanged.tables.cells import as_text

__all__ = ["Entry", "Foreign", "parsed", "side_of"]

_Model = TypeVar("_Model", bound="Foreign")


class Foreign(BaseModel):
    """A part of a log another tool wrote: what we read is checked, what we do not know is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def parsed(model: type[_Model], value: Any, where: str, what: str) -> _Model:
    """A JSON value as what it should be.

    Raises:
        InputError: It is not; the message names the field.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the object"
        raise InputError(
            f"not {what} as its tool writes it ({field}: {first['msg'].lower()}, got "
            f"{str(first['input'])[:40]!r}); export the log again, or delete this entry",
            where=where,
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answer of a log, or what came instead.

    Attributes:
        model: Model as the log names it.
        dropped: Why there is no usable answer, where the log says so: ``refused_by_api``.
        parts: Parts of the answer that are no text of it: tool calls, images, reasoning.
        (others): As in `Record`.
    """

    model: str | None
    prompt_id: str | None
    prompt: str | None
    text: str | None
    where: str
    category: str | None = None
    sample: int | None = None
    finish_reason: str | None = None
    errored: bool = False
    dropped: str | None = None
    parts: int = 0
    question: str | None = None


def side_of(entries: Sequence[Entry], path: Path, selector: str | None, *, sampled: bool) -> Side:
    """One checkpoint's entries as a side.

    Args:
        entries: The entries.
        path: The log.
        selector: Which model, where the log holds several.
        sampled: Whether every entry has a sample number.

    Raises:
        InputError: No entry, several models and none chosen, or no such model.
    """
    if not entries:
        raise InputError(
            "the log holds no answers; let the run finish, or choose another log", where=path.name
        )
    nameless = next((e for e in entries if e.prompt_id is None and e.prompt is None), None)
    if nameless is not None:
        raise InputError("neither a prompt nor an id of one; delete the entry", where=nameless.where)
    models = sorted({e.model for e in entries if e.model})
    if selector is not None and selector not in models:
        raise InputError(
            f"no model {selector!r} in this log; it has {', '.join(models) or 'no model names'}",
            where=path.name,
        )
    if selector is None and len(models) > 1:
        raise InputError(
            f"the log holds several models ({', '.join(models[:6])}); choose one: file:{path.name}#{models[0]}",
            where=path.name,
        )
    chosen = [e for e in entries if selector is None or e.model == selector]
    name = selector or (models[0] if models else None)
    return Side(
        label=f"{path.name}#{selector}" if selector else path.name,
        names=tuple(dict.fromkeys(n for n in (name, path.stem, f"{path.parent.name}/{path.stem}") if n)),
        records=tuple(_record(e) for e in chosen),
        answer_column="answer",
        sampled=sampled,
    )


def _record(entry: Entry) -> Record:
    return Record(
        prompt_id=entry.prompt_id,
        prompt=entry.prompt,
        text=None if entry.text is None else as_text(entry.text),
        category=entry.category,
        sample=entry.sample,
        finish_reason=entry.finish_reason,
        errored=entry.errored,
        dropped=entry.dropped,
        where=entry.where,
        parts=entry.parts,
        question=entry.question,
    )
