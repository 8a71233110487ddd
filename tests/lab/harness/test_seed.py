"""Set-up code written for another lab runs unchanged, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from whatchanged.errors import WhatchangedError

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

SEED = Path(__file__).parents[4] / "shared" / "seed"
RUN = [sys.executable, "-c", "from whatchanged.cli import main; main()", "lab", "run"]
OWN = """
from src.environment import Sandbox, SandboxConfig, ExecutionMode, RepoConfig
from src.workspace import Workspace, Library
from src.execution import create_notebook_session

config = SandboxConfig(
    gpu="A100",
    execution_mode=ExecutionMode.NOTEBOOK,
    repos=[RepoConfig(url="nickjiang2378/interp_embed")],
    system_packages=["git"],
    python_packages=["numpy", "openai"],
    secrets=["GEMINI_API_KEY", "OPENROUTER_API_KEY", "HF_TOKEN"],
    timeout=7200,
)
sandbox = Sandbox(config).start()
workspace = Workspace(libraries=[Library.from_file(example_dir / "openrouter_client.py")])
session = create_notebook_session(sandbox, workspace)
"""
WORK = """
import asyncio, json
from mcp import Client, StdioServerParameters, stdio_client

async def work():
    server = session.mcp_config["notebooks"]
    parameters = StdioServerParameters(command=server["command"], args=server["args"], env=server["env"])
    async with Client(stdio_client(parameters)) as client:
        async def cell(code):
            return (await client.call_tool("execute_code", {"code": code})).content[0].text
        print(json.dumps([
            sandbox.sandbox_id,
            await cell("import interp_embed; print(interp_embed.WORD)"),
            await cell("import openrouter_client, os; print(openrouter_client.__name__, 'HF_TOKEN' in os.environ)"),
            await cell("print(os.environ['HF_TOKEN'])"),
            await cell("open('made.txt', 'w').write('made')"),
            str(sandbox.outputs),
        ]))

asyncio.run(work())
"""


def set_up_code() -> str:
    """The seed's own set-up where it is at hand, its package list shortened; else the same calls."""
    for page in sorted(SEED.glob("*.txt")) if SEED.is_dir() else []:
        blocks = page.read_text(encoding="utf-8").split("```python\n")[1:]
        for block in (one.split("```")[0] for one in blocks):
            if "create_notebook_session(" in block and "python_packages=[" in block:
                head, _, rest = block.partition("python_packages=[")
                return head + 'python_packages=["numpy", "openai"' + rest[rest.index("]") :]
    return OWN


def left(folder: Path, sandbox_id: str) -> list[str]:
    """Processes and mounts of a sandbox."""
    found = [
        line
        for line in Path("/proc/mounts").read_text().splitlines()
        if sandbox_id in line or str(folder) in line
    ]
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"WHATCHANGED_SANDBOX={sandbox_id}".encode() in environment.read_bytes():
                found.append((environment.parent / "cmdline").read_text())
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    repository = tmp_path / "clone" / "interp_embed"
    repository.mkdir(parents=True)
    (repository / "__init__.py").write_text("WORD = 'importable'\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], cwd=repository.parent, check=True)
    example = tmp_path / "example"
    example.mkdir()
    (tmp_path / "tmp").mkdir()
    client = Path(__file__).parents[3] / "experiments" / "checkpoint-diffing" / "openrouter_client.py"
    shutil.copy(client, example / "openrouter_client.py")
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TMPDIR": str(place / "tmp"),
        "GEMINI_API_KEY": "gm-dummy-0123456789",
        "OPENROUTER_API_KEY": "or-dummy-0123456789",
        "HF_TOKEN": "hf-dummy-0123456789",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{place / 'clone'}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/nickjiang2378/interp_embed.git",
    }


def test_the_seeds_set_up_runs_and_leaves_nothing(place: Path) -> None:
    script = place / "example" / "main.py"
    script.write_text(
        f"from pathlib import Path\nexample_dir = Path(__file__).parent\n{set_up_code()}\n{WORK}"
    )
    command = [*RUN, "--backend", "local", str(script)]
    done = subprocess.run(
        command, cwd=place, env=environment(place), capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "A100" in done.stderr
    assert "modal" in done.stderr.lower()
    sandbox_id, imported, library, token, _, outputs = json.loads(done.stdout.splitlines()[-1])
    assert imported.endswith("\nimportable\n")
    assert library.endswith("\nopenrouter_client True\n")
    assert token.endswith("\n[HF_TOKEN]\n")
    assert (Path(outputs) / "made.txt").read_text() == "made"
    assert "hf-dummy" not in (Path(outputs) / "notebook.ipynb").read_text()
    assert left(place, sandbox_id) == []
    assert list((place / "tmp").rglob("*")) == []


def test_src_is_this_lab_for_the_script_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport src.environment, whatchanged.lab.environment as real\n"
        "from src.environment import ScopedSandbox\nfrom src.execution.local_session import create_local_session\n"
        "from src.harness import run_agent, run_agent_interactive\n"
        "assert src.environment is real and real.__spec__.name == 'whatchanged.lab.environment'\n"
        "print(sys.argv[1:])\nsys.exit(int(sys.argv[2]))\n"
    )
    command = [*RUN, str(script), "--backend", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "['--backend', '7']\n"), done.stderr
    assert (
        subprocess.run([sys.executable, "-c", "import src.environment"], cwd=tmp_path, check=False).returncode
        == 1
    )


def test_a_script_that_is_not_there_or_a_failure_of_the_world(tmp_path: Path) -> None:
    assert issubclass(WhatchangedError, Exception)
    script = tmp_path / "script.py"
    script.write_text("from whatchanged.errors import LabError\nraise LabError('no such luck')\n")
    failed = subprocess.run([*RUN, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert failed.returncode == 3
    assert "LabError: no such luck" in failed.stderr
    absent = subprocess.run([*RUN, "absent.py"], capture_output=True, text=True, timeout=300, check=False)
    assert absent.returncode == 2
    assert "there is no script absent.py" in absent.stderr
