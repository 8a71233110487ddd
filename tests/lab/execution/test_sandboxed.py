"""Sessions in a real sandbox with bubblewrap: repositories, secrets, time limits, files home, nothing left."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from lab_world import CANARY, notebook, outputs_of, run_again
from test_mcp import connected, text

from whatchanged.errors import CellError, TimeLimit
from whatchanged.lab.environment import ExecutionMode, RepoConfig, Sandbox, SandboxConfig
from whatchanged.lab.execution import create_cli_session, create_notebook_session
from whatchanged.lab.workspace import Library, Skill, Workspace

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


def marked(sandbox_id: str, *, patience: float = 20.0) -> list[str]:
    """Processes of a sandbox; waits a while for them to end."""
    until = time.monotonic() + patience
    while True:
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if f"WHATCHANGED_SANDBOX={sandbox_id}".encode() in environment.read_bytes():
                    found.append(environment.parent.name)
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "cloned_tool.py").write_text("def triple(x):\n    return 3 * x\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def test_an_agent_s_work_in_a_sandbox_comes_home_and_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", CANARY)
    (tmp_path / "data").mkdir()
    for number in range(12):
        (tmp_path / "data" / f"{number}.txt").write_text(f"text {number}")
    client = tmp_path / "openrouter_client.py"
    client.write_text(
        '"""Ask models."""\n\ndef ask(prompt: str) -> str:\n    """Ask one."""\n    return prompt.upper()\n'
    )
    workspace = Workspace(
        libraries=[Library.from_file(client)],
        skills=[Skill("reading", "how to read", "Read slowly.")],
        local_dirs=[(tmp_path / "data", "/workspace/data")],
        custom_init_code="threshold = 0.05",
    )
    config = SandboxConfig(
        repos=[RepoConfig(url=str(repository(tmp_path / "cloned")))],
        secrets=["OPENROUTER_API_KEY"],
        network=False,
        outputs=tmp_path / "home",
        timeout=600,
    )
    with Sandbox(config) as sandbox:
        session = create_notebook_session(sandbox, workspace)
        assert "def ask(prompt: str) -> str\n    Ask one." in session.library_docs
        assert "cloned at `/workspace/cloned`, commit " in session.model_info_text
        assert ".claude/skills/reading/SKILL.md" in session.model_info_text

        async def work() -> None:
            async with connected(session) as agent:
                for code, told in (
                    ("import openrouter_client\nopenrouter_client.ask('hi')", "'HI'"),
                    ("import cloned_tool\ncloned_tool.triple(2)", "6"),
                    (
                        "sorted(p.name for p in __import__('pathlib').Path('data').iterdir())[:2]",
                        "['0.txt', '1.txt']",
                    ),
                    ("threshold", "0.05"),
                    ("open('findings.md', 'w').write('# Found')", "7"),
                    ("import os; os.environ['OPENROUTER_API_KEY']", "[OPENROUTER_API_KEY]"),
                ):
                    assert told in text(await agent.call_tool("execute_code", {"code": code}))
                await agent.call_tool(
                    "execute_code", {"code": "open('leak.txt','w').write(os.environ['OPENROUTER_API_KEY'])"}
                )
                assert CANARY not in text(await agent.call_tool("read_file", {"path": "leak.txt"}))
                assert "findings.md" in text(await agent.call_tool("list_files", {}))
                assert "is a folder" in text(await agent.call_tool("read_file", {"path": "data"}))

        asyncio.run(work())
        identity = sandbox.sandbox_id
        assert marked(identity, patience=0)
        session.close()
    assert marked(identity) == []
    home = tmp_path / "home"
    assert session.notebook_path == home / "notebook.ipynb"
    assert (home / "findings.md").read_text() == "# Found"
    assert (home / "openrouter_client.py").is_file()
    assert CANARY not in session.notebook_path.read_text()
    book = notebook(session.notebook_path)
    book["cells"] = [cell for cell in book["cells"] if "cloned_tool" not in cell["source"]]
    short = home / "short.ipynb"
    short.write_text(json.dumps(book))
    assert outputs_of(run_again(short, home))[3] == outputs_of(book)[3]


def test_the_time_limit_is_told_and_saves_the_notebook(tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(outputs=tmp_path / "home", timeout=25)) as sandbox:
        session = create_notebook_session(sandbox)
        session.exec("open('made.txt', 'w').write('made')\nprint('finished')")
        with pytest.raises(CellError, match=r"TimeLimit: the sandbox passed its time limit"):
            session.exec("import time\nprint('so far', flush=True)\ntime.sleep(600)")
        with pytest.raises(TimeLimit):
            session.exec("1")
        assert marked(sandbox.sandbox_id) == []
        session.close()
    assert (tmp_path / "home" / "made.txt").read_text() == "made"
    finished, cut = outputs_of(notebook(session.notebook_path))[-2:]
    assert finished[0]["text"] == "finished\n"
    assert [cut[0]["text"], cut[1]["ename"]] == ["so far\n", "TimeLimit"]


HOST = """
import sys
from whatchanged.lab.environment import Sandbox, SandboxConfig
from whatchanged.lab.execution import create_notebook_session
sandbox = Sandbox(SandboxConfig(outputs=sys.argv[1])).start()
session = create_notebook_session(sandbox)
print(sandbox.sandbox_id, flush=True)
for number in range(10_000):
    session.exec(f"print({number}); import subprocess, time; time.sleep(0.05); "
                 f"subprocess.Popen(['setsid', 'sleep', '1000']) if {number} == 0 else None")
    print(number, flush=True)
