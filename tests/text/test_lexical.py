"""Lexical terms: hand-counted, and a choice of columns that a swap cannot change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatchanged.artifacts import Answer, Prompt, PromptSet, Responses
from whatchanged.text import lexical
from whatchanged.text.lexical import terms


def pair(texts: list[tuple[str, str]], swap: tuple[bool, ...] = ()) -> Responses:
    prompts = tuple(Prompt(id=f"q{i:02}", text=str(i)) for i in range(len(texts)))
    answers = []
    for i, (prompt, (old, new)) in enumerate(zip(prompts, texts, strict=True)):
        first, second = (new, old) if i < len(swap) and swap[i] else (old, new)
        answers += [Answer(prompt_id=prompt.id, model="old", text=first)]
        answers += [Answer(prompt_id=prompt.id, model="new", text=second)]
    return Responses(prompts=PromptSet(prompts=prompts), models=("old", "new"), answers=tuple(answers))


def test_terms_of_one_text() -> None:
    found, words = terms("Sure! The cat's **big**.\n\n- The CAT’S here?\n1. Fin\n## Top")
    assert words == 12
    assert found == {
        "sure": [1, 0, 0], "^sure": [1, 0, 0], "!": [1, 0, 0], "^sure the": [1, 0, 0],
        "^sure the cat's": [1, 0, 0], "^sure the cat's big": [1, 0, 0],
        "the": [2, 1, 5], "cat's": [2, 2, 6], "the cat's": [2, 1, 6],
        "**": [2, 3, 3], "big": [1, 3, 3], ".": [1, 3, 3],
        "\n\n": [1, 3, 3], "\n-": [1, 4, 4], "here": [1, 7, 7], "cat's here": [1, 6, 7], "?": [1, 7, 7],
        "1.": [1, 8, 8], "fin": [1, 9, 9], "##": [1, 10, 10], "top": [1, 11, 11],
    }  # fmt: skip


def test_pairs_do_not_cross_marks_and_ideographs_stand_alone() -> None:
    found, _ = terms("red, green blue 雨天")
    assert {t for t in found if " " in t and not t.startswith("^")} == {"green blue", "blue 雨", "雨 天"}


def test_empty_of_words() -> None:
    assert terms("😊") == ({"😊": [1, 0, 0]}, 1)


def test_kept_by_prompts_not_by_answers() -> None:
    responses = pair([("tea tea", "tea"), ("milk", "tea"), ("milk", "milk"), ("figs", "oats")])
    assert lexical(responses, min_prompts=2).names == ("^milk", "^tea", "milk", "tea")
    assert lexical(responses, min_prompts=3).names == ()
    table = lexical(responses, min_prompts=2)
    assert table.n_columns == 4
    assert table.indptr.tolist() == [0, 2, 4, 6, 8, 10, 12, 12, 12]
    assert table.count[:2].tolist() == [1, 2], "^tea once, tea twice"
    assert table.maximum[:2].tolist() == [1.0, 2.0]
    assert table.last[:2].tolist() == [0, 1]


def test_default_threshold_is_five_prompts() -> None:
    four = pair([("tea", "milk")] * 4 + [("a", "b")])
    assert lexical(four).names == ()
    assert lexical(pair([("tea", "milk")] * 5)).names == ("^milk", "^tea", "milk", "tea")


def test_cap_keeps_the_most_frequent() -> None:
    responses = pair([("tea", "milk")] * 2 + [("tea", "oats")])
    assert lexical(responses, min_prompts=1, max_terms=3).names == ("^milk", "^tea", "tea")


def test_openings_have_one_to_four_words_and_pass_over_marks() -> None:
    found, _ = terms("Sure! Here is **a list** of tea.")
    openings = [t for t in found if t.startswith("^")]
    assert openings == ["^sure", "^sure here", "^sure here is", "^sure here is a"]
    assert all(found[t] == [1, 0, 0] for t in openings)
    assert [t for t in terms("^ power")[0] if t.startswith("^")] == ["^", "^power"]


def test_an_opening_that_always_goes_on_alike_is_left_to_the_longer_one() -> None:
    responses = pair([("Here is tea", "Here is milk")] * 3 + [("Here is tea", "So it is")])
    names = lexical(responses, min_prompts=1).names or ()
    assert [n for n in names if n.startswith("^")] == [
        *("^here is", "^here is milk", "^here is tea", "^so it is")
    ]


def test_bad_threshold_names_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"at least 1; got 0; leave it out"):
        lexical(pair([("a", "b")]), min_prompts=0)
    with pytest.raises(ValueError, match=r"max_terms must be at least 1; got -1"):
        lexical(pair([("a", "b")]), max_terms=-1)


word = st.sampled_from(["tea", "milk", "**", "!", "Sure", "1. x", "- y", "?"])
answer = st.lists(word, min_size=1, max_size=6).map("\n".join)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(answer, answer), min_size=1, max_size=6), st.data())
def test_swapping_any_prompts_keeps_the_columns(texts: list[tuple[str, str]], data: st.DataObject) -> None:
    swap = data.draw(st.tuples(*[st.booleans() for _ in texts]))
    one = lexical(pair(texts), min_prompts=2)
    other = lexical(pair(texts, swap), min_prompts=2)
    assert one.names == other.names
    assert one.names == tuple(sorted(one.names or ()))
    assert (
        np.bincount(one.column, one.count, minlength=one.n_columns).tolist()
        == np.bincount(other.column, other.count, minlength=one.n_columns).tolist()
    )
