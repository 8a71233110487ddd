"""A person and an agent: turns, an interrupt, the end; and the real terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import Tools
from whatchanged.lab.harness import Message, Plan, Step, run_agent_interactive


class Person:
    """Says lines; presses Escape after a while where told to."""

    def __init__(self, *lines: tuple[str, float | None]) -> None:
        self.lines = list(lines)
        self.seen: list[str] = []
        self._escape: float | None = None

    async def ask(self) -> str | None:
        if not self.lines:
            return None
        text, self._escape = self.lines.pop(0)
        return text

    def show(self, message: Message) -> None:
        self.seen.append(type(message).__name__)

    @contextmanager
    def interrupts(self, stop: Callable[[], object]) -> Iterator[None]:
        if self._escape is not None:
            asyncio.get_running_loop().call_later(self._escape, stop)
        yield


def test_a_turn_that_is_interrupted_does_not_end_the_conversation(
    served: dict[str, Any], tools: Tools, tmp_path: Path
) -> None:
    plan = Plan(
        steps=[Step(tool="note", arguments={"text": "a"}), Step(tool="nap", arguments={"seconds": 4})]
    )
    person = Person(("first", 2.0), ("", None), ("second", None))
    asyncio.run(
        run_agent_interactive(
            "", served, "scripted", plan=plan, console=person, transcript=tmp_path / "t.jsonl"
        )
    )
    whole = ["Asked", "ToolCalled", "ToolReturned", "ToolCalled", "ToolReturned", "Said", "Finished"]
    cut = person.seen.index("Interrupted")
    assert person.seen[:cut] == whole[:cut]
    assert person.seen[cut + 1 :] == whole
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert kinds == ["Started", *person.seen]


def test_the_terminal_takes_lines_and_escape(tmp_path: Path) -> None:
    program = (
        "import asyncio\nfrom whatchanged.lab.harness import Console\n"
        "async def main():\n"
        "    c = Console()\n"
        "    print('GOT', await c.ask())\n"
        "    pressed = asyncio.Event()\n"
        "    with c.interrupts(pressed.set):\n"
        "        print('WORKING', flush=True)\n"
        "        await pressed.wait()\n"
        "    print('ESCAPED', await c.ask(), await c.ask())\n"
        "asyncio.run(main())\n"
    )
    mine, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = ""

        def until(words: str) -> None:
            nonlocal seen
            limit = time.monotonic() + 200
            while words not in seen:
                assert time.monotonic() < limit, seen
                seen += os.read(mine, 4096).decode()
            seen = seen.partition(words)[2]

        until("> ")
        os.write(mine, b"hello there\n")
        until("GOT hello there")
        until("WORKING")
        os.write(mine, b"\x1b[A")  # an arrow is no Escape
        time.sleep(0.3)
        os.write(mine, b"\x1b")
        until("> ")
        os.write(mine, b"again\n")
        time.sleep(0.3)
        os.write(mine, b"exit\n")
        until("ESCAPED again None")
        assert process.wait(60) == 0
    os.close(mine)
