"""The real Claude Code program, with the model's answers scripted by a server of this machine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import claude_agent_sdk
import pytest

from conftest import Tools
from whatchanged.lab.harness import (
    Finished,
    Limits,
    Message,
    ToolCalled,
    ToolReturned,
    run_agent,
    run_agent_interactive,
)

PROGRAM = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the SDK came without the program")


def block(index: int, name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
    return [
        {"type": "content_block_start", "index": index, "content_block": use},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def answer(request: dict[str, Any], escape: Path) -> list[dict[str, Any]]:
    """First a call of our tool and one of a shell, then the last word."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {
        "id": f"m{len(request['messages'])}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    said = json.dumps(request["messages"])
    latest = max(("take a nap", "keep seven", "and now?", '"tool_result"'), key=said.rfind)
    if latest == "take a nap":
        content, stop = block(0, "mcp__tools__nap", {"seconds": 20}), "tool_use"
    elif latest == "keep seven":
        content = [
            *block(0, "mcp__tools__note", {"text": "seven"}),
            *block(1, "Bash", {"command": f"echo x > {escape}"}),
            *block(2, "Write", {"file_path": str(escape), "content": "x"}),
        ]
        stop = "tool_use"
    else:
        content = [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Done."}},
            {"type": "content_block_stop", "index": 0},
        ]
        stop = "end_turn"
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": {"output_tokens": 9},
    }
    return [{"type": "message_start", "message": message}, *content, end, {"type": "message_stop"}]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """Names of the tools in each request."""
    found: list[list[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            if self.path.split("?")[0] != "/v1/messages":
                self.send_error(404)
                return
            found.append([tool["name"] for tool in request.get("tools", [])])
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in answer(request, tmp_path / "escaped"):
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "home").mkdir()
    for name, value in {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        "ANTHROPIC_API_KEY": "sk-ant-dummy-0123456789",
        "HOME": str(tmp_path / "home"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    yield found
    server.shutdown()
    server.server_close()


class Impatient:
    """Asks for a nap, presses Escape, and asks for something else."""

    def __init__(self) -> None:
        self.lines = ["take a nap", "and now?"]
        self.seen: list[Message] = []

    async def ask(self) -> str | None:
        return self.lines.pop(0) if self.lines else None

    def show(self, message: Message) -> None:
        self.seen.append(message)
        if isinstance(message, ToolCalled):
            asyncio.get_running_loop().call_later(0.5, self.stop)

    @contextmanager
    def interrupts(self, stop: Callable[[], object]) -> Iterator[None]:
        self.stop = stop
        yield


def test_an_interrupted_turn_is_over_for_the_program_too(
    asked: list[list[str]], served: dict[str, Any]
) -> None:
    person = Impatient()
    asyncio.run(run_agent_interactive("", served, "claude-code", console=person, limits=Limits(seconds=300)))
    kinds = [type(m).__name__ for m in person.seen]
    assert kinds == ["Asked", "ToolCalled", "Interrupted", "Asked", "Said", "Finished"]


def test_the_program_sees_the_sessions_tools_and_cannot_use_its_own(
    asked: list[list[str]], served: dict[str, Any], tools: Tools, tmp_path: Path
) -> None:
    async def work() -> list[Message]:
        stream = run_agent("keep seven", served, "claude-code", limits=Limits(steps=5, seconds=300))
        return [m async for m in stream]

    messages = asyncio.run(work())
    last = messages[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.spent.steps) == ("Done.", 2)
    assert tools.notes == ["seven"]
    returned = {m.tool: m for m in messages if isinstance(m, ToolReturned)}
    assert not returned["mcp__tools__note"].failed
    assert returned["Bash"].failed
    assert returned["Write"].failed
    assert not (tmp_path / "escaped").exists()
    named = {name for names in asked for name in names}
    assert {"mcp__tools__note", "mcp__tools__fail", "mcp__tools__nap"} <= named
    assert named & {"Bash", "Write", "Edit", "Read", "WebFetch", "WebSearch", "Task", "Glob", "Grep"} == set()
