"""Real MCP clients over stdio: the official SDK, and the toolset of our harness."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lab_world import living, notebook
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ImageContent, TextContent

from whatchanged.errors import LabError
from whatchanged.lab.execution import NotebookSession, create_local_session


@asynccontextmanager
async def connected(session: NotebookSession) -> AsyncIterator[Client]:
    config = session.mcp_config["notebooks"]
    server = StdioServerParameters(command=config["command"], args=config["args"], env=config["env"])
    async with Client(stdio_client(server)) as client:
        yield client


def text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def test_an_agent_works_in_the_notebook_through_the_official_client(session: NotebookSession) -> None:
    async def work() -> None:
        async with connected(session) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {
                "start_new_session",
                "execute_code",
                "add_markdown",
                "edit_cell",
                "shutdown_session",
            } <= set(tools)
            assert tools["execute_code"].input_schema["required"] == ["code"]
            assert "Run Python code as a new cell" in (tools["execute_code"].description or "")
            begun = text(await client.call_tool("start_new_session", {"experiment_name": "x"}))
            assert begun.startswith("session_id: local-session\n")
            name = {"session_id": "local-session"}
            assert "ok after" in text(await client.call_tool("execute_code", {"code": "x = 6", **name}))
            assert text(await client.call_tool("execute_code", {"code": "x * 7"})).endswith("\n42\n")
            await client.call_tool("add_markdown", {"content": "# Title", **name})
            failed = await client.call_tool("execute_code", {"code": "x / 0"})
            assert not failed.is_error
            assert "raised an error" in text(failed)
            assert "\x1b" not in text(failed)
            assert text(await client.call_tool("edit_cell", {"code": "x / 2", "cell_index": -1})).endswith(
                "\n3.0\n"
            )
            picture = await client.call_tool(
                "execute_code",
                {
                    "code": "import matplotlib.pyplot as plt\nplt.figure(figsize=(30, 2)); plt.plot([1, 2]); plt.show()"
                },
            )
            assert isinstance(picture.content[1], ImageContent)
            assert "[picture 1]" in text(picture)
            await client.call_tool("execute_code", {"code": "open('made.txt', 'w').write('made here')"})
            assert "made.txt" in text(await client.call_tool("list_files", {}))
            assert text(await client.call_tool("read_file", {"path": "made.txt"})) == "made here"
            for wrong, words in (
                ({"path": "none.txt"}, "cannot be read"),
                ({"session_id": "other", "path": "made.txt"}, ""),
            ):
                answer = await client.call_tool("read_file", wrong)
                assert words in text(answer)
            refused = await client.call_tool("execute_code", {"code": "1", "session_id": "other"})
            assert refused.is_error
            assert "yours is 'local-session'" in text(refused)
            assert "saved" in text(await client.call_tool("shutdown_session", {}))
            over = await client.call_tool("execute_code", {"code": "1"})
            assert over.is_error
            assert "shut down" in text(over)

    asyncio.run(work())
    kinds = [c["cell_type"] for c in notebook(session.notebook_path)["cells"]]
    assert kinds.count("markdown") == 1
    with pytest.raises(LabError, match="shut down"):
        session.exec("1")


def test_a_long_cell_is_waited_for_with_progress_and_interrupted(shared: NotebookSession) -> None:
    heard: list[str] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def work() -> None:
        async with connected(shared) as client:
            code = "import time\nfor n in range(600): print(n, flush=True); time.sleep(0.1)"
            first = await client.call_tool(
                "execute_code", {"code": code, "wait_seconds": 7}, progress_callback=progress
            )
            assert "is still running" in text(first)
            assert "\n0\n1\n2\n" in text(first)
            handle = int(text(first).split("wait(handle=")[1].split(")")[0])
            assert "is still running" in text(
                await client.call_tool("wait", {"handle": handle, "wait_seconds": 0.1})
            )
            assert "was interrupted" in text(await client.call_tool("interrupt", {}))
            assert text(await client.call_tool("interrupt", {})) == "no cell is running"
            assert "KeyboardInterrupt" in text(await client.call_tool("wait", {}))

    asyncio.run(work())
    assert any(line.startswith("running for") for line in heard)


def test_calls_at_the_same_time_from_two_clients(shared: NotebookSession) -> None:
    async def work() -> None:
        async with connected(shared) as one, connected(shared) as other:
            calls = [
                (one if number % 2 else other).call_tool(
                    "execute_code", {"code": f"print('mine is {number}')"}
                )
                for number in range(8)
            ]
            answers = [text(answer) for answer in await asyncio.gather(*calls)]
            assert [answer.split("\n")[1] for answer in answers] == [
                f"mine is {number}" for number in range(8)
            ]

    asyncio.run(work())


def test_a_killed_server_loses_nothing_and_another_takes_its_place(shared: NotebookSession) -> None:
    shared.exec("before = 'before'")
    config = shared.mcp_config["notebooks"]
    command = [config["command"], *config["args"]]
    relay = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert relay.stdin
    assert relay.stdout
    with relay:
        hello: dict[str, Any] = {
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
            },
        }  # fmt: skip
        relay.stdin.write(json.dumps(hello).encode() + b"\n")
        relay.stdin.flush()
        assert json.loads(relay.stdout.readline())["result"]["serverInfo"]["name"] == "notebooks"
        call = {"name": "execute_code", "arguments": {"code": "import time; time.sleep(1); print('done')"}}
        for message in (
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
        ):
            relay.stdin.write(json.dumps(message).encode() + b"\n")
        relay.stdin.flush()
        while not shared.running():
            pass
        relay.send_signal(signal.SIGKILL)
    assert shared.wait().text == "done\n"

    async def work() -> None:
        async with connected(shared) as client:
            assert "'before'" in text(await client.call_tool("execute_code", {"code": "before"}))

    asyncio.run(work())


def test_the_harness_loads_the_same_servers(shared: NotebookSession, tmp_path: Path) -> None:
    from pydantic_ai.mcp import load_mcp_toolsets

    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"mcpServers": shared.mcp_config}))

    async def work() -> None:
        (toolset,) = load_mcp_toolsets(servers)
        async with toolset:
            inner = toolset.wrapped  # type: ignore[attr-defined]
            names = {tool.name for tool in await inner.list_tools()}
            assert {"execute_code", "wait", "add_markdown"} <= names
            assert "14" in str(await inner.direct_call_tool("execute_code", {"code": "2 * 7"}))

    asyncio.run(work())


def test_the_server_ends_with_the_session_and_leaves_no_file(tmp_path: Path) -> None:
    session = create_local_session(workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out")
    config = session.mcp_config["notebooks"]
    socket = Path(config["args"][-1])
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    with subprocess.Popen(
        [config["command"], *config["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    ) as relay:
        session.close()
        assert relay.wait(20) == 0
    assert not socket.parent.exists()
    late = subprocess.run([config["command"], *config["args"]], capture_output=True, text=True, check=False)
    assert late.returncode == 1
    assert "the session behind" in late.stderr
    with pytest.raises(LabError, match="closed"):
        session.mcp_config  # noqa: B018
    assert living(tmp_path) == []


def test_the_configuration_is_what_claude_agent_sdk_takes(shared: NotebookSession) -> None:
    config = shared.mcp_config
    assert list(config) == ["notebooks"]
    assert config["notebooks"]["type"] == "stdio"
    assert config["notebooks"]["command"] == sys.executable
    assert not {name for name in os.environ if name in json.dumps(config)} & {"API_KEY", "TOKEN"}
