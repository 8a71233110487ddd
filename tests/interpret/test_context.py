"""The words in which a feature is new, on answers where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from interpret_world import answers, diff_of, encode, filler, on

from whatchanged.artifacts import Answer, Responses
from whatchanged.interpret import interpret
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import candidates, moves, thresholds
from whatchanged.interpret.context import Context, ContextReader
from whatchanged.interpret.labels import Label, within
from whatchanged.interpret.matcher import label_matcher

NOTE = "Please note that this is general."


def texts(n: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(filler(rng, 20)) for _ in range(n)]


def context(
    responses: Responses, *fired: str, statistic: str = "presence", delta: float = 0.5
) -> Context | None:
    occurrences, tokens = encode(responses, [on(*fired)])
    diff = diff_of(
        responses, occurrences, [{"kind": "feature", "feature": "0", "delta": delta, "statistic": statistic}]
    )
    chosen = candidates(diff, 0.05)
    high = thresholds(diff, chosen)
    reader = ActivityReader(responses, chosen, high, tokens)
    return ContextReader(reader, moves(diff, chosen, high)).of(0)


def test_the_words_that_new_occurrences_share() -> None:
    before = texts(20, seed=0)
    after = [f"{t}\n\n{NOTE}" if i < 12 else t for i, t in enumerate(texts(20, seed=1))]
    found = context(answers(before, after), "that")
    assert found == Context(words="Please note that this is", share=1.0, pairs=12)
    # less of it is the same change seen from the other side
    assert context(answers(after, before), "that", delta=-0.5) == found


def test_a_mark_is_told_by_the_words_before_it() -> None:
    after = [f"Certainly! {t}" for t in texts(20, seed=1)]
    found = context(answers(texts(20, seed=0), after), "!")
    assert found is not None
    assert found.words == "Certainly"


def test_share_counts_the_pairs_that_have_it() -> None:
    # ten in the note, five elsewhere, and five prompts that did not move
    after = [
        f"{t}\n\n{NOTE}" if i < 10 else f"{t} that word{i}" if i < 15 else t
        for i, t in enumerate(texts(20, seed=1))
    ]
    found = context(answers(texts(20, seed=0), after), "that")
    assert found is not None
    assert found.words == "Please note that this is"
    assert (found.share, found.pairs) == (pytest.approx(10 / 15), 15)


def test_no_context_where_the_words_differ() -> None:
    after = [f"{t}\n\nOne{i} that two{i}." for i, t in enumerate(texts(20, seed=1))]
    found = context(answers(texts(20, seed=0), after), "that")
    assert found is not None
    # nothing but the word itself, which the label says anyway
    assert found.words == "that"
    said = Label(text='"that"', source="lexical", note="Fires on that.")
    assert within(said, found) == said
    assert within(said, None) == said


def test_no_context_where_the_other_side_has_it_too() -> None:
    # one of each stands on both sides; what is new is a second one, among words that differ
    before = [f"{t}\n\n{NOTE}" for t in texts(20, seed=0)]
    after = [f"{t}\n\nOne{i} this{i} x{i}, that y{i}.\n\n{NOTE}" for i, t in enumerate(texts(20, seed=1))]
    assert context(answers(before, after), "that", statistic="log_count") is None


def test_few_pairs_have_no_context() -> None:
    after = [f"{t}\n\n{NOTE}" if i < 4 else t for i, t in enumerate(texts(20, seed=1))]
    assert context(answers(texts(20, seed=0), after), "that") is None


def test_words_that_a_label_could_not_quote_are_passed_over() -> None:
    after = [f'{t}\n\nprint("done" now)' for t in texts(20, seed=1)]
    found = context(answers(texts(20, seed=0), after), "now")
    assert found is not None
    assert '"' not in found.words


def test_a_label_says_it_before_the_place_and_how_much() -> None:
    said = within(
        Label(text='"that" · closing', source="lexical", note="Fires on that."),
        Context(words="note that this", share=0.75, pairs=40),
    )
    assert said.text == '"that" in "note that this" · closing'
    assert said.note == (
        "Fires on that. Where it is new, it stands in “note that this” in 75.0 % of 40 pairs looked at."
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"!"', '"!" in "Certainly"'),
        ("line breaks · closing", 'line breaks in "Certainly" · closing'),
        ('"river"', '"river"'),
        ("words in capitals · opening", "words in capitals · opening"),
        ('many words, such as "!", "river"', 'many words, such as "!", "river"'),
    ],
)
def test_a_single_word_is_a_context_of_marks_alone(text: str, shown: str) -> None:
    found = Context(words="Certainly", share=0.5, pairs=40)
    assert within(Label(text=text, source="lexical"), found).text == shown


def test_a_context_adds_nothing_to_what_is_counted() -> None:
    for label in (
        '"!" in "Certainly" · opening',
        '"!" in "Certainly" · opening (+ 3 features)',
        '"!" in "Certainly"',
    ):
        found = label_matcher(label)
        assert found is not None
        assert found.value(Answer(prompt_id="p", model="m", text="Certainly so.")) == 0
        assert found.value(Answer(prompt_id="p", model="m", text="Yes! So.")) == 1


def test_reports_show_it() -> None:
    after = [f"{t}\n\n{NOTE}" for t in texts(20, seed=1)]
    responses = answers(texts(20, seed=0), after)
    occurrences, tokens = encode(responses, [on("that")])
    diff = diff_of(responses, occurrences, [{"kind": "feature", "feature": "0", "delta": 1.0}])
    finding = interpret(diff, tokens=tokens).items[0]
    assert finding.label == '"that" in "Please note that this is" · closing'
    assert any("20 pairs looked at" in note for note in finding.notes)
    # words from elsewhere replace the label and stand alone
    named = interpret(diff, tokens=tokens, labels={0: "caution"}).items[0]
    assert named.label == "caution"
