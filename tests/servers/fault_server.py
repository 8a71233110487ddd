"""A chat server that speaks the OpenAI protocol and breaks it on purpose; run as a program of its own.

``FaultServer`` starts it as a subprocess. What it was asked and what it charged stands in its own log,
one JSON object a line, so that a test can hold it against what the client believes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FAULTS = (
    "429", "429_after", "429_date", "500", "502_html", "503", "reset", "timeout", "half", "malformed",
    "html_200", "empty_choices", "error_200", "content_filter", "wrong_model",
)  # fmt: skip
PROMPT_PRICE, COMPLETION_PRICE = 1e-6, 4e-6  # dollars per token
_BILLED = {None, "timeout", "half", "malformed", "html_200", "empty_choices", "content_filter", "wrong_model"}


class FaultServer:
    """The server as a subprocess.

    Args:
        folder: Where its log is written.
        rate: Share of requests that meet a fault.
        faults: Which faults.
        latency: Seconds an answer takes.
        capacity: Requests in flight above which it says 429.
        leak: Text of every error page; ``{auth}`` stands for the authorization header it got.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rate: float = 0.0,
        faults: tuple[str, ...] = FAULTS,
        latency: float = 0.0,
        capacity: int = 10_000,
        leak: str = "",
        tokens: int = 20,
        hang: float = 30.0,
    ) -> None:
        self.log = folder / "server.jsonl"
        self._arguments = {
            "rate": rate, "faults": list(faults), "latency": latency, "capacity": capacity, "leak": leak,
            "tokens": tokens, "hang": hang, "log": str(self.log),
        }  # fmt: skip

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(self._arguments)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server did not start"
        self.port = int(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def name(self, model: str) -> str:
        return f"{self.url}#{model}"

    def requests(self) -> list[dict[str, Any]]:
        """What the server was asked, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def answered(self) -> Counter[tuple[str, str]]:
        """How often it sent a whole answer, by model and prompt."""
        return Counter((r["model"], r["prompt"]) for r in self.requests() if r["event"] == "answered")

    def charged(self) -> float:
        """Dollars it charged in all."""
        return sum(r.get("cost", 0.0) for r in self.requests() if r["event"] == "charged")


class _Server:
    def __init__(self, options: dict[str, Any]) -> None:
        self.o = options
        self.seen: Counter[str] = Counter()
        self.in_flight = 0
        self.log = os.open(options["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, event: str, **fields: Any) -> None:
        os.write(self.log, (json.dumps({"event": event, "time": time.time(), **fields}) + "\n").encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (r.partition(":") for r in rest if r)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self.answer(line, headers, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(
        self, line: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        method, path, _ = line.split(" ", 2)
        if method == "GET":
            self.note("get", path=path)
            return await self.models(path, writer)
        asked = json.loads(body)
        model, prompt = asked["model"], asked["messages"][-1]["content"]
        key = f"{model}|{prompt}|{asked.get('seed')}"
        self.seen[key] += 1
        self.in_flight += 1
        try:
            fault = "429" if self.in_flight > self.o["capacity"] else self.fault(key)
            self.note("asked", model=model, prompt=prompt, seed=asked.get("seed"), fault=fault,
                      in_flight=self.in_flight, body=asked)  # fmt: skip
            if self.o["latency"]:
                await asyncio.sleep(self.o["latency"])
            return await self.respond(asked, fault, headers, writer)
        finally:
            self.in_flight -= 1

    def fault(self, key: str) -> str | None:
        """Drawn from the request and how often it came, so that it depends on nothing else."""
        digest = hashlib.sha256(f"{key}|{self.seen[key]}".encode()).digest()
        if int.from_bytes(digest[:4], "big") / 2**32 >= self.o["rate"]:
            return None
        faults: list[str] = self.o["faults"]
        return faults[digest[4] % len(faults)]

    async def respond(
        self, asked: dict[str, Any], fault: str | None, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        model, prompt = asked["model"], asked["messages"][-1]["content"]
        written = min(asked.get("max_tokens", 10**9), self.o["tokens"])
        read = sum(len(m["content"]) for m in asked["messages"]) // 4 + 8
        cost = read * PROMPT_PRICE + written * COMPLETION_PRICE
        if fault in _BILLED:
            self.note("charged", model=model, prompt=prompt, cost=cost)
        leak = self.o["leak"].format(auth=headers.get("authorization", ""))
        error = {"error": {"message": f"the server says {fault} {leak}", "code": fault}}
        if fault == "reset":
            writer.transport.abort()
            return False
        if fault == "timeout":
            await asyncio.sleep(self.o["hang"])
            return False
        if fault in {"429", "429_after", "429_date"}:
            wait = {"429": None, "429_after": "0.05", "429_date": formatdate(time.time(), usegmt=True)}[fault]
            return await send(writer, 429, json.dumps(error), {"Retry-After": wait} if wait else {})
        if fault in {"500", "503"}:
            return await send(writer, int(fault), json.dumps(error))
        if fault in {"502_html", "html_200"}:
            page = (
                f"<html><head><style>b{{}}</style></head><body><h1>502 Bad Gateway</h1>{leak}</body></html>"
            )
            return await send(writer, 502 if fault == "502_html" else 200, page, kind="text/html")
        if fault == "error_200":
            error["error"]["code"] = 502  # type: ignore[assignment]
            return await send(writer, 200, json.dumps(error))
        choice = {
            "index": 0,
            "finish_reason": "content_filter" if fault == "content_filter" else "stop",
            "message": {
                "role": "assistant",
                "content": "" if fault == "content_filter" else f"{model} answers: {prompt} {leak}".rstrip(),
            },
        }
        reply = {
            "id": f"call-{sum(self.seen.values())}",
            "object": "chat.completion",
            "created": 1,
            "model": "openai/gpt-4o-mini" if fault == "wrong_model" else model,
            "provider": "Loopback",
            "choices": [] if fault == "empty_choices" else [choice],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
                "cost": cost,
            },
        }
        text = json.dumps(reply)
        if fault == "malformed":
            text = text[: len(text) // 2] + "}"
        if fault == "half":
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            writer.write((head + text[: len(text) // 2]).encode())
            await writer.drain()
            return False
        done = await send(writer, 200, text)
        if fault is None:
            self.note("answered", model=model, prompt=prompt, seed=asked.get("seed"))
        return done

    async def models(self, path: str, writer: asyncio.StreamWriter) -> bool:
        if not path.endswith("/models"):
            return await send(writer, 404, "{}")
        pricing = {"prompt": str(PROMPT_PRICE), "completion": str(COMPLETION_PRICE), "request": "0"}
        known = [{"id": f"gemini-{v}", "pricing": pricing} for v in ("2.0-flash-001", "2.5-flash")]
        return await send(writer, 200, json.dumps({"data": [*known, {"id": "unlisted"}]}))


async def send(
    writer: asyncio.StreamWriter,
    status: int,
    text: str,
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> bool:
    body = text.encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return True


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("options", type=json.loads)
    server = _Server(parser.parse_args().options)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=512, limit=1 << 20)
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
