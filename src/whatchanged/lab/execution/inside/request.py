"""One request under way in the kernel, and how much of its output is passed on."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable
from typing import Any

__all__ = ["Request"]

HEAD = 400_000  # characters of text passed on as they come
TAIL = 400_000  # characters kept of what follows, passed on at the end
DISPLAYS = 60  # rich outputs
DISPLAY = 8_000_000  # characters of one kind of a rich output, images in base64
LINE = 65_536  # characters of text in one message


class Request:
    """One cell. A flood of output costs neither the pipe nor the host more than the limits.

    Args:
        number: The host's number of it.
        say: Sends an event to the host.
    """

    def __init__(self, number: int, say: Callable[..., None]) -> None:
        self.number = number
        self.started: float | None = None
        self.replied: float | None = None
        self.idle = False
        self.reply: dict[str, Any] = {}
        self._say = say
        self._room = HEAD
        self._displays = DISPLAYS
        self._tail: collections.deque[tuple[str, str]] = collections.deque()
        self._tail_size = 0
        self._omitted = {"characters": 0, "lines": 0, "displays": 0}

    def text(self, name: str, text: str) -> None:
        """Pass on the head of the text; keep the end of what follows."""
        head, text = text[: self._room], text[self._room :]
        self._room -= len(head)
        self._stream(name, head)
        if text:
            self._tail.append((name, text))
            self._tail_size += len(text)
        while self._tail_size > TAIL:
            name, oldest = self._tail.popleft()
            excess = min(len(oldest), self._tail_size - TAIL)
            self._omitted["characters"] += excess
            self._omitted["lines"] += oldest.count("\n", 0, excess)
            self._tail_size -= excess
            if excess < len(oldest):
                self._tail.appendleft((name, oldest[excess:]))

    def flush(self) -> None:
        """Pass on what was kept, after the counts of what was not."""
        if any(self._omitted.values()):
            self._say("omitted", id=self.number, **self._omitted)
            self._omitted = dict.fromkeys(self._omitted, 0)
        for name, text in self._tail:
            self._stream(name, text)
        self._tail.clear()
        self._tail_size = 0

    def error(self, content: dict[str, Any]) -> None:
        """Pass on an exception."""
        self.flush()
        output = {
            "output_type": "error",
            "ename": str(content.get("ename")),
            "evalue": str(content.get("evalue"))[:LINE],
            "traceback": [str(line)[:LINE] for line in content.get("traceback") or []][-200:],
        }
        self._say("output", id=self.number, output=output)

    def clear(self, wait: bool) -> None:
        """Pass on that the outputs are to be cleared."""
        self.flush()
        self._room, self._displays = HEAD, DISPLAYS
        self._say("clear", id=self.number, wait=wait)

    def display(self, kind: str, content: dict[str, Any]) -> None:
        """Pass on a rich output, or name it where it is too large or one too many."""
        data: dict[str, Any] = {}
        for mime, value in (content.get("data") or {}).items():
            size = len(value) if isinstance(value, str) else len(json.dumps(value))
            if size <= DISPLAY:
                data[mime] = value
            else:
                note = f"[{mime} left out: {size:,} characters]"
                data["text/plain"] = f"{data['text/plain']}\n{note}" if "text/plain" in data else note
        output = {"data": data, "metadata": content.get("metadata") or {}}
        name = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data":
            self._say("update", id=self.number, display=name, **output)
        elif kind == "display_data" and self._displays <= 0:
            self._omitted["displays"] += 1
        else:
            self._displays -= 1
            extra = {"execution_count": content.get("execution_count")} if kind == "execute_result" else {}
            self._say("output", id=self.number, display=name, output={"output_type": kind, **output, **extra})

    def _stream(self, name: str, text: str) -> None:
        for at in range(0, len(text), LINE):
            output = {"output_type": "stream", "name": name, "text": text[at : at + LINE]}
            self._say("output", id=self.number, output=output)
