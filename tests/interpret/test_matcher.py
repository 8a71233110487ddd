"""What labels and findings let one count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from whatchanged.artifacts import Answer
from whatchanged.interpret.matcher import label_matcher, observable_matcher, read_matcher, terms_matcher


def answer(text: str) -> Answer:
    return Answer(prompt_id="p", model="m", text=text)


def value(label: str, text: str) -> float:
    found = label_matcher(label)
    assert found is not None
    return found.value(Answer(prompt_id="p", model="m", text=text))


FAR = "word " * 30


@pytest.mark.parametrize(
    ("label", "has", "lacks"),
    [
        ('"certainly"', "Yes. CERTAINLY not", "uncertainly"),
        ('"river", "stone" (+ bold, 2 features)', "a stone", "bold rivers"),
        ('"certainly" · opening', "Certainly! " + FAR, FAR + "certainly"),
        ('"?" · closing', FAR + "more?", "more? " + FAR),
        ('"**"', "a **b** c", "a * b * c"),
        ('"1."', "\n1. one", "\n11.5"),
        ("line breaks", "a\nb", "a b"),
        ('many words, such as "however"', "However, so", "how ever"),
        ("2 blanks", "a  b", "a   b c"),
        ("digits", "7", "seven"),
        ("uses numbered lists", "1. one\n2. two", "one, two"),
    ],
)
def test_a_label_matches_what_it_names_and_nothing_else(label: str, has: str, lacks: str) -> None:
    assert value(label, has) > 0
    assert value(label, lacks) == 0


def test_a_label_that_names_a_lack_points_the_other_way() -> None:
    found = label_matcher("concise answers")
    assert found is not None
    assert (found.name, found.sense) == ("words", -1)
    assert found.value(Answer(prompt_id="p", model="m", text="one two three")) == 3


@pytest.mark.parametrize("label", ["many words", "feature 12", "talk of weather"])
def test_a_label_that_names_nothing_countable_has_no_matcher(label: str) -> None:
    assert label_matcher(label) is None


TEXTS = ("Certainly! - no\n\n- one\n* two\n\nI'm sure? I'm not; let me know.", FAR + "let me know?", "none")


@pytest.mark.parametrize("place", ["", "opening", "closing"])
@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    "what", ["closing_offer", "question_marks", "words", ("let me know", "?"), ("certainly",)]
)
def test_a_matcher_is_read_back_from_its_own_words(
    what: str | tuple[str, ...], counted: bool, sense: int, place: str
) -> None:
    if isinstance(what, str):
        made = observable_matcher(what, sense=sense, place=place, counted=counted)
        assert made is not None
    else:
        made = replace(terms_matcher(what, place=place, counted=counted), sense=sense)
    back = read_matcher(made.said)
    assert back == made
    assert [back.value(answer(t)) for t in TEXTS] == [made.value(answer(t)) for t in TEXTS]


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ('opening "certainly"', [1, 0, 0]),
        ('number of bullets "*"', [1, 0, 0]),
        ("number of paragraph breaks", [2, 0, 0]),
        ('less of "let me know" · closing', [1, 1, 0]),
    ],
)
def test_lexical_terms_are_read_back_as_they_are_shown(said: str, values: list[float]) -> None:
    found = read_matcher(said)
    assert found is not None
    assert (found.said, [found.value(answer(t)) for t in TEXTS]) == (said, values)


def test_words_that_name_nothing_countable_are_no_matcher_and_terms_are_never_empty() -> None:
    assert read_matcher("number of good ideas") is None
    with pytest.raises(ValueError, match="name one or more"):
        terms_matcher(["a", " "])
