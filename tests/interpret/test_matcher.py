"""What labels and findings let one count."""

from __future__ import annotations

import pytest

from whatchanged.artifacts import Answer
from whatchanged.interpret.matcher import label_matcher


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
