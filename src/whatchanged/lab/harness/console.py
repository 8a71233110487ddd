"""A terminal on which a person talks with an agent."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from whatchanged.lab.harness.messages import Message, Said, ToolCalled, ToolReturned
from whatchanged.lab.harness.stop import Stop

__all__ = ["Console", "Talks"]

_ESCAPE = b"\x1b"
_BLOCK = 1 << 12
_SHOWN = 2000


class Talks(Protocol):
    """The person's end of a conversation."""

    async def ask(self) -> str | None:
        """The next words of the person; ``None`` when there will be none."""
        ...

    def show(self, message: Message) -> None:
        """Show what the agent does."""
        ...

    def interrupts(self, stop: Callable[[], object]) -> AbstractContextManager[None]:
        """A context in which the person can interrupt the agent: `stop` is then called."""
        ...


class Console:
    """Standard input and output. Escape interrupts the agent where standard input is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console as Screen

        self._screen = Screen(highlight=False, markup=False, emoji=False)
        self._input = sys.stdin.fileno()
        self._waiting = b""

    async def ask(self) -> str | None:
        """The next line; ``None`` at the end of the input, and for ``exit`` and ``quit``."""
        self._screen.print("\n> ", end="")
        while b"\n" not in self._waiting:
            block = await self._read()
            if not block:
                line, self._waiting = self._waiting, b""
                return line.decode("utf-8", "replace").strip() or None
            self._waiting += block
        line, _, self._waiting = self._waiting.partition(b"\n")
        text = line.decode("utf-8", "replace").strip()
        return None if text in {"exit", "quit"} else text

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def come() -> None:
            if not readable.done():
                readable.set_result(None)

        try:
            loop.add_reader(self._input, come)
        except PermissionError:  # a file is always readable
            return os.read(self._input, _BLOCK)
        try:
            await readable
        finally:
            loop.remove_reader(self._input)
        return os.read(self._input, _BLOCK)

    def show(self, message: Message) -> None:
        """Print it; code and outputs are cut."""
        match message:
            case Said(text):
                self._screen.print(text)
            case ToolCalled(tool=tool, arguments=arguments):
                said = "\n".join(value for value in arguments.values() if isinstance(value, str))
                self._screen.print(f"[{tool}]\n{said[:_SHOWN]}", style="cyan")
            case ToolReturned(text=text, failed=failed):
                self._screen.print(text[:_SHOWN], style="red" if failed else "dim")
            case Stop() if type(message).__name__ != "Finished":
                self._screen.print(f"[{message.reason}]", style="yellow")

    @contextmanager
    def interrupts(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call `stop` when Escape is pressed."""
        if not os.isatty(self._input):
            yield
            return
        before = termios.tcgetattr(self._input)
        loop = asyncio.get_running_loop()

        def pressed() -> None:
            if os.read(self._input, _BLOCK) == _ESCAPE:  # an arrow key sends more than that
                stop()

        tty.setcbreak(self._input)
        loop.add_reader(self._input, pressed)
        try:
            yield
        finally:
            loop.remove_reader(self._input)
            termios.tcsetattr(self._input, termios.TCSADRAIN, before)
