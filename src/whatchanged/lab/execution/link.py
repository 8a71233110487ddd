"""The host's end of the pipe to a kernel's driver."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any

from whatchanged.lab.environment.contract import Process
from whatchanged.lab.execution.events import Event, parse_event

__all__ = ["Link", "driver_command"]

_PATIENCE = 10.0
_LONGEST_LINE = 128 * 2**20
_INSIDE = "whatchanged.lab.execution.inside"
_BOOT = """
import json, sys, types
for name, source in json.loads(sys.stdin.buffer.raw.readline()):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main()
"""


def driver_command(python: str) -> tuple[str, ...]:
    """Command of a process that takes the driver's modules as its first line, and is the driver from then on.

    Nothing of ours need be installed where it runs, and no file is left there.
    """
    return (python, "-u", "-c", _BOOT)


def _driver_modules() -> list[tuple[str, str]]:
    """The modules in the order in which they import one another."""
    folder = files(_INSIDE)
    return [
        (f"{_INSIDE}.{name}", folder.joinpath(f"{name}.py").read_text(encoding="utf-8"))
        for name in ("processes", "request", "driver")
    ]


class Link:
    """Requests to one driver, and its events, read by a thread of its own.

    Args:
        process: The driver, started by `driver_command`.
        on_event: Called with every event, one at a time.
        on_end: Called once when nothing more will come, with the end of what the driver said as errors.
    """

    def __init__(
        self, process: Process, *, on_event: Callable[[Event], None], on_end: Callable[[str], None]
    ) -> None:
        self._process = process
        self._on_event = on_event
        self._on_end = on_end
        self._writing = threading.Lock()
        self._errors = b""
        self._listeners = (
            threading.Thread(target=self._listen_errors, name="kernel driver's errors", daemon=True),
            threading.Thread(target=self._listen, name="kernel driver's events", daemon=True),
        )

    def open(self) -> None:
        """Send the driver its modules and begin to listen."""
        for listener in self._listeners:
            listener.start()
        self._write(json.dumps(_driver_modules()))

    def send(self, do: str, **fields: Any) -> bool:
        """Send one request; ``False`` if the driver is gone."""
        return self._write(json.dumps({"do": do, **fields}))

    def close(self) -> None:
        """End the driver, and with it the kernel and all it started."""
        if self.send("stop"):
            with suppress(TimeoutError):
                self._process.wait(_PATIENCE)
        self._process.close()
        for listener in self._listeners:
            if listener.is_alive() and listener is not threading.current_thread():
                listener.join(10)

    def _write(self, line: str) -> bool:
        try:
            with self._writing:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
        except (OSError, ValueError):  # it ended; a closed file is a ValueError
            return False
        return True

    def _listen(self) -> None:
        while line := self._line():
            event = parse_event(line)
            if event is not None:
                self._on_event(event)
        self._listeners[0].join(1)
        self._process.stdout.close()
        self._process.close()
        self._on_end(self._errors.decode("utf-8", "replace").strip())

    def _line(self) -> bytes:
        try:
            return self._process.stdout.readline(_LONGEST_LINE)
        except (OSError, ValueError):
            return b""

    def _listen_errors(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._process.stderr:
                self._errors = (self._errors + line)[-4000:]
            self._process.stderr.close()
