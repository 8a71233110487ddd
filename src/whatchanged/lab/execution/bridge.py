"""An MCP server for one session: on a Unix socket in a private folder, reached through `relay.py`; no port."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from whatchanged.errors import MissingExtra, WhatchangedError
from whatchanged.lab.execution.toolbox import Answer, Picture, Toolbox

__all__ = ["Bridge"]

_PREFIX = "whatchanged-mcp-"
_PROGRESS_EVERY = 5.0
_LONGEST_LINE = 64 * 2**20


class Bridge:
    """Serves the tools of a session to any number of clients, by a thread of its own.

    Args:
        toolbox: The tools.
        name: The server's name.
        redact: Takes secrets out of what a failed call says, which may repeat its arguments.
    """

    def __init__(self, toolbox: Toolbox, *, name: str, redact: Callable[[str], str]) -> None:
        self._toolbox = toolbox
        self._name = name
        self._redact = redact
        self._folder: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="mcp server", daemon=True
        )

    def open(self) -> None:
        """Begin to listen.

        Raises:
            MissingExtra: If the package ``mcp`` is not installed.
        """
        try:
            import mcp.server.lowlevel  # noqa: F401
        except ImportError as error:
            raise MissingExtra("mcp", extra="lab", purpose="serve a session's tools") from error
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._thread.start()
        self._ready.wait()

    def client_config(self) -> dict[str, Any]:
        """The server as MCP clients are told of it: a command, its arguments, its environment."""
        from whatchanged.lab.execution import relay

        assert relay.__file__ is not None
        return {
            "type": "stdio",
            "command": sys.executable,
            "args": ["-I", relay.__file__, str(self._socket)],
            "env": {},
        }

    def close(self) -> None:
        """End all connections and remove the socket."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> Path:
        assert self._folder is not None
        return self._folder / "s"

    async def _serve(self) -> None:
        from mcp.server.lowlevel import Server
        from mcp.server.mcpserver.tools import Tool

        tools = {
            tool.name: tool
            for tool in (Tool.from_function(fn, structured_output=False) for fn in self._toolbox.tools())
        }
        server = Server(
            self._name,
            instructions=self._toolbox.instructions,
            on_list_tools=lambda context, _: _listed(tools),
            on_call_tool=lambda context, request: self._call(tools, context, request),
        )
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from mcp.server.stdio import stdio_server

            lines, out = cast(Any, _Lines(reader)), cast(Any, _Out(writer))
            try:
                async with stdio_server(stdin=lines, stdout=out) as (incoming, outgoing):
                    await server.run(incoming, outgoing, server.create_initialization_options())
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

        listener = await asyncio.start_unix_server(connected, self._socket, limit=_LONGEST_LINE)
        self._ready.set()
        async with listener:
            await self._stop.wait()
            connections = asyncio.all_tasks() - {asyncio.current_task()}
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _call(self, tools: dict[str, Any], context: Any, request: Any) -> Any:
        """Run a tool in a thread; report progress while it runs."""
        from mcp_types import CallToolResult
        from pydantic import ValidationError

        tool = tools.get(request.name)
        if tool is None:
            problem = f"there is no tool {request.name!r}; the tools are {', '.join(tools)}"
            return CallToolResult(content=_blocks(self._redact(problem)), is_error=True)
        try:
            arguments = tool.fn_metadata.validate_arguments(request.arguments or {})
            answer = _in_thread(lambda: tool.fn(**arguments))
            begin = time.monotonic()
            while not (await asyncio.wait([answer], timeout=_PROGRESS_EVERY))[0]:
                await context.session.report_progress(
                    time.monotonic() - begin, message=self._toolbox.progress()
                )
            return CallToolResult(content=_blocks(answer.result()))
        except (ValidationError, ValueError, WhatchangedError) as error:
            return CallToolResult(content=_blocks(self._redact(f"{error}")), is_error=True)


def _sweep() -> None:
    """Remove the folders of sessions whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (PermissionError, ValueError, OverflowError):
            continue


async def _listed(tools: dict[str, Any]) -> Any:
    from mcp_types import ListToolsResult
    from mcp_types import Tool as Described

    return ListToolsResult(
        tools=[
            Described(name=tool.name, description=tool.description, input_schema=tool.parameters)
            for tool in tools.values()
        ]
    )


def _blocks(answer: Answer) -> list[Any]:
    from mcp_types import ImageContent, TextContent

    parts: Sequence[str | Picture] = [answer] if isinstance(answer, str) else answer
    return [
        ImageContent(type="image", data=part.data, mime_type=part.mime)
        if isinstance(part, Picture)
        else TextContent(type="text", text=part)
        for part in parts
    ]


def _in_thread(function: Callable[[], Answer]) -> asyncio.Future[Answer]:
    """Run it in a thread that does not keep the interpreter from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            assert answer is not None
            future.set_result(answer)

    def work() -> None:
        answer, problem = None, None
        try:
            answer = function()
        except BaseException as error:  # noqa: BLE001  it is raised again where the answer is awaited
            problem = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, answer, problem)

    threading.Thread(target=work, name="mcp tool", daemon=True).start()
    return future


class _Lines:
    """A socket's lines as text."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[str]:
        with suppress(ConnectionError, ValueError):  # ValueError: a line beyond all measure
            while line := await self._reader.readline():
                yield line.decode("utf-8", "replace")


class _Out:
    """A socket to write text to."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, text: str) -> None:
        self._writer.write(text.encode("utf-8", "replace"))

    async def flush(self) -> None:
        with suppress(ConnectionError):
            await self._writer.drain()
