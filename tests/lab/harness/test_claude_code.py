"""The claude-code provider, with a program that speaks the SDK's protocol and records how it was confined."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from whatchanged.errors import AccessDenied, Unavailable
from whatchanged.lab.harness import Finished, Limits, Message, OutOfSteps, Said, ToolCalled, ToolReturned
from whatchanged.lab.harness.claude_code import ClaudeCodeAgent

PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path

if "-v" in sys.argv or "--version" in sys.argv:
    print("9.9.9 (Claude Code)")
    sys.exit()
log = open({log!r}, "a")
print(json.dumps({{"argv": sys.argv[1:], "cwd": os.listdir(os.getcwd())}}), file=log, flush=True)

def say(message):
    print(json.dumps(message), flush=True)

def hook(name, callback):
    say({{"type": "control_request", "request_id": name, "request": {{"subtype": "hook_callback", "callback_id": callback,
        "tool_use_id": None, "input": {{"hook_event_name": "PreToolUse", "tool_name": name, "tool_input": {{}}}}}}}})
    print(json.dumps({{"hook": name, "answer": json.loads(sys.stdin.readline())}}), file=log, flush=True)

callback = None
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "control_request":
        if told["request"]["subtype"] == "initialize":
            callback = told["request"]["hooks"]["PreToolUse"][0]["hookCallbackIds"][0]
        done = {{"subtype": "success", "request_id": told["request_id"], "response": {{}}}}
        say({{"type": "control_response", "response": done}})
    elif told["type"] == "user":
        hook("Bash", callback)
        hook("mcp__tools__note", callback)
        usage = {{"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2}}
        say({{"type": "assistant", "message": {{"role": "assistant", "model": "claude-test", "usage": usage, "content": [
            {{"type": "text", "text": "working"}},
            {{"type": "tool_use", "id": "t1", "name": "mcp__tools__note", "input": {{"text": "x"}}}}]}}}})
        say({{"type": "user", "message": {{"role": "user", "content": [
            {{"type": "tool_result", "tool_use_id": "t1", "content": [{{"type": "text", "text": "note 1"}}]}}]}}}})
        say({{"type": "result", "duration_ms": 1, "duration_api_ms": 1, "num_turns": 1, "session_id": "s",
            "total_cost_usd": 0.25, **{result}}})
"""
GOOD = {"subtype": "success", "is_error": False, "result": "done"}


def converse(
    tmp_path: Path, result: dict[str, Any], limits: Limits | None = None
) -> tuple[list[Message], list[Any]]:
    log = tmp_path / "log.jsonl"
    program = tmp_path / "claude"
    program.write_text(PROGRAM.format(python=sys.executable, log=str(log), result=repr(result)))
    program.chmod(0o755)
    servers = {"tools": {"type": "stdio", "command": "true", "args": [], "env": {}}}

    async def work() -> list[Message]:
        agent = ClaudeCodeAgent(
            servers,
            model=None,
            instructions="be brief",
            limits=limits or Limits(cost=3),
            redact=str,
            program=program,
        )
        async with agent:
            return [m async for m in agent.turn("go")]

    messages = asyncio.run(work())
    return messages, [json.loads(line) for line in log.read_text().splitlines()]


def test_it_works_with_the_sessions_tools_and_is_refused_every_other(tmp_path: Path) -> None:
    messages, log = converse(tmp_path, GOOD)
    assert messages[1:4] == [
        Said("working"),
        ToolCalled("t1", "mcp__tools__note", {"text": "x"}),
        ToolReturned("t1", "mcp__tools__note", "note 1"),
    ]
    last = messages[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.spent.cost, last.spent.input_tokens, last.spent.output_tokens) == (
        "done",
        0.25,
        15,
        2,
    )
    argv = log[0]["argv"]
    assert log[0]["cwd"] == []
    assert argv[argv.index("--tools") + 1] == ""
    assert {"Bash", "Write", "Edit", "WebFetch"} <= set(argv[argv.index("--disallowedTools") + 1].split(","))
    assert argv[argv.index("--allowedTools") + 1] == "mcp__tools"
    assert argv[argv.index("--permission-mode") + 1] == "dontAsk"
    assert "--strict-mcp-config" in argv
    assert "--setting-sources=" in argv
    assert argv[argv.index("--max-budget-usd") + 1] == "3"
    decisions = {entry["hook"]: json.dumps(entry["answer"]) for entry in log[1:]}
    assert '"permissionDecision": "deny"' in decisions["Bash"]
    assert "deny" not in decisions["mcp__tools__note"]


def test_its_ends_are_ours(tmp_path: Path) -> None:
    for number, (result, kind) in enumerate(
        (
            ({"subtype": "error_max_turns", "is_error": True}, OutOfSteps),
            (
                {"subtype": "success", "is_error": True, "result": "Invalid API key · Please run /login"},
                AccessDenied,
            ),
            (
                {"subtype": "success", "is_error": True, "result": "over", "api_error_status": 529},
                Unavailable,
            ),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        if issubclass(kind, Exception):
            with pytest.raises(kind):
                converse(folder, result)
        else:
            assert isinstance(converse(folder, result)[0][-1], kind)
    assert isinstance(converse(tmp_path, GOOD, Limits(steps=1))[0][-1], OutOfSteps)
