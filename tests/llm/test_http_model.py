"""One request over HTTP, and everything that can come back instead of an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import traceback
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from whatchanged.artifacts import Message
from whatchanged.errors import (
    AccessDenied,
    BadReply,
    ContentRefused,
    LLMError,
    RateLimited,
    RequestRejected,
    Unavailable,
)
from whatchanged.llm.failures import failure, retry_after
from whatchanged.llm.http_model import HTTPModel
from whatchanged.llm.keys import Key
from whatchanged.llm.prices import Price
from whatchanged.llm.protocol import ChatRequest, Reply, Usage
from whatchanged.llm.wire import read_reply

REQUEST = ChatRequest(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hi")),
    max_tokens=30,
    temperature=0.5,
    seed=7,
    stop=("END",),
)


class Said:
    """A server on the loopback that says one thing and keeps what it was asked."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        said = self
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                said.headers.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def ask(self, **options: Any) -> Reply:
        options = {"name": "m", "model": "gemini-2.0-flash-001"} | options
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        model = HTTPModel(base_url=url, **options)

        async def once() -> Reply:
            try:
                return await model.reply(REQUEST)
            finally:
                await model.close()

        try:
            return asyncio.run(once())
        finally:
            self.server.shutdown()
            self.server.server_close()


def body(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello", **changes.pop("message", {})}
    return {
        "id": "gen-1",
        "model": "google/gemini-2.0-flash-001",
        "provider": "Google",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "cost": 0.25,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        **changes,
    }


def test_what_is_sent_and_what_is_kept() -> None:
    server = Said(200, body(message={"reasoning": "let me think"}))
    reply = server.ask(
        key=Key("OPENROUTER_API_KEY", "sk-or-1"),
        dialect="openrouter",
        provider={"order": ["Google"], "allow_fallbacks": False},
    )
    assert reply == Reply(
        text="Hello",
        finish_reason="stop",
        reasoning="let me think",
        served_model="google/gemini-2.0-flash-001",
        provider="Google",
        usage=Usage(prompt_tokens=9, completion_tokens=4, reasoning_tokens=3, cost=0.25),
        request_id="gen-1",
    )
    assert server.asked == [
        {
            "model": "gemini-2.0-flash-001",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "max_tokens": 30,
            "temperature": 0.5,
            "seed": 7,
            "stop": ["END"],
            "usage": {"include": True},
            "provider": {"order": ["Google"], "allow_fallbacks": False},
        }
    ]
    assert server.headers[0]["authorization"] == "Bearer sk-or-1"


@pytest.mark.parametrize(
    ("dialect", "has", "lacks"),
    [
        ("openai", "max_completion_tokens", "max_tokens"),
        ("google", "max_tokens", "seed"),
        ("plain", "seed", "usage"),
    ],
)
def test_each_endpoint_is_spoken_to_in_its_own_dialect(dialect: Any, has: str, lacks: str) -> None:
    server = Said(200, body())
    server.ask(dialect=dialect)
    assert has in server.asked[0]
    assert lacks not in server.asked[0]


def ended(reason: str, **more: str) -> dict[str, Any]:
    return body(choices=[{"finish_reason": reason, "message": {"content": "half"}, **more}])


FAILURES: list[tuple[int, Any, type[LLMError], str]] = [
    (429, {"error": {"message": "slow down"}}, RateLimited, "HTTP 429: slow down"),
    (429, {"error": {"message": "no", "code": "insufficient_quota"}}, AccessDenied, "HTTP 429: no"),
    (500, {"error": {"message": "oops"}}, Unavailable, "HTTP 500: oops"),
    (502, b"<html><style>p{}</style><h1>502 Bad Gateway</h1></html>", Unavailable, "HTTP 502: 502 Bad Gateway"),
    (408, b"", Unavailable, "HTTP 408: without a message"),
    (401, {"error": {"message": "bad key"}}, AccessDenied, "bad key"),
    (402, {"error": {"message": "no credit"}}, AccessDenied, "no credit"),
    (404, {"error": {"message": "no such model"}}, AccessDenied, "no such model"),
    (400, [{"error": {"code": 400, "message": "API key not valid."}}], AccessDenied, "not valid"),
    (400, {"error": {"message": "too long"}}, RequestRejected, "HTTP 400: too long"),
    (413, b"", RequestRejected, "HTTP 413"),
    (422, {"error": {"message": "bad field"}}, RequestRejected, "bad field"),
    (400, {"error": {"code": "content_filter", "message": "no"}}, ContentRefused, "HTTP 400: no"),
    (403, {"error": {"message": "no", "metadata": {"reasons": ["x"], "flagged_input": "y"}}}, ContentRefused, "403"),
    (403, {"error": {"message": "not in your country"}}, AccessDenied, "country"),
    (200, b"<html>login</html>", BadReply, "is no JSON: login"),
    (200, b'{"choices": [{"mess', BadReply, "is no JSON"),
    (200, b"[]", BadReply, "no chat completion"),
    (200, body(choices=[]), BadReply, "no choices"),
    (200, body(choices=None), BadReply, "no choices"),
    (200, body(choices=[{"index": 0, "finish_reason": "stop"}]), BadReply, "no message"),
    (200, {"error": {"code": 429, "message": "upstream"}}, RateLimited, "error 429: upstream"),
    (200, {"error": {"message": "upstream broke"}}, Unavailable, "upstream broke"),
    (200, body(choices=[{"finish_reason": "error", "error": {"code": 502, "message": "cut"}}]), Unavailable, "cut"),
    (200, ended("content_filter"), ContentRefused, "withheld"),
    (200, ended("stop", native_finish_reason="SAFETY"), ContentRefused, "safety"),
    (200, body(model="openai/gpt-4o-mini"), BadReply, "another model answered: openai/gpt-4o-mini"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "sent", "kind", "message"), FAILURES)
def test_every_failure_has_its_kind(status: int, sent: Any, kind: type[LLMError], message: str) -> None:
    with pytest.raises(LLMError, match=message) as caught:
        Said(status, sent).ask()
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None, "nothing of the client, which holds the key, is chained"
    assert error.free == (status >= 400 and status not in {408, 502}), "a gateway's loss may be billed"


def test_a_wrong_model_and_a_filtered_answer_say_what_they_cost() -> None:
    with pytest.raises(BadReply) as caught:
        Said(200, body(model="openai/gpt-4o-mini")).ask()
    assert caught.value.usage == {"prompt_tokens": 9, "completion_tokens": 4, "cost": 0.25}
    assert (
        Said(200, body(model="openai/gpt-4o-mini")).ask(check_served=False).served_model
        == "openai/gpt-4o-mini"
    )


def test_reasoning_is_kept_apart_wherever_it_stands() -> None:
    def read(message: dict[str, Any]) -> tuple[str, str | None]:
        reply = read_reply(json.dumps(body(message=message)).encode(), lambda text: text)
        return reply.text, reply.reasoning

    assert read({"reasoning_content": "hm"}) == ("Hello", "hm")
    assert read({"content": "<think>\nhm\n</think>\n\nHello"}) == ("Hello", "hm")
    assert read({"content": "<think>never ended"}) == ("", "never ended")
    assert read({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}) == (
        "Hello",
        None,
    )
    assert read({"content": None}) == ("", None)


def test_retry_after_in_every_form() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "0.5"}) == 0.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    date = retry_after({"retry-after": formatdate(time.time() + 90, usegmt=True)})
    assert date is not None
    assert 85 < date <= 90
    assert retry_after({"retry-after": formatdate(time.time() - 90, usegmt=True)}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}, '{"retryDelay": "34s"}') == 34
    assert retry_after({"retry-after": "nan"}) is None
    with pytest.raises(RateLimited) as caught:
        Said(429, {}, {"Retry-After": "3"}).ask()
    assert caught.value.retry_after == 3


