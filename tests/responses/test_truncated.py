"""Truncated answers leave in pairs, and are counted."""

import pytest

from whatchanged.errors import InputError
from whatchanged.responses import load


def rows(stops: dict[str, list[str]]) -> list[dict[str, str]]:
    return [
        {"prompt": p, "text": f"{p} {i}", "finish_reason": stop}
        for p, found in stops.items()
        for i, stop in enumerate(found)
    ]


OLD = {"a": ["stop", "stop"], "b": ["length", "stop"], "c": ["stop"], "d": ["stop"]}
NEW = {"a": ["stop"], "b": ["stop"], "c": ["max_tokens"], "d": ["stop"]}


def test_a_prompt_leaves_with_all_its_answers() -> None:
    responses = load(rows(OLD), rows(NEW), exclude_truncated=True)
    assert {(a.model, a.text) for a in responses.answers} == {
        ("before", "a 0"), ("before", "a 1"), ("after", "a 0"), ("before", "d 0"), ("after", "d 0")
    }  # fmt: skip
    assert responses.counts == {"partner_truncated": 3, "truncated": 2}
    assert {p.text for p in responses.prompts} == {"a", "d"}
    everything = load(rows(OLD), rows(NEW))
    assert len(responses.answers) + len(responses.dropped) == len(everything.answers)


def test_swapping_the_sides_excludes_the_same() -> None:
    one, two = (load(x, y, names=n, exclude_truncated=True) for x, y, n in (
        (rows(OLD), rows(NEW), ("old", "new")), (rows(NEW), rows(OLD), ("new", "old"))))  # fmt: skip
    assert one.swapped().answers == two.answers
    assert one.counts == two.counts


def test_nothing_left() -> None:
    with pytest.raises(
        InputError, match=r"all of 1 prompts have a truncated answer; collect again with more tokens"
    ):
        load(rows({"b": ["length"]}), rows({"b": ["stop"]}), exclude_truncated=True)
    whole = load(rows({"b": ["stop"]}), rows({"b": ["stop"]}), exclude_truncated=True)
    assert whole.dropped == ()
