"""Models that say what they were told to, or what was said before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from whatchanged.artifacts import Message
from whatchanged.errors import ContentRefused, InputError, LLMError, RateLimited, RequestRejected, Unavailable
from whatchanged.llm import ChatModel, ChatRequest, Replayed, Reply, ScriptedModel, Usage, chat_model


def ask(model: ChatModel, text: str, seed: int | None = None) -> Reply:
    return asyncio.run(model.reply(ChatRequest(messages=(Message(role="user", content=text),), seed=seed)))


def test_a_sequence_is_given_out_in_order_and_then_is_over() -> None:
    model = ScriptedModel(["one two", Reply(text="whole", finish_reason="length"), RateLimited("wait")])
    assert ask(model, "a b c") == Reply(
        text="one two",
        finish_reason="stop",
        served_model="scripted",
        usage=Usage(prompt_tokens=3, completion_tokens=2, cost=0),
    )
    assert ask(model, "x").finish_reason == "length"
    with pytest.raises(RateLimited, match="wait"):
        ask(model, "x")
    with pytest.raises(RequestRejected, match="has only 3 turns"):
        ask(model, "x")
    assert [r.messages[0].content for r in model.requests] == ["a b c", "x", "x", "x"]


def test_functions_may_be_plain_or_coroutines() -> None:
    async def later(request: ChatRequest) -> str:
        await asyncio.sleep(0)
        return request.messages[-1].content.upper()

    assert ask(ScriptedModel(later), "hi").text == "HI"
    assert ask(ScriptedModel(lambda r: Reply(text=str(r.seed))), "hi", seed=3).text == "3"


def test_rules_of_a_file_answer_by_pattern_and_fail_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "rules.jsonl"
    path.write_text(
        '{"match": "secret", "fail": "content_refused"}\n'
        '{"match": "busy", "fail": "unavailable", "times": 1}\n'
        '{"match": "busy|hello", "text": "Hi!", "reasoning": "greet"}\n'
    )
    model = chat_model(f"scripted:{path}")
    with pytest.raises(ContentRefused):
        ask(model, "the secret")
    with pytest.raises(Unavailable):
        ask(model, "busy")
    assert ask(model, "busy").text == "Hi!"
    assert ask(model, "hello").reasoning == "greet"
    with pytest.raises(RequestRejected, match="no rule"):
        ask(model, "other")
    before = model.identity
    path.write_text('{"text": "all"}\n')
    assert chat_model(f"scripted:{path}").identity != before


@pytest.mark.parametrize("line", ["{", '{"match": "("}', '{"say": "x"}', '{"fail": "tired"}'])
def test_a_line_that_is_no_rule_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.jsonl"
    path.write_text('{"text": "x"}\n' + line + "\n")
    with pytest.raises(InputError, match=r"rules.jsonl:2: "):
        chat_model(f"scripted:{path}")


def test_what_was_said_is_said_again_for_nothing(tmp_path: Path) -> None:
    paid = Reply(text="answer", reasoning="r", usage=Usage(prompt_tokens=1, completion_tokens=2, cost=0.5))
    inner = ScriptedModel([paid, Reply(text="another"), Unavailable("down"), Reply(text="third")])
    model = Replayed(inner, tmp_path)
    assert ask(model, "q", seed=1) == paid
    again = ask(Replayed(inner, tmp_path), "q", seed=1)
    assert (again.text, again.reasoning, again.usage.cost, again.usage.completion_tokens) == (
        "answer",
        "r",
        0,
        2,
    )
    assert ask(model, "q", seed=2).text == "another"
    with pytest.raises(LLMError, match="down"):
        ask(model, "q", seed=3)
    assert ask(model, "q", seed=3).text == "third", "a failure is not kept"
    assert (model.hits, model.misses) == (0, 4)

    elsewhere = Replayed(ScriptedModel(["new"], name="other"), tmp_path)
    assert ask(elsewhere, "q", seed=1).text == "new", "another model has answers of its own"
    only = Replayed(inner, tmp_path, mode="replay")
    assert ask(only, "q", seed=1).text == "answer"
    with pytest.raises(RequestRejected, match="no reply to this request is kept"):
        ask(only, "never asked")
    for kept in tmp_path.rglob("*.json"):
        kept.write_text(kept.read_text()[:-20])
    assert ask(Replayed(ScriptedModel(["afresh"]), tmp_path), "q", seed=1).text == "afresh"
