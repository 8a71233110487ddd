"""Pace, waits, budget, log and estimate, each by itself."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from servers.fault_server import COMPLETION_PRICE, PROMPT_PRICE, FaultServer
from whatchanged import InputError, Prompt, PromptSet, StoreError, collect, estimate
from whatchanged.artifacts import Message
from whatchanged.errors import AccessDenied, BadReply, ContentRefused, RateLimited, Unavailable
from whatchanged.llm import ChatRequest, Price, Reply, ScriptedModel, Usage, read_prices
from whatchanged.responses.collect import RetryPolicy
from whatchanged.responses.collect.budget import Bill, Budget, spent
from whatchanged.responses.collect.calls import Key
from whatchanged.responses.collect.lines import Line, answer_line, failure_line, sent_line
from whatchanged.responses.collect.log import CallLog, read_log
from whatchanged.responses.collect.pace import Pace

REQUEST = ChatRequest(messages=(Message(role="user", content="hello"),), max_tokens=100)
KEY = Key("m", "q", 0)


def test_the_window_opens_fast_halves_once_and_then_opens_by_one_per_window() -> None:
    pace = Pace(64)
    for _ in range(24):
        pace.succeeded()
    assert pace.window == 32
    for sent in (1.0, 2.0, 3.0):  # all were under way when the first of them failed
        pace.overloaded(sent_at=sent, now=5.0)
    assert pace.window == 16
    for _ in range(16):
        pace.succeeded()
    assert 16.9 < pace.window < 17
    pace.overloaded(sent_at=6.0, now=7.0)
    assert 8.4 < pace.window < 8.5
    for _ in range(100):
        pace.overloaded(sent_at=8.0 + _, now=8.5 + _)
    assert pace.window == 1
    assert pace.ready(now=1000.0)
    pace.pause(1001.0)
    assert not pace.ready(now=1000.9)
    assert pace.ready(now=1001.0)


def test_the_window_never_passes_the_limit() -> None:
    pace = Pace(10)
    for _ in range(100):
        pace.succeeded()
    assert pace.window == 10
    with pytest.raises(ValueError, match="concurrency must be at least 1; got 0"):
        Pace(0)


def test_waits_double_jitter_and_never_undercut_the_server() -> None:
    policy, draw = RetryPolicy(first=1.0, longest=8.0), random.Random(0)
    for attempt, most in ((1, 1.0), (2, 2.0), (4, 8.0), (9, 8.0)):
        waits = [policy.wait(Unavailable("x"), attempt, draw) for _ in range(200)]
        assert most / 2 <= min(waits) < max(waits) <= most
    assert policy.wait(RateLimited("x", retry_after=30), 1, draw) >= 30
    assert policy.again(BadReply("x"), {"bad_reply": 3})
    assert not policy.again(BadReply("x"), {"bad_reply": 4})
    assert not policy.again(ContentRefused("x"), {})
    assert not policy.again(AccessDenied("x"), {})


def test_a_budget_reserves_the_worst_case_and_counts_what_it_cannot_know_as_such() -> None:
    price = Price(prompt=1e-3, completion=1e-2)
    budget = Budget(4.0, 0.5, {"m": price})
    worst = budget.worst("m", REQUEST)
    assert worst >= 1e-3 * 5 + 1e-2 * 100
    assert [budget.reserve(worst) for _ in range(4)] == [True, True, True, False]
    assert budget.settle("m", worst, Usage(prompt_tokens=10, completion_tokens=20)).charged == pytest.approx(
        0.21
    )
    assert budget.settle("m", worst, RateLimited("x", free=True)).charged == 0
    assert budget.settle("m", worst, Unavailable("reset")) == Bill(None, worst)
    told = BadReply("other model", usage={"prompt_tokens": 10, "completion_tokens": 20, "cost": 0.1})
    assert budget.reserve(worst)
    assert budget.settle("m", worst, told).cost == 0.1
    assert budget.spent == pytest.approx(0.5 + 0.21 + worst + 0.1)
    assert budget.reserved == pytest.approx(0)


def test_what_a_kill_left_under_way_counts_as_its_worst_case() -> None:
    answered = answer_line(
        KEY, 1, REQUEST, Reply(text="fine"), cost=0.1, charged=0.1, latency=1.0
    )  # fmt: skip
    raw = [
        sent_line(KEY, 1, 2.0),
        answered,
        sent_line(Key("m", "r", 0), 1, 2.0),
        sent_line(Key("m", "r", 0), 1, 3.0),
    ]
    lines = [Line.model_validate(line) for line in raw]
    assert spent(lines, {}, {}) == pytest.approx(0.1 + 2.0 + 3.0)
    unknown = failure_line(
        KEY, 1, REQUEST, Unavailable("x"), final=False, cost=None, charged=None, latency=1.0
    )
    price = Price(prompt=1.0, completion=1.0)
    assert spent([Line.model_validate(unknown)], {"m": price}, {"m": 7.0}) == 7.0


def test_a_torn_line_is_cut_off_and_a_damaged_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with CallLog(path) as log:
        for i in range(3):
            log.append(sent_line(Key("m", f"q{i}", 0), 1, 0.5))
    whole = path.read_bytes()
    for tear in (whole + b'{"event": "ans', whole + b"\0" * 100, whole[:-1]):
        path.write_bytes(tear)
        assert [line.prompt_id for line in read_log(path)] == ["q0", "q1", "q2"]
        CallLog(path).close()
        assert path.read_bytes() == whole
    path.write_bytes(b"")
    CallLog(path).close()
    assert list(read_log(path)) == []
    path.write_bytes(whole.replace(b'"q1"', b'"q1', 1))
    with pytest.raises(StoreError, match=r"calls.jsonl:2 is no line of a log"):
        list(read_log(path))
    newer = whole + json.dumps({"event": "answer", "of": "another version"}).encode() + b"\n"
    path.write_bytes(newer)
    CallLog(path).close()
    assert path.read_bytes() == newer, "what can be read is never cut off"


def test_an_estimate_spends_nothing_and_agrees_with_what_is_then_charged(tmp_path: Path) -> None:
    prompts = PromptSet(prompts=tuple(Prompt(id=f"q{i}", text="How much is it? " * 10) for i in range(20)))
    with FaultServer(tmp_path, tokens=20) as server:
        names = server.name("gemini-2.5-flash"), server.name("gemini-2.0-flash-001")
        before = estimate(prompts, *names, out=tmp_path / "run", max_tokens=20)
        assert {r["event"] for r in server.requests()} == {"get"}
        collect(prompts, *names, out=tmp_path / "run", max_tokens=20)
        charged = server.charged()
        after = estimate(prompts, *names, out=tmp_path / "run", max_tokens=20, samples=2)
    assert before.calls == 40
    assert before.unpriced == ()
    assert before.expected == pytest.approx(charged, rel=0.05)
    assert before.worst is not None
    assert charged < before.worst
    assert (after.calls, after.models[0].done) == (40, 20)
    assert after.models[0].completion_tokens == 20 * 20


def test_an_estimate_names_missing_keys_and_unknown_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = PromptSet(prompts=(Prompt(id="q", text="Hi"),))
    table = {"openai:gpt-4o-mini": Price(prompt=PROMPT_PRICE, completion=COMPLETION_PRICE)}
    local = ScriptedModel(["x"], name="local")
    found = estimate(prompts, "openai:gpt-4o-mini", local, prices=table)
    assert found.missing_keys == ("OPENAI_API_KEY",)
    assert found.unpriced == ()
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1234\n")
    assert estimate(prompts, "openai:gpt-4o-mini", local, prices=table).missing_keys == ()
    assert local.requests == []


def test_price_files_are_read_strictly(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"m": {"prompt": 1, "completion": 4, "request": 0.01}}')
    assert read_prices(tmp_path / "p.json") == {"m": Price(prompt=1e-6, completion=4e-6, request=0.01)}
    for rest in ("", "completion = -1", "completion = 1\nx = 1"):
        (tmp_path / "p.toml").write_text(f'["m"]\nprompt = 1\n{rest}\n')
        with pytest.raises(InputError, match="price of 'm'"):
            read_prices(tmp_path / "p.toml")