"""


def test_killing_the_host_ends_the_sandbox_and_keeps_every_finished_cell(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOST, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        identity = host.stdout.readline().strip()
        host.stdout.readline()
        assert marked(identity, patience=0)
        time.sleep(0.6)
        os.kill(host.pid, signal.SIGKILL)
        finished = 1 + len(host.stdout.read().split())
    assert marked(identity) == []
    printed = [cell[0]["text"] for cell in outputs_of(notebook(tmp_path / "notebook.ipynb"))[1:] if cell]
    assert printed[:finished] == [f"{number}\n" for number in range(finished)]


def test_shell_commands_over_mcp_are_logged_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_API_KEY", CANARY)
    config = SandboxConfig(
        execution_mode=ExecutionMode.CLI, secrets=["CANARY_API_KEY"], outputs=tmp_path / "home", timeout=600
    )
    workspace = Workspace(
        libraries=[Library.from_code("tool", "answer = 42")], custom_init_code="open('x', 'w')"
    )
    with Sandbox(config) as sandbox, create_cli_session(sandbox, workspace) as session:

        async def work() -> None:
            from mcp import Client, StdioServerParameters, stdio_client

            server = session.mcp_config["cli"]
            parameters = StdioServerParameters(command=server["command"], args=server["args"])
            async with Client(stdio_client(parameters)) as agent:
                assert "\n42" in text(
                    await agent.call_tool("run_python", {"code": "import tool; print(tool.answer)"})
                )
                shown = text(
                    await agent.call_tool(
                        "run_command", {"command": "echo $CANARY_API_KEY | base64; ls; exit 3"}
                    )
                )
                assert "ended with code 3" in shown
                assert "tool.py" in shown
                assert "[CANARY_API_KEY]" in shown
                late = await agent.call_tool("run_command", {"command": "sleep 60", "timeout_seconds": 1})
                assert "time limit" in text(late)
                await agent.call_tool("write_file", {"path": "new/file.txt", "content": "new"})
                assert text(await agent.call_tool("read_file", {"path": "new/file.txt"})) == "new"

        asyncio.run(work())
        assert session.exec("print(6 * 7)").strip() == "42"
    lines = [json.loads(line) for line in session.log_path.read_text().splitlines()]
    assert [line["returncode"] for line in lines][:3] == [0, 0, 3]
    assert CANARY not in session.log_path.read_text()
    assert (tmp_path / "home" / "new" / "file.txt").read_text() == "new"
