"""The claude provider over real HTTP, on a server of this machine that speaks the Messages API."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydantic_ai.models
import pytest

from conftest import Tools
from whatchanged.errors import AccessDenied, LLMError
from whatchanged.lab.harness import Finished, Limits, Message, OutOfMoney, Thought, ToolReturned, run_agent

KEY = "sk-ant-dummy-0123456789abcdef"


class Provider:
    """Answers in their order; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.answers: list[tuple[int, dict[str, Any]]] = []

    def says(self, *blocks: dict[str, Any]) -> None:
        stop = "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn"
        usage = {"input_tokens": 1000, "output_tokens": 100}
        body = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": list(blocks),
        }
        self.answers.append((200, {**body, "stop_reason": stop, "stop_sequence": None, "usage": usage}))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    one = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            one.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            one.keys.add((self.headers["authorization"] or self.headers["x-api-key"]).removeprefix("Bearer "))
            status, body = one.answers.pop(0)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", True)  # the address is this machine's
    yield one
    server.shutdown()
    server.server_close()


def run(served: dict[str, Any], **options: Any) -> list[Message]:
    async def work() -> list[Message]:
        stream = run_agent("the task", served, "claude", "claude-sonnet-4-6", **options)
        return [m async for m in stream]

    return asyncio.run(work())


def test_an_agent_calls_the_sessions_tools_and_has_no_others(
    provider: Provider, served: dict[str, Any], tools: Tools
) -> None:
    provider.says(
        {"type": "thinking", "thinking": "I should keep it", "signature": "s"},
        {"type": "tool_use", "id": "t1", "name": "tools_note", "input": {"text": "seven"}},
        {"type": "tool_use", "id": "t2", "name": "tools_fail", "input": {}},
    )
    provider.says({"type": "tool_use", "id": "t3", "name": "tools_note", "input": {"wrong": 1}})
    provider.says({"type": "text", "text": "Done."})
    messages = run(served, user_message="go")
    last = messages[-1]
    assert isinstance(last, Finished)
    assert last.reason == "Done."
    assert tools.notes == ["seven"]
    assert Thought("I should keep it") in messages
    returned = {m.call: m for m in messages if isinstance(m, ToolReturned)}
    assert not returned["t1"].failed
    assert returned["t2"].failed
    assert "always fails" in returned["t2"].text
    assert returned["t3"].failed
    assert (last.spent.steps, last.spent.input_tokens, last.spent.output_tokens) == (3, 3000, 300)
    assert last.spent.cost == pytest.approx(3 * (1000 * 3 + 100 * 15) / 1e6)
    assert provider.keys == {KEY}
    for asked in provider.asked:
        assert {tool["name"] for tool in asked["tools"]} == {"tools_note", "tools_nap", "tools_fail"}
        assert "the task" in json.dumps(asked["system"])
    assert [m["role"] for m in provider.asked[2]["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]


def test_the_cost_stops_it_before_the_next_request(provider: Provider, served: dict[str, Any]) -> None:
    for number in range(3):
        provider.says({"type": "tool_use", "id": f"t{number}", "name": "tools_note", "input": {"text": "x"}})
    last = run(served, limits=Limits(cost=0.008))[-1]
    assert isinstance(last, OutOfMoney)
    assert last.spent.cost == pytest.approx(0.009)
    assert len(provider.asked) == 2


def test_a_refused_key_is_told_without_the_key(provider: Provider, served: dict[str, Any]) -> None:
    error = {
        "type": "error",
        "error": {"type": "authentication_error", "message": f"invalid x-api-key {KEY}"},
    }
    provider.answers.append((401, error))
    with pytest.raises(AccessDenied, match="invalid x-api-key") as caught:
        run(served)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    provider.answers.append(
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}})
    )
    with pytest.raises(LLMError, match="HTTP 400: no"):
        run(served)