def test_nobody_there_and_nobody_answering() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    closed = HTTPModel(name="m", model="m", base_url=f"http://127.0.0.1:{port}/v1")
    with pytest.raises(Unavailable, match="connection failed") as caught:
        asyncio.run(closed.reply(REQUEST))
    assert caught.value.free

    async def hang() -> None:
        gone = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()
            gone.set()

        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        model = HTTPModel(name="m", model="m", base_url=url, timeout=0.3)
        with pytest.raises(Unavailable, match=r"no answer (in time|within 0.3 s)") as caught:
            await model.reply(REQUEST)
        assert not caught.value.free, "it may have been billed"
        await model.close()
        await gone.wait()
        listening.close()
        await listening.wait_closed()

    asyncio.run(hang())


def test_a_model_can_be_used_in_one_loop_after_another() -> None:
    server = Said(200, body())
    url = f"http://127.0.0.1:{server.server.server_port}/v1"
    model = HTTPModel(name="m", model="m", base_url=url)

    async def once() -> str:
        reply = await model.reply(REQUEST)
        await model.close()
        return reply.text

    assert [asyncio.run(once()) for _ in range(2)] == ["Hello", "Hello"]
    server.server.shutdown()
    server.server.server_close()


def test_addresses_and_options_that_are_wrong() -> None:
    for address in ("http://user:pass@host/v1", "https://host/v1?key=secret"):
        with pytest.raises(ValueError, match="must not hold a user name, password or query") as caught:
            HTTPModel(name="m", model="m", base_url=address)
        assert "pass@" not in "".join(traceback.format_exception(caught.value)).split("ValueError")[-1]
        assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="does not go through OpenRouter"):
        HTTPModel(name="m", model="m", base_url="http://host/v1", provider={"order": ["X"]})


def test_failure_bodies_of_any_shape_become_a_failure() -> None:
    for sent in (None, "text", [], [1], {"error": None}, {"error": "words"}, {"error": {"code": "x"}}, 7):
        assert isinstance(failure(500, sent, redact=str), Unavailable)


def test_prices_are_asked_for_and_the_dearest_host_counts() -> None:
    class Listing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cheap, dear = ({"prompt": p, "completion": "0.000002"} for p in ("0.000001", "0.000003"))
            if self.path.endswith("/v1/models"):
                said: Any = {
                    "data": [
                        {"id": "a/b", "pricing": cheap},
                        {"id": "a/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
                    ]
                }
            else:
                assert self.path == "/v1/models/a/b/endpoints"
                said = {"data": {"endpoints": [{"pricing": cheap}, {"pricing": dear}]}}
            raw = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"

    async def price(model: str, dialect: Any) -> Price | None:
        asked = HTTPModel(name=model, model=model, base_url=url, dialect=dialect)
        try:
            return await asked.price()
        finally:
            await asked.close()

    assert asyncio.run(price("a/b", "plain")) == Price(prompt=1e-6, completion=2e-6)
    assert asyncio.run(price("a/b", "openrouter")) == Price(prompt=3e-6, completion=2e-6)
    assert asyncio.run(price("a/auto", "plain")) is None, "a price that varies is none"
    assert asyncio.run(price("a/none", "plain")) is None
    server.shutdown()
    server.server_close()
    assert asyncio.run(price("a/b", "plain")) is None
