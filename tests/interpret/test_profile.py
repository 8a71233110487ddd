"""What a feature fires on, and which tags follow, on texts whose answer is known."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from interpret_world import Fires, answers, diff_of, encode, filler, on

from whatchanged.artifacts import Responses
from whatchanged.interpret import interpret
from whatchanged.interpret.activity import ActivityReader
from whatchanged.interpret.candidates import candidates, thresholds
from whatchanged.interpret.labels import label, term_label
from whatchanged.interpret.notes import MEANING, tag_notes
from whatchanged.interpret.profile import ARTEFACTS, Profile, profiles

TEXT = "Certainly! Rivers carry **stones**  and sand.\n\n- Rivers\n- Lakes\n1. Unbelievable things?"


def profile_of(responses: Responses, fires: Fires, statistic: str = "presence", **kwargs: object) -> Profile:
    occurrences, tokens = encode(responses, [fires], **kwargs)  # type: ignore[arg-type]
    row = {"kind": "feature", "feature": "0", "delta": 0.5, "statistic": statistic}
    diff = diff_of(responses, occurrences, [row])
    chosen = candidates(diff, 0.05)
    return profiles(diff, ActivityReader(responses, chosen, thresholds(diff, chosen), tokens))[0]


def matching(pattern: str) -> Fires:
    return lambda tokens, i: 1.0 if re.fullmatch(pattern, tokens[i]) else 0.0


@pytest.mark.parametrize(
    ("fires", "tags"),
    [
        (matching(r" +"), ("whitespace",)),
        (matching(r"\n+"), ("newline",)),
        (matching(r" ?\d"), ("digits",)),
        (on("**", "-"), ("markdown",)),
        (on(".", "!"), ("punctuation",)),
        (on("?"), ("punctuation", "last-token")),
        (on("Unbeliev", "able"), ("single-word",)),
        (on("Rivers", "**"), ()),
    ],
)
def test_tags(fires: Fires, tags: tuple[str, ...]) -> None:
    responses = answers([TEXT] * 4, [TEXT] * 4)
    assert profile_of(responses, fires).tags == tags


def test_shares_by_hand() -> None:
    # "sand" three times at 3.0, "." at 1.0: 9 of 10 on the word, 1 of 10 on punctuation
    def fires(tokens: list[str], i: int) -> float:
        return {"sand": 3.0, ".": 1.0}.get(tokens[i].strip(), 0.0)

    profile = profile_of(answers(["sand and sand and sand."] * 3, ["sand and sand and sand."] * 3), fires)
    assert profile.classes["word"] == pytest.approx(0.9)
    assert profile.classes["punctuation"] == pytest.approx(0.1)
    word, share, expected = profile.words[0]
    assert (word, share) == ("sand", pytest.approx(0.9))
    assert expected == pytest.approx(3 / 6)  # three of the six tokens
    assert profile.answers == 6


def test_each_answer_weighs_the_same() -> None:
    # nine stones and a river against one river, among as many words that do not fire
    long, short = "stone " * 9 + "river" + " pad" * 10, "river" + " pad" * 9
    profile = profile_of(answers([long, short], ["x", "y"]), on("stone", "river"))
    assert {w: s for w, s, _ in profile.words}["river"] == pytest.approx((0.1 + 1.0) / 2)


def test_word_pieces_are_shown_as_the_word() -> None:
    text = "Some things are unbelievable here."
    profile = profile_of(answers([text] * 3, [text] * 3), on("able"))
    assert profile.words[0][0] == "unbelievable"


def test_words_in_capitals_are_told_as_such() -> None:
    texts = [" ".join([f"SHOUT{chr(65 + i)}", "the", "rest", "of", "it", "I", "think."]) for i in range(20)]

    def fires(tokens: list[str], i: int) -> float:
        return 1.0 if tokens[i].strip().isupper() and len(tokens[i].strip()) > 1 else 0.0

    responses = answers(texts, texts)
    occurrences, tokens = encode(responses, [fires])
    diff = diff_of(responses, occurrences, [{"kind": "feature", "feature": "0", "delta": 0.5}])
    chosen = candidates(diff, 0.05)
    found = profiles(diff, ActivityReader(responses, chosen, thresholds(diff, chosen), tokens))[0]
    assert found.classes["capitals"] == pytest.approx(1.0)
    assert found.classes["word"] == 0.0
    assert label(chosen[0], found).text.startswith("words in capitals")


def test_a_word_in_capitals_is_not_told_as_the_usual_one() -> None:
    text = "This is THE end of the story of the river and the sea."
    profile = profile_of(answers([text] * 4, [text] * 4), on("THE"))
    assert profile.words[0][0] == "THE"
    assert profile.tags == ("single-word",)


def test_opening_statistic_looks_at_the_opening_alone() -> None:
    text = " ".join(["stone", *["filler"] * 40, "river"])
    firing = on("stone", "river")
    assert {w for w, *_ in profile_of(answers([text] * 3, [text] * 3), firing).words} == {"stone", "river"}
    opening = profile_of(answers([text] * 3, [text] * 3), firing, "opening")
    assert [w for w, *_ in opening.words] == ["stone"]
    assert opening.place == "opening"


def test_massive_tokens_are_counted_before_they_are_left_out() -> None:
    def fires(tokens: list[str], i: int) -> float:
        return {"stone": 90.0, "river": 10.0}.get(tokens[i].strip(), 0.0)

    profile = profile_of(
        answers(["stone river"] * 3, ["stone river"] * 3),
        fires,
        masked=lambda tokens, i: tokens[i].strip() == "stone",
    )
    assert profile.masked == pytest.approx(0.9)
    assert "massive" in profile.tags
    assert profile.artefact
    assert [w for w, *_ in profile.words] == ["river"]


def test_echo_of_the_prompt_needs_more_than_common_words() -> None:
    prompts = ["Tell me about granite"] * 4
    texts = ["The old hills hold granite under moss and thin cold soil everywhere."] * 4
    responses = answers(texts, texts, prompts)
    assert "prompt-echo" in profile_of(responses, on("gra", "nite")).tags
    assert "prompt-echo" not in profile_of(responses, on("moss")).tags


def test_truncated_ends_and_universal_first_tokens_are_artefacts() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(filler(rng, 3))[:-6] for _ in range(8)]
    whole = answers(texts, texts)
    cut = Responses(
        prompts=whole.prompts,
        models=whole.models,
        answers=tuple(
            type(a)(prompt_id=a.prompt_id, model=a.model, text=a.text, finish_reason="length")
            for a in whole.answers
        ),
    )
    last: Callable[[list[str], int], float] = lambda tokens, i: float(i == len(tokens) - 1)  # noqa: E731
    first: Callable[[list[str], int], float] = lambda tokens, i: float(i == 0)  # noqa: E731
    assert profile_of(whole, last).tags == ("last-token",)
    assert "truncation" in profile_of(cut, last).tags
    assert profile_of(whole, first).tags == ("first-token",)


def test_pieces_of_a_chat_template_are_an_artefact() -> None:
    leaking = ["Rivers carry stones.\nUser: and sand?\nAssistant: yes"] * 4
    fires = on("User", "Assistant", ":")
    profile = profile_of(answers(leaking, leaking), fires)
    assert profile.tags == ("template-leak",)
    assert profile.template == profile.support("template-leak") == 1.0
    assert profile.artefact
    tame = ["Rivers carry stones. The User knows: the Assistant helps."] * 4
    assert "template-leak" not in profile_of(answers(tame, tame), fires).tags


def test_every_tag_says_what_it_is_based_on() -> None:
    def fires(tokens: list[str], i: int) -> float:
        return {"4": 9.0, "sand": 1.0}.get(tokens[i].strip(), 0.0)

    profile = profile_of(answers(["4 and sand."] * 3, ["4 and sand."] * 3), fires)
    assert profile.tags == ("digits", "first-token")
    digits, first = tag_notes(profile.tags, profile)
    assert digits == ("It fires on digits. Evidence: 90.0 % of its activation, over 6 answers looked at.")
    assert first.endswith(
        "Evidence: 100.0 % of the 6 answers looked at peak there, and it is active there in 100.0 % of all answers."
    )
    row = {"delta": 0.4, "delta_length": 0.02, "p_prefix": 0.5, "p_firth": float("nan")}
    (length,) = tag_notes(("length-driven",), profile, row)
    assert length.endswith("Evidence: cut to one length, Δ goes from +40.0 to +2.0 points (p = 0.5).")
    assert tag_notes(("length-not-identifiable",), profile, {"delta_length": np.nan, "p_firth": np.nan}) == (
        "Lengths differ so much that this effect cannot be told apart from length.",
    )
    for tag in ARTEFACTS | set(profile.classes) & set(MEANING) | {"single-word", "prompt-echo", "last-token"}:
        share = profile.support(tag)
        assert share is not None
        assert 0 <= share <= 1
        assert tag in MEANING
    assert profile.support("length") is None


def test_whitespace_rows_are_set_aside_and_markdown_rows_stay() -> None:
    gappy = ["Stones  roll  down **here** now."] * 30
    plain = ["Stones roll down here now."] * 30
    responses = answers(plain, gappy)
    occurrences, tokens = encode(responses, [matching(r" {2,}"), on("**")])
    rows = [{"kind": "feature", "feature": str(i), "delta": 1.0} for i in range(2)]
    found = interpret(diff_of(responses, occurrences, rows), tokens=tokens)
    assert [f.id for f in found.items] == ["feature:1"]
    assert [f.id for f in found.aside] == ["feature:0"]
    assert found.aside[0].tags == ("whitespace",)
    assert any(note.startswith("Artefact: it fires on blanks") for note in found.aside[0].notes)
    assert found.items[0].tags == ("markdown",)


def test_labels_name_what_takes_the_activation_and_where() -> None:
    rng = np.random.default_rng(1)
    texts = [" ".join([*filler(rng, 8), "Would you like more?"]) for _ in range(10)]
    responses = answers(texts, texts)
    occurrences, tokens = encode(responses, [on("?"), lambda t, i: 1.0])
    rows = [{"kind": "feature", "feature": str(i), "delta": 0.5} for i in range(2)]
    diff = diff_of(responses, occurrences, rows)
    chosen = candidates(diff, 0.05)
    found = profiles(diff, ActivityReader(responses, chosen, thresholds(diff, chosen), tokens))
    assert label(chosen[0], found[0]).text == '"?" · closing'
    assert label(chosen[0], found[0]).note == (
        'Fires on "?" (100.0 % of its activation), in the last 24 tokens.'
    )
    # what fires on everything has no telling word
    assert label(chosen[1], found[1]).text.startswith("many words")


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("would you", '"would you"'),
        ("^sure", 'opening "sure"'),
        ("^", '"^"'),
        ("\n-", 'bullets "-"'),
        ("\n\n", "paragraph breaks"),
    ],
)
def test_terms_are_shown_as_people_read_them(term: str, text: str) -> None:
    assert term_label(term) == text
