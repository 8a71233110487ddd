"""One command inside a sandbox: its process group, its input by offset, and everything it has written so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

GRACE = 0.3
"""Seconds to read on after a command ended while something it left behind holds its pipes open."""


@dataclass(slots=True)
class Output:
    """Bytes written to one pipe, kept so that a reader may start at any offset."""

    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def add(self, data: bytes) -> None:
        async with self.changed:
            self.data += data
            self.changed.notify_all()

    async def end(self) -> None:
        async with self.changed:
            self.ended = True
            self.changed.notify_all()

    async def read(self, offset: int) -> AsyncIterator[bytes]:
        while chunk := await self._chunk(offset):
            offset += len(chunk)
            yield chunk

    async def _chunk(self, offset: int) -> bytes:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.data) > offset or self.ended)
            return bytes(self.data[offset : offset + 65536])


class Exec:
    """A started command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.stdout, self.stderr = Output(), Output()
        self.written = 0
        self.closed = False
        self._writing = asyncio.Lock()
        self._watch = asyncio.create_task(self._follow())
        self.code: int | None = None
        self.done = asyncio.Event()

    @classmethod
    async def start(
        cls, command: list[str], *, environment: dict[str, str], folder: str, timeout: int
    ) -> Exec:
        """Start ``command``; a program that is not there raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started = cls(process)
        if timeout:
            asyncio.get_running_loop().call_later(timeout, started.kill)
        return started

    def kill(self) -> None:
        """Kill the command and what it started, unless it has ended."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def write(self, offset: int, data: bytes, eof: bool) -> bool:
        """Give input from ``offset`` on; bytes already taken are skipped. False once the pipe is gone."""
        async with self._writing:
            assert self.process.stdin is not None
            fresh = data[max(0, self.written - offset) :]
            try:
                if fresh:
                    self.process.stdin.write(fresh)
                    await self.process.stdin.drain()
                    self.written += len(fresh)
                if eof and not self.closed:
                    self.closed = True
                    self.process.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                self.closed = True
                return False
            return True

    async def _follow(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pumps = [
            asyncio.create_task(self._pump(self.process.stdout, self.stdout)),
            asyncio.create_task(self._pump(self.process.stderr, self.stderr)),
        ]
        self.code = await self.process.wait()
        await asyncio.wait(pumps, timeout=GRACE)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await self.stdout.end()
        await self.stderr.end()
        self.done.set()

    async def _pump(self, source: asyncio.StreamReader, output: Output) -> None:
        while data := await source.read(65536):
            await output.add(data)
