"""Prompts written by a scripted model: what is kept, what is thrown away, and that both are counted."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import whatchanged as wc
from whatchanged.errors import (
    AccessDenied,
    BudgetExhausted,
    ContentRefused,
    LLMError,
    RateLimited,
    Unavailable,
)
from whatchanged.llm import ChatRequest, Reply, ScriptedModel, Usage
from whatchanged.prompts import bank_entries, prompt_bank
from whatchanged.prompts.written import Written

QUESTION = "Does the new model hedge more?"


def asked(request: ChatRequest) -> tuple[int, str]:
    """How many prompts of which category a request asks for."""
    said = request.messages[-1].content
    n, category = re.search(r"Write (\d+) new", said), re.search(r"Category: ([\w ]+)\.", said)
    assert n is not None
    assert category is not None
    return int(n[1]), category[1]


def packed(items: list[object]) -> str:
    return json.dumps({"prompts": items}, ensure_ascii=False)


def writer() -> Callable[[ChatRequest], str]:
    """Writes good prompts: those of the bank, each once, whatever the round."""
    left: dict[str, Iterator[wc.Prompt]] = {}

    def write(request: ChatRequest) -> str:
        n, category = asked(request)
        stock = left.setdefault(category, iter([e for e in bank_entries() if e.category == category]))
        chosen = [next(stock) for _ in range(n)]
        return packed(
            [
                {"messages": [{"role": m.role, "content": m.content} for m in e.chat], "reveals": e.reveals}
                for e in chosen
            ]
        )

    return write


def balanced(written: Written) -> None:
    """The books are right: categories sum up, and missing and stopped go together."""
    assert len(written.prompts) == sum(c.written for c in written.coverage)
    assert len(written.thrown) == sum(c.thrown for c in written.coverage) == sum(written.counts.values())
    assert len(written.failed) == sum(c.failed for c in written.coverage)
    assert written.calls == sum(c.calls for c in written.coverage)
    assert (written.stopped is None) == (written.missing == {})
    by_category = Counter(p.category for p in written.prompts)
    assert {c.category: c.written for c in written.coverage if c.written} == dict(by_category)


def test_a_good_writer_covers_all_categories_with_as_few_calls_as_can_be() -> None:
    model = ScriptedModel(writer())
    written = wc.write_prompts(model, question=QUESTION, n=50, per_call=3)
    balanced(written)
    assert len(written.prompts) == 50
    assert [c.wanted for c in written.coverage] == [4, 4] + [3] * 14
    assert written.calls == len(model.requests) == 2 * 2 + 14
    assert (written.thrown, written.failed, written.stopped) == ((), (), None)
    assert all(p.reveals for p in written.prompts)
    assert [p.category for p in written.prompts] == [
        c.category for c in written.coverage for _ in range(c.written)
    ]
    assert sum(bool(p.messages) for p in written.prompts) >= 3
    assert QUESTION in written.prompts.source
    assert written.usage.prompt_tokens is not None


def test_requests_state_the_purpose_and_differ_by_seed_and_call() -> None:
    def run(seed: int) -> list[ChatRequest]:
        model = ScriptedModel(writer())
        wc.write_prompts(
            model, before="old-7b", after="new-7b", n=8, per_call=2, categories=["code"], seed=seed
        )
        return model.requests

    first, again, other = run(1), run(1), run(2)
    assert first == again
    assert first != other
    assert len({r.seed for r in first}) == 4
    assert all("The versions are old-7b and new-7b." in r.messages[-1].content for r in first)


def test_everything_thrown_away_has_a_reason_and_is_counted_exactly() -> None:
    there = wc.PromptSet(
        prompts=(wc.Prompt(id="own", text="Is it going to rain in Ghent tomorrow?", category="code"),)
    )
    first = packed(
        [
            {
                "prompt": "Should I believe the weather app when it says 40 percent?",
                "reveals": " number or hedge ",
            },
            {"prompt": "Should I believe the weather app if it says 40 percent?"},
            {"prompt": "should I believe the weather app, when it says 40 percent"},
            {"prompt": "Is it going to rain in Ghent tomorrow"},
            {"prompt": "Sure! Here is the forecast for tomorrow."},
            {"prompt": "A prompt that asks about the weather"},
            {"prompt": "Rain?"},
            {"prompt": "so " * 260},
            {"reveals": "nothing"},
            17,
        ]
    )
    second = packed(
        [
            "How sure are you that penguins have knees?",
            "Tell me what my neighbour is thinking right now.",
            "Which of my two keys opens the shed?",
        ]
    )
    model = ScriptedModel([first, second])
    written = wc.write_prompts(model, question=QUESTION, n=3, categories=["code"], there=there)
    balanced(written)
    assert [p.text for p in written.prompts] == [
        "Should I believe the weather app when it says 40 percent?",
        "How sure are you that penguins have knees?",
        "Tell me what my neighbour is thinking right now.",
    ]
    assert written.prompts.prompts[0].reveals == "number or hedge"
    assert written.counts == {
        "answer": 1,
        "duplicate": 2,
        "malformed": 2,
        "near_duplicate": 1,
        "no_prompt": 1,
        "surplus": 1,
        "too_long": 1,
        "too_short": 1,
    }
    kept = written.prompts.prompts[0].id
    assert [(t.reason, t.detail, t.call) for t in written.thrown[:3]] == [
        ("near_duplicate", kept, 0),
        ("duplicate", kept, 0),
        ("duplicate", "own", 0),
    ]
    (line,) = written.coverage
    assert (line.wanted, line.written, line.thrown, line.calls, line.failed) == (3, 3, 10, 2, 0)
    assert asked(model.requests[0]) == (3, "code")
    assert asked(model.requests[1]) == (2, "code")
    shown = model.requests[1].messages[-1].content
    assert "- Is it going to rain in Ghent tomorrow?" in shown
    assert "- Should I believe the weather app when it says 40 percent?" in shown


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("Of course! What would you like to know?", "malformed"),
        ("", "malformed"),
        (Reply(text="[1, 2", finish_reason="length"), "malformed"),
        (ContentRefused("blocked"), "content_refused"),
        (RateLimited("slow down", retry_after=0.01), "rate_limited"),
        (Unavailable("502", retry_after=0.0), "unavailable"),
    ],
)
def test_one_bad_reply_is_counted_and_asked_again(bad: str | Reply | LLMError, reason: str) -> None:
    good = writer()
    model = ScriptedModel(lambda request: bad if len(model.requests) == 1 else good(request))
    written = wc.write_prompts(model, question=QUESTION, n=4, categories=["style", "code"])
    balanced(written)
    assert len(written.prompts) == 4
    assert written.calls == 3
    (failed,) = written.failed
    assert (failed.call, failed.category, failed.reason) == (0, "style", reason)
    if isinstance(bad, Reply):
        assert "cut off by max_tokens" in failed.detail


def test_a_model_that_writes_only_nonsense_ends_at_the_limit_and_says_what_is_missing() -> None:
    model = ScriptedModel(lambda request: "Prompts are fun!")
    written = wc.write_prompts(model, question=QUESTION, n=5, categories=["code", "style"], max_calls=7)
    balanced(written)
    assert (len(written.prompts), written.calls, len(model.requests), len(written.failed)) == (0, 7, 7, 7)
    assert written.missing == {"code": 3, "style": 2}
    assert written.stopped == "the limit of 7 calls was reached"
    shown = str(written)
    assert "0 of 5 prompts written in 7 calls" in shown
    assert "missing: 3 of code, 2 of style (the limit of 7 calls was reached)" in shown


def test_a_model_that_repeats_itself_is_not_believed_twice() -> None:
    same = packed(["Why do cats purr at night?", "What do bees do when it rains?"])
    written = wc.write_prompts(
        ScriptedModel(lambda request: same), question=QUESTION, n=6, categories=["code"]
    )
    balanced(written)
    assert len(written.prompts) == 2
    assert written.counts == {"duplicate": 2 * (written.calls - 1)}
    assert written.missing == {"code": 4}


def test_scarce_calls_go_first_to_the_categories_that_lack_most() -> None:
    model = ScriptedModel(writer())
    written = wc.write_prompts(
        model, question=QUESTION, n=9, categories=["code", "style", "advice"], per_call=2, max_calls=4
    )
    assert [(c.category, c.calls, c.written) for c in written.coverage] == [
        ("code", 2, 3),
        ("style", 1, 2),
        ("advice", 1, 2),
    ]
    assert written.missing == {"style": 1, "advice": 1}


def test_without_access_nothing_is_hidden() -> None:
    with pytest.raises(AccessDenied, match="no key"):
        wc.write_prompts(ScriptedModel([AccessDenied("no key")]), question=QUESTION, n=1, categories=["code"])


def test_an_exhausted_budget_keeps_what_was_paid_for() -> None:
    one = Reply(text=packed(["Why do cats purr at night?"]), usage=Usage(prompt_tokens=9, cost=0.25))
    model = ScriptedModel([one, BudgetExhausted("limit of $0.30")])
    written = wc.write_prompts(model, question=QUESTION, n=2, categories=["code"])
    balanced(written)
    assert [p.text for p in written.prompts] == ["Why do cats purr at night?"]
    assert written.stopped == "budget_exhausted: limit of $0.30"
    assert (written.usage.cost, written.usage.prompt_tokens) == (0.25, 9)


def test_failed_calls_that_were_charged_are_in_the_cost() -> None:
    charged = ContentRefused("blocked", usage={"prompt_tokens": 5.0, "completion_tokens": None, "cost": 0.5})
    one = Reply(text=packed(["Why do cats purr at night?"]), usage=Usage(prompt_tokens=9, cost=0.25))
    written = wc.write_prompts(ScriptedModel([charged, one]), question=QUESTION, n=1, categories=["code"])
    assert (written.usage.cost, written.usage.prompt_tokens, written.usage.completion_tokens) == (
        0.75,
        14,
        None,
    )


def test_prompts_that_are_there_are_never_written_again() -> None:
    there = prompt_bank(12, categories=["code", "style"])
    written = wc.write_prompts(
        ScriptedModel(writer()), question=QUESTION, n=8, categories=["code", "style"], there=there
    )
    balanced(written)
    assert len(written.prompts) == 8
    assert not {p.text for p in written.prompts} & {p.text for p in there}
    assert set(written.counts) <= {"duplicate", "surplus"}


def test_own_categories_are_told_to_the_model() -> None:
    model = ScriptedModel([packed(["Is my will valid if nobody saw me sign it?"])])
    written = wc.write_prompts(model, question=QUESTION, n=1, categories={"wills": "questions on last wills"})
    assert "Its prompts are: questions on last wills." in model.requests[0].messages[-1].content
    assert [(p.category, p.id[:6]) for p in written.prompts] == [("wills", "wills-")]


def test_it_can_be_called_inside_a_running_loop() -> None:
    async def notebook() -> Written:
        return wc.write_prompts(ScriptedModel(writer()), question=QUESTION, n=4, categories=["code", "style"])

    assert len(asyncio.run(notebook()).prompts) == 4


def test_the_same_replies_give_the_same_prompts_whatever_comes_first() -> None:
    def slow(request: ChatRequest) -> str:
        return packed(
            [{"prompt": f"What would you ask about {asked(request)[1]} if it were {request.seed}?"}]
        )

    async def jumbled(request: ChatRequest) -> str:
        await asyncio.sleep(0.02 if "code" in request.messages[-1].content else 0)
        return slow(request)

    runs = [
        wc.write_prompts(
            ScriptedModel(script), question=QUESTION, n=3, categories=["code", "style", "advice"]
        )
        for script in (slow, jumbled)
    ]
    assert runs[0].prompts == runs[1].prompts
    assert runs[0].thrown == runs[1].thrown


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"question": None}, r"say what the prompts are for: question=.*before= and after="),
        ({"question": " ", "before": "a"}, r"say what the prompts are for"),
        ({"categories": ["cats"]}, r"no category \['cats'\]; choose from reasoning, .*or pass \{name"),
        ({"categories": "code"}, r"write \['code'\]"),
        ({"categories": []}, r"categories must be a list or mapping"),
        ({"n": 3}, r"n=3 cannot cover 16 categories; ask for at least 16, or name fewer"),
        ({"per_call": 0}, r"must be at least 1; got 0"),
        ({"max_calls": 0}, r"must be at least 1; got 8, 0"),
        ({"similarity": 0.0}, r"similarity must be above 0"),
    ],
)
def test_mistakes_are_refused_before_anything_is_asked(wrong: dict[str, object], message: str) -> None:
    model = ScriptedModel([])
    with pytest.raises(ValueError, match=message):
        wc.write_prompts(model, **({"question": QUESTION} | wrong))  # type: ignore[arg-type]
    assert model.requests == []


def test_a_scripted_file_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text(
        json.dumps({"match": "Category: code", "text": packed(["Why do cats purr?"])}) + "\n", "utf-8"
    )
    written = wc.write_prompts(f"scripted:{path}", question=QUESTION, n=1, categories=["code"])
    assert [p.text for p in written.prompts] == ["Why do cats purr?"]
