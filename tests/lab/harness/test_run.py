"""The loop: plans, limits, transcripts, ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Tools
from whatchanged.errors import AccessDenied, InputError, LabError, PlanFailed
from whatchanged.lab.harness import (
    Asked,
    Finished,
    Limits,
    Message,
    OutOfMoney,
    OutOfSteps,
    OutOfTime,
    OutOfTokens,
    Plan,
    Said,
    Spent,
    Step,
    ToolCalled,
    ToolReturned,
    read_plan,
    run_agent,
)

CANARY = "sk-or-v1-4f9a1c77e2b84d06a5e3QzXw/8+91b0cd"
TWO = Plan(
    steps=[
        Step(tool="note", arguments={"text": "seven"}, expect="note 1"),
        Step(tool="note", arguments={"text": "not {{last}} but {{other}}"}),
    ],
    last="The last was {{last}}.",
    values={"other": "eight"},
)


def run(served: dict[str, Any], plan: Plan | str | Path | None = TWO, **options: Any) -> list[Message]:
    async def work() -> list[Message]:
        return [m async for m in run_agent("the task", served, "scripted", plan=plan, **options)]

    return asyncio.run(work())


def test_a_plan_is_played_over_the_real_server_and_the_transcript_is_what_was_yielded(
    served: dict[str, Any], tools: Tools, tmp_path: Path
) -> None:
    messages = run(served, transcript=tmp_path / "t.jsonl")
    assert tools.notes == ["seven", "not seven but eight"]
    assert [type(m) for m in messages] == [
        Asked, ToolCalled, ToolReturned, ToolCalled, ToolReturned, Said, Finished,
    ]  # fmt: skip
    assert messages[0] == Asked("the task")
    assert messages[2] == ToolReturned("call-1", "tools_note", "note 1\nremember last: seven")
    last = messages[-1]
    assert isinstance(last, Finished)
    assert last.reason == "The last was not seven but eight."
    assert (last.spent.steps, last.spent.cost) == (3, 0.0)
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert lines[0]["kind"] == "Started"
    assert lines[0]["limits"]["steps"] == 300
    assert [line["kind"] for line in lines[1:]] == [type(m).__name__ for m in messages]
    assert [line.get("text") for line in lines[1:6]] == [getattr(m, "text", None) for m in messages[:5]]


def test_secrets_are_in_no_line_of_the_transcript(
    served: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    other = "another-secret-0123456789"
    words = f"{CANARY} {CANARY.encode().hex()} {CANARY[::-1]} {other}"
    plan = Plan(steps=[Step(tool="note", arguments={"text": words})], last=words)
    run(served, plan, transcript=tmp_path / "t.jsonl", redact=lambda text: text.replace(other, "[OTHER]"))
    written = (tmp_path / "t.jsonl").read_text()
    for form in (CANARY, CANARY.encode().hex(), CANARY[::-1], other):
        assert form not in written
    assert written.count("[SOME_API_KEY]") >= 6


def test_limits_of_steps_tokens_and_time_stop_it(served: dict[str, Any], tools: Tools) -> None:
    stopped = run(served, limits=Limits(steps=1))[-1]
    assert isinstance(stopped, OutOfSteps)
    assert tools.notes == ["seven"]
    assert stopped.spent.steps == 1
    assert isinstance(
        run(served, Plan(steps=TWO.steps[1:], values=TWO.values | {"last": ""}), limits=Limits(tokens=1))[-1],
        OutOfTokens,
    )
    nap = Plan(steps=[Step(tool="nap", arguments={"seconds": 30})])
    slow = run(served, nap, limits=Limits(seconds=1.5))[-1]
    assert isinstance(slow, OutOfTime)
    assert slow.spent.seconds < 25
    tools.notes.clear()
    assert isinstance(run(served, limits=Limits(cost=0.01))[-1], Finished)  # a plan costs nothing


def test_the_limit_of_cost_is_kept_by_the_providers_price_or_not_pretended() -> None:
    limits = Limits(cost=2.0)
    assert limits.reached(Spent(steps=3, cost=1.99), model="m") is None
    assert isinstance(limits.reached(Spent(steps=3, cost=2.0), model="m"), OutOfMoney)
    unknown = limits.reached(Spent(steps=1, cost=None), model="new-model")
    assert isinstance(unknown, OutOfMoney)
    assert "no price of new-model is known" in unknown.reason
    for wrong in ({"steps": 0}, {"cost": -1.0}, {"seconds": float("inf")}):
        with pytest.raises(ValueError, match="positive number"):
            Limits(**wrong)


def test_a_tool_that_fails_is_told_to_the_agent_and_a_plan_that_goes_wrong_stops(
    served: dict[str, Any],
) -> None:
    seen: list[Message] = []

    async def work() -> None:
        async for message in run_agent("", served, "scripted", plan=Plan(steps=[Step(tool="fail")])):
            seen.append(message)

    with pytest.raises(PlanFailed, match=r"step 1 of 1, a call of fail, came to: .*this tool always fails"):
        asyncio.run(work())
    assert [type(m) for m in seen] == [Asked, ToolCalled, ToolReturned]
    assert isinstance(seen[-1], ToolReturned)
    assert seen[-1].failed
    with pytest.raises(PlanFailed, match="came to: note 1"):
        run(served, Plan(steps=[Step(tool="note", arguments={"text": "x"}, expect="note 99")]))
    with pytest.raises(
        InputError,
        match="0 tools are called walk",
    ):
        run(served, Plan(steps=[Step(tool="walk")]))
    with pytest.raises(InputError, match="tells 'unknown'"):
        run(served, Plan(steps=[Step(tool="note", arguments={"text": "{{unknown}}"})]))


def test_leaving_early_closes_the_connection(served: dict[str, Any], tmp_path: Path) -> None:
    async def work() -> None:
        stream = run_agent("", served, "scripted", plan=TWO)
        async for message in stream:
            if isinstance(message, ToolCalled):
                break
        await stream.aclose()

    asyncio.run(work())
    running = subprocess.run(
        ["pgrep", "-f", served["tools"]["args"][-1]], capture_output=True, text=True, check=False
    )
    assert running.stdout == ""


def test_what_cannot_be_run_says_so_first(served: dict[str, Any], tmp_path: Path) -> None:
    async def first(**options: Any) -> None:
        async for _ in run_agent("", served, **options):
            pass

    for provider, name in (
        ("claude", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("gemini", "GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
    ):
        with pytest.raises(AccessDenied, match=f"{name} is needed to let {provider} drive the agent"):
            asyncio.run(first(provider=provider))
    with pytest.raises(ValueError, match="no provider 'abacus'"):
        asyncio.run(first(provider="abacus"))
    with pytest.raises(ValueError, match="a plan is for provider 'scripted'"):
        asyncio.run(first(provider="scripted"))
    gone = {"tools": {"command": "/nowhere/python", "args": []}}
    with pytest.raises(LabError, match="cannot be reached"):
        run(gone)
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.mark.parametrize("provider", ["claude", "openai", "gemini", "openrouter"])
def test_no_request_leaves_where_requests_are_forbidden(
    provider: str, served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(name, "dummy-0123456789")

    async def work() -> None:
        async for _ in run_agent("", served, provider, "some/model" if provider == "openrouter" else None):
            pass

    with pytest.raises(RuntimeError, match="Model requests are not allowed"):
        asyncio.run(work())


def test_a_plan_is_written_as_a_document(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    path.write_text(
        "# Title\n\nwords\n\n```python\nx = 1\n```\n```call\n"
        '{"tool": "list_files", "arguments": {"path": "."}, "expect": "made"}\n```\n\nDone {{x}}.\n'
    )
    plan = read_plan(path, {"x": "1"})
    assert [(s.tool, dict(s.arguments)) for s in plan.steps] == [
        ("add_markdown", {"content": "# Title\n\nwords"}),
        ("execute_code", {"code": "x = 1"}),
        ("list_files", {"path": "."}),
    ]
    assert (plan.last, plan.values, plan.steps[2].expect) == ("Done {{x}}.", {"x": "1"}, "made")
    for text, words in (
        ("```bash\nls\n```\n", r"plan\.md:1: a block of a plan is python or call; got 'bash'"),
        ('\n```call\n{"tol": 1}\n```\n', r"plan\.md:2: a call is"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_plan(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "absent.md")
