"""An agent in a real notebook: a long cell is waited for, an early end leaves what was done."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from whatchanged.lab.execution import create_local_session
from whatchanged.lab.harness import Finished, Limits, Message, OutOfTime, Plan, Step, ToolCalled, run_agent

LONG = "import time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('remember answer: 42')"


def test_a_long_cell_is_waited_for_and_its_output_used(tmp_path: Path) -> None:
    plan = Plan(
        steps=[
            Step(tool="add_markdown", arguments={"content": "# Work"}),
            Step(tool="execute_code", arguments={"code": LONG, "wait_seconds": 0.2}, expect="ok after"),
            Step(tool="execute_code", arguments={"code": "print({{answer}} + 1)"}, expect="\n43\n"),
        ],
        last="It is {{answer}}.",
    )
    slow = Plan(
        steps=[Step(tool="execute_code", arguments={"code": "kept = 1\nimport time; time.sleep(60)"})]
    )

    async def work(plan: Plan, limits: Limits | None = None) -> list[Message]:
        stream = run_agent("", session.mcp_config, "scripted", plan=plan, limits=limits)
        return [m async for m in stream]

    with create_local_session(workspace_dir=tmp_path / "work", notebook_dir=tmp_path / "out") as session:
        messages = asyncio.run(work(plan))
        called = [m.tool for m in messages if isinstance(m, ToolCalled)]
        assert called == [
            "notebooks_add_markdown", "notebooks_execute_code", "notebooks_wait", "notebooks_execute_code",
        ]  # fmt: skip
        assert isinstance(messages[-1], Finished)
        assert messages[-1].reason == "It is 42."
        assert isinstance(asyncio.run(work(slow, Limits(seconds=2)))[-1], OutOfTime)
        session.interrupt()
        assert session.exec("print(kept)").text == "1\n"
        book = json.loads(session.notebook_path.read_text())
    sources = ["".join(cell["source"]) for cell in book["cells"]]
    assert "# Work" in sources
    assert LONG in sources
