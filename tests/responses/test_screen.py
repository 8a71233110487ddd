"""The screen counts what could mislead, and warns only where the sides differ notably."""

import pytest

from whatchanged.responses import load, screen

FRESH = ["amber hill", "silver lake", "quiet road", "open door", "green boat"]


def rows(texts: list[str | None], reason: str | None = "stop") -> list[dict[str, str | None]]:
    return [{"id": str(i), "prompt": f"{i}", "text": t, "finish_reason": reason} for i, t in enumerate(texts)]


def test_shares_by_hand() -> None:
    old = [*rows(["one two three", "", None, "same", "I can't help with that."]),
           {"id": "0", "prompt": "0", "text": "one two three", "finish_reason": None}]  # fmt: skip
    new = rows(["a b", "c d e f", "g", "same ", "Of course: a b c d e f g h."], "length")
    result = screen(load(old, new))
    before, after = result.before, result.after
    assert (before.asked, before.answers, before.duplicate) == (5, 3, 1)
    assert (before.empty, before.missing, before.errored) == (0.2, 0.2, 0.0)
    assert (before.truncated, after.truncated) == (0.0, 1.0)
    assert (before.refused, after.refused) == (pytest.approx(1 / 3), 0.0)
    assert (before.median_words, after.median_words) == (3, 2)
    assert (after.asked, after.answers) == (5, 3), "answers to unpaired prompts were due too"
    assert (result.prompts, result.identical, result.clustered) == (3, pytest.approx(1 / 3), 0)


def test_equal_sides_give_one_warning() -> None:
    texts: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    result = screen(load(rows(texts), rows(texts)))
    assert (result.identical, result.near_identical) == (1.0, 1.0)
    assert result.warnings == ("100% of the prompts have the same answer on both sides",)


def test_notable_differences_are_warned_of() -> None:
    old: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    new: list[str | None] = [f"much longer, {t} and {i} or so" for i in range(20) for t in FRESH]
    new[:10] = [""] * 10
    result = screen(load(rows(old, None), rows(new)))
    assert result.warnings == (
        "empty answers: 0.0% of before, 10.0% of after",
        "finish reasons are known for after only: truncation cannot be compared",
        "length: median 3 words in before, 8 in after; longer answers have more of everything",
    )


def test_a_point_of_difference_is_no_warning() -> None:
    old: list[str | None] = [f"{t} {i}" for i in range(20) for t in FRESH]
    new: list[str | None] = [f"{t[::-1]} {i}" for i in range(20) for t in FRESH]
    new[0] = ""
    assert screen(load(rows(old), rows(new))).warnings == ()


def test_near_identical_and_clustered() -> None:
    long = "The harbour lies still and the lanterns are lit along the quay while the boats come home"
    old = [{"prompt": "Name a boat", "text": long}, {"prompt": "please name a boat", "text": "Argo"}]
    new = [{"prompt": "Name a boat", "text": long + "."}, {"prompt": "please name a boat", "text": "Fram"}]
    result = screen(load(old, new))
    assert (result.identical, result.near_identical, result.clustered) == (0.0, 0.5, 2)
    with pytest.raises(ValueError, match=r"no model 'x' here; choose from"):
        screen(load(old, new), "x")
