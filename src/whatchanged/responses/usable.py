"""Which rows of one side are usable answers, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable

from whatchanged.artifacts import Answer, Dropped
from whatchanged.responses.columns import Record

__all__ = ["Placed", "side_answers"]

Placed = tuple[str, Record]
"""The id of the prompt a record answers, and the record."""


def side_answers(
    rows: Iterable[Placed], model: str, known: Container[str], *, sampled: bool
) -> tuple[list[Answer], list[Dropped]]:
    """Usable answers of one side, samples numbered, and the rest with its reason.

    Parts of answers that are no text (reason ``part``) are counted besides, whether the answer is usable or not.
    """
    answers: list[Answer] = []
    dropped: list[Dropped] = []
    taken: dict[tuple[str, int], str] = {}
    texts: set[tuple[str, str]] = set()
    samples: Counter[str] = Counter()
    for prompt_id, record in rows:
        reason = _unusable(record)
        sample = record.sample
        if prompt_id not in known:
            reason = "unlisted"
        elif reason is None:
            assert record.text is not None, "checked by _unusable"
            if sampled and sample is None:
                sample = 0
            if sample is not None:
                reason = "duplicate" if (prompt_id, sample) in taken else None
            elif (prompt_id, record.text) in texts:
                reason = "duplicate"
            else:
                sample = samples[prompt_id]
        left = Dropped(reason="part", prompt_id=prompt_id, model=model, sample=sample, where=record.where)
        dropped += [left] * record.parts
        if reason is not None:
            dropped.append(
                Dropped(reason=reason, prompt_id=prompt_id, model=model, sample=sample, where=record.where)
            )
            continue
        assert sample is not None, "a usable answer has a number"
        assert record.text is not None, "a usable answer has a text"
        samples[prompt_id] += 1
        texts.add((prompt_id, record.text))
        taken[prompt_id, sample] = record.where
        answers.append(
            Answer(
                prompt_id=prompt_id,
                model=model,
                text=record.text,
                sample=sample,
                finish_reason=record.finish_reason,
            )
        )
    return answers, dropped


def _unusable(record: Record) -> str | None:
    if record.dropped is not None:
        return record.dropped
    if record.errored:
        return "errored"
    if record.text is None:
        return "missing"
    return None if record.text.strip() else "empty"
