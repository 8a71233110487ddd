"""Two or more sides as one `Responses`: joined by prompt id or prompt text, never by position."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from whatchanged.artifacts import Answer, Dropped, Prompt, PromptSet, Responses
from whatchanged.errors import InputError
from whatchanged.responses.columns import Record, Side
from whatchanged.responses.usable import Placed, side_answers
from whatchanged.tables.cells import text_id
from whatchanged.text import clusters

__all__ = ["join"]


def join(sides: Sequence[Side], names: Sequence[str], prompts: PromptSet | None = None) -> Responses:
    """Joins sides by prompt id where every row has one and they meet, else by prompt text.

    Args:
        sides: The rows of each checkpoint, *before* first.
        names: Their distinct names.
        prompts: If given, only these prompts take part, in this order.

    Returns:
        The answers to prompts that at least two sides answered, prompts ordered by id (so that the
        order of the rows changes nothing); whatever is left out stands in `dropped`.

    Raises:
        InputError: No prompt in common, one id with two texts, no prompt text anywhere, or a side
            without a usable answer.
    """
    by_id = _meet_by_id(sides, prompts)
    listed = {p.text.strip(): p.id for p in prompts or ()}
    placed = [[(_key(r, by_id, prompts, listed), r) for r in side.records] for side in sides]
    known = _prompts(placed, by_id) if prompts is None else {p.id: p for p in prompts}

    kept: list[Answer] = []
    dropped: list[Dropped] = []
    for side, name, rows in zip(sides, names, placed, strict=True):
        answers, lost = side_answers(rows, name, known, sampled=side.sampled)
        if not answers:
            _refuse_empty(side, lost)
        kept += answers
        dropped += lost

    answered = {name: {a.prompt_id for a in kept if a.model == name} for name in names}
    sides_of = Counter(prompt_id for ids in answered.values() for prompt_id in ids)
    paired = [p for p in known.values() if sides_of[p.id] >= 2]
    if not paired:
        _refuse_apart(sides, by_id)
    if prompts is None:
        paired.sort(key=lambda p: _natural(p.id))
    textless = next((p for p in paired if not p.text), None)
    if textless is not None:
        raise InputError(
            f"prompt {textless.id!r} has no text in any file; add a prompt column (to batch output, the batch "
            "input beside it), or pass prompts=",
            where=sides[0].label,
        )
    seen = {(d.prompt_id, d.model) for d in dropped}
    for prompt_id in sorted(known, key=_natural):
        for name in names:
            if prompt_id not in answered[name] and (prompt_id, name) not in seen:
                dropped.append(Dropped(reason="missing", prompt_id=prompt_id, model=name))
    ids = {p.id for p in paired}
    dropped += [
        Dropped(reason="unpaired", prompt_id=a.prompt_id, model=a.model, sample=a.sample)
        for a in sorted(kept, key=lambda a: (names.index(a.model), _natural(a.prompt_id), a.sample))
        if a.prompt_id not in ids
    ]
    how = "prompt id" if by_id else "prompt text"
    files = " | ".join(f"{name} from {side.label}" for name, side in zip(names, sides, strict=True))
    source = f"{files}; joined by {how}"
    return Responses(
        prompts=PromptSet(prompts=_clustered(paired), source=prompts.source if prompts else source),
        models=tuple(names),
        answers=tuple(a for a in kept if a.prompt_id in ids),
        dropped=tuple(dropped),
        source=source,
    )


def _meet_by_id(sides: Sequence[Side], prompts: PromptSet | None) -> bool:
    """Whether the ids can join: every row has one, and every side shares some with the first."""
    ids = [{r.prompt_id for r in side.records} for side in sides]
    if any(None in found for found in ids):
        return False
    reference = set(prompts.by_id) if prompts is not None else ids[0]
    return all(found & reference for found in ids)


def _key(record: Record, by_id: bool, prompts: PromptSet | None, listed: Mapping[str, str]) -> str:
    if by_id:
        assert record.prompt_id is not None, "checked by _meet_by_id"
        if prompts is not None and record.prompt and record.prompt_id in prompts.by_id:
            _same_text(record.prompt_id, prompts.by_id[record.prompt_id].text, "the prompts", record)
        return record.prompt_id
    if record.prompt is None:
        raise InputError(
            f"prompt id {record.prompt_id!r} is in no other file, and there is no prompt text to join by; "
            "add a prompt column, or use the same ids in every file",
            where=record.where,
        )
    if record.prompt in listed:
        return listed[record.prompt]
    return text_id(record.prompt)


def _same_text(prompt_id: str, text: str, where: str, record: Record) -> None:
    if text.strip() != record.prompt:
        raise InputError(
            f"prompt id {prompt_id!r} stands for two texts: {_short(text)!r} in {where}, "
            f"{_short(record.prompt)!r} here; correct the ids, or remove the id column to join by text",
            where=record.where,
        )


def _same_question(one: Record, other: Record) -> bool:
    """Whether a log vouches that two rows were made from the same question."""
    return one.question is not None and one.question == other.question


def _prompts(placed: Iterable[Iterable[Placed]], by_id: bool) -> dict[str, Prompt]:
    """Every prompt that any row names, with its first text and category."""
    known: dict[str, Prompt] = {}
    first: dict[str, Record] = {}
    for rows in placed:
        for prompt_id, record in rows:
            prompt = known.setdefault(prompt_id, Prompt(id=prompt_id, text=""))
            if record.prompt and not prompt.text:
                prompt = replace(prompt, text=record.prompt)
                first[prompt_id] = record
            elif record.prompt and by_id and not _same_question(first[prompt_id], record):
                _same_text(prompt_id, prompt.text, first[prompt_id].where, record)
            if record.category and not prompt.category:
                prompt = replace(prompt, category=record.category)
            known[prompt_id] = prompt
    return known


def _clustered(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The prompts with near-duplicates named after the first of them; given clusters are kept."""
    if any(p.cluster is not None for p in prompts):
        return tuple(prompts)
    first = clusters([p.text for p in prompts])
    size = Counter(first)
    return tuple(
        replace(p, cluster=f"c-{prompts[f].id}") if size[f] > 1 else p
        for p, f in zip(prompts, first, strict=True)
    )


def _natural(prompt_id: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``q2`` before ``q10``."""
    parts = re.findall(r"\d+|\D+", prompt_id)
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)


def _refuse_empty(side: Side, lost: Sequence[Dropped]) -> None:
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(d.reason for d in lost).items()))
    raise InputError(
        f"no usable answer in column {side.answer_column!r} ({reasons}); answers must be text (convert other "
        "types), and belong to the prompts compared",
        where=side.label,
    )


def _refuse_apart(sides: Sequence[Side], by_id: bool) -> None:
    shown = []
    for side in sides:
        record = side.records[0]
        shown.append(f"{side.label} has {record.prompt_id if by_id else _short(record.prompt)!r}")
    raise InputError(
        f"no prompt was answered by two checkpoints; {', '.join(shown)}; give both files the same prompt ids "
        "or the same prompt texts"
    )


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= 60 else text[:57] + "..."
