"""Long output cut in its middle."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from whatchanged.lab.execution.cut import Omission, cut_outputs, cut_text


@settings(deadline=None)
@given(st.text(alphabet="ab\n", max_size=400), st.integers(20, 100))
def test_what_is_shown_and_what_is_counted_make_the_whole(text: str, limit: int) -> None:
    shown = cut_text(text, limit)
    if len(text) <= limit:
        assert shown == text
        return
    head, _, rest = shown.partition("\n[... ")
    note, _, tail = rest.partition(" left out here ...]\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    numbers = [int(word.replace(",", "")) for word in note.split() if word[0].isdigit()]
    assert len(head) + len(tail) + numbers[0] == len(text)
    missing = text[len(head) : len(text) - len(tail)].count("\n")
    assert numbers[1:] == ([missing] if missing else [])
    assert len(head) + len(tail) <= limit


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def test_the_budget_runs_over_all_outputs_and_images_stay() -> None:
    image = {
        "output_type": "display_data",
        "data": {"image/png": "xxxx", "text/plain": "p" * 30},
        "metadata": {},
    }
    table = {
        "output_type": "display_data",
        "data": {"text/html": "<b>", "text/plain": "t" * 30},
        "metadata": {},
    }
    outputs = [stream("a" * 60), image, table, stream("b" * 60)]
    first, note, picture, last = cut_outputs(outputs, limit=80)
    assert first["text"] == "a" * 40
    assert picture["data"] == {"image/png": "xxxx"}
    assert last["text"] == "b" * 40
    assert note["text"] == "\n[... 100 characters, 1 rich outputs left out here ...]\n"
    assert cut_outputs(outputs, limit=180) == outputs


def test_what_the_driver_left_out_is_counted_once() -> None:
    marker = {"output_type": "omitted", "omission": Omission(1000, 10, 2)}
    outputs = [stream("a" * 100), marker, stream("b" * 100)]
    assert [o["text"] for o in cut_outputs(outputs, limit=500)] == [
        "a" * 100, "\n[... 1,000 characters, 10 lines, 2 rich outputs left out here ...]\n", "b" * 100,
    ]  # fmt: skip
    assert [o["text"] for o in cut_outputs(outputs, limit=100)] == [
        "a" * 50, "\n[... 1,100 characters, 10 lines, 2 rich outputs left out here ...]\n", "b" * 50,
    ]  # fmt: skip
