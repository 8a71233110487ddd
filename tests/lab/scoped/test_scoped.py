"""Chosen functions of one sandbox, called from another, from this machine, and as tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from whatchanged.errors import CellError, LabError
from whatchanged.lab.environment import Sandbox, SandboxConfig, ScopedSandbox
from whatchanged.lab.execution import create_local_session, create_notebook_session
from whatchanged.lab.harness import Plan, Step, ToolReturned, run_agent
from whatchanged.lab.scoped.interface import read_interface
from whatchanged.lab.workspace import Workspace

INTERFACE = '''
import os
from pathlib import Path

print("loading")  # must not disturb the channel
factor = 3
Path("private.txt").write_text("not for agents")
HERE = os.getpid()

@expose
def scale(value: float, *, by: float = factor) -> dict:
    """Multiply a number."""
    print("scaling")
    return {"value": value * by, "process": HERE}

@expose
async def join(*words: str, sep: str = "-") -> str:
    return sep.join(words)

@expose
def fail(words: str = "no") -> dict:
    raise LookupError(words + os.environ["TOKEN_FOR_TEST"])

@expose
def odd() -> object:
    return {1, 2}

def hidden():
    return Path("private.txt").read_text()
'''
SECRET = "tok-9f3a77c1d2e8b4"


@pytest.fixture(scope="module")
def scoped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScopedSandbox]:
    folder = tmp_path_factory.mktemp("scoped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKEN_FOR_TEST", SECRET)
        sandbox = ScopedSandbox(
            SandboxConfig(secrets=["TOKEN_FOR_TEST"], outputs=folder / "home", timeout=600)
        )
        with sandbox:
            yield sandbox


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interface") / "interface.py"
    path.write_text(INTERFACE)
    return path


def test_a_notebook_in_another_sandbox_calls_what_is_exposed_and_nothing_else(
    scoped: ScopedSandbox, interface: Path, tmp_path: Path
) -> None:
    tools = scoped.serve(interface, expose_as="library", name="model_tools")
    assert "def scale(value: float, *, by: float=...) -> dict" in tools.get_prompt_docs()
    assert "hidden" not in tools.get_prompt_docs()
    with Sandbox(SandboxConfig(outputs=tmp_path / "home", timeout=600)) as sandbox:
        session = create_notebook_session(sandbox, Workspace(libraries=[tools]))
        assert session.exec("import model_tools; print(model_tools.scale(14)['value'])").text == "42\n"
        assert session.exec("print(model_tools.scale(14, by=.5)['value'])").text == "7.0\n"
        assert session.exec("print(model_tools.join('a', 'b', sep='+'))").text == "a+b\n"
        assert session.exec("print(hasattr(model_tools, 'hidden'))").text == "False\n"
        with pytest.raises(CellError, match=r"LookupError: no\[TOKEN_FOR_TEST\]"):
            session.exec("model_tools.fail()")
        with pytest.raises(CellError, match=r"not JSON serializable.*use .tolist"):
            session.exec("model_tools.odd()")
        # The other sandbox's files and processes are not there, and a call that is no call does no harm.
        seen = session.exec(
            "import glob, os, json\nprint(glob.glob('private.txt'), os.path.exists('/proc/%d' % 99999))\n"
            "import socket, tempfile\ns = socket.socket(socket.AF_UNIX)\n"
            "s.connect(glob.glob(tempfile.gettempdir() + '/wcs-*')[0])\n"
            "s.sendall(b'nonsense\\n'); print(s.recv(1000).decode())\n"
            "s.sendall(json.dumps({'function': 'hidden', 'args': [], 'kwargs': {}}).encode() + b'\\n')\n"
            "print(s.recv(1000).decode())"
        ).text
        assert seen.startswith("[] False\n")
        assert "a call is one line of JSON" in seen
        assert "there is no function 'hidden'" in seen
        session.close()


def test_an_agent_sees_the_functions_as_tools_and_no_other(
    scoped: ScopedSandbox, interface: Path, tmp_path: Path
) -> None:
    config = scoped.serve(interface, expose_as="mcp", name="model_tools")
    plan = Plan(
        steps=[
            Step(tool="scale", arguments={"value": 2}, expect='"value": ?6'),
            Step(tool="scale", arguments={"value": 2, "by": 5}, expect='"value": ?10'),
        ]
    )

    async def work() -> list[object]:
        stream = run_agent("scale", config, "scripted", plan=plan, transcript=tmp_path / "t.jsonl")
        return [message async for message in stream]

    returned = [one for one in asyncio.run(work()) if isinstance(one, ToolReturned)]
    assert [json.loads(one.text)["value"] for one in returned] == [6, 10]
    assert {one.tool for one in returned} == {"model_tools_scale"}


def test_from_this_machine_until_the_sandbox_is_over(interface: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKEN_FOR_TEST", SECRET)
        scoped = ScopedSandbox(
            SandboxConfig(secrets=["TOKEN_FOR_TEST"], outputs=tmp_path / "home", timeout=600)
        )
        scoped.start()
        tools = scoped.serve(interface, name="model_tools")
        with create_local_session(
            Workspace(libraries=[tools]), tmp_path / "work", notebook_dir=tmp_path
        ) as session:
            assert session.exec("import model_tools; print(model_tools.scale(1)['value'])").text == "3\n"
            scoped.terminate()
            with pytest.raises(CellError, match="sandbox behind model_tools cannot be reached"):
                session.exec("model_tools.scale(1)")
    assert list(Path("/tmp").glob(f"{tools.address}*")) == []  # type: ignore[attr-defined]


def test_an_interface_that_cannot_be_served_says_why(scoped: ScopedSandbox, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    for source, kind, words in (
        ("def f(): ...", ValueError, "exposes nothing"),
        ("def f(:", ValueError, "is not Python"),
        ("@expose\ndef f(): ...\nraise KeyError('gone')", LabError, "KeyError: 'gone'"),
        ("get_model_path('x/y')\n@expose\ndef f(): ...", LabError, "no model 'x/y' is here"),
    ):
        file.write_text(source)
        with pytest.raises(kind, match=words):
            scoped.serve(file)


def test_signatures_are_read_without_running_the_file() -> None:
    source = (
        "@expose\ndef f(a: int, b: 'list[str] | None' = None, *, c: Literal['x', 'y'] = 'x', "
        "d: torch.Tensor = torch.zeros(3)):\n    'Words.'\n"
    )
    (one,) = read_interface(source, "here")
    signature = one.signature()
    assert (one.name, one.docs) == ("f", "Words.")
    assert signature.parameters["a"].annotation is int
    assert signature.parameters["b"].annotation == (list[str] | None)
    assert signature.parameters["c"].default == "x"
    assert signature.parameters["d"].default is None
    assert one.left_to_the_function() == {"d"}
    assert "torch.zeros" not in one.header
