"""Rows keep settings of their own while they run together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from whatchanged.models.decode import Row, Written, write
from whatchanged.models.lora import Checkpoint, load_checkpoint
from whatchanged.models.sampling import Sampling


@pytest.fixture(scope="module")
def checkpoint(tiny_model: Path) -> Checkpoint:
    return load_checkpoint(tiny_model)


def row(checkpoint: Checkpoint, text: str, **settings: object) -> Row:
    given = {"seed": 0, "sampling": Sampling(temperature=0), "max_tokens": 12, **settings}
    return Row(prompt=tuple(checkpoint.tokenizer(text).input_ids), **given)  # type: ignore[arg-type]


def written(checkpoint: Checkpoint, rows: list[Row], batch_size: int = 8) -> list[Written]:
    found = dict(write(checkpoint, rows, batch_size=batch_size))
    return [found[i] for i in range(len(rows))]


def test_mixed_rows_answer_as_they_do_alone(checkpoint: Checkpoint) -> None:
    rows = [
        row(checkpoint, "one", max_tokens=3),
        row(checkpoint, "two two", max_tokens=9),
        row(checkpoint, "three", sampling=Sampling(temperature=1.5, top_p=0.8), seed=4),
        row(checkpoint, "four four four", sampling=Sampling(temperature=0, repetition_penalty=3.0)),
    ]
    together = written(checkpoint, rows)
    assert [one for r in rows for one in written(checkpoint, [r])] == together
    assert [w.tokens for w in together] == [3, 9, 12, 12]
    assert written(checkpoint, rows[::-1], batch_size=2) == written(checkpoint, rows, batch_size=2)[::-1]
    again = replace(rows[2], seed=5)
    assert written(checkpoint, [again]) != written(checkpoint, rows[2:3])


def test_an_answer_ends_at_the_first_stop_text_however_long(checkpoint: Checkpoint) -> None:
    # One byte is one token here, so this stop text spans more tokens than most.
    whole = written(checkpoint, [row(checkpoint, "tell", max_tokens=40)])[0]
    assert whole.finish_reason == "length"
    stop = whole.text[8:28]
    cut = written(checkpoint, [row(checkpoint, "tell", max_tokens=40, stop=("nowhere", stop))])[0]
    at = whole.text.index(stop)
    assert cut.text == whole.text[:at].strip()
    assert cut.finish_reason == "stop"
    assert cut.tokens < whole.tokens


def test_a_cancelled_batch_is_given_up(checkpoint: Checkpoint) -> None:
    asked = iter([False, False, False, True, True])
    rows = [row(checkpoint, "one"), row(checkpoint, "two two", max_tokens=2)]
    found = dict(write(checkpoint, rows, batch_size=2, cancelled=lambda: next(asked)))
    assert set(found) == {1}
