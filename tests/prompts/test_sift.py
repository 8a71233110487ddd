"""What may be a prompt and what may not."""

from __future__ import annotations

import pytest

from whatchanged.artifacts import Message, Prompt
from whatchanged.prompts import bank_entries
from whatchanged.prompts.categories import BRIEFS, Brief
from whatchanged.prompts.reply import Draft
from whatchanged.prompts.sift import Sieve, Thrown

ANY = Brief(asks="anything")


def draft(said: str | tuple[Message, ...], reveals: str | None = None) -> Draft:
    messages = said if isinstance(said, str) else [{"role": m.role, "content": m.content} for m in said]
    return Draft.model_validate({"messages": messages, "reveals": reveals})


def reason(text: str, brief: Brief = ANY) -> str | None:
    found = Sieve((), 0.6).sift(draft(text), "code", brief, call=0, full=False)
    return found.reason if isinstance(found, Thrown) else None


def test_every_prompt_of_the_bank_passes() -> None:
    sieve = Sieve((), 0.6)
    for entry in bank_entries():
        assert entry.category is not None
        whole = draft(entry.chat, entry.reveals)
        found = sieve.sift(whole, entry.category, BRIEFS[entry.category], call=0, full=False)
        assert isinstance(found, Prompt), found
        assert (found.text, found.messages, found.reveals) == (entry.text, entry.messages, entry.reveals)


def test_every_prompt_of_the_bank_is_known_the_second_time() -> None:
    sieve = Sieve(bank_entries(), 0.6)
    for entry in bank_entries():
        whole = draft(entry.chat)
        found = sieve.sift(whole, str(entry.category), BRIEFS[str(entry.category)], call=0, full=False)
        assert isinstance(found, Thrown)
        assert (found.reason, found.detail) == ("duplicate", entry.id)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Sure! Recursion is when a function calls itself.", "answer"),
        ("Certainly, here you are.", "answer"),
        ("As an AI, I have no favourite colour.", "answer"),
        ("I'm sorry, but I can't write that.", "answer"),
        ("Here is my answer: it rains because air cools.", "answer"),
        ("The capital of Portugal is Lisbon.", "answer"),
        ("A prompt that asks the model to explain recursion", "no_prompt"),
        ("Here are ten prompts about code:", "no_prompt"),
        ("Write a function that sorts [insert data type here] quickly.", "no_prompt"),
        ("Explain <topic> to a child of six.", "no_prompt"),
        ("My name is ______ and I need help.", "no_prompt"),
        ("1234 ??? !!!", "no_prompt"),
        ("Explain it.", "too_short"),
        ("word " * 300, "too_long"),
        ("The bridge is out. How do I get to the island?", None),
        ("The dog ate my homework and I could cry.", None),
        ("Sure about that? I think it's wrong, isn't it?", None),
        ('Summarise this: "A prompt that works."', None),
        ("Fill this dictionary in: {name: age} for three people.", None),
    ],
)
def test_reasons(text: str, wanted: str | None) -> None:
    assert reason(text) == wanted


@pytest.mark.parametrize(
    "text",
    ['3. "Why do cats purr?"', "- Why do cats purr?", "Prompt 2: Why do cats purr?", "“Why do cats purr?”"],
)
def test_numbers_labels_and_quotation_marks_are_taken_off(text: str) -> None:
    found = Sieve((), 0.6).sift(draft(text), "code", ANY, call=0, full=False)
    assert isinstance(found, Prompt)
    assert found.text == "Why do cats purr?"


def test_quotation_marks_that_belong_to_the_text_stay() -> None:
    text = '"Yes" or "no": is a tomato a "fruit"'
    found = Sieve((), 0.6).sift(draft(text), "code", ANY, call=0, full=False)
    assert isinstance(found, Prompt)
    assert found.text == text


def test_near_duplicates_name_what_they_are_like_and_thrown_ones_are_not_remembered() -> None:
    known = Prompt(id="k", text="How do I get a wine stain out of a white carpet before my guests arrive?")
    sieve = Sieve([known], 0.6)

    def sift(text: str, *, full: bool = False) -> Prompt | Thrown:
        return sieve.sift(draft(text), "advice", ANY, call=2, full=full)

    near = sift("How do I get a coffee stain out of a white carpet before my guests arrive?")
    same = sift("how do I get a wine stain out of a WHITE carpet, before my guests arrive")
    other = sift("Should I lend my brother the car for a week?", full=True)
    again = sift("Should I lend my brother the car for a week?")
    assert isinstance(near, Thrown)
    assert isinstance(same, Thrown)
    assert isinstance(other, Thrown)
    assert (near.reason, near.detail, near.call) == ("near_duplicate", "k", 2)
    assert (same.reason, same.detail) == ("duplicate", "k")
    assert other.reason == "surplus"
    assert isinstance(again, Prompt)


def test_categories_ask_for_their_own_kind() -> None:
    english = "Could you tell me, please, what the weather is going to be like tomorrow?"
    assert reason(english, BRIEFS["non_english"]) == "english"
    assert reason("Kannst du mir bitte sagen, wie das Wetter morgen wird?", BRIEFS["non_english"]) is None
    assert reason("我奶奶总说吃亏是福,你同意吗?", ANY) is None
    assert reason(english, BRIEFS["multi_turn"]) == "one_turn"
    assert reason(english, BRIEFS["long_context"]) == "too_short"
    chat = (
        Message(role="user", content="What is 7 times 8?"),
        Message(role="assistant", content="56."),
        Message(role="user", content="The answer is 54."),
    )
    found = Sieve((), 0.6).sift(draft(chat), "m", BRIEFS["multi_turn"], call=0, full=False)
    assert isinstance(found, Prompt)
    assert found.messages == chat
