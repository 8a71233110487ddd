"""How chats are put to models with and without a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from whatchanged.artifacts import Message
from whatchanged.models.chat import PLAIN_TEMPLATE, ChatFormat

SYSTEM = Message(role="system", content="Be brief.")
ASK = Message(role="user", content="Hi?")
ANSWER = Message(role="assistant", content="Hello.")
AGAIN = Message(role="user", content="Who?")

KEEPS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + KEEPS
DROPS = KEEPS.replace("messages %}", "messages if m.role != 'system' %}")
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + KEEPS
)
THINKS = KEEPS.replace("[assistant]", "[assistant]<think>\n") + "{# </think> #}"


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def of(tokenizer: Any, template: str) -> ChatFormat:
    tokenizer.chat_template = template
    return ChatFormat.of(tokenizer)


def test_plain_chats_are_written_turn_by_turn(tokenizer: Any) -> None:
    form = ChatFormat.of(tokenizer)
    assert form.text([ASK]) == PLAIN_TEMPLATE.format(prompt="Hi?")
    assert form.text([SYSTEM, ASK, ANSWER, AGAIN]) == (
        "System:\nBe brief.\n\nUser:\nHi?\n\nAssistant:\nHello.\n\nUser:\nWho?\n\nAssistant:\n"
    )
    assert form.stop == ("\nUser:",)
    assert form.tokens([ASK]) == tokenizer(PLAIN_TEMPLATE.format(prompt="Hi?")).input_ids


@pytest.mark.parametrize(
    ("template", "system", "text"),
    [
        (KEEPS, "own", "[system]Be brief.[user]Hi?[assistant]Hello.[user]Who?[assistant]"),
        (REFUSES, "first user turn", "[user]Be brief.\n\nHi?[assistant]Hello.[user]Who?[assistant]"),
        (DROPS, "first user turn", "[user]Be brief.\n\nHi?[assistant]Hello.[user]Who?[assistant]"),
        (ALTERNATES, "first user turn", "[user]Be brief.\n\nHi?[assistant]Hello.[user]Who?[assistant]"),
    ],
)
def test_a_system_text_reaches_every_model(tokenizer: Any, template: str, system: str, text: str) -> None:
    form = of(tokenizer, template)
    assert form.system == system
    assert form.text([SYSTEM, ASK, ANSWER, AGAIN]) == text
    assert form.stop == ()


def test_what_cannot_be_put_says_why(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="must end with a turn to be answered"):
        ChatFormat.of(tokenizer).text([ASK, ANSWER])
    with pytest.raises(ValueError, match="takes one message; got 2"):
        ChatFormat.of(tokenizer, "Q: {prompt}").text([SYSTEM, ASK])
    form = of(tokenizer, ALTERNATES)
    with pytest.raises(ValueError, match="refuses the turns user, user: roles must alternate"):
        form.text([ASK, AGAIN])
    with pytest.raises(ValueError, match="only with a user message"):
        form.text([SYSTEM])


def test_reasoning_stands_apart(tokenizer: Any) -> None:
    form = of(tokenizer, THINKS)
    opened = form.tokens([ASK])
    assert form.apart(opened, "because.\n</think>\n\nYes.") == ("because.", "Yes.")
    assert form.apart(opened, "because") == ("because", "")
    assert form.apart([5], "<think>a</think>b") == ("a", "b")
    assert form.apart([5], "<think>\n\n</think>b") == (None, "b")
    assert form.apart([5], "no </think> thought") == (None, "no </think> thought")
    plain = of(tokenizer, KEEPS)
    assert plain.apart([5], "<think>a</think>b") == (None, "<think>a</think>b")


def test_the_identity_tells_formats_apart(tokenizer: Any) -> None:
    seen = [ChatFormat.of(tokenizer).identity, ChatFormat.of(tokenizer, "Q: {prompt}").identity]
    seen += [of(tokenizer, template).identity for template in (KEEPS, REFUSES, DROPS)]
    assert len({str(identity) for identity in seen}) == 5
