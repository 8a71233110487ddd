"""A model's reply as prompts, however it was mangled."""

from __future__ import annotations

import json

import pytest

from whatchanged.prompts.reply import Draft, NotADraft, read_drafts

ITEMS = [{"prompt": "Why is it so?", "reveals": "depth"}, {"prompt": 'Say "no" [twice] {now}.'}]
TEXTS = ["Why is it so?", 'Say "no" [twice] {now}.']
WHOLE = json.dumps({"prompts": ITEMS})


def texts(reply: str) -> list[str]:
    return [d.messages[-1].content for d in read_drafts(reply) if isinstance(d, Draft)]


def problems(reply: str) -> list[str]:
    return [d.problem for d in read_drafts(reply) if isinstance(d, NotADraft)]


@pytest.mark.parametrize(
    "reply",
    [
        WHOLE,
        json.dumps(ITEMS),
        json.dumps(TEXTS),
        json.dumps({"prompts": ITEMS, "note": "as asked"}, indent=2),
        f"```json\n{WHOLE}\n```",
        f"Here are [2] prompts {{for you}}:\n\n{WHOLE}\n\nDo you want more? [yes]",
        f"<think>\n[maybe three?]\n</think>\n{WHOLE}",
        "\n".join(map(json.dumps, ITEMS)),
        "\n".join(f"1. {json.dumps(item)}" for item in ITEMS),
        json.dumps([{"id": 7, "text": TEXTS[0], "category": "x"}, {"question": TEXTS[1], "prompt": None}]),
        WHOLE.removesuffix("}"),
        WHOLE.removesuffix("]}"),
        WHOLE.replace("}]", "},]"),
    ],
)
def test_prompts_are_found_whatever_stands_around_them(reply: str) -> None:
    assert texts(reply) == TEXTS
    assert problems(reply) == []


@pytest.mark.parametrize("reply", ["", "I cannot do that.", "[1, 2]", "{}", '{"answer": 4}', "[", "{" * 5000])
def test_replies_without_prompts_give_nothing(reply: str) -> None:
    assert read_drafts(reply) == []


def test_every_cut_gives_the_whole_items_and_one_rest() -> None:
    begin = WHOLE.index("[") + 1
    ends = [begin, *(WHOLE.index(json.dumps(item)) + len(json.dumps(item)) for item in ITEMS)]
    for cut in range(begin + 1, len(WHOLE)):
        whole = sum(end <= cut for end in ends[1:])
        rest = WHOLE[ends[whole] : cut].strip(", ]")
        assert texts(WHOLE[:cut]) == TEXTS[:whole]
        assert len(problems(WHOLE[:cut])) == (rest != "")


def test_one_broken_item_spoils_no_other() -> None:
    reply = '{"prompts": [{"prompt": "First?"}, {"prompt": "He said "no"."}, {"prompt": "Third?"}, {"prompt": ""}, 5]}'
    assert texts(reply) == ["First?", "Third?"]
    broken, empty, number = problems(reply)
    assert broken.startswith("not valid JSON")
    assert "the prompt is empty" in empty
    assert "messages must be a list" in number


def test_chats_are_read_and_their_faults_named() -> None:
    turns = [
        {"role": "system", "content": "Be curt."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "And now?"},
    ]
    reply = json.dumps({"prompts": [{"messages": turns}, {"messages": turns[:3]}, {"messages": []}]})
    (chat,) = [d for d in read_drafts(reply) if isinstance(d, Draft)]
    assert [m.role for m in chat.messages] == ["system", "user", "assistant", "user"]
    last, none = problems(reply)
    assert "the last message is the assistant's" in last
    assert "messages must be a list" in none
